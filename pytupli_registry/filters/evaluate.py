"""Which episodes, and which of their steps, a filter keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytupli_registry.filters.aggregates import OverStepsPlan
from pytupli_registry.filters.bind import bind
from pytupli_registry.filters.plan import ComponentPlan, ReturnToGoPlan, evaluate, evaluate_steps
from pytupli_registry.filters.pruning import verdict
from pytupli_registry.filters.rows import EpisodeRows, Reader, StepRows
from pytupli_registry.filters.values import truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_registry.filters.expression import Expression
    from pytupli_registry.filters.plan import Plan
    from pytupli_registry.filters.source import FilterSource

__all__ = ["Undecided", "leaves_read", "select_episodes", "select_steps", "undecided"]


def select_episodes(
    expression: Expression, source: FilterSource, positions: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which episodes an episode filter keeps.

    Args:
        expression: a filter over episode fields.
        source: the dataset.
        positions: of the episodes asked about, in any order.  # (n,)

    Returns:
        One answer for each position.  # (n,)

    Raises:
        UnknownField: the filter names what the episodes do not have.
        FilterTypeError: it combines what does not go together, or names a field of steps.
    """
    plan = bind(expression.as_expression(), source, steps=False)
    rows = EpisodeRows(Reader(source), np.asarray(positions, dtype=np.int64))
    with np.errstate(all="ignore"):
        if plan.exact:
            return _answers(plan, rows)
        kept, open_ = _settled(plan, rows)
        unsettled = rows.positions[open_]
        kept[open_] = _answers(plan, EpisodeRows(_reader(plan, source, unsettled), unsettled))
        return kept


def select_steps(
    expression: Expression, source: FilterSource, positions: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which steps of some episodes a step filter keeps.

    Episodes that the zone maps or the episode fields settle are not read.

    Args:
        expression: a filter over step fields.
        source: the dataset.
        positions: of the episodes asked about, in any order.  # (n,)

    Returns:
        One answer for each step, episode after episode in the order of ``positions``.  # (sum of lengths,)

    Raises:
        UnknownField: the filter names what the steps do not have.
        FilterTypeError: it combines what does not go together, or names a field of episodes.
    """
    plan = bind(expression.as_expression(), source, steps=True)
    rows = EpisodeRows(Reader(source), np.asarray(positions, dtype=np.int64))
    with np.errstate(all="ignore"):
        kept, open_ = _settled(plan, rows)
        unsettled = rows.positions[open_]
        reader = _reader(plan, source, unsettled)
        if open_.all():
            return _step_answers(plan, reader, unsettled)
        answers = np.repeat(kept, rows.lengths)
        if open_.any():
            answers[np.repeat(open_, rows.lengths)] = _step_answers(plan, reader, unsettled)
        return answers


@dataclass(frozen=True, slots=True, eq=False)
class Undecided:
    """What must be read before a filter can be answered.

    Attributes:
        positions: of the episodes that neither their fields nor the zone maps settle.  # (k,)
        paths: the leaves that the filter reads of them.
        kept: positions of episodes that may keep a step, or be kept; undecided ones among them.  # (m,)
    """

    positions: NDArray[np.int64]
    paths: frozenset[str]
    kept: NDArray[np.int64]


def undecided(
    expression: Expression, source: FilterSource, positions: NDArray[np.int64], *, steps: bool
) -> Undecided:
    """Return what a filter would read, without reading it.

    Args:
        expression: a filter over step fields if ``steps``, over episode fields otherwise.
        source: the dataset.
        positions: of the episodes asked about.  # (n,)
        steps: which of the two.

    Raises:
        UnknownField: the filter names what is not there.
        FilterTypeError: it combines what does not go together.
    """
    plan = bind(expression.as_expression(), source, steps=steps)
    rows = EpisodeRows(Reader(source), np.asarray(positions, dtype=np.int64))
    with np.errstate(all="ignore"):
        kept, open_ = _settled(plan, rows)
    return Undecided(rows.positions[open_], leaves_read(plan), rows.positions[kept | open_])


def leaves_read(plan: Plan) -> frozenset[str]:
    """Return the paths of the leaves whose steps a plan reads."""
    found = frozenset[str]().union(*map(leaves_read, plan.parts))
    if isinstance(plan, ComponentPlan):
        return found | {plan.component.path}
    if isinstance(plan, ReturnToGoPlan):
        return found | {plan.rewards.path}
    if isinstance(plan, OverStepsPlan):
        return found | leaves_read(plan.operand)
    return found


def _reader(plan: Plan, source: FilterSource, positions: NDArray[np.int64]) -> Reader:
    """Return a reader of the steps of some episodes, which are ready when it is used."""
    if len(positions):
        source.require(leaves_read(plan), positions)
    return Reader(source, positions)


def _settled(plan: Plan, rows: EpisodeRows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the answers known without reading steps, and where there is none."""
    yes, no = verdict(plan, rows)
    return yes, ~(yes | no)


def _answers(plan: Plan, rows: EpisodeRows) -> NDArray[np.bool_]:
    return np.broadcast_to(truth(evaluate(plan, rows)), (len(rows),)).copy()


def _step_answers(plan: Plan, reader: Reader, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    return truth(evaluate_steps(plan, StepRows.whole(reader, positions)))
