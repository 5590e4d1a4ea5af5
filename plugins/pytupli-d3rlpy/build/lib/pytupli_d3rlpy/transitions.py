"""Mini-batches of transitions, gathered at once for the pickers whose rules are known.

Every field is bit-identical to what ``TransitionMiniBatch.from_transitions`` makes of the same transitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from d3rlpy.dataset import (
    BasicTransitionPicker,
    FrameStackTransitionPicker,
    MultiStepTransitionPicker,
    SparseRewardTransitionPicker,
    Transition,
    TransitionMiniBatch,
    TransitionPickerProtocol,
)

from pytupli_d3rlpy.gathering import Window, stack_frames
from pytupli_d3rlpy.rows import as_float32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_d3rlpy.buffer import MappedBuffer
    from pytupli_d3rlpy.rows import Rows
    from pytupli_d3rlpy.source import Source
    from pytupli_d3rlpy.steps import Steps

__all__ = ["LazyTransitions", "can_gather", "gather_batch"]

# A subclass may do anything, so only these very classes are known. Pickers are told apart by type(), since they
# are protocols too: isinstance() would run Python code for each batch.
_KNOWN = (
    BasicTransitionPicker,
    SparseRewardTransitionPicker,
    FrameStackTransitionPicker,
    MultiStepTransitionPicker,
)


class LazyTransitions(Sequence[Transition]):
    """Transitions of a batch, picked by d3rlpy's own picker when they are asked for."""

    __slots__ = ("_buffer", "_numbers", "_picker")

    def __init__(
        self, buffer: MappedBuffer, picker: TransitionPickerProtocol, numbers: NDArray[np.int64]
    ) -> None:
        self._buffer = buffer
        self._picker = picker
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Transition: ...
    @overload
    def __getitem__(self, index: slice) -> list[Transition]: ...
    def __getitem__(self, index: int | slice) -> Transition | list[Transition]:
        if isinstance(index, slice):
            return [self._pick(number) for number in self._numbers[index]]
        return self._pick(self._numbers[index])

    def __iter__(self) -> Iterator[Transition]:
        return (self._picker(*found) for found in self._buffer.items(self._numbers))

    def _pick(self, number: np.int64) -> Transition:
        return self._picker(*self._buffer[int(number)])


def can_gather(picker: TransitionPickerProtocol) -> bool:
    """Whether batches of this picker can be gathered at once."""
    return type(picker) in _KNOWN


def gather_batch(
    buffer: MappedBuffer, picker: TransitionPickerProtocol, numbers: NDArray[np.int64]
) -> TransitionMiniBatch:
    """Return the batch of the transitions with these numbers.

    Args:
        buffer: where they are.
        picker: one that :func:`can_gather`.
        numbers: transitions.  # (n,)
    """
    transitions = LazyTransitions(buffer, picker, numbers)
    mapped = numbers < buffer.mapped_count
    if mapped.all():
        return _gather_mapped(buffer.source, picker, numbers, transitions)
    appended = [transitions[int(place)] for place in np.flatnonzero(~mapped)]
    rest = TransitionMiniBatch.from_transitions(appended)
    if not mapped.any():
        return rest
    first = _gather_mapped(buffer.source, picker, numbers[mapped], transitions)
    merged = {
        part.name: _merge(mapped, getattr(first, part.name), getattr(rest, part.name))
        for part in fields(TransitionMiniBatch)
        if part.name != "transitions"
    }
    return TransitionMiniBatch(**merged, transitions=transitions)


def _merge(mask: NDArray[np.bool_], where: Any, elsewhere: Any) -> Any:  # noqa: ANN401 - array or list of arrays
    if isinstance(where, list):
        return [_merge(mask, *pair) for pair in zip(where, elsewhere, strict=True)]
    merged = np.empty((len(mask), *where.shape[1:]), dtype=np.float32)
    merged[mask], merged[~mask] = where, elsewhere
    return merged


@dataclass(frozen=True, slots=True)
class _Leap:
    """From a step to the one that its transition leads to.

    Attributes:
        intervals: steps ahead.  # (n,) int64
        terminal: whether it leads to a terminal state, which d3rlpy shows as zeros.  # (n,) bool
    """

    intervals: NDArray[np.int64]
    terminal: NDArray[np.bool_]


def _gather_mapped(
    source: Source, picker: TransitionPickerProtocol, numbers: NDArray[np.int64], transitions: LazyTransitions
) -> TransitionMiniBatch:
    steps = source.index.steps(numbers)
    leap = _leap(steps, picker)
    pairs = [_observations(rows, steps, leap, picker) for rows in source.observations]
    observations, next_observations = ([pair[end] for pair in pairs] for end in (0, 1))
    actions, next_actions = _actions(source.actions, steps, leap)
    return TransitionMiniBatch(
        observations=observations if source.has_tuple_observations else observations[0],
        actions=actions,
        rewards=_rewards(source.rewards, steps, leap, picker),
        next_observations=next_observations if source.has_tuple_observations else next_observations[0],
        next_actions=next_actions,
        terminals=leap.terminal[:, None].astype(np.float32),
        intervals=leap.intervals[:, None].astype(np.float32),
        transitions=transitions,
    )


def _leap(steps: Steps, picker: TransitionPickerProtocol) -> _Leap:
    if type(picker) is not MultiStepTransitionPicker:
        return _Leap(np.ones(len(steps), dtype=np.int64), steps.terminal)
    # A terminated episode may be leapt out of; another ends at the last row that d3rlpy sees.
    last = steps.sizes - ~steps.terminated
    reached = np.minimum(steps.numbers + picker._n_steps, last)  # noqa: SLF001 - d3rlpy has no accessor
    return _Leap(reached - steps.numbers, steps.terminated & (reached == steps.sizes))


def _observations(
    rows: Rows, steps: Steps, leap: _Leap, picker: TransitionPickerProtocol
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if type(picker) is FrameStackTransitionPicker:
        frames = picker._n_frames  # noqa: SLF001 - d3rlpy has no accessor
        windows = Window(steps.numbers + 1, frames + 1).gather(rows, steps.observation_starts)
        stacked = np.swapaxes(stack_frames(windows, frames), 0, 1)
        now, after = as_float32(stacked[0]), as_float32(stacked[1])
    else:
        first = steps.observation_starts + steps.numbers
        now, after = _gather_pairs(rows, first, first + leap.intervals)
    if leap.terminal.any():
        after[leap.terminal] = 0
    return now, after


def _actions(rows: Rows, steps: Steps, leap: _Leap) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    first = steps.starts + steps.numbers
    now, after = _gather_pairs(rows, first, first + leap.intervals)
    after[steps.numbers + leap.intervals >= steps.lengths] = 0
    return now, after


def _rewards(rows: Rows, steps: Steps, leap: _Leap, picker: TransitionPickerProtocol) -> NDArray[np.float32]:
    first = steps.starts + steps.numbers
    if type(picker) is not MultiStepTransitionPicker:
        return rows.take_float32(first)
    returns = np.empty((len(steps), 1), dtype=np.float32)
    for interval in np.unique(leap.intervals):
        # The same numbers in the same order as d3rlpy: NumPy's sums and powers depend on the length.
        chosen = np.flatnonzero(leap.intervals == interval)
        gammas = picker._gamma ** np.arange(interval)  # noqa: SLF001 - d3rlpy has no accessor
        rewards = rows.take(first[chosen, None] + np.arange(interval))[..., 0]
        returns[chosen, 0] = np.sum(rewards * gammas, axis=1)
    return returns


def _gather_pairs(
    rows: Rows, first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return rows gathered together, so that neighbours are read from disk together."""
    both = rows.take_float32(np.concatenate([first, second]))
    return both[: len(first)], both[len(first) :]
