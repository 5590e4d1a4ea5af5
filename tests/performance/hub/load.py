"""Many requests at once: by ``wrk``, or by a client in Python where there is none."""

from __future__ import annotations

import re
import selectors
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENT = "wrk" if shutil.which("wrk") else "a client in Python"
SCRIPT = """
local requests = {}
local place = 0
init = function(args)
  for line in io.lines("%s") do
    local method, path, range = line:match("(%%S+) (%%S+) ?(%%S*)")
    local headers = {["Authorization"] = "%s"}
    if range ~= "" then headers["Range"] = range end
    requests[#requests + 1] = wrk.format(method, path, headers)
  end
end
request = function()
  place = place %% #requests + 1
  return requests[place]
end
"""
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True)
class Asked:
    """One request; ``range`` as the header says it, "" for none."""

    method: str
    path: str
    range: str = ""


@dataclass(frozen=True)
class Load:
    """What came of it: how many, how many a second, and times of single ones in seconds."""

    count: int
    rate: float
    median: float
    slowest: float
    """The 99th percentile."""


def load(endpoint: str, token: str, asked: Sequence[Asked], *, seconds: float, connections: int = 64) -> Load:
    """Send these requests again and again, each connection the next one when it has its answer.

    Raises:
        RuntimeError: an answer was neither 200 nor 206.
    """
    has_heads = any(
        one.method == "HEAD" for one in asked
    )  # whose answers have no body, which wrk does not know
    run = by_wrk if CLIENT == "wrk" and not has_heads else by_python
    return run(endpoint, f"Bearer {token}" if token else "", asked, seconds, connections)


def by_wrk(
    endpoint: str, authorization: str, asked: Sequence[Asked], seconds: float, connections: int
) -> Load:
    with tempfile.TemporaryDirectory() as folder:
        requests, script = Path(folder, "requests"), Path(folder, "script.lua")
        requests.write_text("".join(f"{one.method} {one.path} {one.range}\n" for one in asked))
        script.write_text(SCRIPT % (requests, authorization))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(round(seconds), 1)}s", "--timeout", "20s"]
        command += ["--latency", "-s", str(script), endpoint]
        done = subprocess.run(command, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    times = {share: float(value) * UNITS[unit] for share, value, unit in
             re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", said)}  # fmt: skip
    count = int(re.search(r"(\d+) requests in", said)[1])
    return Load(count, float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), times["50"], times["99"])


def by_python(
    endpoint: str, authorization: str, asked: Sequence[Asked], seconds: float, connections: int
) -> Load:
    """Ask through plain sockets and one selector: a tenth of what a client library would compute for each request."""
    host = urlsplit(endpoint)
    texts = [encoded(one, host.netloc, authorization) for one in asked]
    buffer, times = bytearray(1 << 20), []
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for number in range(connections):
            plain = stack.enter_context(socket.create_connection((host.hostname, host.port), 20))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(plain, texts, number, connections)
            selector.register(plain, selectors.EVENT_READ, connection)
            connection.ask()
        begun = now = time.perf_counter()
        while now < begun + seconds:
            for key, _ in selector.select(20):
                if key.data.take(buffer):
                    now = time.perf_counter()
                    times.append(now - key.data.begun)
                    key.data.ask()
    return Load(len(times), len(times) / (now - begun), statistics.median(times), percentile_99(times))


def encoded(one: Asked, host: str, authorization: str) -> bytes:
    """Return a request as it goes into the socket."""
    lines = [f"{one.method} {one.path} HTTP/1.1", f"Host: {host}"]
    lines += [f"Authorization: {authorization}"] if authorization else []
    lines += [f"Range: {one.range}"] if one.range else []
    return "\r\n".join([*lines, "", ""]).encode()


def percentile_99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


class Connection:
    """One connection, with one request at a time.

    Attributes:
        begun: when the last request was sent.
    """

    def __init__(self, plain: socket.socket, texts: Sequence[bytes], first: int, step: int) -> None:
        self._socket = plain
        self._texts = texts
        self._place = first
        self._step = step

    def ask(self) -> None:
        """Send the next request."""
        self._text = self._texts[self._place % len(self._texts)]
        self._place += self._step
        self._head = b""
        self._left = -1  # unknown, until the head is there
        self.begun = time.perf_counter()
        self._socket.sendall(self._text)

    def take(self, buffer: bytearray) -> bool:
        """Take in what has come and return whether the answer is complete.

        Raises:
            RuntimeError: the answer is neither 200 nor 206, or the connection was closed.
        """
        count = self._socket.recv_into(buffer)
        if not count:
            raise RuntimeError("the server closed a connection")
        if self._left >= 0:
            self._left -= count
        else:
            self._take_head(bytes(memoryview(buffer)[:count]))
        return self._left == 0

    def _take_head(self, block: bytes) -> None:
        self._head += block
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not end:
            return
        if head.split(None, 2)[1] not in (b"200", b"206"):
            raise RuntimeError(head.decode("latin-1"))
        has_body = not self._text.startswith(b"HEAD ")
        self._left = int(LENGTH.search(head)[1]) - len(body) if has_body else 0
