"""Reading ahead of random access, so that a remote dataset is soon here with few requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pytupli_registry.dataset.columns import Columns

__all__ = ["ReadAhead"]


class ReadAhead:
    """Makes ready what is read next, and each time more of what will be read some time.

    What is needed now comes at once. With it comes nothing else the first time, then as many episodes as were needed,
    then twice as many, and so on: after a few batches everything is here, and nothing more is asked.

    Args:
        reader: has the leaves.
        paths: of the leaves that are read.
        positions: of the episodes that are read.  # (n,)
    """

    __slots__ = ("_ahead", "_is_done", "_paths", "_positions", "_reader")

    def __init__(self, reader: Columns, paths: Iterable[str], positions: NDArray[np.int64]) -> None:
        self._reader = reader
        self._paths = tuple(paths)
        self._positions = positions
        self._ahead = 0
        self._is_done = False

    def need(self, positions: NDArray[np.int64]) -> None:
        """Make the episodes at some positions ready.  # (n,)"""  # noqa: D415 - the shape ends the line
        if self._is_done:
            return
        wanted = np.concatenate([positions, self._positions[: self._ahead]]) if self._ahead else positions
        self._reader.require(self._paths, wanted)
        self._is_done = self._ahead >= len(self._positions)
        self._ahead = max(2 * self._ahead, len(positions))

    def need_one(self, position: int) -> None:
        """Make one episode ready."""
        if not self._is_done:
            self.need(np.array([position], dtype=np.int64))

    def need_all(self, paths: Iterable[str]) -> None:
        """Make some leaves ready in all the episodes that are read."""
        if not self._is_done:
            self._reader.require(paths, self._positions)
