"""What was met in the episodes of a file, as leaves of a dataset."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS, Leaf
from pytupli_registry.dataset.spaces import LeafSpace, is_image, leaf_spaces
from pytupli_registry.errors import FormatError, UnsafeFile
from pytupli_registry.storage.extents import Extent, StoredLeaf, leaf_starts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytupli_registry.dataset.metadata import DatasetMetadata
    from pytupli_registry.storage.hdf5.types import StoredType

__all__ = ["FLAT", "MAX_DEPTH", "MAX_LEAVES", "ROOTS", "Found", "Scan", "describe"]

FLAT = {REWARDS, TERMINATIONS, TRUNCATIONS}
ROOTS = ("observations", "actions", REWARDS, TERMINATIONS, TRUNCATIONS, "infos")
MAX_DEPTH = 32
MAX_LEAVES = 4096
# A column in more pieces than this is read through HDF5: the list of pieces would outgrow the index.
_MAX_EXTENTS = 1 << 16
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


@dataclass(slots=True)
class Found:
    """One leaf as it is met in one episode after another."""

    positions: list[int] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    types: list[StoredType] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)  # -1 where the bytes do not lie in the file as they are


def describe(
    path: Path, metadata: DatasetMetadata, lengths: NDArray[np.int64], found: Mapping[str, Found]
) -> dict[str, StoredLeaf]:
    """Return the leaves of a file by path: observations and actions in the order of their space, then the rest.

    Args:
        path: the file, for messages.
        metadata: says which spaces observations and actions come from.
        lengths: steps of each episode.  # (N,)
        found: what was met, by path.

    Raises:
        UnsafeFile: an info leaf has a type that is refused.
        FormatError: the leaves are not those of the spaces, or do not have one row a step.
        SpaceError: the metadata describes no space.
    """
    spaces = {
        **leaf_spaces(metadata.observation_space, "observations"),
        **leaf_spaces(metadata.action_space, "actions"),
    }
    return _Leaves(path, spaces, lengths, metadata.jpeg_encoding).describe(found)


class _Leaves:
    """Turns what was met in each episode into leaves of the dataset."""

    def __init__(
        self, path: Path, spaces: Mapping[str, LeafSpace], lengths: NDArray[np.int64], jpeg: bool
    ) -> None:
        self._path = path
        self._spaces = spaces
        self._lengths = lengths
        self._jpeg = jpeg

    def describe(self, found: Mapping[str, Found]) -> dict[str, StoredLeaf]:
        """Return the leaves: observations and actions in the order of their space, then the rest."""
        missing = next((path for path in self._spaces if path not in found), None)
        if missing is not None:
            raise FormatError(self._path, f"the space has a part {missing!r} that the episodes lack")
        order = {path: position for position, path in enumerate((*self._spaces, *ROOTS[2:]))}
        paths = sorted(found, key=lambda path: order.get(path, len(order)))
        leaves: dict[str, StoredLeaf] = {}
        for path in paths:
            if path in self._spaces or path in FLAT:
                leaves[path] = self._required(path, found[path])
            elif path.startswith("infos/"):
                leaves[path] = self._info(path, found[path])
            else:
                raise FormatError(self._path, f"{path!r:.120} is no part of the space")
        return _without_overlaps(leaves)

    def _required(self, path: str, found: Found) -> StoredLeaf:
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

    def _check_rows(self, path: str, found: Found, extra_row: int) -> None:
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

    def _info(self, path: str, found: Found) -> StoredLeaf:
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

    def _extents(self, found: Found, extra_row: int) -> tuple[Extent, ...] | None:
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
