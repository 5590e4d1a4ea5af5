"""Listings: pages of the Hub's own, and what stock Minari makes of one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from contents import opened
from population import MINARI, populate, populate_minari
from servers import HubProcess
from table import Row, spoken

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORIES = 10_000
MINARI_COMMAND = "from minari.cli import app; app()"


def measure(root: Path, scale: float) -> list[Row]:
    hub = HubProcess(root / "hub")
    with opened(hub.directory) as inside:
        token = populate(inside, int(REPOSITORIES * scale), 2)
        datasets = populate_minari(inside)
    with hub.running():
        cold, warm = (minari(root, hub.endpoint, datasets) for _ in range(2))
        pages = list_all(hub.endpoint, token)
    what = f"`minari list remote` over {datasets} datasets, the whole command"
    return [
        Row(f"{what}, first time", spoken(cold), "≤ 5 s", cold <= 5, f"{datasets} files downloaded"),
        Row(f"{what}, again", spoken(warm), "≤ 5 s", warm <= 5, "asks for every file whether it has changed"),
        Row("`list_datasets()`, all pages", spoken(pages), "", None, "1,000 repositories a page"),
    ]


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
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    duration = time.perf_counter() - start
    if done.returncode or done.stdout.count("-v0") < datasets:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return duration


def list_all(endpoint: str, token: str) -> float:
    from huggingface_hub import HfApi

    start = time.perf_counter()
    assert sum(1 for _ in HfApi(endpoint=endpoint, token=token).list_datasets()) > 1
    return time.perf_counter() - start
