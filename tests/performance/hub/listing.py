"""Listings: pages of the Hub's own, and what stock Minari makes of one."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contents import opened
from population import MINARI, populate, populate_minari
from servers import HubProcess
from table import Row, spoken

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORIES = 10_000
MOST_S = 5
MINARI_COMMAND = "from minari.cli import app; app()"


def measure(root: Path, scale: float) -> list[Row]:
    hub = HubProcess(root / "hub")
    with opened(hub.directory) as inside:
        token = populate(inside, int(REPOSITORIES * scale), 2)
        datasets = populate_minari(inside)
    with hub.running():
        cold, warm = (listed(root, hub, datasets) for _ in range(2))
        pages = list_all(hub.endpoint, token)
    what = f"`minari list remote` over {datasets} datasets, the whole command"
    return [
        row(f"{what}, first time", cold, f"downloads {datasets} files"),
        row(f"{what}, again", warm, "asks for every file whether it has changed"),
        Row("`list_datasets()`, all pages", spoken(pages), "", None, "1,000 repositories a page"),
    ]


@dataclass(frozen=True)
class Listed:
    """Seconds that the command took, and those that it and the server computed."""

    whole: float
    command: float
    server: float


def listed(root: Path, hub: HubProcess, datasets: int) -> Listed:
    server, command = hub.cpu_seconds(), computed_by_children()
    duration = minari(root, hub.endpoint, datasets)
    return Listed(duration, computed_by_children() - command, hub.cpu_seconds() - server)


def computed_by_children() -> float:
    """Return what processes that have ended have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def row(what: str, one: Listed, remark: str) -> Row:
    shares = f"Minari computed {spoken(one.command)}, the server {spoken(one.server)}; {remark}"
    return Row(what, spoken(one.whole), f"≤ {MOST_S} s", one.whole <= MOST_S, shares)


def minari(root: Path, endpoint: str, datasets: int) -> float:
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(root / "hf"),
        "MINARI_REMOTE": f"hf://{MINARI}",
        "MINARI_DATASETS_PATH": str(root / "minari"),
        "COLUMNS": "200",
    }
    start = time.perf_counter()
    command = [sys.executable, "-c", MINARI_COMMAND, "list", "remote", "--all"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    duration = time.perf_counter() - start
    if done.returncode or done.stdout.count("-v0") < datasets:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return duration


def list_all(endpoint: str, token: str) -> float:
    from huggingface_hub import HfApi

    start = time.perf_counter()
    assert sum(1 for _ in HfApi(endpoint=endpoint, token=token).list_datasets()) > 1
    return time.perf_counter() - start
