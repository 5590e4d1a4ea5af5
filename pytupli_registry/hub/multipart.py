"""Answers of several ranges (RFC 9110, section 15.3.7.2): exactly the parts that were asked for, in their order."""

from __future__ import annotations

import re
from email.message import Message
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["MOST_HEAD", "BadParts", "boundary_of", "parts_of"]

MOST_HEAD = 2048  # bytes of a part's head
_CONTENT_RANGE = re.compile(
    rb"\r\ncontent-range:[ \t]*bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)[ \t]*\r\n", re.IGNORECASE
)


class BadParts(Exception):  # noqa: N818 - it is caught where the answer is read, never shown
    """These are not the parts that were asked for."""


def boundary_of(status: int, headers: Mapping[str, str]) -> bytes:
    """Return what separates the parts of an answer.

    Raises:
        BadParts: it is none of several ranges.
    """
    if status != 206:
        raise BadParts(f"it answers {status}")
    message = Message()
    message["content-type"] = headers.get("content-type", "")
    boundary = message.get_boundary()
    if message.get_content_type() != "multipart/byteranges" or not boundary or len(boundary) > 70:
        raise BadParts("the answer has not several parts")
    return boundary.encode("latin-1", "replace")


def parts_of(
    pieces: Iterator[bytes], boundary: bytes, ranges: Sequence[tuple[int, int]], size: int
) -> Iterator[tuple[int, memoryview]]:
    """Yield the place and the bytes of each piece of the parts; they come as the body does.

    Args:
        pieces: the body.
        boundary: what separates its parts.
        ranges: first byte, and one past the last, of each part.
        size: bytes of the file.

    Raises:
        BadParts: other parts come, or fewer.
    """
    body = _Body(pieces)
    for number, (start, stop) in enumerate(ranges):
        _check(body.head(), boundary, (start, stop), size, is_first=number == 0)
        place = start
        while place < stop:
            piece = body.piece(stop - place)
            yield place, piece
            place += len(piece)
    for _ in pieces:  # what ends the body: the connection can be used again only behind it
        pass


def _check(head: bytes, boundary: bytes, wanted: tuple[int, int], size: int, *, is_first: bool) -> None:
    start = b"" if is_first and head.startswith(b"--") else b"\r\n"
    if not head.startswith(b"%b--%b\r\n" % (start, boundary)):
        raise BadParts("a part has no head")
    found = _CONTENT_RANGE.search(head)
    if found is None or (int(found[1]), int(found[2]) + 1) != wanted:
        raise BadParts("a part is not the one that was asked for")
    if found[3] not in {b"*", b"%d" % size}:
        raise BadParts("a part is of a file of another size")


class _Body:
    """A body, of which the beginning is taken away again and again."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def head(self) -> bytes:
        """Take away a part's head, up to its empty line."""
        head = b""
        while len(head) < MOST_HEAD:
            self._fill()
            known = len(head)
            head += self._rest[:MOST_HEAD]
            end = head.find(b"\r\n\r\n") + 4
            if end >= 4:
                self._rest = self._rest[end - known :]
                return head[:end]
            self._rest = self._rest[MOST_HEAD:]
        raise BadParts("a part's head does not end")

    def piece(self, most: int) -> memoryview:
        """Take away at most so many bytes, and at least one."""
        self._fill()
        taken, self._rest = self._rest[:most], self._rest[most:]
        return taken

    def _fill(self) -> None:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                raise BadParts("the answer ends too soon")
            self._rest = memoryview(piece)
