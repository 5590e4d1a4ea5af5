"""Which episodes, and which of their steps, a filter keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytupli_registry.filters.bind import bind
from pytupli_registry.filters.plan import evaluate, evaluate_steps
from pytupli_registry.filters.pruning import verdict
from pytupli_registry.filters.rows import EpisodeRows, Reader, StepRows
from pytupli_registry.filters.values import truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_registry.filters.expression import Expression
    from pytupli_registry.filters.plan import Plan
    from pytupli_registry.filters.source import FilterSource

__all__ = ["select_episodes", "select_steps"]


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
        undecided = EpisodeRows(rows.reader, rows.positions[open_])
        kept[open_] = _answers(plan, undecided)
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
        if open_.all():
            return _step_answers(plan, rows.reader, rows.positions)
        answers = np.repeat(kept, rows.lengths)
        if open_.any():
            undecided = _step_answers(plan, rows.reader, rows.positions[open_])
            answers[np.repeat(open_, rows.lengths)] = undecided
        return answers


def _settled(plan: Plan, rows: EpisodeRows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the answers known without reading steps, and where there is none."""
    yes, no = verdict(plan, rows)
    return yes, ~(yes | no)


def _answers(plan: Plan, rows: EpisodeRows) -> NDArray[np.bool_]:
    return np.broadcast_to(truth(evaluate(plan, rows)), (len(rows),)).copy()


def _step_answers(plan: Plan, reader: Reader, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    return truth(evaluate_steps(plan, StepRows.whole(reader, positions)))
