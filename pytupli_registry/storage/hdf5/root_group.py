"""The root group of an HDF5 file as bytes: superblock, B-tree, name heap and symbol table nodes.

Written after the HDF5 File Format Specification, sections II.A (superblock version 0), III.A.1 (version 1
B-trees), III.B (symbol table nodes) and III.D (local heaps), with the library's own default node sizes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.storage.hdf5.messages import UNDEFINED, header, message, padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["RootGroup"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK = 96
_LEAF_K, _INTERNAL_K = 4, 16
_LEAF_ENTRIES, _CHILDREN = 2 * _LEAF_K, 2 * _INTERNAL_K
_SYMBOLS = 8 + 40 * _LEAF_ENTRIES
_NODE = 24 + 8 * (2 * _CHILDREN + 1)
_HEAP_HEADER = 32
_SPARE = 104  # a NIL message: room for a few attributes on the root before the library has to chain headers
_NO_FREE_BLOCK = 1

_ENTRY = np.dtype(
    [("name", "<u8"), ("address", "<u8"), ("cache", "<u4"), ("reserved", "<u4"), ("scratch", "V16")]
)


@dataclass(frozen=True, slots=True)
class RootGroup:
    """Where the parts of the root group lie, at the very start of a file.

    Attributes:
        names: of the members; any order.
        order: positions in ``names`` in the order of the symbol table, bytewise.
        heap: the name heap's content.
        name_offsets: where each name lies in the heap, in table order.
        levels: bounds of the nodes of each B-tree level in terms of the level below, symbol table nodes first.
    """

    names: Sequence[bytes]
    order: NDArray[np.int64]
    heap: bytes
    name_offsets: NDArray[np.uint64]
    levels: tuple[NDArray[np.int64], ...]

    @classmethod
    def of(cls, names: Sequence[bytes]) -> RootGroup:
        """Plan the group of these members."""
        order = (
            np.argsort(np.array(names, dtype=np.bytes_), kind="stable") if names else np.zeros(0, np.int64)
        )
        parts = [padded(names[position] + b"\0") for position in order]
        offsets = np.zeros(len(parts), dtype=np.uint64)
        np.cumsum([8, *map(len, parts[:-1])][: len(parts)], out=offsets)
        levels = [_bounds(len(names), _LEAF_ENTRIES)]
        while True:
            levels.append(_bounds(len(levels[-1]) - 1, _CHILDREN))
            if len(levels[-1]) <= 2:
                break
        return cls(names, order, bytes(8) + b"".join(parts), offsets, tuple(levels))

    @staticmethod
    def name_bytes(start: bytes) -> int:
        """Return how many bytes of names the root group of a file has that begins so; 0 if there is none such.

        The answer is only a claim: the group may hold anything else.
        """
        heap = _heap_start()
        if len(start) < heap + _HEAP_HEADER:
            return 0
        signature, size = struct.unpack_from("<4s4xQ", start, heap)
        return size - 8 if signature == b"HEAP" and size > 8 else 0

    @property
    def size(self) -> int:
        """Bytes of the group, from the start of the file."""
        return self._starts()[-1]

    def encode(self, addresses: NDArray[np.uint64], end: int) -> bytes:
        """Return the group's bytes.

        Args:
            addresses: of the object header of each of ``names``.
            end: the file's size.
        """
        starts = self._starts()
        root, heap, symbols, trees = starts[0], starts[1], starts[2], starts[3:-1]
        links = struct.pack("<QQ", trees[-1], heap)
        spare = message(0, bytes(_SPARE))
        parts = [_superblock(root, links, end), header([message(0x11, links), spare])]
        parts.append(
            struct.pack("<4sB3xQQQ", b"HEAP", 0, len(self.heap), _NO_FREE_BLOCK, heap + _HEAP_HEADER)
        )
        parts += [self.heap, self._symbol_nodes(addresses)]
        below, highest = symbols, self._highest_names(self.levels[0])
        for level, (start, bounds) in enumerate(zip(trees, self.levels[1:], strict=True)):
            child_size = _NODE if level else _SYMBOLS
            parts.append(_tree_nodes(level, start, bounds, below, child_size, highest))
            below, highest = start, highest[bounds[1:] - 1] if len(highest) else highest
        return b"".join(parts)

    def _starts(self) -> list[int]:
        """Return the addresses of header, heap, symbol nodes and each B-tree level, then the end."""
        heap = _heap_start()
        starts = [_SUPERBLOCK, heap, heap + _HEAP_HEADER + len(self.heap)]
        starts.append(starts[-1] + _SYMBOLS * (len(self.levels[0]) - 1))
        for bounds in self.levels[1:]:
            starts.append(starts[-1] + _NODE * (len(bounds) - 1))
        return starts

    def _highest_names(self, bounds: NDArray[np.int64]) -> NDArray[np.uint64]:
        return self.name_offsets[bounds[1:] - 1] if len(self.name_offsets) else self.name_offsets

    def _symbol_nodes(self, addresses: NDArray[np.uint64]) -> bytes:
        bounds = self.levels[0]
        if len(self.names) == 0:
            return b""
        counts = np.diff(bounds)
        nodes = np.zeros(
            len(counts), dtype=[("head", "V6"), ("count", "<u2"), ("entries", _ENTRY, _LEAF_ENTRIES)]
        )
        nodes["head"] = np.void(b"SNOD\x01\x00")
        nodes["count"] = counts
        node = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(len(node)) - bounds[:-1][node]
        nodes["entries"]["name"][node, place] = self.name_offsets
        nodes["entries"]["address"][node, place] = addresses[self.order]
        return nodes.tobytes()


def _heap_start() -> int:
    return _SUPERBLOCK + len(header([message(0x11, bytes(16)), message(0, bytes(_SPARE))]))


def _bounds(count: int, capacity: int) -> NDArray[np.int64]:
    """Spread ``count`` children over as few nodes as hold them, evenly."""
    nodes = -(-count // capacity)
    if nodes == 0:
        return np.zeros(1 if capacity == _LEAF_ENTRIES else 2, dtype=np.int64)
    return np.arange(nodes + 1, dtype=np.int64) * count // nodes


def _superblock(root: int, links: bytes, end: int) -> bytes:
    versions = struct.pack("<BBBxBBBx", 0, 0, 0, 0, 8, 8)
    addresses = struct.pack("<QQQQ", 0, UNDEFINED, end, UNDEFINED)
    entry = struct.pack("<QQI4x", 0, root, 1) + links
    return _SIGNATURE + versions + struct.pack("<HHI", _LEAF_K, _INTERNAL_K, 0) + addresses + entry


def _tree_nodes(
    level: int,
    start: int,
    bounds: NDArray[np.int64],
    children: int,
    child_size: int,
    highest: NDArray[np.uint64],
) -> bytes:
    """Return one level of the tree: node ``n`` points at children ``bounds[n]:bounds[n + 1]``."""
    counts = np.diff(bounds)
    nodes = np.zeros(len(counts), dtype=_node_dtype())
    nodes["head"] = np.void(b"TREE\x00" + bytes([level]))
    nodes["count"] = counts
    address = np.uint64(start) + np.arange(len(counts), dtype=np.uint64) * np.uint64(_NODE)
    nodes["left"], nodes["right"] = UNDEFINED, UNDEFINED
    nodes["left"][1:], nodes["right"][:-1] = address[:-1], address[1:]
    if not len(highest):
        return nodes.tobytes()
    node = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(node)) - bounds[:-1][node]
    child = np.uint64(children) + np.arange(len(node), dtype=np.uint64) * np.uint64(child_size)
    # Keys and children alternate; key i is the last name below child i - 1, the very first key the empty name.
    nodes["slots"][node, 2 * place + 1] = child
    nodes["slots"][node, 2 * place + 2] = highest
    nodes["slots"][1:, 0] = highest[bounds[1:-1] - 1]
    return nodes.tobytes()


def _node_dtype() -> np.dtype[Any]:
    slots = ("slots", "<u8", 2 * _CHILDREN + 1)
    return np.dtype([("head", "V6"), ("count", "<u2"), ("left", "<u8"), ("right", "<u8"), slots])
