"""Episodes as d3rlpy sees them: its own ``Episode``, whose arrays are views made when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from d3rlpy.dataset import Episode, EpisodeBase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_d3rlpy.rows import Rows
    from pytupli_d3rlpy.source import Source

__all__ = ["EpisodeSequence", "MappedEpisode"]


class MappedEpisode(Episode):
    """An episode over the memory map.

    The T+1st observation of the file has no place in d3rlpy's episodes and is left out. Where the tail of
    truncated episodes is kept, such an episode has T+1 rows instead: the true final observation, with an action
    and a reward of zeros. d3rlpy takes the last row of an episode that is not terminated for a successor only,
    so that its T transitions are the T that were recorded.
    """

    @classmethod
    def at(cls, source: Source, position: int) -> MappedEpisode:
        """Return the episode at a position of the dataset's table; nothing is read yet."""
        episode = cls.__new__(cls)
        # Fields of a frozen dataclass; the arrays come from the cached properties below.
        episode.__dict__.update(_source=source, _position=position, terminated=source.index.is_terminated(position))
        return episode

    @cached_property
    def observations(self) -> Any:  # type: ignore[override]  # noqa: ANN401 - array or list of arrays
        """Observations before each step.  # (T, *observation_shape), or a list of those"""  # noqa: D400, D415
        first = self._first_row + self._position
        arrays = [rows.between(first, first + self._size) for rows in self._source.observations]
        return arrays if self._source.has_tuple_observations else arrays[0]

    @cached_property
    def actions(self) -> NDArray[Any]:  # type: ignore[override]
        """Actions of each step.  # (T, *action_shape)"""  # noqa: D400, D415
        return self._of_steps(self._source.actions)

    @cached_property
    def rewards(self) -> NDArray[Any]:  # type: ignore[override]
        """Rewards of each step.  # (T, 1)"""  # noqa: D400, D415
        return self._of_steps(self._source.rewards)

    def __len__(self) -> int:
        return self._length if "_source" in self.__dict__ else super().__len__()

    def _of_steps(self, rows: Rows) -> NDArray[Any]:
        values = rows.between(self._first_row, self._first_row + self._length)
        if self._size == self._length:
            return values
        return np.concatenate([values, np.zeros((1, *values.shape[1:]), dtype=values.dtype)])

    @property
    def _first_row(self) -> int:
        return int(self._source.index.dataset.row_starts[self._position])

    @property
    def _length(self) -> int:
        return int(self._source.index.dataset.lengths[self._position])

    @property
    def _size(self) -> int:
        return self._length + (self._source.index.tail == "keep" and not self.terminated)

    _source: Source
    _position: int


class EpisodeSequence(Sequence[EpisodeBase]):
    """Episodes of the memory map, then those appended; made when they are asked for."""

    __slots__ = ("_appended", "_positions", "_source")

    def __init__(self, source: Source, appended: Sequence[EpisodeBase]) -> None:
        self._source = source
        self._positions = source.index.positions
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
            return MappedEpisode.at(self._source, int(self._positions[number]))
        return self._appended[number - mapped]
