"""Many requests at once: by ``wrk``, or by a client in Python where there is none."""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import subprocess
import tempfile
import time
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
    host = urlsplit(endpoint)
    texts = [
        f"{one.method} {one.path} HTTP/1.1\r\nHost: {host.netloc}\r\n"
        + (f"Authorization: {authorization}\r\n" if authorization else "")
        + (f"Range: {one.range}\r\n" if one.range else "")
        + "\r\n"
        for one in asked
    ]
    times: list[float] = []

    async def connection(first: int, until: float) -> None:
        reader, writer = await asyncio.open_connection(host.hostname, host.port, limit=1 << 20)
        place = first
        while time.perf_counter() < until:
            start = time.perf_counter()
            writer.write(texts[place % len(texts)].encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if head.split()[1] not in ("200", "206"):
                raise RuntimeError(head)
            length = int(re.search(r"(?i)\ncontent-length: *(\d+)", head)[1])
            if asked[place % len(texts)].method != "HEAD":
                await reader.readexactly(length)
            times.append(time.perf_counter() - start)
            place += connections
        writer.close()

    async def all_connections() -> None:
        until = time.perf_counter() + seconds
        await asyncio.gather(*(connection(number, until) for number in range(connections)))

    begun = time.perf_counter()
    asyncio.run(all_connections())
    rate = len(times) / (time.perf_counter() - begun)
    return Load(len(times), rate, statistics.median(times), statistics.quantiles(times, n=100)[98])
