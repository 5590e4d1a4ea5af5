"""The columns of a data file, mapped into memory."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import FormatError, SpaceError, StaleIndex
from pytupli_registry.storage.extents import check_layout, leaf_starts
from pytupli_registry.storage.hdf5.values import EpisodeReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytupli_registry.dataset.leaves import Leaf
    from pytupli_registry.storage.extents import Extent, StoredLeaf

__all__ = ["FileIdentity", "MappedColumns"]


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What changes when a file is replaced or written to.

    Attributes:
        device: number of the device it lies on.
        inode: its number there.
        size: its bytes.
        modified: time of the last change of its content, in nanoseconds.
        changed: time of the last change of anything about it, in nanoseconds.
    """

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, file: Path | int) -> FileIdentity:
        """Return the identity of a file, by path or open descriptor.

        Raises:
            OSError: there is no such file, or it is a pipe or a device, which nothing could be read from, or for ever.
        """
        found = os.stat(file)  # noqa: PTH116 - Path.stat takes no descriptor
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "no regular file", str(file))
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class MappedColumns:
    """The leaves of a data file, each a read-only array over one shared memory map.

    A column that lies in the file as one piece costs no copy and no HDF5 call. One in several pieces (after an
    append) is joined once when it is asked for as a whole, and kept; its episodes are still views. What only HDF5 can
    read (text, JPEG, chunked files of others) is read episode by episode; asked for as a whole, it is read once and
    kept. Pickles by path, so that worker processes map the file themselves.

    The file must not be shortened while it is mapped: the operating system ends a process that reads beyond the end.
    Our own writers replace files or append, and never shorten.
    """

    __slots__ = (
        "_identity",
        "_joined",
        "_leaves",
        "_lengths",
        "_map",
        "_path",
        "_reader",
        "_starts",
        "_stored",
    )

    def __init__(
        self,
        data_path: Path,
        leaves: Mapping[str, StoredLeaf],
        lengths: NDArray[np.int64],
        identity: FileIdentity | None = None,
    ) -> None:
        """Map the file.

        Args:
            data_path: the ``main_data.hdf5``.
            leaves: the leaves, and where they lie.
            lengths: steps of each episode.  # (N,)
            identity: what the file must still be; None takes it as it is.

        Raises:
            FormatError: the file is missing, or the leaves do not fit into it.
            StaleIndex: the file is no longer the one of ``identity``.
        """
        self._path = data_path
        self._stored = dict(leaves)
        self._leaves = {path: stored.leaf for path, stored in leaves.items()}
        self._lengths = lengths
        self._starts = {extra_row: leaf_starts(lengths, extra_row) for extra_row in (0, 1)}
        self._reader = EpisodeReader(data_path)
        self._joined: dict[str, NDArray[Any]] = {}
        self._map, self._identity = _map(data_path, identity)
        check_layout(data_path, self._stored, lengths, self._identity.size)

    def __reduce__(self) -> tuple[type[MappedColumns], tuple[Any, ...]]:
        return MappedColumns, (self._path, self._stored, self._lengths, self._identity)

    @property
    def leaves(self) -> Mapping[str, Leaf]:
        """Every leaf by path."""
        return self._leaves

    @property
    def data_path(self) -> Path:
        """The file the columns are read from."""
        return self._path

    def is_mapped(self, path: str) -> bool:
        """Whether the leaf as a whole is one view of the file, which costs no memory of its own."""
        extents = self._stored[path].extents
        return extents is not None and len(extents) <= 1

    def require(self, paths: Iterable[str], positions: NDArray[np.int64]) -> None:
        """Do nothing: the file is here."""

    def array(self, path: str, positions: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Return all rows of a leaf of fixed shape, read-only.  # (rows, *row_shape)"""  # noqa: D415
        del positions
        known = self._joined.get(path)
        if known is not None:
            return known
        stored = self._stored[path]
        if not stored.leaf.is_array:
            raise SpaceError(
                f"{path} has no fixed shape and is no array.", hint="Read it episode by episode."
            )
        if stored.extents is None:
            values = self._read(stored.leaf)
        elif stored.leaf.row_bytes == 0:
            shape = (int(self._starts[stored.leaf.extra_row][-1]), *stored.leaf.row_shape)
            values = np.zeros(shape, dtype=stored.leaf.dtype)
        elif len(stored.extents) == 1:
            values = self._view(stored.leaf, stored.extents[0])
        else:
            values = np.concatenate([self._view(stored.leaf, extent) for extent in stored.extents])
        values.flags.writeable = False
        self._joined[path] = values
        return values

    def episode_value(self, path: str, position: int) -> Any:  # noqa: ANN401 - array, list of str, or None
        """Return one leaf of one episode; a view wherever the bytes lie in the file as they are."""
        if not 0 <= position < len(self._lengths):
            raise IndexError(f"there is no episode at {position} of {len(self._lengths)}")
        stored = self._stored[path]
        if stored.extents is None and path not in self._joined:
            return self._reader.value(stored.leaf, position)
        starts = self._starts[stored.leaf.extra_row]
        start, stop = int(starts[position]), int(starts[position + 1])
        if path in self._joined or not stored.extents or len(stored.extents) == 1:
            return self.array(path)[start:stop]
        firsts = [extent.first_row for extent in stored.extents]
        extent = stored.extents[int(np.searchsorted(firsts, start, side="right")) - 1]
        return self._view(stored.leaf, extent)[start - extent.first_row : stop - extent.first_row]

    def read_rows(self, path: str, first: int, last: int) -> NDArray[Any]:
        """Read an array leaf of consecutive episodes through HDF5.  # (rows, *row_shape)"""  # noqa: D415
        return self._reader.rows(self._leaves[path], first, last)

    def attributes(self, position: int) -> dict[str, Any]:
        """Return the HDF5 attributes of one episode as they are."""
        return self._reader.attributes(position)

    def array_facts(self, position: int) -> dict[str, NDArray[Any]]:
        """Return the facts about one episode that are arrays, by field name."""
        from pytupli_registry.storage.hdf5.attributes import field_name  # noqa: PLC0415 - h5py comes with it

        return {
            field_name(name): value
            for name, value in self.attributes(position).items()
            if isinstance(value, np.ndarray) and value.ndim
        }

    def encoded_frames(self, path: str, position: int) -> list[bytes]:
        """Return the JPEG files of one episode as they were written."""
        return self._reader.encoded(self._leaves[path], position)

    def _view(self, leaf: Leaf, extent: Extent) -> NDArray[Any]:
        assert leaf.dtype is not None  # noqa: S101 - check_layout saw to it
        count = extent.rows * (leaf.row_bytes // leaf.dtype.itemsize)
        flat = np.frombuffer(self._map, dtype=leaf.dtype, count=count, offset=extent.offset)
        return flat.reshape((extent.rows, *leaf.row_shape))

    def _read(self, leaf: Leaf) -> NDArray[Any]:
        starts = self._starts[leaf.extra_row]
        values = np.empty((int(starts[-1]), *leaf.row_shape), dtype=leaf.dtype)
        for position, (start, stop) in enumerate(zip(starts.tolist(), starts[1:].tolist(), strict=False)):
            values[start:stop] = self._reader.value(leaf, position)
        return values


def _map(path: Path, expected: FileIdentity | None) -> tuple[mmap.mmap, FileIdentity]:
    try:
        with path.open("rb") as file:
            identity = FileIdentity.of(file.fileno())
            if expected is not None and identity != expected:
                raise StaleIndex(path, "the file was replaced or changed since it was opened")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), identity
    except (OSError, ValueError) as error:
        raise FormatError(path, f"it cannot be read ({error})") from error
