"""Adding to an HDF5 file that exists, through the HDF5 library.

New episodes get contiguous datasets, created column by column: first all groups, then one leaf of every episode,
then the next. Space is allocated early and never filled, and one metadata block is reserved up front that is large
enough for every header, so the library has no reason to place anything between two datasets of a column. That it
did not is not assumed: :func:`append_columns` reports where each dataset lies.
"""

from __future__ import annotations

import os
import struct
import uuid
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import WriteError
from pytupli_registry.storage.hdf5.structure import aligned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

    from pytupli_registry.dataset.leaves import Leaf

__all__ = ["align_end", "append_columns", "append_values"]

_SUPERBLOCK_0 = b"\x89HDF\r\n\x1a\n\x00"
_SAMPLE = 32
_SLACK = 1.25
_SPARE = 1 << 14


def align_end(path: Path) -> None:
    """Make the end of a file one at which a column may begin.

    HDF5 has no call for it: the end is a number in the superblock, which version 0 keeps without a checksum.
    """
    with path.open("r+b") as file:
        superblock, size = file.read(48), file.seek(0, os.SEEK_END)
        ours = superblock[:9] == _SUPERBLOCK_0 and superblock[13:15] == b"\x08\x08"
        if (
            ours
            and struct.unpack_from("<Q", superblock, 24)[0] == 0
            and struct.unpack_from("<Q", superblock, 40)[0] == size
        ):
            file.truncate(aligned(size))
            file.seek(40)
            file.write(struct.pack("<Q", aligned(size)))


def append_columns(
    path: Path,
    first: int,
    lengths: NDArray[np.int64],
    leaves: Sequence[Leaf],
    attributes: Sequence[Mapping[str, Any]],
) -> dict[str, list[int]]:
    """Create the groups of new episodes and one contiguous dataset a leaf in each; write no values.

    Args:
        path: the file.
        first: number of the first new episode.
        lengths: steps of each new episode.  # (N,)
        leaves: of the encoding ``array``.
        attributes: of each episode's group beside ``id`` and ``total_steps``, normalised.

    Returns:
        by path, the file offset of each episode's rows; 0 where a row has no bytes.

    Raises:
        WriteError: HDF5 cannot extend the file.
    """
    with _open(path, _metadata_size(leaves, attributes)) as file:
        _add_groups(file, first, lengths, leaves, attributes)
        # Wide numbers first: every column then begins where its numbers are aligned.
        widest_first = sorted(leaves, key=lambda leaf: -leaf.dtype.itemsize if leaf.dtype else 0)
        return {leaf.path: _add_column(file, first, lengths, leaf) for leaf in widest_first}


def append_values(path: Path, values: Iterable[tuple[int, str, Any]]) -> None:
    """Add ordinary datasets for what has no fixed shape, as Minari writes them.

    Args:
        path: the file.
        values: episode number, path of the leaf, and an array, a list of str, or a list of JPEG frames.

    Raises:
        WriteError: HDF5 cannot extend the file.
    """
    import h5py  # noqa: PLC0415 - loading an indexed dataset must not cost h5py's import

    frames_type, text_type = h5py.vlen_dtype(np.uint8), h5py.string_dtype(encoding="utf-8")
    with _open(path, _SPARE) as file:
        for number, leaf, rows in values:
            group = file[f"episode_{number}"]
            if isinstance(rows, np.ndarray):
                group.create_dataset(leaf, data=rows)
            elif rows and isinstance(rows[0], str):
                group.create_dataset(leaf, data=rows, dtype=text_type)
            else:
                frames = [np.frombuffer(row, dtype=np.uint8) for row in rows]
                alike = all(len(frame) == len(frames[0]) for frame in frames)
                # Minari's reader takes a matrix of bytes where all frames happen to be equally long.
                group.create_dataset(
                    leaf, data=frames if alike else _ragged(frames), dtype=None if alike else frames_type
                )


def _ragged(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.object_]:
    rows = np.empty(len(frames), dtype=object)
    rows[:] = frames
    return rows


@contextmanager
def _open(path: Path, reserve: int) -> Iterator[h5py.File]:
    """Open a file to extend it, with a metadata block of ``reserve`` bytes, in the oldest format that will do."""
    import h5py  # noqa: PLC0415

    try:
        with h5py.File(
            path, "r+", libver=("earliest", "v110"), meta_block_size=reserve, locking=False
        ) as file:
            yield file
    except (OSError, RuntimeError, ValueError, KeyError) as error:  # what h5py makes of HDF5's errors
        raise WriteError(f"HDF5 cannot extend {path.name}: {error!s:.200}.") from error


def _metadata_size(leaves: Sequence[Leaf], attributes: Sequence[Mapping[str, Any]]) -> int:
    """Return a little more than the bytes that the headers will need, found out on a few episodes in memory."""
    import h5py  # noqa: PLC0415

    longest = sorted(attributes, key=len, reverse=True)[:_SAMPLE]
    single = [replace(leaf, row_shape=(), dtype=np.dtype(np.int8)) for leaf in leaves]
    options: dict[str, Any] = {
        "driver": "core",
        "backing_store": False,
        "block_size": 512,
        "libver": ("earliest", "v110"),
    }
    # The library knows files in memory by their names, those of other threads too.
    with h5py.File(uuid.uuid4().hex, "w", meta_block_size=1, **options) as file:
        _add_groups(file, 0, np.ones(len(longest), dtype=np.int64), leaves, longest)
        for leaf in single:
            _add_column(file, 0, np.ones(len(longest), dtype=np.int64), leaf)
        file.flush()
        used: int = file.id.get_filesize()
    return aligned(int(used / len(longest) * len(attributes) * _SLACK) + _SPARE)


def _add_groups(
    file: h5py.File,
    first: int,
    lengths: NDArray[np.int64],
    leaves: Sequence[Leaf],
    attributes: Sequence[Mapping[str, Any]],
) -> None:
    from h5py import h5g, h5p  # noqa: PLC0415

    # Tracking the order of links is what makes the library keep them in the header, in a format of 1.8, instead of
    # in a B-tree and a heap of 1 KB a group.
    compact = h5p.create(h5p.GROUP_CREATE)
    compact.set_link_creation_order(h5p.CRT_ORDER_TRACKED)
    below = _group_paths(leaves)
    for number, (length, facts) in enumerate(zip(lengths.tolist(), attributes, strict=True), start=first):
        name = f"episode_{number}"
        h5g.create(file.id, name.encode(), gcpl=compact)
        group = file[name]
        group.attrs["id"], group.attrs["total_steps"] = number, length
        for fact, value in facts.items():
            is_texts = isinstance(value, np.ndarray) and value.dtype.kind == "U"
            group.attrs[fact] = value.astype(object) if is_texts else value
        for path in below:
            h5g.create(group.id, path.encode(), gcpl=compact)


def _group_paths(leaves: Sequence[Leaf]) -> list[str]:
    """Return the groups between an episode and its leaves, outer ones first."""
    found: dict[str, None] = {}
    for leaf in leaves:
        names = leaf.path.split("/")[:-1]
        found.update(dict.fromkeys("/".join(names[: depth + 1]) for depth in range(len(names))))
    return list(found)


def _add_column(file: h5py.File, first: int, lengths: NDArray[np.int64], leaf: Leaf) -> list[int]:
    """Create one leaf of every new episode, one after another, and return where their values go."""
    from h5py import h5d, h5p, h5s, h5t  # noqa: PLC0415

    layout = h5p.create(h5p.DATASET_CREATE)
    layout.set_layout(h5d.CONTIGUOUS)
    layout.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    layout.set_fill_time(h5d.FILL_TIME_NEVER)
    layout.set_obj_track_times(False)
    kind, offsets = h5t.py_create(leaf.dtype, logical=True), []
    for number, length in enumerate(lengths.tolist(), start=first):
        space = h5s.create_simple((length + leaf.extra_row, *leaf.row_shape))
        dataset = h5d.create(file.id, f"episode_{number}/{leaf.path}".encode(), kind, space, layout)
        offsets.append(dataset.get_offset() or 0)
    return offsets
