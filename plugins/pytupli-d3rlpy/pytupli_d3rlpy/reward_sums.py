"""Sums of the rewards from a step to the end of its episode, rounded as ``np.sum`` rounds each of them."""

from __future__ import annotations

import tempfile
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytupli_d3rlpy.steps import StepIndex, Steps

__all__ = ["RewardSums", "sums_of", "sums_of_rests"]

_FEW = 64  # sums made by one call
_MOST_COPIED = 1 << 16  # rewards of one call; with more, copying them costs more than calls do
_MOST_WORK = 2_000_000_000  # additions to fill a table: about a second
_COST_OF_SUM = 64  # additions that one sum of the table costs beside its own
_BLOCK = 1 << 18  # rewards, padding included, that the table is filled from at a time


class RewardSums:
    """What is left to earn at every step of a dataset.

    How NumPy rounds a sum depends on where it begins, so that sums cannot be shared between steps. Where all of
    them are soon made, they are made when the first is asked for and kept in a file without a name: memory that
    the operating system may take back. Elsewhere each is made when it is asked for.
    """

    def __init__(self, index: StepIndex, values: NDArray[Any]) -> None:
        """Take the rewards of the whole dataset.  # (rows,)"""  # noqa: D415
        self._index = index
        self._values = values

    def rests(self, steps: Steps, first: NDArray[np.int64]) -> NDArray[Any]:
        """Return the sums from one step of each episode on.

        Args:
            steps: any of each episode.
            first: number of the step to begin with.  # (n,)

        Returns:
            Sums in NumPy's dtype for sums of rewards.  # (n,)
        """
        self._index.ahead.need_all(["rewards"])
        if self._table is not None:
            return self._table.take(steps.starts + first)
        return self._sum_now(steps, first)

    def _sum_now(self, steps: Steps, first: NDArray[np.int64]) -> NDArray[Any]:
        rewards = self._values
        zero = np.zeros(1, dtype=rewards.dtype)
        begins, ends = (steps.starts + first).tolist(), (steps.starts + steps.lengths).tolist()
        rests = [rewards[begin:end] for begin, end in zip(begins, ends, strict=True)]
        if self._index.tail == "keep":
            # The zero of the padding row is part of d3rlpy's sum: it changes how NumPy groups the others.
            padded = zip(rests, steps.padded.tolist(), strict=True)
            rests = [np.concatenate([rest, zero]) if is_padded else rest for rest, is_padded in padded]
        return np.concatenate([sums_of(rests[few : few + _FEW], zero) for few in range(0, len(rests), _FEW)])

    @cached_property
    def _table(self) -> NDArray[Any] | None:
        """Sums by row of the dataset, those of the episodes that have transitions.  # (rows,)"""  # noqa: D415
        starts, lengths, padded = self._index.extents()
        if int((lengths * (lengths + _COST_OF_SUM)).sum()) > _MOST_WORK:
            return None
        dtype = np.add.reduce(self._values[:0]).dtype
        try:
            with tempfile.TemporaryFile() as file:
                file.truncate(len(self._values) * dtype.itemsize)
                for block in _blocks(starts, lengths):
                    begin = int(starts[block.start])
                    rewards = self._values[begin : begin + int(lengths[block].sum())]
                    file.seek(begin * dtype.itemsize)
                    file.write(sums_of_rests(rewards, lengths[block], padded[block]).tobytes())
                file.flush()
                return np.memmap(file, dtype, mode="r").view(np.ndarray)
        except OSError:  # no room for it: correct without
            return None


def _blocks(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Iterator[slice]:
    """Cut episodes into blocks that lie together in the file and are small enough to be summed at once."""
    follows = starts[1:] == (starts + lengths)[:-1]
    few = max(_BLOCK // int(lengths.max() + 1), 1)
    for run in np.split(np.arange(len(starts)), np.flatnonzero(~follows) + 1):
        for begin in range(int(run[0]), int(run[-1]) + 1, few):
            yield slice(begin, min(begin + few, int(run[-1]) + 1))


def sums_of_rests(
    rewards: NDArray[Any], lengths: NDArray[np.int64], padded: NDArray[np.bool_]
) -> NDArray[Any]:
    """Return the sum from every step to the end of its episode.

    Args:
        rewards: of several episodes, one after the other.  # (steps,)
        lengths: of the episodes.  # (n,)
        padded: whether a zero follows the last reward of the episode.  # (n,)

    Returns:
        Sums as ``np.sum`` makes each of them.  # (steps,)
    """
    sizes = lengths + padded
    width = int(sizes.max())
    columns = np.arange(width)
    inside = (columns >= width - sizes[:, None]) & (columns < width - padded[:, None])
    rests = np.zeros(inside.shape, dtype=rewards.dtype)
    rests[inside] = rewards
    order = np.argsort(sizes, kind="stable")
    rests, long_enough = rests[order], np.searchsorted(sizes[order], np.arange(width + 1))
    sums = np.empty(rests.shape, dtype=np.add.reduce(rewards[:0]).dtype)
    for size in range(1, width + 1):
        # Along contiguous numbers NumPy adds up each row as it adds up one array of that length.
        chosen = slice(long_enough[size], None)
        np.add.reduce(rests[chosen, width - size :], axis=1, out=sums[chosen, width - size])
    unordered = np.empty_like(sums)
    unordered[order] = sums
    return unordered[inside]


def sums_of(parts: list[NDArray[Any]], zero: NDArray[Any]) -> NDArray[Any]:
    """Return the sum of each array as ``np.sum`` rounds it.  # (n,)"""  # noqa: D415
    sizes = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    if sizes.sum() > _MOST_COPIED:
        return np.array(list(map(np.add.reduce, parts)))
    # One call for all: reduceat adds what follows to the first element, reduce adds everything to a zero.
    joined: list[NDArray[Any]] = [zero] * (2 * len(parts))
    joined[1::2] = parts
    return np.add.reduceat(np.concatenate(joined), np.cumsum(sizes + 1) - (sizes + 1))
