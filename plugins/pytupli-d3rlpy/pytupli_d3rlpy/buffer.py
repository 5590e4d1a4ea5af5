"""A d3rlpy buffer over the memory map that online experience can be appended to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from d3rlpy.dataset import BufferProtocol, EpisodeBase, InfiniteBuffer

from pytupli_d3rlpy.episodes import EpisodeSequence, MappedEpisode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytupli_d3rlpy.source import Source

__all__ = ["MappedBuffer"]


class MappedBuffer(BufferProtocol):
    """Transitions of a dataset, then the appended ones in the order they came.

    Attributes:
        source: the columns below the first ``mapped_count`` transitions.
        mapped_count: number of transitions that come from the dataset.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.mapped_count = source.index.transition_count
        self._appended = InfiniteBuffer()

    def append(self, episode: EpisodeBase, index: int) -> None:
        """Add one transition after all others; the files stay as they are."""
        self._appended.append(episode, index)

    @property
    def episodes(self) -> Sequence[EpisodeBase]:
        """Episodes with transitions, whole, whatever the step filter."""
        return EpisodeSequence(self.source, self._appended.episodes)

    @property
    def transition_count(self) -> int:
        """Number of transitions that can be sampled."""
        return self.mapped_count + len(self._appended)

    def __len__(self) -> int:
        return self.transition_count

    def __getitem__(self, index: int) -> tuple[EpisodeBase, int]:
        number = range(self.transition_count)[index]
        if number >= self.mapped_count:
            return self._appended[number - self.mapped_count]
        positions, steps = self.source.index.locate(np.array([number]))
        return MappedEpisode.at(self.source, int(positions[0])), int(steps[0])
