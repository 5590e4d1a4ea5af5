"""Answers whose bytes lie in a file: sent from there by the operating system, where server and file allow it."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pytupli_registry.server.objects.blocks import FileBlocks

__all__ = ["ZERO_COPY", "BlocksResponse"]

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
