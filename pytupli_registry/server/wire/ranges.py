"""The ``Range`` header, and answers of several ranges (RFC 9110, sections 14 and 15.3.7)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytupli_registry.server.errors import RangeNotSatisfiable

__all__ = ["MOST_RANGES", "ByteRange", "parse_ranges", "part_head", "parts_end", "parts_length"]

MOST_RANGES = 256  # of one request; they fit into heads of 8 KiB, which is what proxies let through
_RANGE = re.compile(r"([0-9]{0,4000})-([0-9]{0,4000})")  # int() takes no more than 4300 digits


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes ``start`` to ``end`` (exclusive) of a file of ``size`` bytes."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start

    @property
    def content_range(self) -> str:
        """The ``Content-Range`` header."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def parse_ranges(header: str | None, size: int) -> list[ByteRange] | None:
    """Return the ranges a header asks for, at least one, or None for the whole file.

    Headers that are none ask for the whole file, and so do too many ranges, and those that overlap or go back: the
    standard lets us, and nobody can ask for more bytes than the file has.

    Raises:
        RangeNotSatisfiable: all of them begin behind the end of the file.
    """
    members = _members(header) if header else []
    asked = [_RANGE.fullmatch(member) for member in members]
    if not asked or len(asked) > MOST_RANGES:
        return None
    found = []
    for one in asked:
        if one is None or not _is_range(one):
            return None
        found.append(_range(one, size))
    if size == 0 and any(not one[1] and int(one[2]) for one in asked if one):
        return None  # the last bytes of nothing are nothing: that is all of it
    there = [one for one in found if one.length > 0]
    if not there:
        raise RangeNotSatisfiable(size)
    return there if all(one.end <= after.start for one, after in pairwise(there)) else None


def _members(header: str) -> list[str]:
    """Return the members of a list, of which some may be empty, as in all lists of headers."""
    unit, _, listed = header.partition("=")
    if unit.lower() != "bytes":
        return []
    return [stripped for part in listed.split(",") if (stripped := part.strip(" \t"))]


def _is_range(asked: re.Match[str]) -> bool:
    if asked[1] and asked[2]:
        return int(asked[1]) <= int(asked[2])
    return bool(asked[1] or asked[2])


def _range(asked: re.Match[str], size: int) -> ByteRange:
    """Return what of a range lies in the file; nothing has no length, or less."""
    if not asked[1]:
        return ByteRange(max(size - int(asked[2]), 0), size, size)
    return ByteRange(int(asked[1]), min(int(asked[2]) + 1, size) if asked[2] else size, size)


def part_head(part: ByteRange, boundary: str, content_type: str) -> bytes:
    """Return what stands before the bytes of a part."""
    return (
        f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {part.content_range}\r\n\r\n"
    ).encode("ascii")


def parts_end(boundary: str) -> bytes:
    """Return what stands behind the last part."""
    return f"\r\n--{boundary}--\r\n".encode("ascii")


def parts_length(parts: Sequence[ByteRange], boundary: str, content_type: str) -> int:
    """Return the bytes of an answer of several parts."""
    heads = sum(len(part_head(part, boundary, content_type)) for part in parts)
    return heads + sum(part.length for part in parts) + len(parts_end(boundary))
