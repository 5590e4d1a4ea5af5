"""How much of a request's body is read: little where all of it is held in memory."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LARGEST_HELD_BODY", "BodyLimit"]

LARGEST_HELD_BODY = 16 << 20
_TOO_LARGE = 413

# These read their bodies piece by piece and know limits of their own.
STREAMED = (
    "/commit/{revision}",
    "/lfs/objects/{oid}",
    "/lfs/uploads/{upload_id}/{number}",
    "/xet/{epoch}/",
    "/git-upload-pack",
)


class BodyLimit:
    """Refuses bodies larger than :data:`LARGEST_HELD_BODY`, except on routes that stream them.

    Args:
        app: what answers; it routes before it reads.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
        else:
            await self._app(scope, _Limited(scope, receive).receive, send)


class _Limited:
    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._left = LARGEST_HELD_BODY

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0 and not self._is_streamed():
            raise HTTPException(_TOO_LARGE, f"The body is larger than {LARGEST_HELD_BODY:,} bytes.")
        return message

    def _is_streamed(self) -> bool:
        route: str = getattr(self._scope.get("route"), "path", "")
        return any(part in route for part in STREAMED)
