"""A filter whose names are resolved and whose types are checked: what is computed, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

import numpy as np

from pytupli_registry.filters.rows import Component, EpisodeRows, StepRows, step_blocks
from pytupli_registry.filters.values import (
    Column,
    absolute,
    among,
    calculated,
    compared,
    contained,
    negated,
    truth,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytupli_registry.filters.expression import Scalar
    from pytupli_registry.filters.source import FieldValues

__all__ = [
    "BLOCK",
    "ArithmeticPlan",
    "CallPlan",
    "ComparisonPlan",
    "ComponentPlan",
    "ConstantPlan",
    "FieldPlan",
    "IsNonePlan",
    "JunctionPlan",
    "Kind",
    "Link",
    "MembershipPlan",
    "NegativePlan",
    "NotPlan",
    "Plan",
    "ReturnToGoPlan",
    "Rows",
    "StepNumberPlan",
    "block_rows",
    "evaluate",
    "evaluate_steps",
]

Kind = Literal["bool", "int", "float", "text", "none"]
Rows = EpisodeRows | StepRows

BLOCK = 1 << 17  # values a block: about a megabyte, which stays in the cache of a core; measured


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plan:
    """What a part of a filter computes.

    Attributes:
        kind: of its values.
        shape: of the value of one row; ``()`` unless it is a slice of components.
        exact: whether it follows from the episode fields alone, without reading a step.
        low: no whole number of it is smaller; None unless ``kind`` is bool or int.
        high: no whole number of it is larger; likewise.
    """

    kind: Kind
    shape: tuple[int, ...] = ()
    exact: bool = True
    low: int | None = None
    high: int | None = None

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The plans of the same rows that it is computed from."""
        return ()

    def column(self, rows: Rows) -> Column:
        """Compute the values of some rows."""
        raise NotImplementedError


def evaluate(plan: Plan, rows: Rows) -> Column:
    """Return the values of a plan; what depends on the episode alone is computed once an episode."""
    if not plan.exact or isinstance(plan, ConstantPlan) or isinstance(rows, EpisodeRows):
        return plan.column(rows)
    found = plan.column(rows.episodes)
    values = rows.repeat(found.values) if _is_array(found.values) else found.values
    return Column(values, None if found.missing is None else rows.repeat(found.missing))


def _is_array(values: object) -> TypeGuard[NDArray[Any]]:
    return isinstance(values, np.ndarray) and values.ndim > 0


def _shaped(plan: Plan, rows: Rows, shape: tuple[int, ...]) -> Column:
    """Evaluate a part so that one value a row meets every component of the others."""
    found = evaluate(plan, rows)
    if not shape or plan.shape or not _is_array(found.values):
        return found
    return _spread(found, shape)


def _all(answers: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    result = answers[0] if answers else np.ones((), dtype=np.bool_)
    for answer in answers[1:]:
        result = result & answer
    return np.asarray(result)


def _spread(column: Column, shape: tuple[int, ...]) -> Column:
    ones = (-1, *(1 for _ in shape))
    missing = None if column.missing is None else column.missing.reshape(ones)
    return Column(np.asarray(column.values).reshape(ones), missing)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ConstantPlan(Plan):
    """The same value for every row."""

    value: Scalar

    def column(self, rows: Rows) -> Column:  # noqa: ARG002
        """Return the constant."""
        return Column(self.value)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FieldPlan(Plan):
    """A field of the episode."""

    facts: FieldValues

    def column(self, rows: Rows) -> Column:
        """Return the field of each episode."""
        if not isinstance(rows, EpisodeRows):
            raise TypeError(rows)
        found = rows.field(self.facts)
        return _spread(found, self.shape) if self.shape else found


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ComponentPlan(Plan):
    """Components of a leaf at each step.

    Attributes:
        flag: whether the leaf says yes or no in whatever dtype.
    """

    component: Component
    flag: bool = False

    def column(self, rows: Rows) -> Column:
        """Read the leaf."""
        values = _steps(rows).component(self.component)
        return Column(values != 0 if self.flag and values.dtype.kind != "b" else values)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StepNumberPlan(Plan):
    """Number of the step in its episode, from 0."""

    def column(self, rows: Rows) -> Column:
        """Count the steps."""
        return Column(_steps(rows).numbers())


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReturnToGoPlan(Plan):
    """Sum of the rewards from the step to the end of its episode."""

    rewards: Component

    def column(self, rows: Rows) -> Column:
        """Add the rewards from the end."""
        return Column(_steps(rows).returns_to_go(self.rewards))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NegativePlan(Plan):
    """``-operand``."""

    operand: Plan

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The operand."""
        return (self.operand,)

    def apply(self, column: Column) -> Column:
        """Negate values of the operand."""
        return negated(column, whole=self.kind == "int")

    def column(self, rows: Rows) -> Column:
        """Negate the operand."""
        return self.apply(evaluate(self.operand, rows))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ArithmeticPlan(Plan):
    """``left operator right``."""

    operator: str
    left: Plan
    right: Plan

    @property
    def parts(self) -> tuple[Plan, ...]:
        """Both operands."""
        return self.left, self.right

    def apply(self, left: Column, right: Column) -> Column:
        """Combine values of the operands."""
        return calculated(self.operator, left, right, whole=self.kind == "int")

    def column(self, rows: Rows) -> Column:
        """Combine the operands."""
        return self.apply(_shaped(self.left, rows, self.shape), _shaped(self.right, rows, self.shape))


@dataclass(frozen=True, slots=True)
class Link:
    """One comparison of a chain.

    Attributes:
        operator: ``==``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``.
        left: which operand stands left.
        settled: the answer where the types alone give it, or None.
    """

    operator: str
    left: int
    settled: bool | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ComparisonPlan(Plan):
    """A chain of comparisons."""

    operands: tuple[Plan, ...]
    links: tuple[Link, ...]

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The operands."""
        return self.operands

    def column(self, rows: Rows) -> Column:
        """Compare each pair; all must hold."""
        if any(link.settled is False for link in self.links):
            return Column(np.zeros((), dtype=np.bool_))
        columns = [_shaped(operand, rows, self.shape) for operand in self.operands]
        answers = [
            compared(link.operator, columns[link.left], columns[link.left + 1])
            for link in self.links
            if link.settled is None
        ]
        return Column(_all(answers))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MembershipPlan(Plan):
    """Whether the operand is one of some constants."""

    operand: Plan
    choices: tuple[Scalar, ...]
    negated: bool

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The operand."""
        return (self.operand,)

    def column(self, rows: Rows) -> Column:
        """Look each value up."""
        found = among(evaluate(self.operand, rows), self.choices)
        return Column(~found if self.negated else found)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class IsNonePlan(Plan):
    """Whether the operand is missing."""

    operand: Plan
    negated: bool

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The operand."""
        return (self.operand,)

    def column(self, rows: Rows) -> Column:
        """Return where the operand has no value."""
        found = evaluate(self.operand, rows)
        if found.missing is None:
            shape = found.values.shape if _is_array(found.values) else ()
            return Column(np.full(shape, (found.values is None) != self.negated))
        return Column(found.missing != self.negated)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NotPlan(Plan):
    """``not operand``."""

    operand: Plan

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The operand."""
        return (self.operand,)

    def column(self, rows: Rows) -> Column:
        """Turn yes and no around."""
        return Column(~truth(evaluate(self.operand, rows)))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JunctionPlan(Plan):
    """``and`` of the operands, or ``or``.

    Attributes:
        conjunction: whether all must hold.
    """

    operands: tuple[Plan, ...]
    conjunction: bool

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The operands."""
        return self.operands

    def column(self, rows: Rows) -> Column:
        """Join the operands; the rest is not computed once every row is settled."""
        result = truth(_shaped(self.operands[0], rows, self.shape))
        for operand in self.operands[1:]:
            if (not result.any()) if self.conjunction else result.all():
                break
            other = truth(_shaped(operand, rows, self.shape))
            result = result & other if self.conjunction else result | other
        return Column(result)


_FLOAT_FUNCTIONS: dict[str, Callable[..., Any]] = {"sqrt": np.sqrt, "exp": np.exp, "log": np.log}
_ROUNDING: dict[str, Callable[..., Any]] = {"floor": np.floor, "ceil": np.ceil, "round": np.rint}
_TESTS: dict[str, Callable[..., Any]] = {"isnan": np.isnan, "isfinite": np.isfinite}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CallPlan(Plan):
    """A function of values of the same row."""

    function: str
    arguments: tuple[Plan, ...]

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The arguments."""
        return self.arguments

    def apply(self, column: Column) -> Column:
        """Apply a function of one number to values of the argument."""
        if self.function == "abs":
            return absolute(column, whole=self.kind == "int")
        values = np.asarray(column.values)
        if self.function in _TESTS:
            found = _TESTS[self.function](values if values.dtype.kind == "f" else np.zeros(values.shape))
            return Column(found if column.missing is None else found & ~column.missing)
        if self.function in _FLOAT_FUNCTIONS:
            return Column(
                _FLOAT_FUNCTIONS[self.function](values.astype(np.float64, copy=False)), column.missing
            )
        return Column(
            _ROUNDING[self.function](values) if values.dtype.kind == "f" else values, column.missing
        )

    def column(self, rows: Rows) -> Column:
        """Call the function."""
        if len(self.arguments) == 1:
            return self.apply(evaluate(self.arguments[0], rows))
        return Column(contained(self.function, *(evaluate(argument, rows) for argument in self.arguments)))


def evaluate_steps(plan: Plan, steps: StepRows) -> Column:
    """Compute a plan for many steps in blocks that fit in the cache.

    Returns:
        A value for every step.  # (n,)
    """
    values: NDArray[Any] | None = None
    missing: NDArray[np.bool_] | None = None
    for place, block in step_blocks(steps.reader, steps.positions, block_rows(plan)):
        found = evaluate(plan, block)
        part = np.asarray(found.values)
        if values is None:
            values = np.empty(len(steps), dtype=part.dtype)
        values[place] = part
        if found.missing is not None:
            missing = np.zeros(len(steps), dtype=np.bool_) if missing is None else missing
            missing[place] = found.missing
    empty: NDArray[Any] = np.empty(0, dtype=np.bool_ if plan.kind == "bool" else np.float64)
    return Column(empty if values is None else values, missing)


def block_rows(plan: Plan) -> int:
    """Return how many steps make a block, given the widest slice of components in the plan."""
    return max(1, BLOCK // _width(plan))


def _width(plan: Plan) -> int:
    return max(1, int(np.prod(plan.shape)), *map(_width, plan.parts))


def _steps(rows: Rows) -> StepRows:
    if not isinstance(rows, StepRows):
        raise TypeError(rows)
    return rows
