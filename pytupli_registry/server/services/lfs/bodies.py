"""The body of a request on its way to a consumer that blocks: bounded, counted, and stopped early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from anyio import to_thread

from pytupli_registry.server.errors import BadRequest, TooLarge, Unprocessable

__all__ = ["announced_length", "receive"]

BLOCK = 512 << 10


def announced_length(text: str | None, *, limit: int, expected: int | None = None) -> int:
    """Return what a ``Content-Length`` header announces.

    Args:
        text: the header's value.
        limit: the most bytes that are taken.
        expected: how many it must be, if that is known.

    Raises:
        BadRequest: there is none, or it is no number.
        TooLarge: it is more than ``limit``.
        Unprocessable: it is not ``expected``.
    """
    if text is None or not text.isascii() or not text.isdigit():
        raise BadRequest("The request needs a Content-Length: send the body in one piece, not chunked.")
    length = int(text) if len(text) < 20 else limit + 1  # 2**64 has 20 digits
    if length > limit:
        raise TooLarge(f"The body has more than {limit} bytes, which is the most that is taken here.")
    if expected is not None and length != expected:
        raise Unprocessable(f"The body has {length} bytes; {expected} were announced for this upload.")
    return length


async def receive(pieces: AsyncIterator[bytes], length: int, take: Callable[[bytearray], None]) -> None:
    """Hand a body to ``take``, block by block and in order, in a worker thread; the next block comes in meanwhile.

    Raises:
        BadRequest: it has fewer bytes than ``length``, or more; reading ends with the first byte too many.
    """
    taking: asyncio.Future[None] | None = None
    block = bytearray()
    received = 0
    try:
        async for piece in pieces:
            received += len(piece)
            if received > length:
                break
            block += piece
            if len(block) >= BLOCK:
                if taking:
                    await taking
                taking = asyncio.ensure_future(to_thread.run_sync(take, block))
                block = bytearray()
        if received != length:
            raise BadRequest(f"The body has {'more' if received > length else 'fewer'} bytes than announced.")
        if taking:
            await taking
            taking = None
        if block:
            await to_thread.run_sync(take, block)
    finally:
        # The consumer must be done before whoever called closes what it writes to.
        if taking:
            await asyncio.wait([taking])
            taking.exception()  # the error that is under way already says more
