"""Many values made one: over the components of a step, or over the steps of an episode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.filters.plan import Plan, Rows, evaluate, evaluate_steps
from pytupli_registry.filters.rows import EpisodeRows, StepRows, step_blocks
from pytupli_registry.filters.values import Column, reduced, truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["OverComponentsPlan", "OverStepsPlan"]

_GROUP = 1 << 20  # steps whose values are held at once while they are aggregated


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OverComponentsPlan(Plan):
    """An aggregate over the components of a slice, for each row."""

    function: str
    operand: Plan

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The operand."""
        return (self.operand,)

    def column(self, rows: Rows) -> Column:
        """Reduce each row."""
        found = _usable(self.function, evaluate(self.operand, rows))
        values = np.broadcast_to(np.asarray(found.values), (len(rows), *self.operand.shape))
        if found.missing is None:
            return Column(reduced(self.function, values, whole=self.kind == "int"))
        missing = found.missing.any(axis=tuple(range(1, found.missing.ndim)))
        return Column(reduced(self.function, values, whole=self.kind == "int"), np.asarray(missing))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OverStepsPlan(Plan):
    """An aggregate over the steps of each episode.

    Attributes:
        operand: a plan of steps.
    """

    function: str
    operand: Plan

    def column(self, rows: Rows) -> Column:
        """Aggregate the steps of each episode, some episodes at a time."""
        if not isinstance(rows, EpisodeRows):
            raise TypeError(rows)
        dtype = {"any": np.bool_, "all": np.bool_, "count": np.int64}.get(self.function)
        values: NDArray[Any] | None = None if dtype is None else np.zeros(len(rows), dtype)
        missing = np.zeros(len(rows), dtype=np.bool_)
        for place, steps in step_blocks(rows.reader, rows.positions, _GROUP, split=False):
            found = self._of_group(steps)
            if values is None:
                values = np.zeros(len(rows), np.asarray(found.values).dtype)
            values[place] = found.values
            if found.missing is not None:
                missing[place] = found.missing
        return self._without_steps(rows, values, missing)

    def _of_group(self, steps: StepRows) -> Column:
        operand = _usable(self.function, evaluate_steps(self.operand, steps))
        values, missing = np.asarray(operand.values), operand.missing
        filled = np.flatnonzero(steps.counts)
        starts = (np.cumsum(steps.counts) - steps.counts)[filled]
        counts = steps.counts[filled]
        found = _aggregated(self.function, values, starts, counts, whole=self.kind == "int")
        spread = np.zeros(len(steps.counts), dtype=found.dtype)
        spread[filled] = found
        if missing is None:
            return Column(spread)
        lacking = np.zeros(len(steps.counts), dtype=np.bool_)
        lacking[filled] = np.logical_or.reduceat(missing, starts)
        return Column(spread, lacking)

    def _without_steps(
        self, rows: EpisodeRows, values: NDArray[Any] | None, missing: NDArray[np.bool_]
    ) -> Column:
        empty = rows.lengths == 0
        if values is None:
            values = np.zeros(len(rows), np.float64)
        if self.function in {"any", "all", "count"}:
            return Column(values | empty if self.function == "all" else values)
        if self.function != "sum":
            missing = missing | empty
        return Column(values, missing if missing.any() else None)


def _usable(function: str, column: Column) -> Column:
    """Return what an aggregate works on: conditions have an answer everywhere, numbers may be missing."""
    return Column(truth(column)) if function in {"any", "all", "count"} else column


def _aggregated(
    function: str, values: NDArray[Any], starts: NDArray[np.int64], counts: NDArray[np.int64], *, whole: bool
) -> NDArray[Any]:
    if function in {"min", "max"}:
        return np.asarray((np.minimum if function == "min" else np.maximum).reduceat(values, starts))
    if function in {"any", "all", "count"}:
        found = np.add.reduceat(values.view(np.uint8), starts, dtype=np.int64)
        return np.asarray({"any": found > 0, "all": found == counts, "count": found}[function])
    total = np.add.reduceat(values.astype(np.int64 if whole else np.float64, copy=False), starts)
    return np.asarray(total / counts if function == "mean" else total)
