"""Answers whose bytes lie in a file: sent from there by the operating system, where server and file allow it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pytupli_registry.server.objects.blocks import FileBlocks
from pytupli_registry.server.objects.store import BLOCK
from pytupli_registry.server.wire.ranges import ByteRange, part_head, parts_end, parts_length

__all__ = ["ZERO_COPY", "BlocksResponse", "PartsResponse"]

ZERO_COPY = "http.response.zerocopysend"  # asgi.readthedocs.io/en/latest/extensions.html


class BlocksResponse(StreamingResponse):
    """Sends the bytes of a blob.

    Args:
        blocks: what ``ObjectStore.read`` returned.
        status_code: 200, or 206 for a part.
        headers: all of them, ``Content-Length`` too.
    """

    def __init__(self, blocks: Iterator[bytes], status_code: int, headers: dict[str, str]) -> None:
        super().__init__(blocks, status_code, headers)
        self._blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        if not isinstance(self._blocks, FileBlocks) or ZERO_COPY not in (scope.get("extensions") or {}):
            await super().__call__(scope, receive, send)
            return
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            await send(
                {
                    "type": ZERO_COPY,
                    "file": self._blocks,
                    "offset": self._blocks.position,
                    "count": self._blocks.remaining,
                }
            )
        finally:
            self._blocks.close()


class PartsResponse(StreamingResponse):
    """Sends several ranges of a file (RFC 9110, section 15.3.7.2).

    Args:
        parts: the ranges.
        contents: the bytes of each, in blocks.
        headers: of an answer with the whole file, without its length.
    """

    def __init__(
        self,
        parts: Sequence[ByteRange],
        contents: Iterable[Iterator[bytes]],
        headers: list[tuple[bytes, bytes]],
    ) -> None:
        boundary = secrets.token_hex(16)
        told = dict(headers)
        type_ = told[b"content-type"].decode("latin-1")
        told[b"content-type"] = b"multipart/byteranges; boundary=" + boundary.encode("ascii")
        told[b"content-length"] = b"%d" % parts_length(parts, boundary, type_)
        heads = (part_head(part, boundary, type_) for part in parts)
        super().__init__(_joined(heads, contents, parts_end(boundary)), 206)
        self.raw_headers = list(told.items())


def _joined(heads: Iterable[bytes], contents: Iterable[Iterator[bytes]], end: bytes) -> Iterator[bytes]:
    """Yield everything in blocks that are worth a turn of the loop: there may be hundreds of small parts."""
    block = bytearray()
    for head, content in zip(heads, contents, strict=True):
        block += head
        for piece in content:
            block += piece
            if len(block) >= BLOCK:
                yield bytes(block)
                block.clear()
    yield bytes(block + end)
