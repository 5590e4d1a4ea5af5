"""Connections of clients that are slow, endless, or too many; over real sockets, with short patience."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import pytest
import uvicorn

from pytupli_registry.server.protocol import LARGEST_HEAD, HubProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG = 64 << 20
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ENDED: list[str] = []
"""What was told that its client has left."""


class Impatient(HubProtocol):
    head_s: ClassVar[float] = 0.5
    progress_s: ClassVar[float] = 0.5
    most_connections: ClassVar[int] = 5


async def app(scope, receive, send) -> None:
    """Read the body; answer ``/`` with its size, ``/big`` with more than fits into any buffer, ``/endless`` never."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    if scope["path"] == "/endless":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        ENDED.append(scope["path"])
        return
    if scope["path"] == "/wait":
        await asyncio.sleep(1.5)
    body = b"x" * BIG if scope["path"] == "/big" else str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, http=Impatient, lifespan="off", log_config=None, loop="uvloop")
    )
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        yield client


def answer(client: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection."""
    received = bytearray()
    try:
        while block := client.recv(1 << 16):
            received += block
    except ConnectionResetError:
        pass
    return bytes(received)


def test_requests_follow_each_other_on_a_connection(port: int):
    with connected(port) as client:
        for _ in range(3):
            client.sendall(GET)
            assert client.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX: "])
def test_a_head_that_does_not_come_to_its_end(port: int, sent: bytes):
    began = time.monotonic()
    with connected(port) as client:
        client.sendall(sent)
        assert answer(client) == b""
    assert 0.4 < time.monotonic() - began < 5


def test_a_head_that_comes_byte_by_byte(port: int):
    with connected(port) as client, pytest.raises(OSError):  # noqa: PT011, PT012 - reset, or a broken pipe
        for _ in range(100):
            client.sendall(b"X")
            time.sleep(0.05)


def test_the_second_head_has_to_come_to_its_end_too(port: int):
    with connected(port) as client:
        client.sendall(GET)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        client.sendall(GET[:-2])
        assert answer(client) == b""


@pytest.mark.parametrize(
    "endless",
    [
        b"GET /" + b"a" * 1000,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100,
        b"GET / HTTP/1.1\r\nX: " + b"y" * 1000,
    ],
    ids=["path", "headers", "header"],
)
def test_a_head_that_is_too_large(port: int, endless: bytes):
    with connected(port) as client:
        client.sendall(endless)
        piece = endless[-6:] if endless.endswith(b"\r\n") else b"a"
        with pytest.raises(OSError):  # noqa: PT011, PT012 - it answers, and closes while we send
            for _ in range(100):
                client.sendall(piece * 10_000)
                time.sleep(0.001)
            raise AssertionError("the server took megabytes of a head")


def test_who_sends_a_head_that_is_too_large_is_told(port: int):
    with connected(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: " + b"y" * (LARGEST_HEAD + 1))
        told = answer(client)
    assert told.startswith(b"HTTP/1.1 431 ")
    assert b"x-error-message: " in told


def test_trailers_that_never_end(port: int):
    head = b"POST /wait HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    with connected(port) as client:
        client.sendall(head)
        with pytest.raises(OSError):  # noqa: PT011, PT012
            for _ in range(100):
                client.sendall(b"X: " + b"y" * 10_000)
                time.sleep(0.001)
            raise AssertionError("the server took megabytes of trailers")


def test_a_large_body_is_no_large_head(port: int):
    with connected(port) as client:
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (1 << 20)
        )
        client.sendall(b"x" * (1 << 20))
        assert answer(client).endswith(b"\r\n\r\n1048576")


def test_a_body_that_stands_still(port: int):
    with connected(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nxxx")
        assert answer(client) == b""


def test_a_body_that_trickles(port: int):
    with connected(port) as client, pytest.raises(OSError):  # noqa: PT011, PT012
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n")
        for _ in range(100):
            client.sendall(b"x")
            time.sleep(0.05)


def test_a_body_that_is_slow_but_comes(port: int):
    with connected(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\nConnection: close\r\n\r\n")
        for _ in range(10):
            client.sendall(b"x" * 1000)
            time.sleep(0.15)
        assert answer(client).endswith(b"10000")


def test_an_answer_that_takes_time_is_waited_for(port: int):
    with connected(port) as client:
        client.sendall(GET.replace(b"GET /", b"GET /wait"))
        assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_reader_that_stands_still(port: int):
    with connected(port) as client:
        client.sendall(GET.replace(b"GET /", b"GET /big"))
        time.sleep(2)
        assert len(answer(client)) < BIG


def test_a_reader_that_is_slow_gets_everything(port: int):
    with connected(port) as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = 0
        while block := client.recv(4 << 20):
            received += len(block)
            time.sleep(0.02)
    assert received > BIG


def test_requests_that_pile_up(port: int):
    with connected(port) as client:
        client.sendall(GET.replace(b"GET /", b"GET /wait") + GET * 40)
        told = answer(client)
    assert told.count(b"HTTP/1.1 200") <= 18
    assert b"400 Bad Request" in told


def test_who_leaves_while_requests_pile_up(port: int):
    """It is the one under way that has to know."""
    ENDED.clear()
    with connected(port) as client:
        client.sendall(GET.replace(b"GET /", b"GET /endless") + GET * 3)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    deadline = time.monotonic() + 10
    while not ENDED:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_too_many_connections(port: int):
    clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(5)]
    try:
        for client in clients:
            client.sendall(GET)
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        with connected(port) as client:
            assert answer(client).startswith(b"HTTP/1.1 503 ")
    finally:
        for client in clients:
            client.close()
    time.sleep(0.1)
    with connected(port) as client:
        client.sendall(GET)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
