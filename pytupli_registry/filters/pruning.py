"""What follows from minima and maxima alone, so that episodes it settles are never read.

Zone maps give each episode's minimum and maximum of a component. From them follow bounds of arithmetic on it, and
from bounds follow verdicts: the condition holds at every step of the episode, at none, or nobody knows. The same
functions compare bounds as compare values, so that both round alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.filters.aggregates import OverComponentsPlan, OverStepsPlan
from pytupli_registry.filters.plan import (
    ArithmeticPlan,
    CallPlan,
    ComparisonPlan,
    ComponentPlan,
    ConstantPlan,
    JunctionPlan,
    MembershipPlan,
    NegativePlan,
    NotPlan,
    Plan,
    StepNumberPlan,
    evaluate,
)
from pytupli_registry.filters.values import Column, compared, truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_registry.filters.rows import Component, EpisodeRows

__all__ = ["Bounds", "Verdict", "bounds", "verdict"]

Verdict = tuple[
    "NDArray[np.bool_]", "NDArray[np.bool_]"
]  # holds at every step, holds at none; (n, *shape) each

_MOST_COMPONENTS = 64
_MOST_CHOICES = 16
_EXACT = 2.0**53


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which values a plan lies at every step of each episode.

    Attributes:
        low: no value is smaller.  # (n, *shape)
        high: no value is larger.  # (n, *shape)
        known: where that is so, and no value is missing or NaN.  # (n, *shape)
    """

    low: Any
    high: Any
    known: NDArray[np.bool_]


def verdict(plan: Plan, rows: EpisodeRows) -> Verdict:
    """Return for which episodes a condition holds at every step, and for which at none."""
    if plan.exact:
        yes = np.broadcast_to(truth(evaluate(plan, rows)), (len(rows), *plan.shape)).copy()
        return yes, ~yes
    return _verdict(plan, rows)


def bounds(plan: Plan, rows: EpisodeRows) -> Bounds | None:
    """Return between which values a plan lies in each episode, or None if that is unknown for all."""
    if isinstance(plan, ConstantPlan):
        usable = plan.kind not in {"text", "none"} and plan.value == plan.value
        return Bounds(plan.value, plan.value, np.asarray(1, dtype=np.bool_)) if usable else None
    if not plan.exact:
        return _bounds(plan, rows)
    if plan.kind in {"text", "none"}:
        return None
    found = evaluate(plan, rows)
    values = np.asarray(found.values)
    known = values == values
    return Bounds(values, values, known if found.missing is None else known & ~found.missing)


@singledispatch
def _verdict(plan: Plan, rows: EpisodeRows) -> Verdict:
    return _unknown(plan, rows)


def _unknown(plan: Plan, rows: EpisodeRows) -> Verdict:
    nobody = np.zeros((len(rows), *plan.shape), dtype=np.bool_)
    return nobody, nobody.copy()


@_verdict.register(NotPlan)
def _(plan: NotPlan, rows: EpisodeRows) -> Verdict:
    yes, no = verdict(plan.operand, rows)
    return no, yes


@_verdict.register(JunctionPlan)
def _(plan: JunctionPlan, rows: EpisodeRows) -> Verdict:
    parts = [_widened(verdict(operand, rows), plan) for operand in plan.operands]
    yes, no = [part[0] for part in parts], [part[1] for part in parts]
    if plan.conjunction:
        return np.logical_and.reduce(yes), np.logical_or.reduce(no)
    return np.logical_or.reduce(yes), np.logical_and.reduce(no)


def _widened(found: Verdict, plan: Plan) -> Verdict:
    yes, no = (_wide(part, plan.shape) for part in found)
    return yes, no


def _wide(values: Any, shape: tuple[int, ...]) -> NDArray[Any]:  # noqa: ANN401 - array or scalar
    values = np.asarray(values)
    if values.ndim == 1 and shape:
        values = values.reshape(-1, *(1 for _ in shape))
        return np.asarray(np.broadcast_to(values, (len(values), *shape)))
    return np.asarray(values)


@_verdict.register(ComparisonPlan)
def _(plan: ComparisonPlan, rows: EpisodeRows) -> Verdict:
    found = [bounds(operand, rows) for operand in plan.operands]
    yes, no = (
        np.ones((len(rows), *plan.shape), dtype=np.bool_),
        np.zeros((len(rows), *plan.shape), dtype=np.bool_),
    )
    for link in plan.links:
        left, right = found[link.left], found[link.left + 1]
        if link.settled is not None:
            yes, no = yes & link.settled, no | (not link.settled)
        elif left is None or right is None:
            yes = np.zeros_like(yes)
        else:
            holds, fails = _link_verdict(link.operator, left, right, plan.shape)
            yes, no = yes & holds, no | fails
    return yes, no


def _link_verdict(operator: str, left: Bounds, right: Bounds, shape: tuple[int, ...]) -> Verdict:
    if operator == "!=":
        yes, no = _link_verdict("==", left, right, shape)
        return no, yes
    one, other = _columns(left, shape), _columns(right, shape)
    known = _wide(left.known, shape) & _wide(right.known, shape)
    if operator == "==":
        same = compared("==", one[0], one[1]) & compared("==", other[0], other[1])
        yes = same & compared("==", one[0], other[0])
        no = compared("<", one[1], other[0]) | compared(">", one[0], other[1])
    elif operator in {"<", "<="}:
        yes = compared(operator, one[1], other[0])
        no = compared(">=" if operator == "<" else ">", one[0], other[1])
    else:
        yes = compared(operator, one[0], other[1])
        no = compared("<=" if operator == ">" else "<", one[1], other[0])
    return yes & known, no & known


def _columns(found: Bounds, shape: tuple[int, ...]) -> tuple[Column, Column]:
    if not isinstance(found.low, np.ndarray) or found.low.ndim == 0:
        return Column(found.low), Column(found.high)
    return Column(_wide(found.low, shape)), Column(_wide(found.high, shape))


@_verdict.register(MembershipPlan)
def _(plan: MembershipPlan, rows: EpisodeRows) -> Verdict:
    found = bounds(plan.operand, rows)
    numbers = [choice for choice in plan.choices if isinstance(choice, int | float)]
    if found is None or len(numbers) > _MOST_CHOICES:
        return _unknown(plan, rows)
    yes, no = np.zeros(found.known.shape, dtype=np.bool_), found.known.copy()
    for number in numbers:
        if number == number:
            constant = Bounds(number, number, np.asarray(1, dtype=np.bool_))
            equal, different = _link_verdict("==", found, constant, plan.shape)
            yes, no = yes | equal, no & different
    return (no, yes) if plan.negated else (yes, no)


@_verdict.register(CallPlan)
def _(plan: CallPlan, rows: EpisodeRows) -> Verdict:
    found = bounds(plan.arguments[0], rows) if plan.function in {"isnan", "isfinite"} else None
    if found is None:
        return _unknown(plan, rows)
    if plan.function == "isnan":
        return np.zeros(found.known.shape, dtype=np.bool_), found.known
    finite = np.isfinite(np.asarray(found.low)) & np.isfinite(np.asarray(found.high))
    return found.known & finite, np.zeros(found.known.shape, dtype=np.bool_)


@_verdict.register(OverComponentsPlan)
def _(plan: OverComponentsPlan, rows: EpisodeRows) -> Verdict:
    if plan.function not in {"any", "all"}:
        return _unknown(plan, rows)
    yes, no = verdict(plan.operand, rows)
    if plan.function == "any":
        return np.asarray(yes.any(axis=_axes(yes))), np.asarray(no.all(axis=_axes(no)))
    return np.asarray(yes.all(axis=_axes(yes))), np.asarray(no.any(axis=_axes(no)))


def _axes(values: NDArray[Any]) -> tuple[int, ...]:
    """Return the axes of components: all but that of episodes."""
    return tuple(range(1, values.ndim))


@_verdict.register(OverStepsPlan)
def _(plan: OverStepsPlan, rows: EpisodeRows) -> Verdict:
    if plan.function not in {"any", "all"}:
        return _unknown(plan, rows)
    yes, no = verdict(plan.operand, rows)
    filled = np.asarray(rows.lengths > 0)
    if plan.function == "any":
        return yes & filled, no | ~filled
    return yes | ~filled, no & filled


@singledispatch
def _bounds(plan: Plan, rows: EpisodeRows) -> Bounds | None:  # noqa: ARG001
    return None


@_bounds.register(ComponentPlan)
def _(plan: ComponentPlan, rows: EpisodeRows) -> Bounds | None:
    components = _flat_components(plan, rows)
    if components is None:
        return None
    found = [_zone(plan.component, component, rows) for component in components]
    if any(one is None for one in found):
        return None
    known = [one for one in found if one is not None]
    if not plan.shape:
        return known[0]
    shape = (len(rows), *plan.shape)
    return Bounds(
        np.stack([one.low for one in known], axis=1).reshape(shape),
        np.stack([one.high for one in known], axis=1).reshape(shape),
        np.stack([one.known for one in known], axis=1).reshape(shape),
    )


def _flat_components(plan: ComponentPlan, rows: EpisodeRows) -> list[int] | None:
    row_shape = rows.reader.source.leaves[plan.component.path].row_shape
    if plan.flag or int(np.prod(plan.shape)) > _MOST_COMPONENTS:
        return None
    chosen = plan.component.of(np.arange(int(np.prod(row_shape))).reshape(1, *row_shape))
    return [int(component) for component in np.ravel(chosen)]


def _zone(component: Component, flat: int, rows: EpisodeRows) -> Bounds | None:
    source = rows.reader.source
    zone, dtype = source.zone(component.path, flat), source.leaves[component.path].dtype
    if zone is None and component.path == "rewards" and {"min_reward", "max_reward"} <= source.fields.keys():
        low, high = source.fields["min_reward"], source.fields["max_reward"]
        zone = (low.values, high.values) if low.missing is None and high.missing is None else None
    if zone is None or dtype is None:
        return None
    return _as_leaf(zone[0][rows.positions], zone[1][rows.positions], dtype)


def _as_leaf(low: NDArray[Any], high: NDArray[Any], dtype: np.dtype[Any]) -> Bounds:
    known = np.asarray(low <= high)  # not so where one is NaN
    if dtype.kind in "biu" and low.dtype.kind == "f":
        # Whole numbers beyond 2**53 were rounded when they became floats.
        known &= (np.abs(low) < _EXACT) & (np.abs(high) < _EXACT)
    zero = np.zeros((), dtype=low.dtype)
    return Bounds(np.where(known, low, zero).astype(dtype), np.where(known, high, zero).astype(dtype), known)


@_bounds.register(StepNumberPlan)
def _(plan: StepNumberPlan, rows: EpisodeRows) -> Bounds | None:  # noqa: ARG001
    return Bounds(np.zeros(len(rows), dtype=np.int64), rows.lengths - 1, rows.lengths > 0)


@_bounds.register(NegativePlan)
def _(plan: NegativePlan, rows: EpisodeRows) -> Bounds | None:
    found = bounds(plan.operand, rows)
    if found is None:
        return None
    return Bounds(plan.apply(Column(found.high)).values, plan.apply(Column(found.low)).values, found.known)


@_bounds.register(CallPlan)
def _(plan: CallPlan, rows: EpisodeRows) -> Bounds | None:
    if plan.function not in {"abs", "floor", "ceil", "round", "sqrt"}:
        return None
    found = bounds(plan.arguments[0], rows)
    if found is None:
        return None
    low, high = plan.apply(Column(found.low)).values, plan.apply(Column(found.high)).values
    if plan.function != "abs":
        return Bounds(low, high, found.known & (low == low))
    low, high = np.asarray(low), np.asarray(high)
    crosses = (np.asarray(found.low) <= 0) & (np.asarray(found.high) >= 0)
    smaller = np.where(crosses, np.zeros((), low.dtype), np.minimum(low, high))
    return Bounds(smaller, np.maximum(low, high), found.known)


@_bounds.register(ArithmeticPlan)
def _(plan: ArithmeticPlan, rows: EpisodeRows) -> Bounds | None:
    if plan.operator not in {"+", "-", "*"}:
        return None
    left, right = bounds(plan.left, rows), bounds(plan.right, rows)
    if left is None or right is None:
        return None
    one, other = _columns(left, plan.shape), _columns(right, plan.shape)
    ends = [np.asarray(plan.apply(a, b).values) for a in one for b in other]
    known = _wide(left.known, plan.shape) & _wide(right.known, plan.shape)
    for end in (left.low, left.high, right.low, right.high):
        # Inside infinite bounds there may be an infinity minus an infinity, which is NaN.
        known = known & _wide(np.isfinite(np.asarray(end)), plan.shape)
    return Bounds(np.minimum.reduce(ends), np.maximum.reduce(ends), known)


@_bounds.register(OverComponentsPlan)
def _(plan: OverComponentsPlan, rows: EpisodeRows) -> Bounds | None:
    found = (
        bounds(plan.operand, rows)
        if plan.function in {"min", "max"} and plan.operand.kind != "bool"
        else None
    )
    if found is None or np.ndim(found.low) < 2:
        return None
    reduce = np.min if plan.function == "min" else np.max
    low, high = (reduce(end, axis=_axes(end)) for end in (found.low, found.high))
    return Bounds(low, high, np.asarray(found.known.all(axis=_axes(found.known))))


@_bounds.register(OverStepsPlan)
def _(plan: OverStepsPlan, rows: EpisodeRows) -> Bounds | None:
    filled = np.asarray(rows.lengths > 0)
    if plan.function == "count":
        yes, no = verdict(plan.operand, rows)
        most = rows.lengths
        return Bounds(np.where(yes, most, 0), np.where(no, 0, most), np.ones(len(rows), dtype=np.bool_))
    if plan.function not in {"min", "max"} or plan.operand.kind == "bool":
        return None
    found = bounds(plan.operand, rows)
    return None if found is None else Bounds(found.low, found.high, found.known & filled)
