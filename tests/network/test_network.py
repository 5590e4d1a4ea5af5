"""The network between client and server does to real HTTP what it says, and nothing else."""

from __future__ import annotations

import http.client
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.faults import Answer, Cut, Drip, Flip, Sometimes, Stall, first, rate_limit
from tests.support.network import SLOW, Network

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = random.Random(0).randbytes(1 << 20)


class Files(BaseHTTPRequestHandler):
    """Answers GET with so many bytes as the path says, and POST with what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        content = CONTENT[: int(self.path.rpartition("/")[2])]
        self.send_response(200)
        if self.path.startswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in filter(None, (content[:1000], content[1000:])):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    listener.daemon_threads = True
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield listener.server_port
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture
def network(server: int) -> Iterator[Network]:
    with Network(server) as running:
        yield running


def connect(network: Network, timeout: float = 10) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", network.port, timeout=timeout)


def ask_once(network: Network, method: str, path: str, body: bytes | None = None):
    connection = connect(network)
    try:
        return ask(connection, method, path, body)
    finally:
        connection.close()


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None):
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_many_requests_of_one_connection_pass_unchanged_and_are_counted(network: Network):
    connection = connect(network)
    for size in (0, 10, 5000, len(CONTENT)):
        assert ask(connection, "GET", f"/plain/{size}") == (200, CONTENT[:size])
        assert ask(connection, "GET", f"/chunked/{size}") == (200, CONTENT[:size])
        assert ask(connection, "HEAD", f"/plain/{size}") == (200, b"")
        assert ask(connection, "POST", "/", CONTENT[:size]) == (200, CONTENT[:size])
    socket = connection.sock
    assert socket is not None
    connection.close()
    posts = [exchange for exchange in network.log if exchange.asked.method == "POST"]
    assert [exchange.sent for exchange in posts] == [0, 10, 5000, len(CONTENT)]
    assert [exchange.received for exchange in posts] == [0, 10, 5000, len(CONTENT)]
    everything = 3 * (10 + 5000 + len(CONTENT))
    totals = network.totals()
    assert totals.requests == 16
    assert everything < totals.down < everything + 16 * 400
    network.forget()
    assert (network.totals().requests, network.totals().down) == (0, 0)


def test_a_round_trip_takes_its_time(server: int):
    with Network(server, round_trip_s=0.05) as network:
        connection = connect(network)
        ask(connection, "GET", "/plain/10")  # connects, too
        start = time.perf_counter()
        for _ in range(3):
            assert ask(connection, "GET", "/plain/10") == (200, CONTENT[:10])
        assert 0.15 <= time.perf_counter() - start < 0.45
        connection.close()


def test_round_trips_of_several_connections_pass_at_the_same_time(server: int):
    with Network(server, round_trip_s=0.4) as network, ThreadPoolExecutor(8) as pool:
        start = time.perf_counter()
        list(pool.map(lambda _: ask_once(network, "GET", "/plain/10"), range(8)))
        assert time.perf_counter() - start < 8 * 0.4


@pytest.mark.parametrize("connections", [1, 4])
def test_width_is_shared(server: int, connections: int):
    size = len(CONTENT)
    with Network(server, bits_per_s=40e6) as network, ThreadPoolExecutor(connections) as pool:
        start = time.perf_counter()
        parts = pool.map(
            lambda _: ask_once(network, "GET", f"/plain/{size // connections}"), range(connections)
        )
        assert sum(len(content) for _, content in parts) == size
        assert 0.20 <= time.perf_counter() - start < 2  # 1 MiB at 5 MB/s: 0.21 s


def test_slow_is_what_the_issue_says():
    assert SLOW == {"round_trip_s": 0.020, "bits_per_s": 200e6}


def test_an_answer_comes_instead_of_the_servers(network: Network):
    network.rule = first(1, rate_limit(3), containing="/plain")
    connection = connect(network)
    connection.request("POST", "/plain", b"ignored")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
    assert b"rate limit" in answer.read()
    assert ask(connection, "GET", "/plain/10") == (200, CONTENT[:10])
    assert dict(network.statuses()) == {429: 1, 200: 1}
    network.rule = first(1, Answer(503))
    assert ask(connection, "HEAD", "/plain/10") == (503, b"")
    connection.close()


@pytest.mark.parametrize("kind", ["plain", "chunked"])
@pytest.mark.parametrize("after", [0, 1, 70_000])
def test_answers_are_cut(network: Network, kind: str, after: int):
    network.rule = first(1, Cut(after))
    connection = connect(network)
    connection.request("GET", f"/{kind}/100000")
    got = b""
    with pytest.raises((ConnectionError, http.client.HTTPException)):  # noqa: PT012 - reads until it breaks
        answer = connection.getresponse()
        while part := answer.read1(1000):
            got += part
        if len(got) < 100_000:
            raise http.client.IncompleteRead(got)
    assert CONTENT.startswith(got)
    assert len(got) <= after
    connection.close()
    assert ask_once(network, "GET", "/plain/10") == (200, CONTENT[:10])


def test_requests_are_cut(network: Network):
    network.rule = first(1, Cut(500_000, of_request=True))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask_once(network, "POST", "/", CONTENT)
    assert 500_000 <= network.log[0].sent < len(CONTENT)
    assert ask_once(network, "POST", "/", CONTENT) == (200, CONTENT)


def test_a_stalled_answer_ends_with_the_clients_patience(network: Network):
    network.rule = first(1, Stall(1000))
    connection = connect(network, timeout=0.2)
    connection.request("GET", "/plain/100000")
    with pytest.raises(TimeoutError):
        connection.getresponse().read()
    connection.close()
    assert ask_once(network, "GET", "/plain/10") == (200, CONTENT[:10])


def test_a_dripping_answer_is_whole_at_last(network: Network):
    network.rule = first(1, Drip(50_000))
    start = time.perf_counter()
    assert ask_once(network, "GET", "/plain/10000") == (200, CONTENT[:10_000])
    assert time.perf_counter() - start >= 0.19


@pytest.mark.parametrize("at", [0, 4999, 5000, 300_000])
def test_one_bit_is_flipped(network: Network, at: int):
    network.rule = first(1, Flip(at, bit=3))
    _, content = ask_once(network, "GET", "/chunked/300001")
    changed = [
        place for place, (one, other) in enumerate(zip(content, CONTENT, strict=False)) if one != other
    ]
    assert changed == [at]
    assert content[at] ^ CONTENT[at] == 8
    assert ask_once(network, "GET", "/plain/10") == (200, CONTENT[:10])


def test_chance_is_repeatable_and_ends(network: Network):
    network.rule = chance = Sometimes(
        1, 0.5, [lambda _: Answer(503), lambda r: Flip(r.randrange(10))], most=5
    )
    statuses = [ask_once(network, "GET", "/plain/10")[0] for _ in range(30)]
    assert len(chance.done) == 5
    network.rule = again = Sometimes(1, 0.5, chance.kinds, most=5)
    assert [ask_once(network, "GET", "/plain/10")[0] for _ in range(30)] == statuses
    assert again.done == chance.done


def test_a_server_that_hangs_up_an_idle_connection_is_seen_by_the_client(tmp_path):
    class Hasty(Files):
        timeout = 0.1

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Hasty)
    listener.daemon_threads = True
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with Network(listener.server_port) as network:
            connection = connect(network, timeout=5)
            ask(connection, "GET", "/plain/10")
            assert connection.sock.recv(1) == b""  # not at the next request
            connection.close()
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def test_nothing_is_left_behind(server: int):
    before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    for _ in range(3):
        with Network(server) as network:
            connections = [connect(network) for _ in range(5)]
            for connection in connections:
                ask(connection, "GET", "/plain/1000")
            network.rule = first(1, Stall(0))
            connections[0].request("GET", "/plain/10")
        for connection in connections:
            connection.close()
    time.sleep(0.1)
    after = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    assert after[0] <= before[0] + 2
    assert after[1] <= before[1] + 2
