"""Xet's hashes: BLAKE3 with a fixed key, and a tree of them over the chunks of a xorb.

A chunk's hash is over its (unpacked) bytes. A xorb's hash joins its chunks' hashes and lengths, a few at a time,
until one is left: a node is the hash of the lines ``<hash text> : <length>``, and a run of nodes ends after its
third or later node whose hash is divisible by 4, after nine nodes, or at the end (Xet's specification, "hashing").
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import NewType

from blake3 import blake3

from pytupli_registry.server.wire.xet.errors import XetFormatError

__all__ = ["HASH_SIZE", "XetHash", "chunk_hash", "hash_text", "parse_hash", "xorb_hash"]

XetHash = NewType("XetHash", bytes)
Node = tuple[XetHash, int]

HASH_SIZE = 32
CHUNK_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
LEAST_RUN = 3
LONGEST_RUN = 9
HASH_TEXT = re.compile("[0-9a-f]{64}")
WORDS = struct.Struct("<4Q")
BIG_WORDS = struct.Struct(">4Q")


def hash_text(raw: bytes) -> str:
    """Return the 64 digits of a hash: four little-endian words, each printed as a number.

    For the SHA-256 in a shard the result is the usual hexadecimal text.
    """
    return BIG_WORDS.pack(*WORDS.unpack(raw)).hex()


def parse_hash(text: str) -> XetHash:
    """Return the 32 bytes of a hash's text.

    Raises:
        XetFormatError: it is not 64 lower-case hexadecimal digits.
    """
    if not HASH_TEXT.fullmatch(text):
        raise XetFormatError("A Xet hash is 64 lower-case hexadecimal digits.")
    return XetHash(WORDS.pack(*BIG_WORDS.unpack(bytes.fromhex(text))))


def chunk_hash(content: bytes | memoryview) -> XetHash:
    """Return the hash of one chunk's unpacked bytes."""
    return XetHash(blake3(content, key=CHUNK_KEY).digest())


def xorb_hash(chunks: Sequence[Node]) -> XetHash:
    """Return the hash of a xorb made of these (hash, length) chunks; there must be at least one."""
    nodes = list(chunks)
    while len(nodes) > 1:
        nodes = [_joined(run) for run in _runs(nodes)]
    return nodes[0][0]


def _runs(nodes: list[Node]) -> Iterator[list[Node]]:
    start = 0
    while start < len(nodes):
        end = _end_of_run(nodes, start)
        yield nodes[start:end]
        start = end


def _end_of_run(nodes: list[Node], start: int) -> int:
    longest = min(start + LONGEST_RUN, len(nodes))
    for end in range(start + LEAST_RUN, longest):
        if nodes[end - 1][0][24] % 4 == 0:  # the lowest byte of the last word: the hash, modulo 4
            return end
    return longest


def _joined(run: list[Node]) -> Node:
    lines = "".join(f"{hash_text(child)} : {length}\n" for child, length in run)
    return XetHash(blake3(lines.encode("ascii"), key=NODE_KEY).digest()), sum(length for _, length in run)
