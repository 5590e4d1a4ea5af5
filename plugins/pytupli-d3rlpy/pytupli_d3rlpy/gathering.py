"""Gathering rows around sampled steps: the part that transitions and trajectories share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_d3rlpy.rows import Rows

__all__ = ["Window", "as_float32", "stack_frames"]

_SCRATCH = 96 * 1024  # bytes; larger blocks go back to the operating system, and cost page faults each time


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return d3rlpy's dtype in C order, without a copy where that is what it is."""
    return np.ascontiguousarray(values, dtype=np.float32)


class Window:
    """The ``size`` steps up to one of each episode, of which some may lie before its beginning.

    Attributes:
        within: numbers of the steps in their episode, 0 where it has not begun.  # (n, size) int64
        valid: where it has begun.  # (n, size) bool
        missing: indices of where it has not; None if it has everywhere.
    """

    __slots__ = ("missing", "valid", "within")

    def __init__(self, ends: NDArray[np.int64], size: int) -> None:
        self.within = ends[:, None] + np.arange(1 - size, 1)
        self.valid = self.within >= 0
        self.missing = None
        if not self.valid[:, 0].all():
            self.missing = np.nonzero(~self.valid)
            self.within[self.missing] = 0

    def gather(self, rows: Rows, starts: NDArray[np.int64]) -> NDArray[Any]:
        """Gather the rows of the steps in their own dtype, zeros where the episode has not begun.

        Args:
            rows: to gather from.
            starts: first row of each episode.  # (n,)

        Returns:
            Values of every step.  # (n, size, *shape)
        """
        return self.fill(rows.take(starts[:, None] + self.within), 0)

    def gather_float32(self, rows: Rows, starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gather as :meth:`gather` does, in d3rlpy's dtype, a few episodes at a time: their copy stays in cache."""
        n, size = self.within.shape
        few = max(_SCRATCH // max(size * int(np.prod(rows.shape)) * rows.dtype.itemsize, 1), 1)
        if few >= n or rows.dtype == np.float32:
            return as_float32(self.gather(rows, starts))
        values = np.empty((n, size, *rows.shape), dtype=np.float32)
        for begin in range(0, n, few):
            part = slice(begin, begin + few)
            values[part] = rows.take(starts[part, None] + self.within[part])
        return self.fill(values, 0)

    def fill(self, values: NDArray[Any], value: float) -> NDArray[Any]:
        """Put a value, in place, where the episode has not begun.  # (n, size, …)"""  # noqa: D415
        if self.missing is not None:
            values[self.missing] = value
        return values


def stack_frames(windows: NDArray[Any], frames: int) -> NDArray[Any]:
    """Join the channels of every run of ``frames`` rows, oldest first.

    Args:
        windows: rows of n windows.  # (n, size, channels, *image)
        frames: rows to join.

    Returns:
        One stack a run.  # (n, size - frames + 1, frames * channels, *image)
    """
    runs = np.lib.stride_tricks.sliding_window_view(windows, frames, axis=1)
    stacked = np.moveaxis(runs, -1, 2)
    n, size, _, channels, *image = stacked.shape
    return np.reshape(stacked, (n, size, frames * channels, *image))
