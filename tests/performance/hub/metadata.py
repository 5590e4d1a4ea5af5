"""Requests for metadata, of a Hub with 10,000 repositories and a million files.

The server is one process and computes on one core at a time; that core's time is what is counted, since the machine
has other things to do.
"""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING

from contents import opened
from load import Asked, load
from population import paths, populate, repo_of
from servers import HubProcess
from table import Row, spoken

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORIES = 10_000
FILES = 100
SECONDS = 5
REPEATS = 3


def measure(root: Path, scale: float) -> list[Row]:
    repositories = int(REPOSITORIES * scale)
    hub = HubProcess(root / "hub")
    with opened(hub.directory) as inside:
        token = populate(inside, repositories, FILES)
    chance = random.Random(1)
    known = paths(FILES)
    repos = [f"datasets/{repo_of(chance.randrange(repositories))}" for _ in range(20_000)]
    kinds = {
        "`HEAD resolve`": [Asked("HEAD", f"/{one}/resolve/main/{chance.choice(known)}") for one in repos],
        "`repo_info`": [Asked("GET", f"/api/{one}") for one in repos],
        "tree": [Asked("GET", f"/api/{one}/tree/main/data/shard-{chance.randrange(4)}") for one in repos],
        "recursive tree (109 entries)": [
            Asked("GET", f"/api/{one}/tree/main?recursive=true") for one in repos
        ],
    }
    with hub.running():
        return [row(hub, token, kind, asked) for kind, asked in kinds.items()]


def row(hub: HubProcess, token: str, kind: str, asked: list[Asked]) -> Row:
    part = len(asked) // REPEATS  # others each time: most of what is asked for was never asked for before
    rates, medians = [], []
    for number in range(REPEATS):
        before = hub.cpu_seconds()
        chosen = asked[number * part : (number + 1) * part]
        measured = load(hub.endpoint, token, chosen, seconds=SECONDS, connections=16)
        rates.append(measured.count / (hub.cpu_seconds() - before))
        medians.append(measured.median)
    rate = statistics.median(rates)
    what = f"{kind} of random repositories, each second that one core computes"
    return Row(what, f"{rate:,.0f}", "≥ 500", rate >= 500, f"median {spoken(statistics.median(medians))}")
