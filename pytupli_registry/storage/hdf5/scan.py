"""What an HDF5 file written by anyone holds, found out without trusting it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS
from pytupli_registry.errors import FormatError, UnsafeFile
from pytupli_registry.storage.hdf5.attributes import AttributeReader
from pytupli_registry.storage.hdf5.description import (
    FLAT,
    MAX_DEPTH,
    MAX_LEAVES,
    ROOTS,
    Found,
    Scan,
    describe,
)
from pytupli_registry.storage.hdf5.opening import open_file, reading
from pytupli_registry.storage.hdf5.types import StoredType, check_storage, stored_type

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from h5py import h5d, h5g, h5t

    from pytupli_registry.dataset.metadata import DatasetMetadata

__all__ = ["scan"]

_EPISODE = re.compile(r"episode_(0|[1-9]\d{0,8})")
# One dataset may stand under several names; what a file declares in all is bounded all the same.
_MAX_EXPANSION = 2048


def scan(path: Path, metadata: DatasetMetadata) -> Scan:
    """Look at every episode of a file; no values are read but those of attributes.

    Args:
        path: a ``main_data.hdf5``.
        metadata: says which spaces observations and actions come from.

    Raises:
        UnsafeFile: the file asks for something we refuse: links, virtual or external data, filter plug-ins, objects.
        FormatError: it is no HDF5 file, is damaged, or is no Minari dataset.
        SpaceError: the metadata describes no space.
    """
    with open_file(path) as file, reading(path):
        scanner = _Scanner(path, file.id, mapped=file.id.get_create_plist().get_userblock() == 0)
        scanner.run()
    lengths = np.array(scanner.lengths, dtype=np.int64)
    leaves = describe(path, metadata, lengths, scanner.found)
    return Scan(lengths, leaves, scanner.facts())


class _Scanner:
    """Walks through the episodes of one open file."""

    def __init__(self, path: Path, file_id: Any, *, mapped: bool) -> None:  # noqa: ANN401 - h5py has no types
        from h5py import h5d, h5g, h5l, h5o  # noqa: PLC0415

        self.path = path
        self.lengths: list[int] = []
        self.found: dict[str, Found] = {}
        self._attributes: list[dict[str, Any]] = []
        self._reader = AttributeReader(path)
        self._root = h5o.open(file_id, b"/")
        self._open = h5o.open
        self._group, self._dataset = h5g.GroupID, h5d.DatasetID
        self._hard = h5l.TYPE_HARD
        self._mapped = mapped
        self._size = path.stat().st_size
        self._types: dict[str, tuple[h5t.TypeID, StoredType]] = {}
        self._declared = 0

    def run(self) -> None:
        """Visit every episode in order."""
        names = [name for name, _ in self._links(self._root, "/")]
        wrong = next((name for name in names if not _EPISODE.fullmatch(name)), None)
        if wrong is not None:
            raise FormatError(self.path, f"{wrong!r:.120} is no episode", where="/")
        numbers = sorted(int(name.removeprefix("episode_")) for name in names)
        if not numbers:
            raise FormatError(self.path, "there are no episodes", where="/")
        if numbers[-1] != len(numbers) - 1:
            raise FormatError(self.path, "the episodes are not numbered 0, 1, 2, …", where="/")
        for position in numbers:
            self._episode(position)

    def facts(self) -> dict[str, list[Any]]:
        """Return the attributes by full field name."""
        names = dict.fromkeys(name for found in self._attributes for name in found)
        if len(names) > MAX_LEAVES:
            raise UnsafeFile(self.path, f"the episodes have {len(names)} different attributes")
        return {name: [found.get(name) for found in self._attributes] for name in names}

    def _links(self, group: h5g.GroupID, where: str) -> list[tuple[str, Any]]:
        """Return the names in a group once none of them is a link to elsewhere."""
        links: list[tuple[bytes, Any]] = []
        group.links.iterate(lambda name, info: links.append((name, info.type)), info=True)
        for name, kind in links:
            if kind != self._hard:
                raise UnsafeFile(self.path, f"{name!r:.120} is a link to elsewhere", where=where)
        return [(name.decode("utf-8"), kind) for name, kind in links]

    def _episode(self, position: int) -> None:
        where = f"/episode_{position}"
        group = self._open(self._root, where[1:].encode())
        if not isinstance(group, self._group):
            raise FormatError(self.path, "it is no group", where=where)
        facts = self._reader.facts(where, group)
        leaves = dict(self._leaves(group, "", where, 0))
        rewards = leaves.get(REWARDS)
        if rewards is None or len(rewards.shape) != 1:
            raise FormatError(self.path, "there are no rewards", where=where)
        length = int(rewards.shape[0])
        if length < 1:
            raise FormatError(self.path, "the episode has no steps", where=where)
        for name, expected in (("id", position), ("total_steps", length)):
            said = facts.pop(name, expected)
            if said != expected:
                raise FormatError(self.path, f"its {name} is {said!r:.40}, not {expected}", where=where)
        self.lengths.append(length)
        self._attributes.append(facts)
        for path, dataset in leaves.items():
            self._add(path, dataset, position, where)

    def _leaves(
        self, group: h5g.GroupID, prefix: str, where: str, depth: int
    ) -> Iterator[tuple[str, h5d.DatasetID]]:
        if depth > MAX_DEPTH:
            raise UnsafeFile(self.path, f"it is nested more than {MAX_DEPTH} levels deep", where=where)
        for name, _ in self._links(group, where):
            if depth == 0 and name not in ROOTS:
                continue
            member = self._open(group, name.encode())
            if isinstance(member, self._dataset):
                yield prefix + name, member
            elif isinstance(member, self._group) and name not in FLAT:
                yield from self._leaves(member, f"{prefix}{name}/", f"{where}/{name}", depth + 1)
            else:
                raise UnsafeFile(
                    self.path, f"{name!r:.120} is neither values nor a group of them", where=where
                )

    def _add(self, path: str, dataset: h5d.DatasetID, position: int, where: str) -> None:
        found = self.found.get(path)
        if found is None:
            if len(self.found) >= MAX_LEAVES:
                raise UnsafeFile(self.path, f"an episode has more than {MAX_LEAVES} leaves", where=where)
            found = self.found[path] = Found()
        kind = self._type(path, dataset.get_type(), where)
        shape = dataset.shape
        if shape is None:
            raise FormatError(self.path, "it has no values", where=f"{where}/{path}")
        size = math.prod(shape) * (16 if kind.dtype is None else kind.dtype.itemsize)
        self._declared += size
        if self._declared > _MAX_EXPANSION * max(self._size, 1 << 20):
            raise UnsafeFile(
                self.path, f"it declares more than {self._declared} bytes", where=f"{where}/{path}"
            )
        offset = dataset.get_offset()
        if offset is None:
            check_storage(
                self.path, f"{where}/{path}", dataset, 16 if kind.dtype is None else kind.dtype.itemsize
            )
        elif offset + size > self._size or dataset.get_storage_size() != size:
            raise FormatError(self.path, "its bytes leave the file", where=f"{where}/{path}")
        found.positions.append(position)
        found.shapes.append(shape)
        found.types.append(kind)
        found.offsets.append(offset if offset is not None and kind.exact and self._mapped else -1)

    def _type(self, path: str, type_id: h5t.TypeID, where: str) -> StoredType:
        known = self._types.get(path)
        if known is not None and known[0].equal(type_id):
            return known[1]
        kind = stored_type(self.path, f"{where}/{path}", type_id)
        self._types[path] = type_id, kind
        return kind
