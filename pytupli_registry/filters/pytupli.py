"""PyTupli's filter classes by name: ``AND(GEQ("total_return", 100), EQ("metadata.month", "June"))``.

Keys are field names with dots, as in PyTupli; a part that is a number indexes: ``"observation.2"``. The results
are ordinary expressions, which ``&``, ``|`` and ``~`` join. Where PyTupli's file and server storage disagree, the
one meaning of docs/filters.md holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytupli_registry.filters.expression import Expression, Literal, Scalar, conjunction, disjunction
from pytupli_registry.filters.terms import Field, Key, Membership, compare, is_field_name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AND", "EQ", "GEQ", "GT", "IN", "LEQ", "LT", "NE", "OR"]


def EQ(key: str, value: Scalar) -> Expression:  # noqa: N802 - PyTupli's name, as all below
    """Return ``key == value``; of None, ``key is None``."""
    return compare(_field(key), "==", Literal(value))


def NE(key: str, value: Scalar) -> Expression:  # noqa: N802
    """Return ``key != value``; of None, ``key is not None``."""
    return compare(_field(key), "!=", Literal(value))


def GT(key: str, value: Scalar) -> Expression:  # noqa: N802
    """Return ``key > value``."""
    return compare(_field(key), ">", Literal(value))


def GEQ(key: str, value: Scalar) -> Expression:  # noqa: N802
    """Return ``key >= value``."""
    return compare(_field(key), ">=", Literal(value))


def LT(key: str, value: Scalar) -> Expression:  # noqa: N802
    """Return ``key < value``."""
    return compare(_field(key), "<", Literal(value))


def LEQ(key: str, value: Scalar) -> Expression:  # noqa: N802
    """Return ``key <= value``."""
    return compare(_field(key), "<=", Literal(value))


def IN(key: str, values: Iterable[Scalar]) -> Expression:  # noqa: N802
    """Return ``key in [values]``."""
    return Membership(_field(key), tuple(Literal(value) for value in values))


def AND(*filters: Expression) -> Expression:  # noqa: N802
    """Return what is true where all filters are; of none, ``True``."""
    return conjunction(*filters)


def OR(*filters: Expression) -> Expression:  # noqa: N802
    """Return what is true where some filter is; of none, ``False``."""
    return disjunction(*filters)


def _field(key: str) -> Field:
    name, *parts = key.split(".")
    if not is_field_name(name) and not parts:
        return Field("metadata", (key,))
    return Field(name, tuple(map(_key, parts)))


def _key(part: str) -> Key:
    return int(part) if part.removeprefix("-").isdecimal() and part.isascii() else part
