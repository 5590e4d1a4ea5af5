"""Episodes as d3rlpy sees them: its own ``Episode``, whose arrays are views made when they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from d3rlpy.dataset import Episode, EpisodeBase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_d3rlpy.rows import Rows
    from pytupli_d3rlpy.source import Source

__all__ = ["EpisodeSequence", "MappedEpisode"]


class MappedEpisode(Episode):  # type: ignore[misc]  # d3rlpy ships no types
    """An episode over the memory map.

    The T+1st observation of the file has no place in d3rlpy's episodes and is left out. Where the tail of
    truncated episodes is kept, such an episode has T+1 rows instead: the true final observation, with an action
    and a reward of zeros. d3rlpy takes the last row of an episode that is not terminated for a successor only,
    so that its T transitions are the T that were recorded.
    """

    @classmethod
    def at(cls, source: Source, position: int) -> MappedEpisode:
        """Return the episode at a position of the dataset's table; its arrays are made when they are read."""
        episode = cls.__new__(cls)
        first, length, terminated = source.index.episode(position)
        # The dataclass is frozen, and its arrays come from __getattr__, once each.
        episode.__dict__.update(
            terminated=terminated,
            _source=source,
            _rows=(first, first + length),
            _first_observation=first + position,
            _size=length if terminated or source.index.tail == "drop" else length + 1,
        )
        return episode

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - called for what is not there yet
        if name == "observations":
            made: Any = self._of_observations()
        elif name in {"actions", "rewards"}:
            made = self._of_steps(getattr(self._source, name))
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.__dict__[name] = made
        return made

    def __len__(self) -> int:
        first, stop = self.__dict__.get("_rows", (0, self.size()))
        return int(stop - first)

    def _of_observations(self) -> Any:  # noqa: ANN401 - array or list of arrays
        first, stop = self._first_observation, self._first_observation + self._size
        if self._source.has_tuple_observations:
            return [rows.between(first, stop) for rows in self._source.observations]
        return self._source.observations[0].between(first, stop)

    def _of_steps(self, rows: Rows) -> NDArray[Any]:
        values = rows.between(*self._rows)
        if self._size == len(values):
            return values
        return np.concatenate([values, np.zeros((1, *values.shape[1:]), dtype=values.dtype)])


class EpisodeSequence(Sequence[EpisodeBase]):
    """Episodes of the memory map, then those appended; made when they are asked for."""

    __slots__ = ("_appended", "_episode_at", "_positions")

    def __init__(
        self,
        episode_at: Callable[[int], EpisodeBase],
        positions: NDArray[np.int64],
        appended: Sequence[EpisodeBase],
    ) -> None:
        self._episode_at = episode_at
        self._positions = positions
        self._appended = appended

    def __len__(self) -> int:
        return len(self._positions) + len(self._appended)

    @overload
    def __getitem__(self, index: int) -> EpisodeBase: ...
    @overload
    def __getitem__(self, index: slice) -> list[EpisodeBase]: ...
    def __getitem__(self, index: int | slice) -> EpisodeBase | list[EpisodeBase]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        mapped = len(self._positions)
        if number < mapped:
            return self._episode_at(self._positions.item(number))
        return self._appended[number - mapped]
