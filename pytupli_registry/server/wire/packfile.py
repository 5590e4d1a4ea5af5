"""Git's pack format, version 2, without deltas (git-scm.com/docs/gitformat-pack)."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from enum import IntEnum

__all__ = ["ObjectType", "PackStream"]

LEVEL = 3  # most bytes are commits and trees; large files are rarely text


class ObjectType(IntEnum):
    """What an object is, as a number in packs."""

    COMMIT = 1
    TREE = 2
    BLOB = 3


class PackStream:
    """Writes a pack piece by piece.

    Args:
        count: how many objects it will have.
    """

    def __init__(self, count: int) -> None:
        self._hash = hashlib.sha1(usedforsecurity=False)
        self._header = b"PACK" + (2).to_bytes(4) + count.to_bytes(4)
        self._left = count

    def begin(self) -> bytes:
        """Return the first bytes."""
        return self._hashed(self._header)

    def add(self, type_: ObjectType, content: bytes) -> bytes:
        """Return the bytes of an object."""
        return b"".join(self.stream(type_, len(content), (content,)))

    def stream(self, type_: ObjectType, size: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bytes of an object whose content comes in blocks.

        Raises:
            ValueError: the blocks are not ``size`` bytes together, or there were ``count`` objects already.
        """
        if not self._left:
            raise ValueError("more objects than announced")
        self._left -= 1
        yield self._hashed(_object_header(type_, size))
        packing = zlib.compressobj(LEVEL)
        left = size
        for block in blocks:
            left -= len(block)
            packed = packing.compress(block)
            if packed:
                yield self._hashed(packed)
        if left:
            raise ValueError(f"an object of {size} bytes has {left} less")
        yield self._hashed(packing.flush())

    def end(self) -> bytes:
        """Return the last bytes.

        Raises:
            ValueError: there were fewer objects than announced.
        """
        if self._left:
            raise ValueError(f"{self._left} objects are missing")
        return self._hash.digest()

    def _hashed(self, piece: bytes) -> bytes:
        self._hash.update(piece)
        return piece


def _object_header(type_: ObjectType, size: int) -> bytes:
    header = bytearray()
    byte = (type_ << 4) | (size & 0x0F)
    size >>= 4
    while size:
        header.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    header.append(byte)
    return bytes(header)
