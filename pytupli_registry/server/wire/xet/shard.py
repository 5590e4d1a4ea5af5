"""A shard: for each file the chunk ranges of xorbs that it is made of, in records of 48 bytes.

Header: a mark of 32 bytes, version (2), size of the footer. Then for each file a head (file hash, flags, number
of ranges), that many ranges (xorb hash, flags, unpacked bytes, first chunk, end of chunks), by flag as many
verification records and a record with the file's SHA-256. A record that begins with 32 bytes 0xFF ends the
list. What follows tells the client about chunks; the server knows these from the xorbs themselves.

Files are read one by one, ranges a few thousand at a time: a shard of 64 MiB takes no memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pytupli_registry.server.wire.xet.errors import XetFormatError
from pytupli_registry.server.wire.xet.hashes import HASH_SIZE, XetHash, hash_text
from pytupli_registry.server.wire.xet.xorb import MAX_XORB_BYTES, MAX_XORB_CHUNKS

__all__ = ["MAX_SHARD_BYTES", "ChunkRange", "Shard", "ShardFile"]

# The client begins another shard at 64 MiB; one file's records may go beyond.
MAX_SHARD_BYTES = 128 << 20
MAX_FILES = 100_000

MARK = b"HFRepoMetaData\x00Ui\x67Ej{\x81W\x83\xa5\xbd\xd9\\\xcd\xd1J\xa9"
VERSION = 2
RECORD_SIZE = 48
HEADER = struct.Struct("<32sQQ")
FILE = struct.Struct("<32sIIQ")
RANGE = struct.Struct("<32sIIII")
LIST_END = b"\xff" * HASH_SIZE
HAS_VERIFICATION = 1 << 31
HAS_SHA256 = 1 << 30
RECORDS_A_READ = 1024


@dataclass(frozen=True, slots=True)
class ChunkRange:
    """A run of chunks of one xorb.

    Attributes:
        xorb: hash of the xorb.
        length: unpacked bytes of the run, as the client counts them.
        first: index of the first chunk.
        end: index behind the last chunk.
    """

    xorb: XetHash
    length: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class ShardFile:
    """One file of a shard.

    Attributes:
        hash: Xet's own hash of the file.
        sha256: what the client says the SHA-256 is; None when it says nothing.
        size: bytes of all ranges together, as the client counts them.
        ranges_at: where the ranges begin in the shard.
        range_count: how many ranges there are.
    """

    hash: XetHash
    sha256: str | None
    size: int
    ranges_at: int
    range_count: int


class Shard:
    """A shard in a seekable file; only one iterator may be under way at a time.

    Raises:
        XetFormatError: the header is not that of a shard, here; from the iterators: the records contradict.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._size = stream.seek(0, 2)
        stream.seek(0)
        mark, version, _ = HEADER.unpack(self._record())
        if mark != MARK:
            raise XetFormatError("This is not a Xet shard.")
        if version != VERSION:
            raise XetFormatError(f"The shard has version {version}; this server knows version {VERSION}.")

    def files(self) -> Iterator[ShardFile]:
        """Give the files in order; every range of a file was checked when it is given."""
        position = RECORD_SIZE
        for _ in range(MAX_FILES + 1):
            self._stream.seek(position)
            file_hash, flags, count, _ = FILE.unpack(self._record())
            if file_hash == LIST_END:
                return
            ranges_at = position + RECORD_SIZE
            after = ranges_at + RECORD_SIZE * count * (2 if flags & HAS_VERIFICATION else 1)
            # Checked before the ranges are walked: the number is the client's.
            self._require(after + (RECORD_SIZE if flags & HAS_SHA256 else 0))
            size = sum(part.length for part in self._ranges(ranges_at, count))
            sha256 = self._sha256(after) if flags & HAS_SHA256 else None
            yield ShardFile(XetHash(file_hash), sha256, size, ranges_at, count)
            position = after + (RECORD_SIZE if flags & HAS_SHA256 else 0)
        raise XetFormatError(f"The shard has more than {MAX_FILES} files. Upload fewer at a time.")

    def ranges(self, file: ShardFile) -> Iterator[ChunkRange]:
        """Give the chunk ranges of which a file of this shard is made, in order."""
        return self._ranges(file.ranges_at, file.range_count)

    def _ranges(self, position: int, count: int) -> Iterator[ChunkRange]:
        while count:
            self._stream.seek(position)
            size = min(count, RECORDS_A_READ) * RECORD_SIZE
            for xorb, _, length, first, end in RANGE.iter_unpack(self._exactly(size)):
                yield _checked(ChunkRange(XetHash(xorb), length, first, end))
            position += size
            count -= size // RECORD_SIZE

    def _sha256(self, position: int) -> str:
        self._stream.seek(position)
        return hash_text(self._record()[:HASH_SIZE])

    def _record(self) -> bytes:
        return self._exactly(RECORD_SIZE)

    def _exactly(self, size: int) -> bytes:
        content = self._stream.read(size)
        if len(content) != size:
            raise XetFormatError("The shard is cut off.")
        return content

    def _require(self, size: int) -> None:
        if size > self._size:
            raise XetFormatError("The shard is cut off.")


def _checked(part: ChunkRange) -> ChunkRange:
    if not part.first < part.end <= MAX_XORB_CHUNKS or not 0 < part.length <= MAX_XORB_BYTES:
        raise XetFormatError(
            f"The shard names the chunks {part.first} to {part.end} ({part.length} bytes) of a xorb; "
            f"there are at most {MAX_XORB_CHUNKS} chunks and {MAX_XORB_BYTES} bytes in one."
        )
    return part
