"""Which step a sampled number means: arithmetic over episode offsets, not one index a transition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytupli_registry.dataset.ahead import ReadAhead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_registry import Dataset

__all__ = ["StepIndex", "Steps", "TruncatedTail"]

TruncatedTail = Literal["drop", "keep"]

_CLOSE = 4  # episodes looked at before a binary search is faster


@dataclass(frozen=True, slots=True)
class Steps:
    """n sampled steps. Row numbers are those of the whole dataset's columns.

    Attributes:
        numbers: of the step in its episode, from 0.  # (n,) int64
        starts: first T-row of its episode.  # (n,) int64
        observation_starts: first T+1-row of its episode.  # (n,) int64
        lengths: steps of its episode.  # (n,) int64
        terminated: whether its episode ended in a terminal state.  # (n,) bool
        padded: whether d3rlpy sees one row more of its episode, the observation it was cut off at.  # (n,) bool
    """

    numbers: NDArray[np.int64]
    starts: NDArray[np.int64]
    observation_starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    terminated: NDArray[np.bool_]
    padded: NDArray[np.bool_]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Rows that d3rlpy sees of the episode.  # (n,)"""  # noqa: D415 - the shape ends the line
        return self.lengths + self.padded

    @property
    def terminal(self) -> NDArray[np.bool_]:
        """Whether the step reached a terminal state.  # (n,)"""  # noqa: D415
        is_last: NDArray[np.bool_] = self.numbers == self.lengths - 1
        return self.terminated & is_last

    def __len__(self) -> int:
        return len(self.numbers)


class StepIndex:
    """The transitions of a dataset in d3rlpy's order: episode by episode, step by step.

    A truncated episode of T steps has T-1 transitions, since d3rlpy has no successor for the last; with
    ``truncated_tail="keep"`` it has T. Steps that the dataset's step filter leaves out have no number, and an
    episode without transitions is none of d3rlpy's.

    Attributes:
        tail: whether the last step of an episode that is not terminated is one of them.
        transition_count: number of transitions.
        positions: of the episodes with transitions, in the dataset's table.  # (n,) int64
        ahead: brings what is read of a remote dataset; whatever is located is about to be read.
    """

    __slots__ = (
        "_kept",
        "_lengths",
        "_offsets",
        "_owners",
        "_positions",
        "_row_starts",
        "_terminated",
        "ahead",
        "positions",
        "tail",
        "transition_count",
    )

    def __init__(self, dataset: Dataset, tail: TruncatedTail) -> None:
        self.tail = tail
        self._positions = dataset.positions
        self._lengths, self._row_starts = dataset.lengths, dataset.row_starts
        self._terminated = np.asarray(dataset.fields["terminated"].values, dtype=np.bool_)
        lengths = self._lengths[self._positions]
        counts = lengths if tail == "keep" else lengths - ~self._terminated[self._positions]
        mask = dataset.step_mask
        if mask is None:
            self._kept = None
            self._offsets = _offsets(counts)
            self.transition_count = int(self._offsets[-1])
            shown = counts > 0
        else:
            self._offsets = _offsets(lengths)
            self._kept = _kept_steps(mask, self._offsets, counts)
            self.transition_count = len(self._kept)
            shown = np.diff(np.searchsorted(self._kept, self._offsets)) > 0
        self._owners = _OwnerTable(self._offsets)
        self.positions = self._positions if shown.all() else self._positions[shown]
        self.ahead = ReadAhead(dataset.reader, _leaves_read(dataset), self.positions)

    def locate_one(self, number: int) -> tuple[int, int]:
        """Return the position of the episode that one transition belongs to, and its step."""
        flat = number if self._kept is None else self._kept.item(number)
        owner = int(self._offsets.searchsorted(flat, side="right")) - 1
        return self._positions.item(owner), flat - self._offsets.item(owner)

    def locate(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of the episodes that transitions belong to, and their steps.  # (n,) each"""  # noqa: D415
        flat = numbers if self._kept is None else self._kept[numbers].astype(np.int64, copy=False)
        owners = self._owners.find(flat)
        positions = self._positions.take(owners)
        self.ahead.need(positions)
        return positions, flat - self._offsets.take(owners)

    def steps(self, numbers: NDArray[np.int64]) -> Steps:
        """Return everything needed to gather transitions, by their numbers.  # (n,)"""  # noqa: D415
        positions, within = self.locate(numbers)
        starts = self._row_starts.take(positions)
        terminated = self._terminated.take(positions)
        return Steps(
            numbers=within,
            starts=starts,
            observation_starts=starts + positions,
            lengths=self._lengths.take(positions),
            terminated=terminated,
            padded=~terminated if self.tail == "keep" else np.zeros(len(within), dtype=np.bool_),
        )

    def extents(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return first T-row and length of the episodes with transitions, and whether d3rlpy sees one row more."""
        padded = ~self._terminated[self.positions] & (self.tail == "keep")
        return self._row_starts[self.positions], self._lengths[self.positions], padded

    def episode(self, position: int) -> tuple[int, int, bool]:
        """Return first T-row, length, and whether it ended in a terminal state, truncated as well or not."""
        self.ahead.need_one(position)
        return (
            self._row_starts.item(position),
            self._lengths.item(position),
            self._terminated.item(position),
        )


def _leaves_read(dataset: Dataset) -> list[str]:
    return [
        path for path in dataset.leaves if path.split("/", 1)[0] in {"observations", "actions", "rewards"}
    ]


class _OwnerTable:
    """Finds the episode of a step faster than a binary search, whose branches a processor cannot foresee.

    The steps are cut into about as many buckets of equal width as there are episodes; the table says which
    episode each bucket begins in, and that is the one, or one soon after it.
    """

    __slots__ = ("_firsts", "_offsets", "_shift")

    def __init__(self, offsets: NDArray[np.int64]) -> None:
        episodes, steps = max(len(offsets) - 1, 1), int(offsets[-1])
        self._offsets = offsets
        self._shift = max(steps // episodes, 1).bit_length() - 1
        begins = np.arange(0, max(steps, 1), 1 << self._shift)
        self._firsts = (offsets.searchsorted(begins, side="right") - 1).astype(np.int32)

    def find(self, flat: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the last episode that begins at or before each step.  # (n,)"""  # noqa: D415
        owners = self._firsts.take(flat >> self._shift).astype(np.int64)
        for _ in range(_CLOSE):
            late = flat >= self._offsets.take(owners + 1)
            if not np.count_nonzero(late):
                return owners
            owners += late
        return self._offsets.searchsorted(flat, side="right") - 1


def _offsets(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def _kept_steps(
    mask: NDArray[np.bool_], offsets: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.int32] | NDArray[np.int64]:
    """Return the numbers of the steps that are kept and have a successor, in half the bytes where they fit."""
    without_successor = offsets[1:][counts < np.diff(offsets)] - 1
    if len(without_successor):
        mask = mask.copy()
        mask[without_successor] = False
    kept = np.flatnonzero(mask)
    return kept.astype(np.int32) if len(mask) <= np.iinfo(np.int32).max else kept
