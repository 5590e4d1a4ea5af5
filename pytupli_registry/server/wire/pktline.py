"""Git's packet lines: four hexadecimal digits of length, then the content (git-scm.com/docs/gitprotocol-common)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from pytupli_registry.server.errors import BadRequest

__all__ = ["DATA", "FAILURE", "LONGEST_BAND", "Mark", "packet", "packets", "side_band"]

LONGEST = 65_520
LONGEST_BAND = LONGEST - 5
DATA, FAILURE = 1, 3
"""Side bands: the pack, and an error that ends the conversation."""


class Mark(Enum):
    """Packets without content."""

    FLUSH = b"0000"
    DELIMITER = b"0001"
    END = b"0002"


def packet(content: str | bytes) -> bytes:
    """Return a packet."""
    raw = content.encode() if isinstance(content, str) else content
    return b"%04x%s" % (len(raw) + 4, raw)


def side_band(band: int, content: bytes) -> bytes:
    """Return packets of one side band with all of ``content``."""
    return b"".join(
        packet(bytes((band,)) + content[start : start + LONGEST_BAND])
        for start in range(0, len(content), LONGEST_BAND)
    )


def packets(body: bytes) -> Iterator[bytes | Mark]:
    """Yield the packets of a request, each without its last newline.

    Raises:
        BadRequest: the body does not consist of packets.
    """
    position = 0
    marks = {mark.value: mark for mark in Mark}
    while position < len(body):
        prefix = body[position : position + 4]
        if prefix in marks:
            yield marks[prefix]
            position += 4
            continue
        end = position + _length(prefix)
        if end > len(body):
            raise BadRequest("A packet line is cut off.")
        yield body[position + 4 : end].removesuffix(b"\n")
        position = end


def _length(prefix: bytes) -> int:
    try:
        length = int(prefix, 16) if prefix.isalnum() else 0
    except ValueError:
        length = 0
    if not 4 <= length <= LONGEST:
        raise BadRequest("This is not a packet line of git's.")
    return length
