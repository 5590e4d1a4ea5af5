"""Rows that filters are evaluated on: whole episodes, or a block of consecutive steps of some episodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.filters.terms import Slice
from pytupli_registry.filters.values import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytupli_registry.filters.source import FieldValues, FilterSource

__all__ = ["Component", "EpisodeRows", "Reader", "StepRows", "step_blocks"]

_LONG = 200  # steps an episode from which copying piece by piece beats an index a row; measured


@dataclass(frozen=True, slots=True)
class Component:
    """What a step field reads of a leaf.

    Attributes:
        path: of the leaf.
        index: of the components within a row.
        extra_row: 1 if the leaf has T+1 rows an episode.
        shift: 1 if a step reads the row after it (next_observation, info).
    """

    path: str
    index: tuple[int | Slice, ...]
    extra_row: int
    shift: int

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the components of an array of rows, as a view.  # (rows, *row_shape) -> (rows, *shape)"""  # noqa: D415 - the shape ends the line
        return array[(slice(None), *(key.builtin if isinstance(key, Slice) else key for key in self.index))]


class Reader:
    """A source whose arrays are asked for at most once in one evaluation.

    Args:
        source: the dataset.
        positions: of the episodes whose steps are read; None for all.  # (n,)
    """

    def __init__(self, source: FilterSource, positions: NDArray[np.int64] | None = None) -> None:
        self.source = source
        self._positions = positions
        self.lengths = source.lengths
        self.row_starts = source.row_starts
        self._arrays: dict[str, NDArray[Any]] = {}

    def array(self, path: str) -> NDArray[Any]:
        """Return all rows of a leaf."""
        if path not in self._arrays:
            self._arrays[path] = self.source.array(path, self._positions)
        return self._arrays[path]


@dataclass(frozen=True)
class EpisodeRows:
    """One row an episode.

    Attributes:
        positions: of the episodes, in any order.  # (n,)
    """

    reader: Reader
    positions: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.positions)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each episode.  # (n,)"""  # noqa: D415 - the shape ends the line
        return self.reader.lengths[self.positions]

    def field(self, facts: FieldValues) -> Column:
        """Return one episode field; missing text reads as empty."""
        values = facts.values[self.positions]
        if facts.missing is None:
            return Column(values)
        missing = facts.missing[self.positions]
        return Column(np.where(missing, "", values) if values.dtype.kind in "OUT" else values, missing)


@dataclass(frozen=True)
class StepRows:
    """One row a step: all steps of some episodes, or a part of the first and last of them.

    Attributes:
        positions: of the episodes, in any order.  # (k,)
        firsts: first step taken of each episode.  # (k,)
        counts: steps taken of each episode.  # (k,)
    """

    reader: Reader
    positions: NDArray[np.int64]
    firsts: NDArray[np.int64]
    counts: NDArray[np.int64]
    _components: dict[Component, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def whole(cls, reader: Reader, positions: NDArray[np.int64]) -> StepRows:
        """Return all steps of some episodes."""
        return cls(reader, positions, np.zeros_like(positions), reader.lengths[positions])

    @cached_property
    def _size(self) -> int:
        return int(self.counts.sum())

    def __len__(self) -> int:
        return self._size

    @cached_property
    def episodes(self) -> EpisodeRows:
        """The episodes of the steps, a row each."""
        return EpisodeRows(self.reader, self.positions)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """First row here of each episode.  # (k,)"""  # noqa: D415
        return np.cumsum(self.counts) - self.counts

    @cached_property
    def _together(self) -> bool:
        """Whether the episodes lie after one another, so that their rows are one slice."""
        return bool(np.all(np.diff(self.positions) == 1))

    def repeat(self, values: NDArray[Any]) -> NDArray[Any]:
        """Give each step the value of its episode.  # (k,) -> (n,)"""  # noqa: D415
        return np.repeat(values, self.counts, axis=0)

    def numbers(self) -> NDArray[np.int64]:
        """Return the number of each step in its episode, from 0.  # (n,)"""  # noqa: D415
        numbers: NDArray[np.int64] = np.arange(len(self)) - self.repeat(self._starts - self.firsts)
        return numbers

    def component(self, wanted: Component) -> NDArray[Any]:
        """Return components of a leaf, as a view where the rows lie together.  # (n, *shape)"""  # noqa: D415
        if wanted not in self._components:
            view = wanted.of(self.reader.array(wanted.path))
            self._components[wanted] = self._taken(view, wanted.extra_row, wanted.shift)
        return self._components[wanted]

    def _taken(self, view: NDArray[Any], extra_row: int, shift: int) -> NDArray[Any]:
        if len(self) == 0:
            return view[:0]
        starts = self.reader.row_starts[self.positions] + self.firsts + self.positions * extra_row + shift
        if self._together and (not extra_row or len(self.positions) == 1):
            return view[starts[0] : starts[0] + len(self)]
        if self._together:
            return view[starts[0] : starts[-1] + self.counts[-1]][self._inner_rows]
        if len(self) >= _LONG * len(self.positions):
            stops = (starts + self.counts).tolist()
            return np.concatenate([view[a:b] for a, b in zip(starts.tolist(), stops, strict=True)])
        return np.asarray(view[self.repeat(starts - self._starts) + np.arange(len(self), dtype=np.int64)])

    @cached_property
    def _inner_rows(self) -> NDArray[np.bool_]:
        """Which of the T+1 rows of episodes that lie together belong to steps."""
        inner = np.ones(len(self) + len(self.positions) - 1, dtype=np.bool_)
        inner[np.cumsum(self.counts[:-1] + 1) - 1] = False
        return inner

    def returns_to_go(self, wanted: Component) -> NDArray[np.float64]:
        """Return the rewards from each step to the end of its episode, added from the end.  # (n,)"""  # noqa: D415
        lengths = self.reader.lengths[self.positions]
        ahead = StepRows(self.reader, self.positions, self.firsts, lengths - self.firsts)
        rewards = ahead.component(wanted).astype(np.float64)
        if len(self.positions) > ahead.counts.max(initial=0):
            _add_across(rewards, ahead._starts, ahead.counts)
        else:
            _add_along(rewards, ahead._starts, ahead.counts)
        return rewards[ahead.numbers() < ahead.repeat(self.firsts + self.counts)]


def _add_along(rewards: NDArray[np.float64], starts: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        backwards = rewards[start : start + count][::-1]
        np.cumsum(backwards, out=backwards)


def _add_across(rewards: NDArray[np.float64], starts: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
    # Many short episodes: one step of all of them at a time, the same additions in the same order.
    last = starts + counts - 1
    order = np.argsort(-counts, kind="stable")
    last, ordered = last[order], counts[order]
    for back in range(1, int(counts.max(initial=0))):
        last = last[: np.searchsorted(-ordered, -back, side="left")]
        rewards[last - back] += rewards[last - back + 1]


def step_blocks(
    reader: Reader, positions: NDArray[np.int64], rows: int, *, split: bool = True
) -> Iterator[tuple[slice, StepRows]]:
    """Cut the steps of episodes into blocks of about ``rows`` steps.

    Blocks end where episodes end as far as possible; a longer episode is cut unless ``split`` is false.

    Returns:
        For each block its place among the steps of all episodes (among the episodes unless ``split``), and its rows.
    """
    ends = np.cumsum(reader.lengths[positions])
    total = int(ends[-1]) if len(ends) else 0
    start = 0
    while start < total:
        stop = _block_end(ends, start, rows, split=split)
        first = int(np.searchsorted(ends, start, side="right"))
        last = int(np.searchsorted(ends, stop, side="left")) + 1
        chosen = positions[first:last]
        lengths = reader.lengths[chosen]
        before = ends[first:last] - lengths
        firsts = np.maximum(start - before, 0)
        counts = np.minimum(stop - before, lengths) - firsts
        yield slice(start, stop) if split else slice(first, last), StepRows(reader, chosen, firsts, counts)
        start = stop


def _block_end(ends: NDArray[np.int64], start: int, rows: int, *, split: bool) -> int:
    wanted = min(start + rows, int(ends[-1]))
    whole = int(np.searchsorted(ends, wanted, side="right")) - 1
    if whole >= 0 and ends[whole] > start:
        return int(ends[whole])
    return wanted if split else int(ends[np.searchsorted(ends, start, side="right")])
