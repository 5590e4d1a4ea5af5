"""The tree every filter becomes, whichever way it was written: frozen, comparable, hashable, printable.

Nodes know no dataset: names are resolved when an expression is evaluated. ``str(expression)`` is its canonical
text, which :func:`pytupli_registry.filters.text.parse` turns into an equal tree.
"""

from __future__ import annotations

import hashlib
import keyword
import unicodedata
from dataclasses import dataclass, field
from typing import ClassVar, Literal as OneOf

import numpy as np

from pytupli_registry.errors import FilterSyntaxError, FilterTypeError

__all__ = [
    "AGGREGATES",
    "FUNCTIONS",
    "MAX_CHOICES",
    "MAX_DEPTH",
    "MAX_SIZE",
    "Aggregate",
    "And",
    "Arithmetic",
    "Call",
    "Comparison",
    "Expression",
    "Field",
    "IsNone",
    "Key",
    "Literal",
    "Membership",
    "Negative",
    "Not",
    "Or",
    "Place",
    "Scalar",
    "Slice",
    "compare",
    "conjunction",
    "disjunction",
    "negative",
]

Scalar = bool | int | float | str | None

MAX_DEPTH = 64
MAX_SIZE = 2_000
MAX_CHOICES = 20_000

AGGREGATES = ("any", "all", "count", "mean", "min", "max", "sum")
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

_OR, _AND, _NOT, _COMPARISON, _OPERAND, _SUM, _PRODUCT, _UNARY, _POWER, _ATOM = range(10)
_ARITHMETIC = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "//": _PRODUCT, "%": _PRODUCT, "**": _POWER}
_ORDER = ("<", "<=", ">", ">=")
_COMPARISONS = ("==", "!=", *_ORDER)
_INT_RANGE = range(-(2**63), 2**64)


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

    level: ClassVar[int] = _ATOM

    place: Place | None = field(default=None, compare=False, repr=False, kw_only=True)
    depth: int = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._check()
        parts = self.children
        object.__setattr__(self, "depth", 1 + max((part.depth for part in parts), default=0))
        object.__setattr__(self, "size", 1 + sum(part.size for part in parts))
        if self.depth > MAX_DEPTH:
            raise _syntax_error(f"The filter is nested more than {MAX_DEPTH} levels deep.", self.place)
        if self.size > MAX_SIZE:
            raise _syntax_error(f"The filter has more than {MAX_SIZE} parts.", self.place)

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
        return self._written()

    def as_expression(self) -> Expression:
        """Return the expression itself; field objects return what they stand for."""
        return self

    def _check(self) -> None:
        """Refuse or normalise what the types allow but the text could not say."""

    def _written(self) -> str:
        raise NotImplementedError

    def _in(self, level: int) -> str:
        """Return the text, in parentheses where it stands beside something that binds tighter."""
        return self._written() if self.level >= level else f"({self._written()})"


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Expression):
    """A constant. ``1``, ``1.0`` and ``True`` are different literals, though they compare alike with data.

    Raises:
        FilterTypeError: the value is none of bool, int, float, str, None, or an int that no column could hold.
    """

    value: Scalar

    def _check(self) -> None:
        value = self.value.item() if isinstance(self.value, np.generic) else self.value
        object.__setattr__(self, "value", value)
        if type(value) not in {bool, int, float, str, type(None)}:
            raise _type_error(f"A filter cannot hold a {type(value).__name__} ({value!r:.60}).", self.place)
        if isinstance(value, int) and value not in _INT_RANGE:
            raise _type_error(f"{value:.3e} does not fit in 64 bits: write it as a float.", self.place)
        if isinstance(value, str):
            _check_text(value, self.place)

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

    def _in(self, level: int) -> str:
        signed = self.is_number and repr(self.value).startswith("-")
        return f"({self.value!r})" if signed and level > _UNARY else repr(self.value)

    def _written(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, slots=True)
class Slice:
    """``start:stop:step`` inside brackets."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None

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
        while name == "step" and keys and isinstance(keys[0], str) and _is_name(keys[0]):
            name, keys = keys[0], keys[1:]
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "keys", keys)
        if not _is_name(name):
            raise _syntax_error(
                f"{name!r:.80} cannot stand alone as a field name.", self.place, f"Write metadata[{name!r:.80}]."
            )
        if len(keys) > MAX_DEPTH:
            raise _syntax_error(f"A field has at most {MAX_DEPTH} indices.", self.place)
        after_slice = False
        for key in keys:
            self._check_key(key, after_slice=after_slice)
            after_slice = after_slice or isinstance(key, Slice)

    def _check_key(self, key: Key, *, after_slice: bool) -> None:
        if isinstance(key, str):
            _check_text(key, self.place)
        if after_slice and isinstance(key, str):
            raise _syntax_error("A name cannot follow a slice.", self.place)
        numbers = [key.start, key.stop, key.step] if isinstance(key, Slice) else [key]
        if any(isinstance(number, int) and abs(number) >= 2**31 for number in numbers):
            raise _syntax_error("An index is larger than any array.", self.place)
        if isinstance(key, Slice) and key.step == 0:
            raise _syntax_error("The step of a slice cannot be 0.", self.place)

    def _written(self) -> str:
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

    level: ClassVar[int] = _UNARY
    operand: Expression

    def _check(self) -> None:
        if isinstance(self.operand, Literal) and self.operand.is_number:
            raise _syntax_error("A negative number is a literal of its own.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operand."""
        return (self.operand,)

    def _written(self) -> str:
        return f"-{self.operand._in(_UNARY)}"


@dataclass(frozen=True, slots=True)
class Arithmetic(Expression):
    """``left operator right`` with one of ``+ - * / // % **``."""

    operator: str
    left: Expression
    right: Expression

    def _check(self) -> None:
        if self.operator not in _ARITHMETIC:
            raise _syntax_error(f"There is no operator {self.operator!r:.20}.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """Both operands."""
        return self.left, self.right

    def _in(self, level: int) -> str:
        return self._written() if _ARITHMETIC[self.operator] >= level else f"({self._written()})"

    def _written(self) -> str:
        own = _ARITHMETIC[self.operator]
        left, right = (_ATOM, _UNARY) if own == _POWER else (own, own + 1)
        return f"{self.left._in(left)} {self.operator} {self.right._in(right)}"


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """``a < b``, or a chain ``a <= b < c`` which is true where every link is. See :func:`compare`."""

    level: ClassVar[int] = _COMPARISON
    operators: tuple[str, ...]
    operands: tuple[Expression, ...]

    def _check(self) -> None:
        if not self.operators or len(self.operands) != len(self.operators) + 1:
            raise _syntax_error("A comparison has one operand more than it has operators.", self.place)
        for operator in self.operators:
            if operator not in _COMPARISONS:
                raise _syntax_error(f"There is no comparison {operator!r:.20}.", self.place)
        if any(isinstance(operand, Literal) and operand.value is None for operand in self.operands):
            raise _type_error("None has no order and no place in a chain.", self.place, "Write `is None`.")

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operands from left to right."""
        return self.operands

    def _written(self) -> str:
        links = zip(self.operators, self.operands[1:], strict=True)
        return self.operands[0]._in(_OPERAND) + "".join(f" {sign} {right._in(_OPERAND)}" for sign, right in links)


@dataclass(frozen=True, slots=True)
class Membership(Expression):
    """``operand in [choices]``, or ``not in`` where ``negated``."""

    level: ClassVar[int] = _COMPARISON
    operand: Expression
    choices: tuple[Literal, ...]
    negated: bool = False

    def _check(self) -> None:
        if len(self.choices) > MAX_CHOICES:
            raise _syntax_error(f"A list in a filter has at most {MAX_CHOICES} values.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operand; choices are counted apart, as they nest nothing."""
        return (self.operand,)

    def _written(self) -> str:
        word = "not in" if self.negated else "in"
        return f"{self.operand._in(_OPERAND)} {word} [{', '.join(map(str, self.choices))}]"


@dataclass(frozen=True, slots=True)
class IsNone(Expression):
    """``operand is None``, or ``is not None`` where ``negated``: whether a value is missing."""

    level: ClassVar[int] = _COMPARISON
    operand: Expression
    negated: bool = False

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operand."""
        return (self.operand,)

    def _written(self) -> str:
        return f"{self.operand._in(_OPERAND)} {'is not' if self.negated else 'is'} None"


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """``not operand``."""

    level: ClassVar[int] = _NOT
    operand: Expression

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operand."""
        return (self.operand,)

    def _written(self) -> str:
        return f"not {self.operand._in(_NOT)}"


@dataclass(frozen=True, slots=True)
class And(Expression):
    """``a and b and …``; an operand that is itself an ``And`` is taken apart. See :func:`conjunction`."""

    level: ClassVar[int] = _AND
    operands: tuple[Expression, ...]

    def _check(self) -> None:
        object.__setattr__(self, "operands", _flattened(self.operands, And))
        if len(self.operands) < 2:  # noqa: PLR2004 - the text has no and of fewer
            raise _syntax_error("An `and` needs two operands.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operands from left to right."""
        return self.operands

    def _written(self) -> str:
        return " and ".join(operand._in(_NOT) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Or(Expression):
    """``a or b or …``; an operand that is itself an ``Or`` is taken apart. See :func:`disjunction`."""

    level: ClassVar[int] = _OR
    operands: tuple[Expression, ...]

    def _check(self) -> None:
        object.__setattr__(self, "operands", _flattened(self.operands, Or))
        if len(self.operands) < 2:  # noqa: PLR2004 - the text has no or of fewer
            raise _syntax_error("An `or` needs two operands.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operands from left to right."""
        return self.operands

    def _written(self) -> str:
        return " or ".join(operand._in(_AND) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A function of values of the same episode or step: ``abs(x)``, ``startswith(policy, 'dqn')``."""

    function: str
    arguments: tuple[Expression, ...]

    def _check(self) -> None:
        expected = FUNCTIONS.get(self.function)
        if expected is None:
            raise _syntax_error(f"There is no function {self.function!r:.40}.", self.place)
        if len(self.arguments) != expected:
            raise _syntax_error(f"{self.function}(...) takes {expected}, not {len(self.arguments)}.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The arguments."""
        return self.arguments

    def _written(self) -> str:
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
            raise _syntax_error(f"There is no aggregate {self.function!r:.40}.", self.place)

    @property
    def children(self) -> tuple[Expression, ...]:
        """The operand."""
        return (self.operand,)

    def _written(self) -> str:
        return f"{self.function}({self.operand})"


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


def truth_error(written: str) -> FilterTypeError:
    """Return the error of asking whether an expression is true."""
    return FilterTypeError(
        f"The filter `{written:.200}` has no truth value of its own.",
        hint="Join filters with & | ~ and parentheses instead of `and`, `or`, `not`; "
        "write a range as x.between(low, high) or (low <= x) & (x < high).",
    )


def _joins(other: object) -> OneOf[True] | bool:
    return hasattr(other, "as_expression")


def _flattened(operands: tuple[Expression, ...], kind: type[And | Or]) -> tuple[Expression, ...]:
    return tuple(part for one in operands for part in (one.operands if isinstance(one, kind) else (one,)))


def _is_name(name: str) -> bool:
    if not name.isidentifier() or keyword.iskeyword(name) or name in {"inf", "nan"}:
        return False
    return name.isascii() or unicodedata.normalize("NFKC", name) == name


def _is_attribute(key: str) -> bool:
    return key.isascii() and key.isidentifier() and not keyword.iskeyword(key)


def _check_text(value: str, place: Place | None) -> None:
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):  # noqa: PLR2004 - the surrogates of Unicode
        raise _type_error(f"{value!r:.60} is no Unicode text.", place)


def _blank(number: int | None) -> str:
    return "" if number is None else str(number)


def _brackets(numbers: list[str]) -> str:
    return f"[{', '.join(numbers)}]" if numbers else ""


def _syntax_error(message: str, place: Place | None, hint: str | None = None) -> FilterSyntaxError:
    return FilterSyntaxError(
        message, text=place.text if place else None, position=place.position if place else None, hint=hint
    )


def _type_error(message: str, place: Place | None, hint: str | None = None) -> FilterTypeError:
    return FilterTypeError(
        message, text=place.text if place else None, position=place.position if place else None, hint=hint
    )
