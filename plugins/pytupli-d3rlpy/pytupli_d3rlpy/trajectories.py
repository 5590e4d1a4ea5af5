"""Mini-batches of trajectories, gathered at once for the slicers whose rules are known.

Every field is bit-identical to what ``TrajectoryMiniBatch.from_partial_trajectories`` makes of the same slices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from d3rlpy.dataset import (
    BasicTrajectorySlicer,
    FrameStackTrajectorySlicer,
    TrajectoryMiniBatch,
    TrajectorySlicerProtocol,
)

from pytupli_d3rlpy.gathering import Window, as_float32, stack_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_d3rlpy.rows import Rows
    from pytupli_d3rlpy.source import Source
    from pytupli_d3rlpy.steps import Steps

__all__ = ["can_slice", "slice_batch"]

_FEW = 64  # sums made by one call
_MOST_COPIED = 1 << 16  # rewards of one call; with more, copying them costs more than calls do


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
        timesteps=((window.within + 1) * window.valid).astype(np.float32),
        masks=window.valid.astype(np.float32),
        length=length,
    )


def _observations(
    rows: Rows, steps: Steps, slicer: TrajectorySlicerProtocol, window: Window
) -> NDArray[np.float32]:
    if not isinstance(slicer, FrameStackTrajectorySlicer):
        return window.gather_float32(rows, steps.observation_starts)
    frames = slicer._n_frames  # noqa: SLF001 - d3rlpy has no accessor
    longer = Window(steps.numbers, window.valid.shape[1] + frames - 1)
    windows = longer.gather(rows, steps.observation_starts)
    # d3rlpy stacks in float64, which rounds large integers twice on their way to float32.
    exact = windows.dtype.itemsize < np.dtype(np.float64).itemsize or windows.dtype == np.float64
    return as_float32(stack_frames(windows if exact else windows.astype(np.float64), frames))


def _rewards(source: Source, steps: Steps, window: Window) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return rewards and returns-to-go by d3rlpy's own arithmetic, (n, length, 1) each.

    It takes ``sum(rest) - cumsum(rest) + rest``, where the rest of the episode begins with the slice, in the dtype
    of the rewards. How NumPy rounds a sum depends on where it begins: sums cannot be shared between slices.
    """
    rewards = source.rewards.take(steps.starts[:, None] + window.within)[..., 0]
    # Minus zero, unlike zero, leaves every number as it is when added to it: cumulative sums begin with the slice.
    window.fill(rewards, -0.0)
    returns_to_go = _remaining_returns(source, steps, window.within[:, 0])[:, None] - rewards.cumsum(axis=1)
    returns_to_go += rewards
    filled = window.fill(rewards, 0), window.fill(returns_to_go, 0)
    return as_float32(filled[0][..., None]), as_float32(filled[1][..., None])


def _remaining_returns(source: Source, steps: Steps, first: NDArray[np.int64]) -> NDArray[Any]:
    """Return the sum of the rewards from a step to the end of its episode, rounded as NumPy does.  # (n,)"""  # noqa: D415
    rewards = source.reward_values
    zero = np.zeros(1, dtype=rewards.dtype)
    begins, ends = (steps.starts + first).tolist(), (steps.starts + steps.lengths).tolist()
    rests = [rewards[begin:end] for begin, end in zip(begins, ends, strict=True)]
    if source.index.tail == "keep":
        # The zero of the padding row is part of d3rlpy's sum: it changes how NumPy groups the others.
        padded = zip(rests, steps.padded.tolist(), strict=True)
        rests = [np.concatenate([rest, zero]) if is_padded else rest for rest, is_padded in padded]
    return np.concatenate([_sums(rests[few : few + _FEW], zero) for few in range(0, len(rests), _FEW)])


def _sums(parts: list[NDArray[Any]], zero: NDArray[Any]) -> NDArray[Any]:
    """Return the sum of each array as ``np.sum`` rounds it.  # (n,)"""  # noqa: D415
    sizes = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    if sizes.sum() > _MOST_COPIED:
        return np.array(list(map(np.add.reduce, parts)))
    # One call for all: reduceat adds what follows to the first element, reduce adds everything to a zero.
    joined: list[NDArray[Any]] = [zero] * (2 * len(parts))
    joined[1::2] = parts
    return np.add.reduceat(np.concatenate(joined), np.cumsum(sizes + 1) - (sizes + 1))
