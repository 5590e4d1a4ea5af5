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

from pytupli_d3rlpy.gathering import as_float32, gather_window, stack_frames

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
    observations = [_observations(rows, steps, slicer, length) for rows in source.observations]
    actions, valid = gather_window(source.actions, steps.starts, steps.numbers, length)
    rewards, returns_to_go = _rewards(source.rewards, steps, valid)
    terminals = np.zeros((len(steps), length, 1), dtype=np.float32)
    terminals[:, -1, 0] = steps.terminal
    timesteps = (steps.numbers[:, None] + np.arange(2 - length, 2)) * valid
    return TrajectoryMiniBatch(
        observations=observations if source.has_tuple_observations else observations[0],
        actions=as_float32(actions),
        rewards=rewards,
        returns_to_go=returns_to_go,
        terminals=terminals,
        timesteps=timesteps.astype(np.float32),
        masks=valid.astype(np.float32),
        length=length,
    )


def _observations(
    rows: Rows, steps: Steps, slicer: TrajectorySlicerProtocol, length: int
) -> NDArray[np.float32]:
    starts, ends = steps.observation_starts, steps.numbers
    if not isinstance(slicer, FrameStackTrajectorySlicer):
        return as_float32(gather_window(rows, starts, ends, length)[0])
    frames = slicer._n_frames  # noqa: SLF001 - d3rlpy has no accessor
    windows, _ = gather_window(rows, starts, ends, length + frames - 1)
    # d3rlpy stacks in float64, which rounds large integers twice on their way to float32.
    exact = windows.dtype.itemsize < np.dtype(np.float64).itemsize or windows.dtype == np.float64
    return as_float32(stack_frames(windows if exact else windows.astype(np.float64), frames))


def _rewards(
    rows: Rows, steps: Steps, valid: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return rewards and returns-to-go, by d3rlpy's own arithmetic.  # (n, length, 1) each

    It takes ``sum(rest) - cumsum(rest) + rest`` where the rest begins with the slice, in the dtype of the rewards:
    sums depend on where they begin, so that they cannot be shared between slices.
    """
    length = valid.shape[1]
    first = np.maximum(steps.numbers + 1 - length, 0)
    forward = np.minimum(first[:, None] + np.arange(length), steps.numbers[:, None])
    rewards = rows.take(steps.starts[:, None] + forward)[..., 0]
    totals = _remaining_returns(rows, steps, first)
    returns_to_go = totals[:, None] - np.cumsum(rewards, axis=1) + rewards
    return _pad(rewards, valid), _pad(returns_to_go, valid)


def _remaining_returns(rows: Rows, steps: Steps, first: NDArray[np.int64]) -> NDArray[Any]:
    """Return the sum of the rewards from a step to the end of its episode, one NumPy sum each.  # (n,)"""  # noqa: D400, D415
    last = steps.starts + steps.lengths
    base = int(steps.starts.min())
    flat = rows.between(base, int(last.max()))[:, 0]
    total = np.add.reduce
    bounds = zip((steps.starts + first - base).tolist(), (last - base).tolist(), strict=True)
    if not steps.padded.any():
        return np.array([total(flat[start:stop]) for start, stop in bounds])
    # The zero of the padding row is part of d3rlpy's sum: it changes how NumPy groups the others.
    zero = np.zeros(1, dtype=flat.dtype)
    return np.array(
        [
            total(np.concatenate([flat[start:stop], zero]) if padded else flat[start:stop])
            for (start, stop), padded in zip(bounds, steps.padded.tolist(), strict=True)
        ]
    )


def _pad(forward: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Move the values of each row to its valid places, which are its last.  # (n, length, 1)"""  # noqa: D400, D415
    if valid.all():
        return as_float32(forward[..., None])
    padded = np.zeros(valid.shape, dtype=np.float32)
    padded[valid] = forward[valid[:, ::-1]]
    return padded[..., None]
