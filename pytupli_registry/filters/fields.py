"""Filters in Python: ``episode.total_return >= 100``, ``abs(step.observation[2]) < 0.1``.

``episode`` and ``step`` stand for every episode and every step; their attributes are fields, and operators on
fields make expressions::

    from pytupli_registry.filters import any_, episode, step

    dataset.where(
        episodes=(episode.total_return >= 100) & episode.metadata.month.isin(["June", "July"]) & ~episode.truncated,
        steps=abs(step.observation[2]) < 0.1,
    )

Parts whose names are methods here (``isin``) or no Python names are written in brackets: ``episode.metadata["isin"]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from pytupli_registry.filters.expression import (
    Expression,
    Literal,
    Not,
    Scalar,
    conjunction,
    disjunction,
    truth_error,
    type_error,
)
from pytupli_registry.filters.terms import (
    Aggregate,
    Arithmetic,
    Call,
    Comparison,
    Field,
    IsNone,
    Key,
    Membership,
    Slice,
    compare,
    negative,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    Given: TypeAlias = "Operand | Expression | Scalar"

__all__ = [
    "Operand",
    "all_",
    "any_",
    "ceil",
    "contains",
    "count",
    "endswith",
    "episode",
    "exp",
    "floor",
    "isfinite",
    "isnan",
    "log",
    "max_",
    "mean",
    "min_",
    "sqrt",
    "startswith",
    "step",
    "sum_",
]


class Operand:
    """A value of every episode or step, to be compared and calculated with.

    Comparisons return an :class:`~pytupli_registry.filters.expression.Expression`, arithmetic returns an operand.
    A yes-or-no field can be used as an expression: ``episode.terminated & (episode.length > 10)``.
    """

    __slots__ = ("_expression",)
    __hash__ = None  # type: ignore[assignment]  # == makes an expression

    def __init__(self, expression: Expression) -> None:
        self._expression = expression

    def as_expression(self) -> Expression:
        """Return what the operand stands for."""
        return self._expression

    def __repr__(self) -> str:
        return f"Operand({self._expression})"

    def __str__(self) -> str:
        return str(self._expression)

    def __bool__(self) -> bool:
        raise truth_error(str(self))

    # Parts.

    def __getattr__(self, name: str) -> Operand:
        if name.startswith("__"):  # Python's own protocols ask for these
            raise AttributeError(name)
        return self._part(name)

    def __getitem__(self, key: str | int | slice | tuple[int | slice, ...]) -> Operand:
        return self._part(*(key if isinstance(key, tuple) else (key,)))

    def __iter__(self) -> None:
        raise type_error(f"`{self}` cannot be iterated over.", None, "Take components: x[0], x[:3].")

    def __contains__(self, other: object) -> bool:
        raise type_error(
            "`in` asks for a truth value.", None, "Write field.isin([...]) or field.contains('part')."
        )

    def _part(self, *keys: str | int | slice) -> Operand:
        if not isinstance(self._expression, Field):
            raise type_error(
                f"`{self}` has no parts.", None, "Index the field itself: abs(step.observation[2])."
            )
        if any(isinstance(key, Slice) for key in self._expression.keys):
            raise type_error("A slice cannot be indexed again.", None, "Put both in one bracket: x[:3, 1].")
        return Operand(Field(self._expression.name, (*self._expression.keys, *map(_key, keys))))

    # Comparisons.

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return compare(self._expression, "==", _expression(other))

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return compare(self._expression, "!=", _expression(other))

    def __lt__(self, other: Given) -> Expression:
        return compare(self._expression, "<", _expression(other))

    def __le__(self, other: Given) -> Expression:
        return compare(self._expression, "<=", _expression(other))

    def __gt__(self, other: Given) -> Expression:
        return compare(self._expression, ">", _expression(other))

    def __ge__(self, other: Given) -> Expression:
        return compare(self._expression, ">=", _expression(other))

    def between(self, low: Given, high: Given) -> Expression:
        """Return ``low <= self <= high``."""
        return Comparison(("<=", "<="), (_expression(low), self._expression, _expression(high)))

    def isin(self, choices: Iterable[Scalar]) -> Expression:
        """Return whether the value is one of some constants."""
        return Membership(self._expression, tuple(Literal(choice) for choice in choices))

    def not_in(self, choices: Iterable[Scalar]) -> Expression:
        """Return whether the value is none of some constants; so is a missing value, unless None is among them."""
        return Membership(self._expression, tuple(Literal(choice) for choice in choices), negated=True)

    def is_none(self) -> Expression:
        """Return whether the value is missing."""
        return IsNone(self._expression)

    def is_not_none(self) -> Expression:
        """Return whether there is a value."""
        return IsNone(self._expression, negated=True)

    def startswith(self, part: Given) -> Expression:
        """Return whether a text begins with another."""
        return startswith(self, part)

    def endswith(self, part: Given) -> Expression:
        """Return whether a text ends with another."""
        return endswith(self, part)

    def contains(self, part: Given) -> Expression:
        """Return whether a text has another in it."""
        return contains(self, part)

    # Conditions.

    def __and__(self, other: Operand | Expression) -> Expression:
        return conjunction(self._expression, _condition(other))

    def __rand__(self, other: Operand | Expression) -> Expression:
        return conjunction(_condition(other), self._expression)

    def __or__(self, other: Operand | Expression) -> Expression:
        return disjunction(self._expression, _condition(other))

    def __ror__(self, other: Operand | Expression) -> Expression:
        return disjunction(_condition(other), self._expression)

    def __invert__(self) -> Expression:
        return Not(self._expression)

    # Arithmetic.

    def __neg__(self) -> Operand:
        return Operand(negative(self._expression))

    def __pos__(self) -> Operand:
        return self

    def __abs__(self) -> Operand:
        return _called("abs", self)

    def __round__(self) -> Operand:
        return _called("round", self)

    def __floor__(self) -> Operand:
        return floor(self)

    def __ceil__(self) -> Operand:
        return ceil(self)

    def __add__(self, other: Given) -> Operand:
        return _calculated(self, "+", other)

    def __radd__(self, other: Given) -> Operand:
        return _calculated(other, "+", self)

    def __sub__(self, other: Given) -> Operand:
        return _calculated(self, "-", other)

    def __rsub__(self, other: Given) -> Operand:
        return _calculated(other, "-", self)

    def __mul__(self, other: Given) -> Operand:
        return _calculated(self, "*", other)

    def __rmul__(self, other: Given) -> Operand:
        return _calculated(other, "*", self)

    def __truediv__(self, other: Given) -> Operand:
        return _calculated(self, "/", other)

    def __rtruediv__(self, other: Given) -> Operand:
        return _calculated(other, "/", self)

    def __floordiv__(self, other: Given) -> Operand:
        return _calculated(self, "//", other)

    def __rfloordiv__(self, other: Given) -> Operand:
        return _calculated(other, "//", self)

    def __mod__(self, other: Given) -> Operand:
        return _calculated(self, "%", other)

    def __rmod__(self, other: Given) -> Operand:
        return _calculated(other, "%", self)

    def __pow__(self, other: Given) -> Operand:
        return _calculated(self, "**", other)

    def __rpow__(self, other: Given) -> Operand:
        return _calculated(other, "**", self)


class _Fields:
    """Makes a field of every attribute."""

    __slots__ = ("_prefix",)

    def __init__(self, prefix: str | None) -> None:
        self._prefix = prefix

    def __getattr__(self, name: str) -> Operand:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Operand:
        return Operand(Field(name) if self._prefix is None else Field(self._prefix, (name,)))


episode = _Fields("episode")
step = _Fields(None)


def any_(condition: Operand | Expression) -> Expression:
    """Return whether a condition holds at some step, or for some component of a slice."""
    return Aggregate("any", _condition(condition))


def all_(condition: Operand | Expression) -> Expression:
    """Return whether a condition holds at every step, or for every component of a slice."""
    return Aggregate("all", _condition(condition))


def count(condition: Operand | Expression) -> Operand:
    """Return at how many steps, or for how many components of a slice, a condition holds."""
    return Operand(Aggregate("count", _condition(condition)))


def mean(values: Operand | Expression) -> Operand:
    """Return the mean over steps, or over the components of a slice."""
    return Operand(Aggregate("mean", _expression(values)))


def min_(values: Operand | Expression) -> Operand:
    """Return the smallest over steps, or over the components of a slice."""
    return Operand(Aggregate("min", _expression(values)))


def max_(values: Operand | Expression) -> Operand:
    """Return the largest over steps, or over the components of a slice."""
    return Operand(Aggregate("max", _expression(values)))


def sum_(values: Operand | Expression) -> Operand:
    """Return the sum over steps, or over the components of a slice."""
    return Operand(Aggregate("sum", _expression(values)))


def sqrt(value: Given) -> Operand:
    """Return the square root; NaN of a negative number."""
    return _called("sqrt", value)


def exp(value: Given) -> Operand:
    """Return the exponential."""
    return _called("exp", value)


def log(value: Given) -> Operand:
    """Return the natural logarithm; minus infinity of 0, NaN of a negative number."""
    return _called("log", value)


def floor(value: Given) -> Operand:
    """Return the largest whole number that is not above."""
    return _called("floor", value)


def ceil(value: Given) -> Operand:
    """Return the smallest whole number that is not below."""
    return _called("ceil", value)


def isnan(value: Given) -> Expression:
    """Return whether a number is NaN."""
    return Call("isnan", (_expression(value),))


def isfinite(value: Given) -> Expression:
    """Return whether a number is neither NaN nor infinite."""
    return Call("isfinite", (_expression(value),))


def startswith(value: Given, part: Given) -> Expression:
    """Return whether a text begins with another."""
    return Call("startswith", (_expression(value), _expression(part)))


def endswith(value: Given, part: Given) -> Expression:
    """Return whether a text ends with another."""
    return Call("endswith", (_expression(value), _expression(part)))


def contains(value: Given, part: Given) -> Expression:
    """Return whether a text has another in it."""
    return Call("contains", (_expression(value), _expression(part)))


def _expression(value: Any) -> Expression:  # noqa: ANN401 - operand, expression or scalar; Literal refuses the rest
    return value.as_expression() if isinstance(value, Operand | Expression) else Literal(value)


def _condition(value: object) -> Expression:
    if not isinstance(value, Operand | Expression):
        raise type_error(
            f"{value!r:.60} is no filter.", None, "Put comparisons in parentheses: (x > 1) & (y < 2)."
        )
    return value.as_expression()


def _called(function: str, value: Any) -> Operand:  # noqa: ANN401
    return Operand(Call(function, (_expression(value),)))


def _calculated(left: Any, operator: str, right: Any) -> Operand:  # noqa: ANN401
    return Operand(Arithmetic(operator, _expression(left), _expression(right)))


def _key(key: object) -> Key:
    if isinstance(key, slice):
        return Slice(*(None if bound is None else _whole(bound) for bound in (key.start, key.stop, key.step)))
    return key if isinstance(key, str) else _whole(key)


def _whole(key: object) -> int:
    if isinstance(key, bool) or not hasattr(key, "__index__"):
        raise type_error(f"{key!r:.60} is no index.", None, "An index is a whole number, a slice or a name.")
    return int(key.__index__())
