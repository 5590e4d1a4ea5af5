"""A xorb: up to 64 MiB of chunks, one after the other, each behind a header of eight bytes.

Header: version (0), packed length (three bytes, little-endian), scheme, unpacked length (three bytes). A footer
that begins with ``XETBLOB`` may follow; all that it says can be computed, so it is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from pytupli_registry.server.wire.xet.compression import unpack
from pytupli_registry.server.wire.xet.errors import XetFormatError
from pytupli_registry.server.wire.xet.hashes import XetHash, chunk_hash, xorb_hash

__all__ = ["MAX_XORB_BODY", "MAX_XORB_BYTES", "MAX_XORB_CHUNKS", "UnpackedXorb", "XorbUnpacker"]

MAX_CHUNK_BYTES = 128 << 10
MAX_PACKED_CHUNK_BYTES = 2 * MAX_CHUNK_BYTES
MAX_XORB_BYTES = 64 << 20
MAX_XORB_CHUNKS = 8192
MAX_FOOTER_BYTES = 1 << 20
# The client sends a chunk raw when packing makes it no smaller.
MAX_XORB_BODY = MAX_XORB_BYTES + 8 * MAX_XORB_CHUNKS + MAX_FOOTER_BYTES

HEADER_SIZE = 8
FOOTER_MARK = b"XETBLOB"


@dataclass(frozen=True, slots=True)
class UnpackedXorb:
    """What a xorb turned out to be.

    Attributes:
        hash: computed from the unpacked bytes.
        lengths: unpacked bytes of each chunk, in order.
    """

    hash: XetHash
    lengths: tuple[int, ...]


class XorbUnpacker:
    """Unpacks a xorb that arrives in pieces of any size, holding no more than a piece and a chunk."""

    def __init__(self) -> None:
        self._chunks: list[tuple[XetHash, int]] = []
        self._total = 0
        self._rest: bytes | bytearray = b""
        self._footer = 0

    def feed(self, piece: bytes | bytearray) -> Iterator[bytes | bytearray | memoryview]:
        """Take the next bytes in and give the unpacked bytes of each chunk that they complete.

        The iterator must be used up before the next piece; what it gives is valid until then.

        Raises:
            XetFormatError: this is no xorb, or one beyond the limits.
        """
        if self._footer:
            self._skip_footer(len(piece))
            return
        content = self._rest + piece if self._rest else piece
        position = 0
        with memoryview(content) as view:
            while (end := self._end_of_chunk(view, position)) is not None:
                yield self._unpacked(view[position:end])
                position = end
        self._rest = content[position:]
        if self._rest.startswith(FOOTER_MARK):
            self._skip_footer(len(self._rest))

    def finish(self) -> UnpackedXorb:
        """Return hash and chunk lengths, once every byte was fed.

        Raises:
            XetFormatError: the last chunk is cut off, or there is none.
        """
        if self._rest and not self._footer:
            raise XetFormatError("The xorb ends in the middle of a chunk.")
        if not self._chunks:
            raise XetFormatError("The xorb has no chunks.")
        return UnpackedXorb(xorb_hash(self._chunks), tuple(length for _, length in self._chunks))

    def _end_of_chunk(self, view: memoryview, position: int) -> int | None:
        # None: not all of it is there yet, or the footer begins here.
        header = view[position : position + HEADER_SIZE]
        if len(header) < HEADER_SIZE or header[: len(FOOTER_MARK)] == FOOTER_MARK:
            return None
        packed, length = _three_bytes(header[1:4]), _three_bytes(header[5:8])
        if header[0] != 0:
            _refuse(f"a chunk of version {header[0]}; this server knows version 0")
        if not 0 < length <= MAX_CHUNK_BYTES or not 0 < packed <= MAX_PACKED_CHUNK_BYTES:
            _refuse(f"a chunk of {length} bytes ({packed} packed); at most {MAX_CHUNK_BYTES} are allowed")
        end = position + HEADER_SIZE + packed
        return end if end <= len(view) else None

    def _unpacked(self, chunk: memoryview) -> bytes | bytearray | memoryview:
        length = _three_bytes(chunk[5:8])
        self._total += length
        if self._total > MAX_XORB_BYTES or len(self._chunks) == MAX_XORB_CHUNKS:
            _refuse(f"more than {MAX_XORB_BYTES} bytes or {MAX_XORB_CHUNKS} chunks")
        content = unpack(chunk[4], chunk[HEADER_SIZE:], length)
        self._chunks.append((chunk_hash(memoryview(content)), length))
        return content

    def _skip_footer(self, size: int) -> None:
        self._footer += size
        if self._footer > MAX_FOOTER_BYTES:
            _refuse(f"a footer of more than {MAX_FOOTER_BYTES} bytes")


def _three_bytes(number: memoryview) -> int:
    return int.from_bytes(number, "little")


def _refuse(what: str) -> NoReturn:
    raise XetFormatError(f"The xorb has {what}.")
