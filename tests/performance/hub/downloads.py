"""One large file, downloaded by the stock client from the Hub and from a plain file server."""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path

from contents import opened, put, random_file
from servers import ADMIN, FileServer, HubProcess
from table import Row, spoken

SIZE = 2_000_000_000
REPEATS = 3
PATH = f"datasets/{ADMIN}/large/resolve/main/data.bin"


def measure(root: Path, scale: float) -> list[Row]:
    source = random_file(root / "files" / PATH, int(SIZE * scale))
    hub = HubProcess(root / "hub")
    with opened(hub.directory) as inside:
        put(inside, "large", "data.bin", source)
    with hub.running(), FileServer(root, root / "files").running() as plain:
        both = {"hub": (hub.endpoint, hub.token), "plain": (plain.endpoint, False)}
        times: dict[str, list[float]] = {name: [] for name in both}
        for _ in range(REPEATS):
            for name, (endpoint, token) in both.items():
                times[name].append(download(root, endpoint, token, source.stat().st_size))
    ours, theirs = (statistics.median(times[name]) for name in ("hub", "plain"))
    what = f"hf_hub_download of {source.stat().st_size / 1e9:.2g} GB"
    remark = f"{spoken(ours)}; {plain.name} {spoken(theirs)}, the same client"
    return [
        Row(what, f"{theirs / ours:.2f} of {plain.name.split()[0]}", "≥ 0.8", theirs / ours >= 0.8, remark)
    ]


def download(root: Path, endpoint: str, token: str | bool, size: int) -> float:
    from huggingface_hub import hf_hub_download

    cache = root / "cache"
    start = time.perf_counter()
    found = hf_hub_download(
        f"{ADMIN}/large", "data.bin", repo_type="dataset", endpoint=endpoint, token=token, cache_dir=cache
    )
    duration = time.perf_counter() - start
    with Path(found).open("rb") as file:
        assert file.seek(0, 2) == size
    shutil.rmtree(cache)
    return duration
