"""How much of a request's body is read: little where all of it is held in memory."""

from __future__ import annotations

from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LARGEST_HELD_BODY", "BodyLimit"]

LARGEST_HELD_BODY = 16 << 20
LARGEST_TOGETHER = 512 << 20  # of all requests; who sends slowly would else hold 16 MiB on every connection
SMALL = 64 << 10  # bytes that every request has free, so that those who hold the rest do not stop others
_TOO_LARGE, _BUSY = 413, 503

# A body of three bytes a value would take fifty times its size in memory, and all of it before anybody is asked
# who they are. The largest that clients send is the end of a multipart upload: 100,000 parts.
MOST_VALUES = 350_000
_BETWEEN_VALUES = (b",", b"[", b"{")
TEXTS = ("/api/validate-yaml",)  # one long text, which may hold as many of these as it likes

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
        together: bytes that all requests together may hold.
    """

    def __init__(self, app: ASGIApp, together: int = LARGEST_TOGETHER) -> None:
        self._app = app
        self._left = together

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        limited = _Limited(scope, receive, self._take)
        try:
            await self._app(scope, limited.receive, send)
        finally:
            self._left += limited.taken

    def _take(self, amount: int) -> None:
        if amount > self._left:
            raise HTTPException(_BUSY, "Too many large requests at once. Try again.", {"Retry-After": "5"})
        self._left -= amount


class _Limited:
    """The body of one request.

    Attributes:
        taken: how much of the common allowance it holds.
    """

    def __init__(self, scope: Scope, receive: Receive, take: Callable[[int], None]) -> None:
        self.taken = 0
        self._scope = scope
        self._receive = receive
        self._take = take
        self._left = LARGEST_HELD_BODY
        self._values_left = MOST_VALUES

    async def receive(self) -> Message:
        message = await self._receive()
        if not self._is_of(STREAMED):
            self._count(message.get("body", b""))
        return message

    def _count(self, body: bytes) -> None:
        self._left -= len(body)
        self._values_left -= sum(map(body.count, _BETWEEN_VALUES))
        if self._left < 0:
            raise HTTPException(_TOO_LARGE, f"The body is larger than {LARGEST_HELD_BODY:,} bytes.")
        if self._values_left < 0 and not self._is_of(TEXTS):
            raise HTTPException(_TOO_LARGE, f"The body holds more than {MOST_VALUES:,} values.")
        large = max(LARGEST_HELD_BODY - self._left - SMALL, 0)
        self._take(large - self.taken)
        self.taken = large

    def _is_of(self, routes: tuple[str, ...]) -> bool:
        route: str = getattr(self._scope.get("route"), "path", "")
        return any(part in route for part in routes)
