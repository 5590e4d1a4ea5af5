"""The ``Range`` header (RFC 9110, section 14), as far as one range goes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytupli_registry.server.errors import RangeNotSatisfiable

__all__ = ["ByteRange", "parse_range"]

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


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Return the range a header asks for, or None for the whole file.

    Headers that are none, and those with several ranges, ask for the whole file: the standard lets us.

    Raises:
        RangeNotSatisfiable: it begins behind the end of the file.
    """
    found = _only_range(header) if header else None
    if found is None or not (found[1] or found[2]):
        return None
    if found[1]:
        start = int(found[1])
        end = min(int(found[2]) + 1, size) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    else:
        start, end = max(size - int(found[2]), 0), size
        if size == 0 and int(found[2]):
            return None  # the last bytes of nothing are nothing: that is all of it
    if start >= size or end <= start:
        raise RangeNotSatisfiable(size)
    return ByteRange(start, end, size)


def _only_range(header: str) -> re.Match[str] | None:
    """Return the one range of a list that may have empty members, as all lists in headers."""
    unit, _, listed = header.partition("=")
    ranges = [stripped for part in listed.split(",") if (stripped := part.strip(" \t"))]
    return _RANGE.fullmatch(ranges[0]) if unit.lower() == "bytes" and len(ranges) == 1 else None
