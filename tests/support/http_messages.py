"""HTTP/1.1 as it lies on the wire: heads, and bodies as the pieces that arrive."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["LONGEST_HEAD", "Head", "body", "read_head"]

LONGEST_HEAD = 1 << 16
_WITHOUT_BODY = {204, 304}


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the fields of a request or an answer."""

    raw: bytes

    @property
    def words(self) -> list[str]:
        """The first line: method, target and version, or version, status and reason."""
        return self.raw.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)

    @property
    def status(self) -> int:
        return int(self.words[1])

    @property
    def fields(self) -> list[tuple[str, str]]:
        lines = self.raw.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return [(name.strip(), value.strip()) for name, _, value in pairs]

    def get(self, name: str) -> str | None:
        """Return the value of a field, whatever the case of its name."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    @property
    def is_chunked(self) -> bool:
        return "chunked" in (self.get("transfer-encoding") or "").lower()

    @property
    def length(self) -> int | None:
        """Length of the body, None where the head does not tell."""
        said = self.get("content-length")
        return None if said is None else int(said)

    def has_body(self, method: str) -> bool:
        """Return whether a body follows this answer to a request of that method."""
        return method != "HEAD" and self.status >= 200 and self.status not in _WITHOUT_BODY


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """Return the next head, None if the connection ends before it."""
    try:
        return Head(await reader.readuntil(b"\r\n\r\n"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def body(
    reader: asyncio.StreamReader, head: Head, *, to_end: bool, block: int
) -> AsyncIterator[tuple[bytes, bool]]:
    """Iterate over the bytes of a body, each with whether they are content or frame it.

    Args:
        reader: gives them.
        head: tells how they are framed.
        to_end: whether a body without a length ends with the connection, as that of an answer; a request has none.
        block: at most so many bytes come at once.

    Raises:
        asyncio.IncompleteReadError: the connection ends inside the body.
    """
    if head.is_chunked:
        async for piece in _chunks(reader, block):
            yield piece
    elif head.length is not None:
        async for part in _exactly(reader, head.length, block):
            yield part, True
    elif to_end:
        while part := await reader.read(block):
            yield part, True


async def _exactly(reader: asyncio.StreamReader, size: int, block: int) -> AsyncIterator[bytes]:
    left = size
    while left:
        part = await reader.read(min(left, block))
        if not part:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(part)
        yield part


async def _chunks(reader: asyncio.StreamReader, block: int) -> AsyncIterator[tuple[bytes, bool]]:
    size = -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        yield line, False
        async for part in _exactly(reader, size, block):
            yield part, True
        if size:
            yield await reader.readexactly(2), False
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        yield line, False
    yield line, False
