"""``main_data.hdf5`` made out of spooled episodes: written anew, or extended."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.errors import WriteError
from pytupli_registry.storage.extents import Extent, StoredLeaf
from pytupli_registry.storage.facts import from_journal
from pytupli_registry.storage.forms import decode_frames, decode_texts
from pytupli_registry.storage.hdf5.append import align_end, append_columns, append_values
from pytupli_registry.storage.hdf5.structure import Structure
from pytupli_registry.storage.stamps import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from pytupli_registry.storage.spool import Journal, LeafRecords

__all__ = ["DataFile", "extend", "write"]

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class DataFile:
    """A finished file.

    Attributes:
        leaves: of its episodes, and where they lie.
        sha256: of its bytes.
    """

    leaves: Mapping[str, StoredLeaf]
    sha256: str


def write(target: Path, journal: Journal) -> DataFile:
    """Write a new file that holds the episodes of a spool, in bounded memory.

    Raises:
        OSError: the disk is full.
    """
    columns = _columns(journal)
    attributes = [from_journal(facts) for facts in journal.facts]
    structure = Structure(journal.lengths, list(columns.values()), attributes)
    digest = hashlib.sha256()
    with target.open("xb", buffering=0) as file:
        for chunk in structure.chunks():
            _put(file, digest, chunk)
        for path in columns:
            _put(file, digest, bytes(structure.offsets[path] - file.tell()))
            for block in _blocks(journal.leaves[path]):
                _put(file, digest, block)
        _put(file, digest, bytes(structure.size - file.tell()))
        if file.tell() != structure.size:
            raise WriteError(f"{target.name} came out with {file.tell()} bytes instead of {structure.size}.")
    stored = {
        path: StoredLeaf(leaf, _one_extent(structure.rows(leaf), structure.offsets[path], leaf))
        for path, leaf in columns.items()
    }
    others = _other_leaves(journal, columns)
    if others:
        append_values(target, _values(journal, list(others), 0))
    leaves = {path: stored.get(path) or others[path] for path in journal.leaves}
    return DataFile(leaves, sha256_of(target) if others else digest.hexdigest())


def extend(
    target: Path, journal: Journal, count: int, known: Mapping[str, StoredLeaf], rows: Mapping[str, int]
) -> DataFile:
    """Add the episodes of a spool behind those that are in a file.

    Args:
        target: the file; nothing that it holds moves.
        journal: the new episodes.
        count: number of episodes in the file.
        known: the file's leaves.
        rows: number of rows the file has of each.

    Raises:
        OSError: the disk is full.
    """
    columns = _columns(journal)
    attributes = [from_journal(facts) for facts in journal.facts]
    align_end(target)
    offsets = append_columns(target, count, journal.lengths, list(columns.values()), attributes)
    with target.open("r+b", buffering=0) as file:
        for path in columns:
            _fill(file, journal.leaves[path], offsets[path])
    others = _other_leaves(journal, columns)
    append_values(target, _values(journal, list(others), count))
    found: dict[str, StoredLeaf] = dict(others)
    for path, leaf in columns.items():
        found[path] = StoredLeaf(leaf, _extents(leaf, journal, offsets[path]))
    return DataFile(_merge(known, found, rows), sha256_of(target))


def _columns(journal: Journal) -> dict[str, Leaf]:
    """Return the leaves that become columns: numbers, of one form, in every episode."""
    found = {}
    for path in journal.leaves:
        form = journal.uniform(path)
        if form is not None and form.encoding == "array":
            found[path] = form.as_leaf()
    return found


def _other_leaves(journal: Journal, columns: Mapping[str, Leaf]) -> dict[str, StoredLeaf]:
    found = {}
    for path, records in journal.leaves.items():
        if path not in columns:
            form = journal.uniform(path)
            irregular = Leaf(path, None, (), records.forms[0].extra_row, "irregular")
            found[path] = StoredLeaf(irregular if form is None else form.as_leaf(), None)
    return found


def _one_extent(rows: int, offset: int, leaf: Leaf) -> tuple[Extent, ...]:
    return (Extent(0, rows, offset),) if leaf.row_bytes else ()


def _extents(leaf: Leaf, journal: Journal, offsets: Sequence[int]) -> tuple[Extent, ...]:
    """Join episodes whose bytes follow each other; rows count from the first new episode."""
    if leaf.row_bytes == 0:
        return ()
    rows = journal.lengths + leaf.extra_row
    starts, places = np.cumsum(rows) - rows, np.asarray(offsets, dtype=np.int64)
    breaks = np.flatnonzero(places[1:] != places[:-1] + rows[:-1] * leaf.row_bytes) + 1
    firsts, stops = np.append(0, breaks), np.append(breaks, len(rows))
    return tuple(
        Extent(int(starts[first]), int(rows[first:stop].sum()), int(places[first]))
        for first, stop in zip(firsts, stops, strict=True)
    )


def _merge(
    known: Mapping[str, StoredLeaf], new: Mapping[str, StoredLeaf], rows: Mapping[str, int]
) -> dict[str, StoredLeaf]:
    """Return the leaves of old and new episodes together."""
    merged = {}
    for path in dict.fromkeys([*known, *new]):
        old, added = known.get(path), new.get(path)
        either = old or added
        assert either is not None  # noqa: S101 - the path came from one of them
        if old is None or added is None or old.leaf != added.leaf:
            merged[path] = StoredLeaf(Leaf(path, None, (), either.leaf.extra_row, "irregular"), None)
        elif old.extents is None or added.extents is None:
            merged[path] = StoredLeaf(old.leaf, None)
        else:
            shifted = tuple(
                replace(extent, first_row=extent.first_row + rows[path]) for extent in added.extents
            )
            merged[path] = StoredLeaf(old.leaf, _joined((*old.extents, *shifted), old.leaf.row_bytes))
    return merged


def _joined(extents: tuple[Extent, ...], row_bytes: int) -> tuple[Extent, ...]:
    joined: list[Extent] = []
    for extent in extents:
        last = joined[-1] if joined else None
        if last is not None and last.offset + last.rows * row_bytes == extent.offset:
            joined[-1] = replace(last, rows=last.rows + extent.rows)
        else:
            joined.append(extent)
    return tuple(joined)


def _blocks(records: LeafRecords) -> Iterator[memoryview]:
    """Give the complete episodes' bytes of a leaf; what a torn episode left behind them is not read."""
    left, buffer = records.total, memoryview(bytearray(min(_BLOCK, max(records.total, 1))))
    with records.file.open("rb", buffering=0) as file:
        while left:
            count = file.readinto(buffer[: min(left, len(buffer))])
            if not count:
                raise WriteError(f"The spooled {records.file} is shorter than its journal says.")
            yield buffer[:count]
            left -= count


def _put(file: BinaryIO | Any, digest: Any, data: bytes | memoryview) -> None:  # noqa: ANN401 - hashlib's type has no name
    digest.update(data)
    _write_all(file, memoryview(data))


def _write_all(file: Any, data: memoryview) -> None:  # noqa: ANN401 - a raw file, which may write less than asked
    while data:
        data = data[file.write(data) :]


def _fill(file: Any, records: LeafRecords, offsets: Sequence[int]) -> None:  # noqa: ANN401
    """Write spooled episodes to their places, neighbours together."""
    with records.file.open("rb") as source:
        for offset, size in _runs(offsets, records.sizes):
            file.seek(offset)
            left = size
            while left:
                block = source.read(min(left, _BLOCK))
                if not block:
                    raise WriteError(f"The spooled {records.file} is shorter than its journal says.")
                _write_all(file, memoryview(block))
                left -= len(block)


def _runs(offsets: Sequence[int], sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    start, end = None, 0
    for offset, size in zip(offsets, sizes, strict=True):
        if size and offset != end:
            if start is not None:
                yield start, end - start
            start, end = offset, offset
        end += size
    if start is not None:
        yield start, end - start


def _values(journal: Journal, paths: Sequence[str], first: int) -> Iterator[tuple[int, str, Any]]:
    """Give the values of leaves that are no columns: episode number, path, array or texts or frames."""
    for path in paths:
        records = journal.leaves[path]
        with records.file.open("rb") as source:
            for position, form, size in zip(records.episodes, records.forms, records.sizes, strict=True):
                data, rows = source.read(size), int(journal.lengths[position]) + form.extra_row
                if form.encoding == "array":
                    yield (
                        first + position,
                        path,
                        np.frombuffer(data, form.dtype).reshape(rows, *form.row_shape),
                    )
                elif form.encoding == "text":
                    yield first + position, path, decode_texts(data, rows)
                else:
                    yield first + position, path, decode_frames(data, rows)
