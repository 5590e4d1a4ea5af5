"""What an HDF5 file written by anyone holds, found out without trusting it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS, Leaf
from pytupli_registry.dataset.spaces import LeafSpace, is_image, leaf_spaces
from pytupli_registry.errors import FormatError, UnsafeFile
from pytupli_registry.storage.extents import Extent, StoredLeaf, leaf_starts
from pytupli_registry.storage.hdf5.attributes import AttributeReader
from pytupli_registry.storage.hdf5.opening import open_file, reading
from pytupli_registry.storage.hdf5.types import StoredType, check_storage, stored_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from h5py import h5d, h5g, h5t
    from numpy.typing import NDArray

    from pytupli_registry.dataset.metadata import DatasetMetadata

__all__ = ["Scan", "scan"]

_EPISODE = re.compile(r"episode_(0|[1-9]\d{0,8})")
_FLAT = {REWARDS, TERMINATIONS, TRUNCATIONS}
_ROOTS = ("observations", "actions", REWARDS, TERMINATIONS, TRUNCATIONS, "infos")
_MAX_DEPTH = 32
_MAX_LEAVES = 4096
# A column in more pieces than this is read through HDF5: the list of pieces would outgrow the index.
_MAX_EXTENTS = 1 << 16
# One dataset may stand under several names; what a file declares in all is bounded all the same.
_MAX_EXPANSION = 2048
_KINDS_FOR = {"b": "b", "i": "biu", "u": "biu", "f": "biuf", "c": "biufc"}


@dataclass(frozen=True, slots=True)
class Scan:
    """What a file holds.

    Attributes:
        lengths: steps of each episode.  # (N,)
        leaves: every leaf by path, and where its bytes lie: observations, actions, rewards, flags, infos.
        facts: attributes of the episodes by full field name, one value an episode, None where there is none.
    """

    lengths: NDArray[np.int64]
    leaves: Mapping[str, StoredLeaf]
    facts: Mapping[str, list[Any]]


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
    spaces = {
        **leaf_spaces(metadata.observation_space, "observations"),
        **leaf_spaces(metadata.action_space, "actions"),
    }
    with open_file(path) as file, reading(path):
        scanner = _Scanner(path, file.id, mapped=file.id.get_create_plist().get_userblock() == 0)
        scanner.run()
    lengths = np.array(scanner.lengths, dtype=np.int64)
    leaves = _Leaves(path, spaces, lengths, metadata.jpeg_encoding).describe(scanner.found)
    return Scan(lengths, leaves, scanner.facts())


@dataclass(slots=True)
class _Found:
    """One leaf as it is met in one episode after another."""

    positions: list[int] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    types: list[StoredType] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)  # -1 where the bytes do not lie in the file as they are


class _Scanner:
    """Walks through the episodes of one open file."""

    def __init__(self, path: Path, file_id: Any, *, mapped: bool) -> None:  # noqa: ANN401 - h5py has no types
        from h5py import h5d, h5g, h5l, h5o  # noqa: PLC0415

        self.path = path
        self.lengths: list[int] = []
        self.found: dict[str, _Found] = {}
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
        if len(names) > _MAX_LEAVES:
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
        if depth > _MAX_DEPTH:
            raise UnsafeFile(self.path, f"it is nested more than {_MAX_DEPTH} levels deep", where=where)
        for name, _ in self._links(group, where):
            if depth == 0 and name not in _ROOTS:
                continue
            member = self._open(group, name.encode())
            if isinstance(member, self._dataset):
                yield prefix + name, member
            elif isinstance(member, self._group) and name not in _FLAT:
                yield from self._leaves(member, f"{prefix}{name}/", f"{where}/{name}", depth + 1)
            else:
                raise UnsafeFile(
                    self.path, f"{name!r:.120} is neither values nor a group of them", where=where
                )

    def _add(self, path: str, dataset: h5d.DatasetID, position: int, where: str) -> None:
        found = self.found.get(path)
        if found is None:
            if len(self.found) >= _MAX_LEAVES:
                raise UnsafeFile(self.path, f"an episode has more than {_MAX_LEAVES} leaves", where=where)
            found = self.found[path] = _Found()
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


class _Leaves:
    """Turns what was met in each episode into leaves of the dataset."""

    def __init__(
        self, path: Path, spaces: Mapping[str, LeafSpace], lengths: NDArray[np.int64], jpeg: bool
    ) -> None:
        self._path = path
        self._spaces = spaces
        self._lengths = lengths
        self._jpeg = jpeg

    def describe(self, found: Mapping[str, _Found]) -> dict[str, StoredLeaf]:
        """Return the leaves: observations and actions in the order of their space, then the rest."""
        missing = next((path for path in self._spaces if path not in found), None)
        if missing is not None:
            raise FormatError(self._path, f"the space has a part {missing!r} that the episodes lack")
        order = {path: position for position, path in enumerate((*self._spaces, *_ROOTS[2:]))}
        paths = sorted(found, key=lambda path: order.get(path, len(order)))
        leaves: dict[str, StoredLeaf] = {}
        for path in paths:
            if path in self._spaces or path in _FLAT:
                leaves[path] = self._required(path, found[path])
            elif path.startswith("infos/"):
                leaves[path] = self._info(path, found[path])
            else:
                raise FormatError(self._path, f"{path!r:.120} is no part of the space")
        return _without_overlaps(leaves)

    def _required(self, path: str, found: _Found) -> StoredLeaf:
        extra_row: Literal[0, 1] = 1 if path.startswith("observations") else 0
        self._check_rows(path, found, extra_row)
        kinds, shapes = set(found.types), {shape[1:] for shape in found.shapes}
        space = self._spaces.get(path)
        if space is not None and {kind.kind for kind in kinds} == {"text"} and space.kind == "Text":
            return StoredLeaf(Leaf(path, None, (), extra_row, "text"), None)
        if space is not None and self._is_jpeg(space, kinds, shapes):
            return StoredLeaf(Leaf(path, np.dtype(np.uint8), space.shape, extra_row, "jpeg"), None)
        if len({kind.dtype for kind in kinds}) > 1 or len(shapes) > 1:
            raise FormatError(self._path, "its shape or dtype changes between episodes", where=path)
        dtype, shape = found.types[0].dtype, shapes.pop()
        self._check_values(path, dtype, shape, space)
        return StoredLeaf(Leaf(path, dtype, shape, extra_row), self._extents(found, extra_row))

    def _check_rows(self, path: str, found: _Found, extra_row: int) -> None:
        if len(found.positions) != len(self._lengths):
            raise FormatError(self._path, "some episodes lack it", where=path)
        for position, shape in enumerate(found.shapes):
            expected = int(self._lengths[position]) + extra_row
            if not shape or shape[0] != expected:
                raise FormatError(
                    self._path,
                    f"its shape {shape} does not begin with {expected} rows",
                    where=f"/episode_{position}/{path}",
                )

    def _check_values(
        self, path: str, dtype: np.dtype[Any] | None, shape: tuple[int, ...], space: LeafSpace | None
    ) -> None:
        if dtype is None:
            raise FormatError(self._path, "it holds no numbers", where=path)
        if space is None:
            expected: tuple[int, ...] = ()
            kinds = "biuf" if path == REWARDS else "b"
        else:
            expected = space.shape
            kinds = "" if space.dtype is None else _KINDS_FOR[space.dtype.kind]
        if shape != expected or dtype.kind not in kinds:
            wanted = (
                f"values of {space.kind} shape {expected}" if space else "one number or truth value a step"
            )
            raise FormatError(self._path, f"{wanted} cannot be {dtype} {shape}", where=path)

    def _is_jpeg(self, space: LeafSpace, kinds: set[StoredType], shapes: set[tuple[int, ...]]) -> bool:
        if not (self._jpeg and is_image(space)):
            return False
        if {kind.kind for kind in kinds} == {"bytes"}:
            return shapes == {()}
        # Frames whose JPEGs happen to be equally long are kept as rows of bytes.
        return all(kind.kind == "bytes" or kind.dtype == np.uint8 for kind in kinds) and all(
            len(shape) <= 1 for shape in shapes
        )

    def _info(self, path: str, found: _Found) -> StoredLeaf:
        complete = len(found.positions) == len(self._lengths) and all(
            shape and shape[0] == int(length) + 1
            for shape, length in zip(found.shapes, self._lengths, strict=True)
        )
        kinds, shapes = set(found.types), {shape[1:] for shape in found.shapes}
        if any(kind.kind == "bytes" for kind in kinds):
            raise UnsafeFile(self._path, "infos of variable-length arrays are not read", where=path)
        if complete and len(shapes) == 1 and {kind.kind for kind in kinds} == {"text"} and shapes == {()}:
            return StoredLeaf(Leaf(path, None, (), 1, "text"), None)
        dtype = found.types[0].dtype
        if complete and len(shapes) == 1 and len({kind.dtype for kind in kinds}) == 1 and dtype is not None:
            return StoredLeaf(Leaf(path, dtype, shapes.pop(), 1), self._extents(found, 1))
        return StoredLeaf(Leaf(path, None, (), 1, "irregular"), None)

    def _extents(self, found: _Found, extra_row: int) -> tuple[Extent, ...] | None:
        """Merge episodes whose bytes follow each other; None if some bytes are only HDF5's to read."""
        dtype = found.types[0].dtype
        if dtype is None:
            return None
        row_bytes = dtype.itemsize * math.prod(found.shapes[0][1:])
        if row_bytes == 0:
            return ()
        offsets = np.array(found.offsets, dtype=np.int64)
        if bool(np.any(offsets < 0)):
            return None
        starts = leaf_starts(self._lengths, extra_row)
        follows = offsets[:-1] + np.diff(starts)[:-1] * row_bytes == offsets[1:]
        firsts = np.flatnonzero(np.concatenate([[True], ~follows]))
        if len(firsts) > _MAX_EXTENTS:
            return None
        stops = np.append(firsts[1:], len(offsets))
        return tuple(
            Extent(int(starts[first]), int(starts[stop] - starts[first]), int(offsets[first]))
            for first, stop in zip(firsts.tolist(), stops.tolist(), strict=True)
        )


def _without_overlaps(leaves: dict[str, StoredLeaf]) -> dict[str, StoredLeaf]:
    """Leave leaves that share bytes (one dataset under two names) to HDF5."""
    spans = sorted(
        (extent.offset, extent.offset + extent.rows * stored.leaf.row_bytes, path)
        for path, stored in leaves.items()
        for extent in stored.extents or ()
    )
    shared: set[str] = set()
    end, owner = 0, ""
    for start, stop, path in spans:
        if start < end:
            shared |= {path, owner}
        if stop > end:
            end, owner = stop, path
    return {
        path: StoredLeaf(stored.leaf, None) if path in shared else stored for path, stored in leaves.items()
    }
