"""Sets of byte ranges: sorted, apart from each other, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Intervals"]


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Half-open ranges in order that neither overlap nor touch.

    Attributes:
        starts: first number of each.  # (n,) int64
        stops: one past the last of each.  # (n,) int64
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    @classmethod
    def of(cls, starts: NDArray[np.int64], stops: NDArray[np.int64], gap: int = 0) -> Intervals:
        """Return the union of ranges in any order; those at most ``gap`` apart become one."""
        filled = stops > starts
        starts, stops = starts[filled], stops[filled]
        if len(starts) == 0:
            return cls.nothing()
        order = np.argsort(starts, kind="stable")
        starts, reached = starts[order], np.maximum.accumulate(stops[order])
        first = np.ones(len(starts), dtype=np.bool_)
        first[1:] = starts[1:] > reached[:-1] + gap
        last = np.append(first[1:], True)
        return cls(starts[first], reached[last])

    @classmethod
    def nothing(cls) -> Intervals:
        """Return the empty set."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))

    @property
    def total(self) -> int:
        """How many numbers are in it."""
        return int((self.stops - self.starts).sum())

    def __len__(self) -> int:
        return len(self.starts)

    def covers(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which ranges lie in it as a whole; empty ones always do.  # (n,)"""  # noqa: D415
        if len(self) == 0:
            return stops <= starts
        place = np.searchsorted(self.starts, starts, side="right") - 1
        return ((place >= 0) & (self.stops[place] >= stops)) | (stops <= starts)

    def union(self, other: Intervals) -> Intervals:
        """Return what is in either."""
        return Intervals.of(
            np.concatenate([self.starts, other.starts]), np.concatenate([self.stops, other.stops])
        )

    def within(self, start: int, stop: int) -> Intervals:
        """Return the part of it from ``start`` to ``stop``."""
        first = int(np.searchsorted(self.stops, start, side="right"))
        last = int(np.searchsorted(self.starts, stop, side="left"))
        starts, stops = self.starts[first:last], self.stops[first:last]
        return Intervals(np.maximum(starts, start), np.minimum(stops, stop))

    def pieces(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the parts of it from ``start`` to ``stop``, each with its own start and stop: fast for few."""
        first = int(self.stops.searchsorted(start, side="right"))
        last = int(self.starts.searchsorted(stop, side="left"))
        return [
            (max(int(self.starts[place]), start), min(int(self.stops[place]), stop))
            for place in range(first, last)
        ]

    def gaps(self, size: int) -> Intervals:
        """Return what is missing of ``0 … size``."""
        starts = np.concatenate([np.zeros(1, np.int64), self.stops])
        stops = np.concatenate([self.starts, np.array([size], np.int64)])
        return Intervals.of(starts, stops)
