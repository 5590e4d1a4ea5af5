"""Which steps of which episodes a Minari dataset shows as its episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pytupli_registry import Dataset

__all__ = ["Spans"]


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Consecutive steps, one span a Minari episode.

    Attributes:
        positions: row of the episode table each span lies in.  # (n,)
        firsts: step of that episode the span starts with.  # (n,)
        lengths: number of steps, at least 1.  # (n,)
    """

    positions: NDArray[np.int64]
    firsts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, dataset: Dataset) -> Spans:
        """Return the kept episodes or, under a step filter, the maximal runs of kept consecutive steps."""
        if dataset.step_mask is None:
            positions = dataset.positions
            return cls(positions, np.zeros_like(positions), dataset.lengths[positions])
        rows, owners = dataset.rows()
        breaks = np.flatnonzero((np.diff(rows) != 1) | (np.diff(owners) != 0)) + 1
        starts = np.concatenate([[0], breaks]).astype(np.int64) if len(rows) else breaks
        lengths = np.diff(np.append(starts, len(rows)))
        return cls(owners[starts], rows[starts] - dataset.row_starts[owners[starts]], lengths)

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> tuple[int, int, int]:
        """Return position, first step and number of steps of one span."""
        return int(self.positions[index]), int(self.firsts[index]), int(self.lengths[index])

    def take(self, indices: ArrayLike) -> Spans:
        """Return the spans at these indices, in this order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return Spans(self.positions[chosen], self.firsts[chosen], self.lengths[chosen])

    def covers(self, dataset: Dataset) -> bool:
        """Whether the spans are all episodes of the stored dataset, whole and in order."""
        return np.array_equal(self.positions, np.arange(len(dataset.lengths))) and np.array_equal(
            self.lengths, dataset.lengths
        )
