"""Xorbs and shards, made in the simplest way."""

import struct

import lz4.frame

from pytupli_registry.server.wire.xet.hashes import chunk_hash, hash_text, parse_hash, xorb_hash

SHARD_MARK = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b81578 3a5bdd95ccdd14aa9".replace(" ", ""))
SHARD_HEADER = SHARD_MARK + struct.pack("<QQ", 2, 0)
LIST_END = b"\xff" * 32 + bytes(16)


def packed(scheme: int, body: bytes, length: int, version: int = 0) -> bytes:
    """A chunk with whatever header."""
    lengths = len(body).to_bytes(3, "little"), length.to_bytes(3, "little")
    return bytes([version]) + lengths[0] + bytes([scheme]) + lengths[1] + body


def chunk(content: bytes, scheme: int = 0) -> bytes:
    """A chunk as it travels."""
    body = {
        0: lambda: content,
        1: lambda: lz4.frame.compress(content),
        2: lambda: lz4.frame.compress(b"".join(content[plane::4] for plane in range(4))),
    }[scheme]()
    return packed(scheme, body, len(content))


def xorb(*chunks: bytes, scheme: int = 0) -> tuple[str, bytes]:
    """A xorb's hash, as text, and its bytes."""
    nodes = [(chunk_hash(content), len(content)) for content in chunks]
    return hash_text(xorb_hash(nodes)), b"".join(chunk(content, scheme) for content in chunks)


def file_records(
    ranges, sha256: str | None = None, *, verification: bool = False, count: int | None = None
) -> bytes:
    """A file's records in a shard; ranges are (xorb hash in bytes, length, first, end)."""
    flags = (1 << 31) * verification + (1 << 30) * (sha256 is not None)
    records = [struct.pack("<32sIIQ", bytes(32), flags, len(ranges) if count is None else count, 0)]
    records += [struct.pack("<32sIIII", name, 0, length, first, end) for name, length, first, end in ranges]
    records += [b"\x07" * 48] * (len(ranges) * verification)
    records += [parse_hash(sha256) + bytes(16)] if sha256 else []
    return b"".join(records)


def shard(*files: bytes) -> bytes:
    """A shard of files that :func:`file_records` made."""
    return SHARD_HEADER + b"".join(files) + LIST_END
