"""Mini-batches of trajectories, gathered at once for the slicers whose rules are known.

Every field is bit-identical to what ``TrajectoryMiniBatch.from_partial_trajectories`` makes of the same slices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from d3rlpy.dataset import (
    BasicTrajectorySlicer,
    FrameStackTrajectorySlicer,
    TrajectoryMiniBatch,
    TrajectorySlicerProtocol,
)

from pytupli_d3rlpy.gathering import Window, stack_frames
from pytupli_d3rlpy.rows import as_float32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_d3rlpy.rows import Rows
    from pytupli_d3rlpy.source import Source
    from pytupli_d3rlpy.steps import Steps

__all__ = ["can_slice", "slice_batch"]


def can_slice(slicer: TrajectorySlicerProtocol, source: Source) -> bool:
    """Whether batches of this slicer can be gathered at once."""
    if type(slicer) is FrameStackTrajectorySlicer:
        return not source.has_tuple_observations
    return type(slicer) is BasicTrajectorySlicer


def slice_batch(
    source: Source, slicer: TrajectorySlicerProtocol, numbers: NDArray[np.int64], length: int
) -> TrajectoryMiniBatch:
    """Return the batch of the trajectories that end with these transitions.

    Args:
        source: where they are.
        slicer: one that :func:`can_slice`.
        numbers: transitions of the dataset.  # (n,)
        length: steps of a trajectory; shorter histories are padded in front with zeros.
    """
    steps = source.index.steps(numbers)
    window = Window(steps.numbers, length)
    observations = [_observations(rows, steps, slicer, window) for rows in source.observations]
    rewards, returns_to_go = _rewards(source, steps, window)
    terminals = np.zeros((len(steps), length, 1), dtype=np.float32)
    terminals[:, -1, 0] = steps.terminal
    return TrajectoryMiniBatch(
        observations=observations if source.has_tuple_observations else observations[0],
        actions=window.gather_float32(source.actions, steps.starts),
        rewards=rewards,
        returns_to_go=returns_to_go,
        terminals=terminals,
        timesteps=window.timesteps.astype(np.float32),
        masks=np.minimum(window.timesteps, 1).astype(np.float32),
        length=length,
    )


def _observations(
    rows: Rows, steps: Steps, slicer: TrajectorySlicerProtocol, window: Window
) -> NDArray[np.float32]:
    if type(slicer) is not FrameStackTrajectorySlicer:
        return window.gather_float32(rows, steps.observation_starts)
    frames = slicer._n_frames  # noqa: SLF001 - d3rlpy has no accessor
    longer = Window(steps.numbers, window.size + frames - 1)
    windows = longer.gather(rows, steps.observation_starts)
    # d3rlpy stacks in float64, which rounds large integers twice on their way to float32.
    exact = windows.dtype.itemsize < np.dtype(np.float64).itemsize or windows.dtype == np.float64
    return as_float32(stack_frames(windows if exact else windows.astype(np.float64), frames))


def _rewards(source: Source, steps: Steps, window: Window) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return rewards and returns-to-go by d3rlpy's own arithmetic, (n, length, 1) each.

    It takes ``sum(rest) - cumsum(rest) + rest``, where the rest of the episode begins with the slice, in the dtype
    of the rewards.
    """
    rewards = window.gather(source.rewards, steps.starts)
    # Minus zero, unlike zero, leaves every number as it is when added to it: cumulative sums begin with the slice.
    window.fill(rewards, -0.0)
    rests = source.reward_sums.rests(steps, np.maximum(window.first, 0))
    returns_to_go = rests[:, None, None] - rewards.cumsum(axis=1)
    returns_to_go += rewards
    return as_float32(window.fill(rewards, 0)), as_float32(window.fill(returns_to_go, 0))
