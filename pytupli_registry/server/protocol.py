"""Limits of a connection that uvicorn does not set: size and time of request heads, and progress of bodies."""

from __future__ import annotations

import asyncio
import fcntl
import sys
import termios
from collections import deque
from contextlib import suppress
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from pytupli_registry.server.zero_copy import EXTENSIONS, sending_files

__all__ = ["LARGEST_HEAD", "HubProtocol"]

LARGEST_HEAD = 64 << 10
MOST_PIPELINED = 16
_HEAD_TOO_LARGE = b"431 Request Header Fields Too Large"
_TOO_MANY = b"503 Service Unavailable"


class HubProtocol(HttpToolsProtocol):
    """One connection of a client that may be slow, endless, or not a friend.

    Attributes:
        head_s: seconds that a request's head may take.
        progress_s: seconds in which a client has to send or to read something.
        least_progress: bytes that it sends in this time, if it sends: fewer than the slowest modem.
        most_connections: of the whole server.
    """

    head_s: ClassVar[float] = 30
    progress_s: ClassVar[float] = 60
    least_progress: ClassVar[int] = 1024
    most_connections: ClassVar[int] = 2000

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*arguments, **named)
        self.app = sending_files(self.app, self)
        self._unparsed = 0  # bytes since the parser last gave something away; it keeps unfinished headers
        self._head_complete = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._progress_timer: asyncio.TimerHandle | None = None
        self._received = 0
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._watched: object = None
        self._unread: int | None = (
            None  # bytes that waited to be read when it was last looked; None if they were
        )

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the first head has to come soon."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self._refuse(_TOO_MANY, "Too many connections. Try again in a moment.")
            return
        self._head_timer = self.loop.call_later(self.head_s, self._close)
        self._progress_timer = self.loop.call_later(self.progress_s, self._check_progress)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        for timer in (self._head_timer, self._progress_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        for cycle in self._unanswered:  # uvicorn tells only the last one, which may wait behind others
            cycle.disconnected = True
            cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Take in bytes, unless too many of them make no sense yet."""
        self._unparsed += len(data)
        self._received += len(data)
        super().data_received(data)
        if self._unparsed > LARGEST_HEAD:
            self._refuse(_HEAD_TOO_LARGE, f"A request's head has at most {LARGEST_HEAD} bytes.")
        elif not self._head_complete and self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_s, self._close)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head_complete = False
        super().on_message_begin()
        if self.scheme == "http":  # with TLS the kernel does not know what to write
            self.scope["extensions"] = EXTENSIONS

    def on_headers_complete(self) -> None:
        """A head is complete."""
        if len(self.pipeline) >= MOST_PIPELINED:
            raise httptools.HttpParserError("too many requests on one connection")
        self._unparsed = 0
        self._head_complete = True
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()
        self._unanswered.append(self.cycle)

    def on_response_complete(self) -> None:
        """An answer is complete."""
        self._unanswered.popleft()
        super().on_response_complete()

    def on_body(self, body: bytes) -> None:
        """Take in a piece of a body."""
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A body is complete."""
        self._unparsed = 0
        super().on_message_complete()

    def resume_writing(self) -> None:
        """The client has read something."""
        self._unread = None
        super().resume_writing()

    def _check_progress(self) -> None:
        """Close the connection of a client that neither sends what we wait for nor reads what we send."""
        waits = self._waits_for_body()
        starved = waits and self.cycle is self._watched and self._received < self.least_progress
        unread = self._unread_bytes() if self.flow.write_paused else None
        if starved or (unread is not None and self._unread is not None and unread >= self._unread):
            self._close()
            return
        self._watched = self.cycle if waits else None
        self._received = 0
        self._unread = unread
        self._progress_timer = self.loop.call_later(self.progress_s, self._check_progress)

    def _unread_bytes(self) -> int:
        """Return how many bytes wait here and in the system, which tells of no progress below a third of its own."""
        number = bytearray(4)  # an int
        with suppress(OSError):
            fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, number)
        return self.transport.get_write_buffer_size() + int.from_bytes(number, sys.byteorder)

    def _waits_for_body(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return (
            cycle is not None
            and not cycle.response_complete
            and cycle.more_body
            and not self.flow.read_paused
        )

    def _refuse(self, status: bytes, message: str) -> None:
        if self.transport.is_closing():
            return
        body = b'{"error": "%s"}' % message.encode("ascii")
        lines = (
            b"HTTP/1.1 " + status,
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"x-error-message: " + message.encode("ascii"),
            b"retry-after: 5",
            b"connection: close",
        )
        self.transport.write(b"\r\n".join((*lines, b"", body)))
        self.transport.close()

    def _close(self) -> None:
        # Not close(), which waits until everything that is written has been read.
        self.transport.abort()
