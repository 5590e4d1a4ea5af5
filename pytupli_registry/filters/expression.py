"""The tree every filter becomes, whichever way it was written: frozen, comparable, hashable, printable.

Nodes know no dataset: names are resolved when an expression is evaluated. ``str(expression)`` is its canonical
text, which :func:`pytupli_registry.filters.text.parse` turns into an equal tree. What is joined here by and, or
and not is made of the nodes of :mod:`pytupli_registry.filters.terms`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Protocol, TypeGuard

import numpy as np

from pytupli_registry.errors import FilterSyntaxError, FilterTypeError

__all__ = [
    "MAX_DEPTH",
    "MAX_SIZE",
    "And",
    "Expression",
    "Level",
    "Literal",
    "Not",
    "Or",
    "Place",
    "Scalar",
    "check_unicode",
    "conjunction",
    "disjunction",
    "syntax_error",
    "truth_error",
    "type_error",
]

Scalar = bool | int | float | str | None

MAX_DEPTH = 64
MAX_SIZE = 2_000

_INT_RANGE = range(-(2**63), 2**64)


class Level(IntEnum):
    """How tightly a node binds, loosest first: Python's own order."""

    OR = 0
    AND = 1
    NOT = 2
    COMPARISON = 3
    OPERAND = 4
    SUM = 5
    PRODUCT = 6
    UNARY = 7
    POWER = 8
    ATOM = 9


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stood in the text it was parsed from: 0-based character ``position`` of ``text``."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Expression:
    """A node of a filter.

    Join expressions with ``&``, ``|`` and ``~``: Python's ``and``, ``or``, ``not`` and chained comparisons ask
    for a truth value, which an expression refuses to have. ``==`` compares trees.

    Attributes:
        place: where the node stood in its text, or None; no part of equality.
        depth: levels of the tree below and with this node.
        size: number of nodes of the tree below and with this node.

    Raises:
        FilterSyntaxError: the tree would be deeper than ``MAX_DEPTH`` or larger than ``MAX_SIZE``.
    """

    level: ClassVar[Level] = Level.ATOM

    place: Place | None = field(default=None, compare=False, repr=False, kw_only=True)
    depth: int = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._check()
        parts = self.children
        object.__setattr__(self, "depth", 1 + max((part.depth for part in parts), default=0))
        object.__setattr__(self, "size", 1 + sum(part.size for part in parts))
        if self.depth > MAX_DEPTH:
            raise syntax_error(f"The filter is nested more than {MAX_DEPTH} levels deep.", self.place)
        if self.size > MAX_SIZE:
            raise syntax_error(f"The filter has more than {MAX_SIZE} parts.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The expressions this one is made of."""
        return ()

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text, in hexadecimal: the same for equal expressions, on every machine."""
        return hashlib.sha256(str(self).encode()).hexdigest()

    def __and__(self, other: object) -> Expression:
        return conjunction(self, other.as_expression()) if _joins(other) else NotImplemented

    def __or__(self, other: object) -> Expression:
        return disjunction(self, other.as_expression()) if _joins(other) else NotImplemented

    def __invert__(self) -> Expression:
        return Not(self)

    def __bool__(self) -> bool:
        raise truth_error(str(self))

    def __str__(self) -> str:
        return self.text()

    def as_expression(self) -> Expression:
        """Return the expression itself; field objects return what they stand for."""
        return self

    def _check(self) -> None:
        """Refuse or normalise what the types allow but the text could not say."""

    def text(self) -> str:
        """Return the canonical text."""
        raise NotImplementedError

    def text_within(self, level: Level) -> str:
        """Return the text, in parentheses where it stands beside something that binds tighter."""
        return self.text() if self.level >= level else f"({self.text()})"


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Expression):
    """A constant. ``1``, ``1.0`` and ``True`` are different literals, though they compare alike with data.

    Raises:
        FilterTypeError: the value is none of bool, int, float, str, None, or an int that no column could hold.
    """

    value: Scalar

    def _check(self) -> None:
        given: object = self.value
        value = given.item() if isinstance(given, np.generic) else given
        object.__setattr__(self, "value", value)
        if type(value) not in {bool, int, float, str, type(None)}:
            raise type_error(f"A filter cannot hold a {type(value).__name__} ({value!r:.60}).", self.place)
        if isinstance(value, int) and value not in _INT_RANGE:
            raise type_error("That whole number does not fit in 64 bits.", self.place, "Write it as a float.")
        if isinstance(value, str):
            check_unicode(value, self.place)

    @property
    def _identity(self) -> tuple[str, str]:
        return type(self.value).__name__, repr(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def is_number(self) -> bool:
        """Whether it is an int or a float, and no bool."""
        return type(self.value) in {int, float}

    def text_within(self, level: Level) -> str:
        """Return the text; a signed number binds like a sign."""
        signed = self.is_number and repr(self.value).startswith("-")
        return f"({self.value!r})" if signed and level > Level.UNARY else repr(self.value)

    def text(self) -> str:
        """Return the canonical text."""
        return repr(self.value)


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """``not operand``."""

    level: ClassVar[Level] = Level.NOT
    operand: Expression

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operand."""
        return (self.operand,)

    def text(self) -> str:
        """Return the canonical text."""
        return f"not {self.operand.text_within(Level.NOT)}"


@dataclass(frozen=True, slots=True)
class And(Expression):
    """``a and b and …``; an operand that is itself an ``And`` is taken apart. See :func:`conjunction`."""

    level: ClassVar[Level] = Level.AND
    operands: tuple[Expression, ...]

    def _check(self) -> None:
        object.__setattr__(self, "operands", _flattened(self.operands, And))
        if len(self.operands) < 2:
            raise syntax_error("An `and` needs two operands.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operands from left to right."""
        return self.operands

    def text(self) -> str:
        """Return the canonical text."""
        return " and ".join(operand.text_within(Level.NOT) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Or(Expression):
    """``a or b or …``; an operand that is itself an ``Or`` is taken apart. See :func:`disjunction`."""

    level: ClassVar[Level] = Level.OR
    operands: tuple[Expression, ...]

    def _check(self) -> None:
        object.__setattr__(self, "operands", _flattened(self.operands, Or))
        if len(self.operands) < 2:
            raise syntax_error("An `or` needs two operands.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operands from left to right."""
        return self.operands

    def text(self) -> str:
        """Return the canonical text."""
        return " or ".join(operand.text_within(Level.AND) for operand in self.operands)


def conjunction(*operands: Expression, place: Place | None = None) -> Expression:
    """Return what is true where all operands are; of none, ``True``."""
    if len(operands) > 1:
        return And(operands, place=place)
    return operands[0] if operands else Literal(value=True, place=place)


def disjunction(*operands: Expression, place: Place | None = None) -> Expression:
    """Return what is true where some operand is; of none, ``False``."""
    if len(operands) > 1:
        return Or(operands, place=place)
    return operands[0] if operands else Literal(value=False, place=place)


def truth_error(written: str) -> FilterTypeError:
    """Return the error of asking whether an expression is true."""
    return FilterTypeError(
        f"The filter `{written:.200}` has no truth value of its own.",
        hint="Join filters with & | ~ and parentheses instead of `and`, `or`, `not`; "
        "write a range as x.between(low, high) or (low <= x) & (x < high).",
    )


class _Joinable(Protocol):
    def as_expression(self) -> Expression: ...


def _joins(other: object) -> TypeGuard[_Joinable]:
    return hasattr(other, "as_expression")


def _flattened(operands: tuple[Expression, ...], kind: type[And | Or]) -> tuple[Expression, ...]:
    return tuple(part for one in operands for part in (one.operands if isinstance(one, kind) else (one,)))


def check_unicode(value: str, place: Place | None) -> None:
    """Refuse text that UTF-8 cannot hold.

    Raises:
        FilterTypeError: there is half of a surrogate pair in it.
    """
    if not value.isascii() and any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
        raise type_error(f"{value!r:.60} is no Unicode text.", place)


def syntax_error(message: str, place: Place | None, hint: str | None = None) -> FilterSyntaxError:
    """Return an error that points at a place, if there is one."""
    return FilterSyntaxError(
        message, text=place.text if place else None, position=place.position if place else None, hint=hint
    )


def type_error(message: str, place: Place | None, hint: str | None = None) -> FilterTypeError:
    """Return an error that points at a place, if there is one."""
    return FilterTypeError(
        message, text=place.text if place else None, position=place.position if place else None, hint=hint
    )
