"""Gathering rows around sampled steps: the part that transitions and trajectories share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_d3rlpy.rows import Rows

__all__ = ["as_float32", "gather_window", "stack_frames"]


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return d3rlpy's dtype in C order, without a copy where that is what it is."""
    return np.ascontiguousarray(values, dtype=np.float32)


def gather_window(
    rows: Rows, starts: NDArray[np.int64], ends: NDArray[np.int64], size: int
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Gather the ``size`` rows up to a step of each episode, zeros where the episode has not begun.

    Args:
        rows: to gather from.
        starts: first row of each episode.  # (n,)
        ends: last step of each window, included.  # (n,)
        size: rows of a window.

    Returns:
        Rows in their own dtype, and which of them are of the episode.  # (n, size, *shape), (n, size)
    """
    within = ends[:, None] + np.arange(1 - size, 1)
    valid = within >= 0
    windows = rows.take(starts[:, None] + np.maximum(within, 0))
    if not valid.all():
        windows[~valid] = 0
    return windows, valid


def stack_frames(windows: NDArray[Any], frames: int) -> NDArray[Any]:
    """Join the channels of every run of ``frames`` rows, oldest first.

    Args:
        windows: rows of n windows.  # (n, size, channels, *image)
        frames: rows to join.

    Returns:
        # (n, size - frames + 1, frames * channels, *image)
    """
    runs = np.lib.stride_tricks.sliding_window_view(windows, frames, axis=1)  # type: ignore[call-overload]
    stacked = np.moveaxis(runs, -1, 2)
    n, size, _, channels, *image = stacked.shape
    return np.reshape(stacked, (n, size, frames * channels, *image))
