"""Gathering rows around sampled steps: the part that transitions and trajectories share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_d3rlpy.rows import as_float32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_d3rlpy.rows import Rows

__all__ = ["Window", "stack_frames"]


class Window:
    """The ``size`` steps up to one of each episode, of which some may lie before its beginning.

    Attributes:
        first: number of the first of them in its episode, negative where it has not begun.  # (n,) int64
        size: steps of one window.
        timesteps: numbers of the steps in their episode, from 1; 0 where it has not begun.  # (n, size) int64
        missing: the windows of which steps are missing, and how many.
    """

    __slots__ = ("first", "missing", "size", "timesteps")

    def __init__(self, ends: NDArray[np.int64], size: int) -> None:
        self.size = size
        self.first = ends - (size - 1)
        self.timesteps = self.first[:, None] + np.arange(1, size + 1)
        cut = np.flatnonzero(self.first < 0)
        self.missing: list[tuple[int, int]] = []
        if len(cut):
            np.maximum(self.timesteps, 0, out=self.timesteps)
            self.missing = list(zip(cut.tolist(), (-self.first[cut]).tolist(), strict=True))

    def gather(self, rows: Rows, starts: NDArray[np.int64]) -> NDArray[Any]:
        """Gather the rows of the steps in their own dtype, zeros where the episode has not begun.

        Args:
            rows: to gather from.
            starts: first row of each episode.  # (n,)

        Returns:
            Values of every step.  # (n, size, *shape)
        """
        first = starts + self.first
        if self.missing and first.min() < 0:
            return self.fill(rows.take(self._numbers(starts)), 0)
        # Where the episode has not begun, these are rows of the one before it.
        return self.fill(rows.windows(first, self.size), 0)

    def gather_float32(self, rows: Rows, starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gather as :meth:`gather` does, in d3rlpy's dtype."""
        if rows.is_large:
            return self.fill(rows.take_float32(self._numbers(starts)), 0)
        return as_float32(self.gather(rows, starts))

    def _numbers(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        numbers: NDArray[np.int64] = starts[:, None] + np.maximum(self.timesteps - 1, 0)
        return numbers

    def fill(self, values: NDArray[Any], value: float) -> NDArray[Any]:
        """Put a value, in place, where the episode has not begun.  # (n, size, …)"""  # noqa: D415
        for place, count in self.missing:
            values[place, :count] = value
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
