"""The leaves of a data file on a Hub: read through its mirror, which is filled with what is read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import StaleIndex
from pytupli_registry.remote.cells import cell_bounds, cells_of
from pytupli_registry.storage.columns import MappedColumns
from pytupli_registry.storage.extents import leaf_starts
from pytupli_registry.storage.index import same_index
from pytupli_registry.storage.stamps import Stamps
from pytupli_registry.storage.trust import index_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytupli_registry.dataset.leaves import Leaf
    from pytupli_registry.dataset.metadata import DatasetMetadata
    from pytupli_registry.remote.cells import Cells
    from pytupli_registry.remote.fetching import Fetcher
    from pytupli_registry.storage.records import Index

__all__ = ["RemoteColumns"]

_log = logging.getLogger(__name__)


class RemoteColumns:
    """Columns over a mirror: what is asked for comes over the network once, and is checked.

    Arrays are views of the mirror. Rows of episodes that were not asked for hold anything, so :meth:`array` asks for
    all unless it is told which are read. Leaves that only HDF5 can read (text, JPEG, chunked files of others) bring
    the whole file.

    Args:
        index: of the file; it describes exactly the file of ``fetcher``.
        metadata: of the dataset.
        fetcher: brings what is missing.
        reopen: makes these columns again in another process.
        cache: where verification stamps are kept.
    """

    def __init__(
        self,
        index: Index,
        metadata: DatasetMetadata,
        fetcher: Fetcher,
        reopen: tuple[Callable[..., RemoteColumns], tuple[Any, ...]],
        cache: Path,
    ) -> None:
        self.index = index
        self._metadata = metadata
        self.fetcher = fetcher
        self._reopen = reopen
        self._cache = cache
        self._leaves = {path: stored.leaf for path, stored in index.leaves.items()}
        self._mapped = MappedColumns(fetcher.mirror.path, index.leaves, index.table.lengths)
        self._present: dict[str, NDArray[np.bool_]] = {}
        self._joined: dict[str, tuple[NDArray[Any], NDArray[np.bool_]]] = {}
        self._is_checked = False

    def __reduce__(self) -> tuple[Callable[..., RemoteColumns], tuple[Any, ...]]:
        return self._reopen

    @property
    def leaves(self) -> Mapping[str, Leaf]:
        """Every leaf by path."""
        return self._leaves

    def require(self, paths: Iterable[str], positions: NDArray[np.int64]) -> None:
        """Bring some leaves of some episodes here, as far as they are not.

        Raises:
            KeyError: there is no such leaf.
            ChecksumError: what comes is not what the index describes.
            HubError: the Hub refuses, or cannot be reached.
            WriteError: the disk is full.
        """
        paths = list(paths)
        if not all(map(self.is_ranged, paths)):
            self._bring_all()
        if self.fetcher.mirror.is_whole:
            return
        missing = {
            path: wanted
            for path in paths
            if len(wanted := np.unique(positions[~self._present_of(path)[positions]]))
        }
        if missing:
            self.fetcher.fetch(cells_of(self.index, missing))
            for path, wanted in missing.items():
                self._present[path][wanted] = True

    def is_ranged(self, path: str) -> bool:
        """Whether a leaf comes by ranges; the others need the whole file."""
        return self.index.leaves[path].extents is not None and path in self.index.checksums

    def cells(self, paths: Iterable[str], positions: NDArray[np.int64]) -> Cells:
        """Return the cells of those leaves that come by ranges, of some episodes, here or not."""
        wanted = np.unique(positions)
        return cells_of(self.index, {path: wanted for path in paths if self.is_ranged(path)})

    def array(self, path: str, positions: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Return all rows of a leaf; those of the episodes at ``positions`` are right."""
        if positions is None:
            positions = np.arange(len(self.index.table), dtype=np.int64)
        self.require([path], positions)
        extents = self.index.leaves[path].extents
        if extents is None or len(extents) <= 1:
            return self._mapped.array(path)
        return self._copied(path, positions)

    def episode_value(self, path: str, position: int) -> Any:  # noqa: ANN401 - array, list of str, or None
        """Return one leaf of one episode."""
        if not 0 <= position < len(self.index.table):
            raise IndexError(f"there is no episode at {position} of {len(self.index.table)}")
        if not self.fetcher.mirror.is_whole or not self.is_ranged(path):
            self.require([path], np.array([position], dtype=np.int64))
        return self._mapped.episode_value(path, position)

    def array_facts(self, position: int) -> Mapping[str, NDArray[Any]]:
        """Return the facts about an episode that are arrays; only HDF5 has them, so the whole file comes."""
        self._bring_all()
        return self._mapped.array_facts(position)

    def encoded_frames(self, path: str, position: int) -> list[bytes]:
        """Return the JPEG files of one episode as they were written."""
        self._bring_all()
        return self._mapped.encoded_frames(path, position)

    def _present_of(self, path: str) -> NDArray[np.bool_]:
        if path not in self._present:
            everything = np.arange(len(self.index.table), dtype=np.int64)
            bounds = cell_bounds(self.index.leaves[path], self.index.table.lengths, everything)
            self._present[path] = self.fetcher.mirror.checked.covers(*bounds)
        return self._present[path]

    def _copied(self, path: str, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Join a column that lies in several pieces, as far as it is read."""
        leaf, lengths = self.index.leaves[path].leaf, self.index.table.lengths
        starts = leaf_starts(lengths, leaf.extra_row)
        if path not in self._joined:
            rows = np.zeros((int(starts[-1]), *leaf.row_shape), dtype=leaf.dtype)
            self._joined[path] = rows, np.zeros(len(lengths), dtype=np.bool_)
        rows, copied = self._joined[path]
        for position in np.unique(positions[~copied[positions]]).tolist():
            rows[starts[position] : starts[position + 1]] = self._mapped.episode_value(path, position)
            copied[position] = True
        seen = rows.view()
        seen.flags.writeable = False
        return seen

    def _bring_all(self) -> None:
        """Have the whole file here, and let HDF5 read it only after it was checked like any file of others.

        Raises:
            StaleIndex: the index does not say what the file says.
        """
        if self._is_checked:
            return
        self.fetcher.fetch_whole()
        path = self.fetcher.mirror.path
        if not same_index(index_of(path, self._metadata, Stamps(self._cache)), self.index):
            raise StaleIndex(path, "the index of the repository does not describe it", hint=_REBUILD)
        self._mapped = MappedColumns(path, self.index.leaves, self.index.table.lengths)
        self._is_checked = True


_REBUILD = "Whoever may write to the repository can mend that: pytupli index --remote."
