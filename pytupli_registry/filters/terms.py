"""What conditions are made of: fields, comparisons, arithmetic, functions and aggregates."""

from __future__ import annotations

import keyword
import unicodedata
from dataclasses import dataclass
from typing import ClassVar

from pytupli_registry.filters.expression import (
    MAX_DEPTH,
    Expression,
    Level,
    Literal,
    Place,
    check_unicode,
    syntax_error,
    type_error,
)

__all__ = [
    "AGGREGATES",
    "COMPARISONS",
    "FUNCTIONS",
    "MAX_CHOICES",
    "Aggregate",
    "Arithmetic",
    "Call",
    "Comparison",
    "Field",
    "IsNone",
    "Key",
    "Membership",
    "Negative",
    "Slice",
    "compare",
    "is_field_name",
    "negative",
]

MAX_CHOICES = 10_000

AGGREGATES = ("any", "all", "count", "mean", "min", "max", "sum")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
FUNCTIONS = {
    "abs": 1,
    "sqrt": 1,
    "exp": 1,
    "log": 1,
    "floor": 1,
    "ceil": 1,
    "round": 1,
    "isnan": 1,
    "isfinite": 1,
    "startswith": 2,
    "endswith": 2,
    "contains": 2,
}

_ARITHMETIC = {
    "+": Level.SUM,
    "-": Level.SUM,
    "*": Level.PRODUCT,
    "/": Level.PRODUCT,
    "//": Level.PRODUCT,
    "%": Level.PRODUCT,
    "**": Level.POWER,
}


@dataclass(frozen=True, slots=True)
class Slice:
    """``start:stop:step`` inside brackets."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None

    @property
    def builtin(self) -> slice:
        """Python's own slice."""
        return slice(self.start, self.stop, self.step)

    def __str__(self) -> str:
        ends = f"{_blank(self.start)}:{_blank(self.stop)}"
        return ends if self.step is None else f"{ends}:{self.step}"


Key = str | int | Slice


@dataclass(frozen=True, slots=True)
class Field(Expression):
    """A field of episodes or steps: a name and what follows it, ``observation['camera'][0]``, ``metadata.month``.

    ``step.reward`` is another spelling of ``reward``.

    Attributes:
        name: the first name.
        keys: names of parts, then indices and slices.
    """

    name: str
    keys: tuple[Key, ...] = ()

    def _check(self) -> None:
        name, keys = self.name, self.keys
        while name == "step" and keys and isinstance(keys[0], str) and is_field_name(keys[0]):
            name, keys = keys[0], keys[1:]
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "keys", keys)
        if not is_field_name(name):
            raise syntax_error(
                f"{name!r:.80} cannot stand alone as a field name.",
                self.place,
                f"Write metadata[{name!r:.80}].",
            )
        if len(keys) > MAX_DEPTH:
            raise syntax_error(f"A field has at most {MAX_DEPTH} indices.", self.place)
        after_slice = False
        for key in keys:
            self._check_key(key, after_slice=after_slice)
            after_slice = after_slice or isinstance(key, Slice)

    def _check_key(self, key: Key, *, after_slice: bool) -> None:
        if isinstance(key, str):
            check_unicode(key, self.place)
        if after_slice and isinstance(key, str):
            raise syntax_error("A name cannot follow a slice.", self.place)
        numbers = [key.start, key.stop, key.step] if isinstance(key, Slice) else [key]
        if any(isinstance(number, int) and abs(number) >= 2**31 for number in numbers):
            raise syntax_error("An index is larger than any array.", self.place)
        if isinstance(key, Slice) and key.step == 0:
            raise syntax_error("The step of a slice cannot be 0.", self.place)

    def text(self) -> str:
        """Return the canonical text."""
        written, numbers = self.name, list[str]()
        for key in self.keys:
            if not isinstance(key, str):
                numbers.append(str(key))
                continue
            written += _brackets(numbers) + (f".{key}" if _is_attribute(key) else f"[{key!r}]")
            numbers = []
        return written + _brackets(numbers)


@dataclass(frozen=True, slots=True)
class Negative(Expression):
    """``-operand``; of a number, :func:`negative` makes the negative number instead."""

    level: ClassVar[Level] = Level.UNARY
    operand: Expression

    def _check(self) -> None:
        if isinstance(self.operand, Literal) and self.operand.is_number:
            raise syntax_error("A negative number is a literal of its own.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operand."""
        return (self.operand,)

    def text(self) -> str:
        """Return the canonical text."""
        return f"-{self.operand.text_within(Level.UNARY)}"


@dataclass(frozen=True, slots=True)
class Arithmetic(Expression):
    """``left operator right`` with one of ``+ - * / // % **``."""

    operator: str
    left: Expression
    right: Expression

    def _check(self) -> None:
        if self.operator not in _ARITHMETIC:
            raise syntax_error(f"There is no operator {self.operator!r:.20}.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """Both operands."""
        return self.left, self.right

    def text_within(self, level: Level) -> str:
        """Return the text, in parentheses where its operator binds less tightly."""
        return self.text() if _ARITHMETIC[self.operator] >= level else f"({self.text()})"

    def text(self) -> str:
        """Return the canonical text."""
        own = _ARITHMETIC[self.operator]
        left, right = (Level.ATOM, Level.UNARY) if own == Level.POWER else (own, Level(own + 1))
        return f"{self.left.text_within(left)} {self.operator} {self.right.text_within(right)}"


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """``a < b``, or a chain ``a <= b < c`` which is true where every link is. See :func:`compare`."""

    level: ClassVar[Level] = Level.COMPARISON
    operators: tuple[str, ...]
    operands: tuple[Expression, ...]

    def _check(self) -> None:
        if not self.operators or len(self.operands) != len(self.operators) + 1:
            raise syntax_error("A comparison has one operand more than it has operators.", self.place)
        for operator in self.operators:
            if operator not in COMPARISONS:
                raise syntax_error(f"There is no comparison {operator!r:.20}.", self.place)
        if any(isinstance(operand, Literal) and operand.value is None for operand in self.operands):
            raise type_error("None has no order and no place in a chain.", self.place, "Write `is None`.")

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operands from left to right."""
        return self.operands

    def text(self) -> str:
        """Return the canonical text."""
        links = zip(self.operators, self.operands[1:], strict=True)
        return self.operands[0].text_within(Level.OPERAND) + "".join(
            f" {sign} {right.text_within(Level.OPERAND)}" for sign, right in links
        )


@dataclass(frozen=True, slots=True)
class Membership(Expression):
    """``operand in [choices]``, or ``not in`` where ``negated``."""

    level: ClassVar[Level] = Level.COMPARISON
    operand: Expression
    choices: tuple[Literal, ...]
    negated: bool = False

    def _check(self) -> None:
        if len(self.choices) > MAX_CHOICES:
            raise syntax_error(f"A list in a filter has at most {MAX_CHOICES} values.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operand; choices are counted apart, as they nest nothing."""
        return (self.operand,)

    def text(self) -> str:
        """Return the canonical text."""
        word = "not in" if self.negated else "in"
        return f"{self.operand.text_within(Level.OPERAND)} {word} [{', '.join(map(str, self.choices))}]"


@dataclass(frozen=True, slots=True)
class IsNone(Expression):
    """``operand is None``, or ``is not None`` where ``negated``: whether a value is missing."""

    level: ClassVar[Level] = Level.COMPARISON
    operand: Expression
    negated: bool = False

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operand."""
        return (self.operand,)

    def text(self) -> str:
        """Return the canonical text."""
        return f"{self.operand.text_within(Level.OPERAND)} {'is not' if self.negated else 'is'} None"


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A function of values of the same episode or step: ``abs(x)``, ``startswith(policy, 'dqn')``."""

    function: str
    arguments: tuple[Expression, ...]

    def _check(self) -> None:
        expected = FUNCTIONS.get(self.function)
        if expected is None:
            raise syntax_error(f"There is no function {self.function!r:.40}.", self.place)
        if len(self.arguments) != expected:
            raise syntax_error(
                f"{self.function}(...) takes {expected}, not {len(self.arguments)}.", self.place
            )

    @property
    def children(self) -> tuple[Expression, ...]:
        """The arguments."""
        return self.arguments

    def text(self) -> str:
        """Return the canonical text."""
        return f"{self.function}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True, slots=True)
class Aggregate(Expression):
    """``any``, ``all``, ``count``, ``mean``, ``min``, ``max`` or ``sum`` of many values.

    Over the steps of an episode in an episode filter; over the components of a slice in a step filter and inside
    another aggregate.
    """

    function: str
    operand: Expression

    def _check(self) -> None:
        if self.function not in AGGREGATES:
            raise syntax_error(f"There is no aggregate {self.function!r:.40}.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operand."""
        return (self.operand,)

    def text(self) -> str:
        """Return the canonical text."""
        return f"{self.function}({self.operand})"


def negative(operand: Expression, *, place: Place | None = None) -> Expression:
    """Return ``-operand``."""
    if isinstance(operand, Literal) and operand.is_number:
        return Literal(-operand.value, place=place)  # type: ignore[operator]
    return Negative(operand, place=place)


def compare(left: Expression, operator: str, right: Expression, *, place: Place | None = None) -> Expression:
    """Return ``left operator right``; ``== None`` and ``!= None`` become ``is None`` and ``is not None``.

    Raises:
        FilterTypeError: None is ordered.
    """
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Literal) and one.value is None and operator in {"==", "!="}:
            return IsNone(other, negated=operator == "!=", place=place)
    return Comparison((operator,), (left, right), place=place)


def is_field_name(name: str) -> bool:
    """Return whether a name can be written without quotes at the start of a field."""
    if not name.isidentifier() or keyword.iskeyword(name) or name in {"inf", "nan"}:
        return False
    return name.isascii() or unicodedata.normalize("NFKC", name) == name


def _is_attribute(key: str) -> bool:
    return key.isascii() and key.isidentifier() and not keyword.iskeyword(key)


def _blank(number: int | None) -> str:
    return "" if number is None else str(number)


def _brackets(numbers: list[str]) -> str:
    return f"[{', '.join(numbers)}]" if numbers else ""
