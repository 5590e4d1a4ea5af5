"""Requests for metadata, of a Hub with 10,000 repositories and a million files.

Half of the repositories are private, and whoever asks is a member who sends a token each time. The server runs on one
core of the machine and its clients on another: requests a second are those that one core answers. Each second of that
core's own time is counted beside it, since the machine may have other things to do.
"""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from contents import opened
from load import Asked, load
from population import paths, populate, repo_of
from servers import HubProcess, two_cores, working_on
from table import Row, spoken

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORIES = 10_000
FILES = 100
ASKED = 60_000  # more than are answered, so that each repeat asks for others
SECONDS = 4
REPEATS = 3
CONNECTIONS = 16
LEAST = 500
RECURSIVE = "`list_repo_tree`, recursive (105 entries)"


def measure(root: Path, scale: float) -> list[Row]:
    repositories = max(100, int(REPOSITORIES * scale))
    hub = HubProcess(root / "hub")
    with opened(hub.directory) as inside:
        start = time.perf_counter()
        token = populate(inside, repositories, FILES)
        print(f"  {repositories * FILES:,} files in {spoken(time.perf_counter() - start)}", flush=True)
    server, client = two_cores()
    with hub.running(server), working_on(client):
        measured = {kind: rates(hub, token, asked) for kind, asked in kinds(repositories).items()}
    return [row for kind, one in measured.items() for row in rows(kind, one, is_alone=server is not None)]


def kinds(repositories: int) -> dict[str, list[Asked]]:
    """Return the requests of each kind, for random repositories."""
    chance = random.Random(1)
    known = paths(FILES)
    repos = [f"datasets/{repo_of(chance.randrange(repositories))}" for _ in range(ASKED)]
    return {
        "`HEAD resolve`": [Asked("HEAD", f"/{one}/resolve/main/{chance.choice(known)}") for one in repos],
        "`repo_info`": [Asked("GET", f"/api/{one}") for one in repos],
        "`list_repo_tree` of a folder (25 files)": [
            Asked("GET", f"/api/{one}/tree/main/data/shard-{chance.randrange(4)}") for one in repos
        ],
        RECURSIVE: [Asked("GET", f"/api/{one}/tree/main?recursive=true") for one in repos],
    }


@dataclass(frozen=True)
class Rates:
    """Requests a second by the clock, and for each second that the server computed; the median request's seconds."""

    by_clock: float
    computing: float
    median: float


def rates(hub: HubProcess, token: str, asked: list[Asked]) -> Rates:
    part = len(asked) // REPEATS
    measured = []
    for number in range(REPEATS):
        chosen = asked[number * part : (number + 1) * part]
        before = hub.cpu_seconds()
        one = load(hub.endpoint, token, chosen, seconds=SECONDS, connections=CONNECTIONS)
        measured.append(Rates(one.rate, one.count / (hub.cpu_seconds() - before), one.median))
    return Rates(*(statistics.median(values) for values in zip(*map(astuple, measured), strict=True)))


def rows(kind: str, one: Rates, *, is_alone: bool) -> list[Row]:
    """Return what the table says; ``is_alone`` if the server had a core without its clients."""
    has_target = kind != RECURSIVE
    target = f"≥ {LEAST}/s" if has_target else ""
    remark = f"median {spoken(one.median)} with {CONNECTIONS} connections"
    by_clock = one.by_clock >= LEAST if has_target and is_alone else None
    computing = one.computing >= LEAST if has_target else None
    return [
        Row(f"{kind}, by the clock, server on one core", f"{one.by_clock:,.0f}/s", target, by_clock, remark),
        Row(f"{kind}, each second that it computes", f"{one.computing:,.0f}/s", target, computing),
    ]
