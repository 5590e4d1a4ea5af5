"""Bodies of uploads: handed on in blocks, to consumers that block, in worker threads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from fastapi import Request
from starlette.requests import ClientDisconnect

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services.lfs.bodies import announced_length, receive

__all__ = ["forget_body", "take_body"]


async def take_body(
    request: Request, take: Callable[[bytearray], None], *, limit: int, expected: int | None = None
) -> None:
    """Hand the body of a request to ``take``.

    Args:
        request: the request.
        take: gets block after block, in a worker thread.
        limit: the most bytes that are taken.
        expected: how many there must be, if that is known.

    Raises:
        BadRequest: no length is announced, or it is wrong.
        TooLarge, Unprocessable: another length than is taken here.
    """
    length = announced_length(request.headers.get("content-length"), limit=limit, expected=expected)
    await receive(_pieces(request), length, take)


async def forget_body(request: Request, *, limit: int) -> None:
    """Read the body of a request to its end: clients read no answer before they have sent everything.

    Raises:
        BadRequest, TooLarge: as :func:`take_body`.
    """
    left = announced_length(request.headers.get("content-length"), limit=limit)
    async for piece in _pieces(request):
        left -= len(piece)
        if left < 0:
            raise BadRequest("The body has more bytes than announced.")


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as error:
        raise BadRequest("The connection broke off in the middle of the upload.") from error
