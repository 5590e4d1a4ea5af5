"""Sending files over a connection: the kernel moves their bytes into the socket, and nobody copies them.

uvicorn does not know ASGI's extension ``http.response.zerocopysend``, and uvloop no ``sendfile``.
"""

from __future__ import annotations

import asyncio
import os

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

__all__ = ["EXTENSIONS", "sending_files"]

ZERO_COPY = "http.response.zerocopysend"
EXTENSIONS: dict[str, dict[object, object]] = {ZERO_COPY: {}} if hasattr(os, "sendfile") else {}
CHUNK = 1 << 20  # bytes after which other connections have their turn
_WITHOUT_WAITING: int = getattr(os, "RWF_NOWAIT", 0)  # Linux


def sending_files(app: ASGIApp, protocol: HttpToolsProtocol) -> ASGIApp:
    """Return ``app`` for one connection, able to send messages of the extension."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        cycle: RequestResponseCycle = send.__self__  # type: ignore[attr-defined]  # uvicorn passes a method

        async def send_or_move(message: Message) -> None:
            if message["type"] != ZERO_COPY:
                await send(message)
                return
            transfer = _Transfer(protocol, cycle, message["file"].fileno())
            if await transfer.send(message["offset"], message["count"]):
                await send({"type": "http.response.body", "body": b""})

        await app(scope, receive, send_or_move)

    return answer


class _Transfer:
    """One part of one file on its way."""

    def __init__(self, protocol: HttpToolsProtocol, cycle: RequestResponseCycle, file: int) -> None:
        self._protocol = protocol
        self._cycle = cycle
        self._file = file
        self._transport = protocol.transport
        self._socket: int = self._transport.get_extra_info("socket").fileno()
        self._own: int | None = (
            None  # our own descriptor of the socket: theirs may be closed, and mean another
        )

    async def send(self, offset: int, count: int) -> bool:
        """Send ``count`` bytes, and return whether the client is still there.

        Raises:
            OSError: the file cannot be read, or ends before.
        """
        if self._cycle.expected_content_length != count:
            raise RuntimeError("the announced length is not that of the file")
        try:
            await self._flush()
            while count and not self._is_over():
                sent = await self._move(offset, min(count, CHUNK))
                offset += sent
                count -= sent
                if count:
                    await asyncio.sleep(0)
        finally:
            if self._own is not None:
                os.close(self._own)
        # uvicorn tells only the request that came last that the client has left: others may wait behind this one.
        self._cycle.disconnected = self._cycle.disconnected or count > 0
        self._cycle.expected_content_length = count
        return not self._cycle.disconnected

    async def _flush(self) -> None:
        """Wait until the head is in the socket."""
        self._transport.set_write_buffer_limits(high=0)
        if self._transport.get_write_buffer_size():
            await self._protocol.flow.drain()
        self._transport.set_write_buffer_limits()

    async def _move(self, offset: int, count: int) -> int:
        try:
            if _is_in_memory(self._file, offset, count):
                sent = os.sendfile(self._socket, self._file, offset, count)
            else:
                sent = await to_thread.run_sync(os.sendfile, self._duplicate(), self._file, offset, count)
        except BlockingIOError:
            await self._writable()
            return 0
        except (BrokenPipeError, ConnectionResetError):
            self._cycle.disconnected = True
            self._transport.abort()
            return 0
        if not sent:
            raise OSError("the file became shorter while it was sent")
        return sent

    async def _writable(self) -> None:
        """Wait until the client has read something; the protocol watches how long that takes."""
        loop, descriptor = self._protocol.loop, self._duplicate()
        self._protocol.pause_writing()
        loop.add_writer(descriptor, self._protocol.resume_writing)
        try:
            await self._protocol.flow.drain()
        finally:
            loop.remove_writer(descriptor)

    def _duplicate(self) -> int:
        if self._own is None:
            self._own = os.dup(self._socket)
        return self._own

    def _is_over(self) -> bool:
        return self._cycle.disconnected or self._transport.is_closing()


def _is_in_memory(file: int, offset: int, count: int) -> bool:
    """Whether the system holds these bytes, as far as their two ends tell: reading them waits for no disk."""
    if not _WITHOUT_WAITING:
        return False
    end = bytearray(1)
    try:
        return all(
            os.preadv(file, [end], place, _WITHOUT_WAITING) == 1 for place in (offset, offset + count - 1)
        )
    except OSError:  # it would wait, or the file system cannot tell
        return False
