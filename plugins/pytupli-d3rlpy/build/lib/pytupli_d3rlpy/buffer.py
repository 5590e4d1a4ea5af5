"""A d3rlpy buffer over the memory map that online experience can be appended to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d3rlpy.dataset import BufferProtocol, EpisodeBase, InfiniteBuffer

from pytupli_d3rlpy.episodes import EpisodeSequence, MappedEpisode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pytupli_d3rlpy.source import Source

__all__ = ["MappedBuffer"]

_MOST_MADE = 1024  # episodes of about a kilobyte each


class MappedBuffer(BufferProtocol):  # type: ignore[misc]  # d3rlpy ships no types
    """Transitions of a dataset, then the appended ones in the order they came.

    Attributes:
        source: the columns below the first ``mapped_count`` transitions.
        mapped_count: number of transitions that come from the dataset.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.mapped_count = source.index.transition_count
        self._appended = InfiniteBuffer()
        self._made: dict[int, MappedEpisode] = {}
        self._most_made = _MOST_MADE if source.has_views else 1

    def append(self, episode: EpisodeBase, index: int) -> None:
        """Add one transition after all others; the files stay as they are."""
        self._appended.append(episode, index)

    @property
    def episodes(self) -> Sequence[EpisodeBase]:
        """Episodes with transitions, whole, whatever the step filter."""
        return EpisodeSequence(self._episode, self.source.index.positions, self._appended.episodes)

    @property
    def transition_count(self) -> int:
        """Number of transitions that can be sampled."""
        return self.mapped_count + len(self._appended)

    def __len__(self) -> int:
        return self.transition_count

    def __getitem__(self, index: int) -> tuple[EpisodeBase, int]:
        number = range(self.transition_count)[index]
        if number >= self.mapped_count:
            found: tuple[EpisodeBase, int] = self._appended[number - self.mapped_count]
            return found
        position, step = self.source.index.locate_one(number)
        return self._episode(position), step

    def items(self, numbers: NDArray[np.int64]) -> Iterator[tuple[EpisodeBase, int]]:
        """Iterate over many transitions, found at once.  # (n,)"""  # noqa: D415 - the shape ends the line
        if not (numbers < self.mapped_count).all():
            yield from (self[int(number)] for number in numbers)
            return
        positions, steps = self.source.index.locate(numbers)
        for position, step in zip(positions.tolist(), steps.tolist(), strict=True):
            yield self._episode(position), step

    def _episode(self, position: int) -> MappedEpisode:
        """Return an episode, the same object while it is used: d3rlpy's buffers tell episodes apart by identity."""
        found = self._made.get(position)
        if found is None:
            if len(self._made) >= self._most_made:
                self._made.clear()
            found = self._made[position] = MappedEpisode.at(self.source, position)
        return found
