"""64 connections that read pieces of a large file: with a token from the Hub, without questions from a file server."""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING

from contents import opened, put, random_file
from load import CLIENT, Asked, load
from servers import ADMIN, FileServer, HubProcess
from table import Row, spoken

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 1_000_000_000
PIECE = 128 << 10
REPEATS = 3
SECONDS = 6
PATH = f"datasets/{ADMIN}/large/resolve/main/data.bin"


def measure(root: Path, scale: float) -> list[Row]:
    source = random_file(root / "files" / PATH, int(SIZE * scale))
    hub = HubProcess(root / "hub")
    with opened(hub.directory) as inside:
        put(inside, "large", "data.bin", source)
    chance = random.Random(1)
    starts = [chance.randrange(source.stat().st_size - PIECE) for _ in range(5000)]
    asked = [Asked("GET", f"/{PATH}", f"bytes={start}-{start + PIECE - 1}") for start in starts]
    with hub.running(), FileServer(root, root / "files").running() as plain:
        load(hub.endpoint, hub.token, asked, seconds=1)  # connections, caches
        ours, theirs = [], []
        for _ in range(REPEATS):
            theirs.append(load(plain.endpoint, "", asked, seconds=SECONDS))
            ours.append(load(hub.endpoint, hub.token, asked, seconds=SECONDS))
    rate = statistics.median(one.rate for one in ours)
    ratio = rate / statistics.median(one.rate for one in theirs)
    spread, plain_spread = (
        statistics.median(one.slowest / one.median for one in loads) for loads in (ours, theirs)
    )
    median = statistics.median(one.median for one in ours)
    what = "64 parallel authorised range reads of 128 KiB"
    name = plain.name.split()[0]
    remark = f"{rate:,.0f}/s; client: {CLIENT}"
    beside = f"median {spoken(median)}; {name} {plain_spread:.1f}×"
    return [
        Row(what, f"{ratio:.2f} of {name}", "≥ 0.15", ratio >= 0.15, remark),
        Row("99th percentile of their times", f"{spread:.1f}× the median", "≤ 5×", spread <= 5, beside),
    ]
