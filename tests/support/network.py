"""A network between clients and a real server: slow and narrow if asked, counted, and failing where a test says so.

It stands on a port of its own and passes HTTP/1.1 on, so that what travels is what real clients and servers send.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Self

from tests.support.faults import Answer, Asked, Cut, Drip, Fault, Flip, Rule, Stall
from tests.support.http_messages import LONGEST_HEAD, Head, body, read_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["SLOW", "Exchange", "Network", "Totals"]

SLOW = {"round_trip_s": 0.020, "bits_per_s": 200e6}
WIDE_BLOCK, NARROW_BLOCK = 1 << 18, 1 << 14  # narrow: so that connections take turns
WAITING = 64  # blocks of a connection that are on their way
BURST_S = 0.005  # what a sleep may be late by, without losing any of the width
STOPS_WITHIN_S = 10


@dataclass
class Exchange:
    """A request and its answer, as they were counted; bytes are of content."""

    asked: Asked
    status: int = 0
    sent: int = 0
    received: int = 0
    fault: Fault | None = None


@dataclass(frozen=True)
class Totals:
    """What travelled: requests, and all bytes up to the server and down from it, heads and frames included."""

    requests: int
    up: int
    down: int


class _Direction:
    """What all connections share in one direction: its width, its delay, and the count of its bytes."""

    def __init__(self, delay_s: float, bits_per_s: float | None) -> None:
        self.delay_s = delay_s
        self.bytes_per_s = None if bits_per_s is None else bits_per_s / 8
        self.passed = 0
        self._free_at = 0.0

    async def take_turn(self, size: int) -> None:
        """Wait until ``size`` bytes have gone in."""
        self.passed += size
        if self.bytes_per_s is None:
            return
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now - BURST_S) + size / self.bytes_per_s
        if self._free_at - now > BURST_S / 2:
            await asyncio.sleep(self._free_at - now)


class _Pipe:
    """One direction of one connection: bytes come out of it after its delay, in order."""

    def __init__(self, direction: _Direction, writer: asyncio.StreamWriter) -> None:
        self._direction = direction
        self._writer = writer
        self._waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(WAITING)
        self._is_gone = False

    async def put(self, content: bytes) -> None:
        await self._direction.take_turn(len(content))
        if self._is_gone:
            raise _BrokenError
        if not self._direction.delay_s:
            await self._write(content)
        else:
            due = asyncio.get_running_loop().time() + self._direction.delay_s
            await self._waiting.put((due, content))

    async def flush(self) -> None:
        """Wait until everything has come out."""
        await self._waiting.join()

    async def run(self) -> None:
        """Let bytes out when they are due, for ever."""
        while True:
            due, content = await self._waiting.get()
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            try:
                await self._write(content)
            except ConnectionError:
                self._is_gone = True  # what still comes is taken and forgotten
            self._waiting.task_done()

    async def _write(self, content: bytes) -> None:
        self._writer.write(content)
        await self._writer.drain()


class _BrokenError(Exception):
    """The connection is to be reset."""


class _Reader(asyncio.StreamReader):
    """A reader that tells when its connection has ended, before anybody reads."""

    def __init__(self) -> None:
        super().__init__(limit=LONGEST_HEAD, loop=asyncio.get_running_loop())
        self.ended = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.ended.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.ended.set()


async def _open(port: int) -> tuple[_Reader, asyncio.StreamWriter]:
    reader = _Reader()
    protocol = asyncio.StreamReaderProtocol(reader)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: protocol, "127.0.0.1", port)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


@dataclass
class _Connection:
    """Both ends of one connection."""

    client: asyncio.StreamReader
    server: _Reader
    up: _Pipe
    down: _Pipe


class Network:
    """Passes requests to the server at ``port``; serves in a thread of its own within the context.

    Args:
        port: where the server listens on loopback.
        round_trip_s: what a request waits for its answer, at least; a new connection costs one more.
        bits_per_s: width of either direction, shared by all connections; None for as wide as it goes.
        host: name by which clients are told to come.

    Attributes:
        rule: what goes wrong; asked once a request, and replaceable at any time.
        log: every exchange so far.
    """

    def __init__(
        self,
        port: int,
        *,
        round_trip_s: float = 0.0,
        bits_per_s: float | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.rule: Rule | None = None
        self.log: list[Exchange] = []
        self._server_port = port
        self._host = host
        self._round_trip_s = round_trip_s
        self._up = _Direction(round_trip_s / 2, bits_per_s)
        self._down = _Direction(round_trip_s / 2, bits_per_s)
        self._block = WIDE_BLOCK if bits_per_s is None else NARROW_BLOCK
        self._numbers = count()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(STOPS_WITHIN_S):
            raise RuntimeError("the network does not listen")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(STOPS_WITHIN_S)
        if self._thread.is_alive():
            raise RuntimeError("the network does not end")

    @property
    def endpoint(self) -> str:
        """What clients take for the server."""
        return f"http://{self._host}:{self.port}"

    def totals(self) -> Totals:
        """Return what has travelled since the beginning, or since :meth:`forget`."""
        return Totals(len(self.log), self._up.passed, self._down.passed)

    def forget(self) -> None:
        """Begin to count anew."""
        self.log = []
        self._up.passed = self._down.passed = 0

    def statuses(self) -> Counter[int]:
        """Return how often each status was answered."""
        return Counter(exchange.status for exchange in self.log)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=LONGEST_HEAD)
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(client, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Not in the task: one that is cancelled before it begins never runs.
        task.add_done_callback(lambda _: writer.is_closing() or writer.transport.abort())

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._round_trip_s)
        try:
            server, to_server = await _open(self._server_port)
        except OSError:
            to_client.transport.abort()
            return
        pipes = _Pipe(self._up, to_server), _Pipe(self._down, to_client)
        runners = [asyncio.create_task(pipe.run()) for pipe in pipes]
        try:
            with contextlib.suppress(_BrokenError, ConnectionError, asyncio.IncompleteReadError):
                await self._exchange_all(_Connection(client, server, *pipes))
                to_client.close()
        finally:
            to_server.transport.abort()  # before anything is waited for: the network may end now
            for runner in runners:
                runner.cancel()
            await asyncio.gather(*runners, return_exceptions=True)

    async def _exchange_all(self, connection: _Connection) -> None:
        while (request := await self._asked(connection)) is not None:
            method, target, _ = request.words
            asked = Asked(next(self._numbers), method, target, request.get("range"))
            exchange = Exchange(asked, fault=self.rule(asked) if self.rule else None)
            self.log.append(exchange)
            goes_on = await self._exchange(connection, request, exchange)
            if not goes_on:
                return

    async def _asked(self, connection: _Connection) -> Head | None:
        """Return the next request, None when one of the two hangs up before it."""
        heading = asyncio.create_task(read_head(connection.client))
        ending = asyncio.create_task(connection.server.ended.wait())
        try:
            await asyncio.wait({heading, ending}, return_when=asyncio.FIRST_COMPLETED)
            return heading.result() if heading.done() else None
        finally:
            heading.cancel()
            ending.cancel()

    async def _exchange(self, connection: _Connection, request: Head, exchange: Exchange) -> bool:
        """Pass one request and its answer on; return whether the connection goes on."""
        if isinstance(exchange.fault, Answer):
            await self._answer(connection, request, exchange, exchange.fault)
            return False
        await connection.up.put(request.raw)
        sending = asyncio.create_task(self._send(connection, request, exchange))
        try:
            return await self._receive(connection, exchange, sending)
        finally:
            if not sending.done():
                sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending

    async def _send(self, connection: _Connection, request: Head, exchange: Exchange) -> None:
        cut = exchange.fault if isinstance(exchange.fault, Cut) and exchange.fault.of_request else None
        async for part, is_content in body(connection.client, request, to_end=False, block=self._block):
            exchange.sent += len(part) if is_content else 0
            if cut and exchange.sent >= cut.after:
                raise _BrokenError
            await connection.up.put(part)

    async def _receive(
        self, connection: _Connection, exchange: Exchange, sending: asyncio.Task[None]
    ) -> bool:
        head = await self._answered(connection, sending)
        while 100 <= head.status < 200:
            await connection.down.put(head.raw)
            head = await self._answered(connection, sending)
        exchange.status = head.status
        await connection.down.put(head.raw)
        if head.has_body(exchange.asked.method):
            parts = body(connection.server, head, to_end=True, block=self._block)
            async for part, is_content in parts:
                await self._pass_down(connection, exchange, part, is_content=is_content)
        await connection.down.flush()
        ends = "close" in (head.get("connection") or "").lower()
        is_open = head.is_chunked or head.length is not None or not head.has_body(exchange.asked.method)
        return sending.done() and not sending.cancelled() and is_open and not ends

    async def _answered(self, connection: _Connection, sending: asyncio.Task[None]) -> Head:
        """Return the server's head, unless the request breaks first."""
        heading = asyncio.create_task(read_head(connection.server))
        try:
            while not heading.done():
                waited = {heading} if sending.done() else {heading, sending}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()
        finally:
            heading.cancel()
        head = heading.result()
        if head is None:
            raise _BrokenError
        return head

    async def _pass_down(
        self, connection: _Connection, exchange: Exchange, part: bytes, *, is_content: bool
    ) -> None:
        if not is_content:
            await connection.down.put(part)
            return
        start = exchange.received
        exchange.received += len(part)
        match exchange.fault:
            case Cut(after=after, of_request=False) if exchange.received >= after:
                await connection.down.put(part[: max(0, after - start)])
                await connection.down.flush()
                raise _BrokenError
            case Stall(after=after) if exchange.received >= after:
                await connection.down.put(part[: max(0, after - start)])
                await self._until_gone(connection)
            case Flip() as flip:
                await connection.down.put(_flipped(part, start, flip))
            case Drip(bytes_per_s=rate):
                async for drop in _drops(part, rate):
                    await connection.down.put(drop)
            case _:
                await connection.down.put(part)

    async def _until_gone(self, connection: _Connection) -> None:
        await connection.down.flush()
        await connection.client.read(1)
        raise _BrokenError

    async def _answer(
        self, connection: _Connection, request: Head, exchange: Exchange, answer: Answer
    ) -> None:
        exchange.status = answer.status
        async for part, is_content in body(connection.client, request, to_end=False, block=self._block):
            exchange.sent += len(part) if is_content else 0
        lines = [f"HTTP/1.1 {answer.status} Injected", *(f"{name}: {value}" for name, value in answer.fields)]
        lines += [f"Content-Length: {len(answer.body)}", "Connection: close", "", ""]
        await connection.down.put("\r\n".join(lines).encode())
        if exchange.asked.method != "HEAD":
            await connection.down.put(answer.body)
        await connection.down.flush()


def _flipped(part: bytes, start: int, flip: Flip) -> bytes:
    place = flip.at - start
    if not 0 <= place < len(part):
        return part
    return part[:place] + bytes([part[place] ^ (1 << flip.bit)]) + part[place + 1 :]


async def _drops(part: bytes, rate: float) -> AsyncIterator[bytes]:
    size = max(1, int(rate / 20))
    for start in range(0, len(part), size):
        await asyncio.sleep(size / rate)
        yield part[start : start + size]
