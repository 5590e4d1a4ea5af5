"""2 GB uploaded by LFS and by Xet, against copying the file and hashing it; memory; and what an append sends again."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from contents import random_file
from relay import Relay
from servers import ADMIN, HubProcess
from sets import BIG, Shape, episodes, store, write_ours
from table import Row, spoken
from uploading import upload

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 2_000_000_000
REPEATS = 2
TARGETS = {"LFS": 0.4, "Xet": 0.25}
MOST_BYTES = 300 << 20
MOST_SENT_AGAIN = 0.05
SERIES = replace(BIG, name="series", episodes=1_000)  # about 190 MB of numbers that nothing compresses
APPENDED = 0.01


def measure(root: Path, scale: float) -> list[Row]:
    source = random_file(root / "data.bin", int(SIZE * scale))
    rows = []
    for way, target in TARGETS.items():
        pairs = [side_by_side(root / f"{way}-{number}", source, way) for number in range(REPEATS)]
        rows += compared(way, target, source.stat().st_size, pairs)
    source.unlink()
    return [*rows, appended(root, replace(SERIES, episodes=max(100, int(SERIES.episodes * scale))))]


@dataclass(frozen=True)
class Pair:
    """One upload, and the copy beside it: seconds of both, of which the server computed some; its peak of memory."""

    uploading: float
    copying: float
    computed: float
    peak: int


def side_by_side(root: Path, source: Path, way: str) -> Pair:
    """Copy the file, upload it to a new Hub, and copy it again: the disk is not always equally fast."""
    root.mkdir()
    before = copied(root, source)
    hub = HubProcess(root / "hub")
    with hub.running():
        hub.forget_peak()
        computed = hub.cpu_seconds()
        repo = f"{ADMIN}/upload"
        duration = upload(hub.endpoint, hub.token, repo, source, home=root / "hf", xet=way == "Xet")
        computed = hub.cpu_seconds() - computed
        came_by = hub.received("/xet/" if way == "Xet" else "/lfs/")
        assert came_by >= source.stat().st_size, f"the client did not use {way}"
        peak = hub.peak_bytes()
    shutil.rmtree(root / "hub")
    pair = Pair(duration, statistics.mean((before, copied(root, source))), computed, peak)
    shutil.rmtree(root)
    return pair


def copied(root: Path, source: Path) -> float:
    """Return the seconds of ``cp`` and then ``sha256sum``."""
    copy = root / "copy"
    start = time.perf_counter()
    subprocess.run(["cp", source, copy], check=True)
    subprocess.run(["sha256sum", source], check=True, stdout=subprocess.DEVNULL)
    duration = time.perf_counter() - start
    copy.unlink()
    return duration


def compared(way: str, target: float, size: int, pairs: list[Pair]) -> list[Row]:
    ratio = statistics.median(pair.copying / pair.uploading for pair in pairs)
    ours, theirs = (
        statistics.median(getattr(pair, name) for pair in pairs) for name in ("uploading", "copying")
    )
    computed = statistics.median(pair.computed for pair in pairs)
    peak = max(pair.peak for pair in pairs)
    what = f"upload of {size / 1e9:.2g} GB by {way}"
    remark = (
        f"{spoken(ours)}, of which the server computed {spoken(computed)}; copy and hash {spoken(theirs)}"
    )
    return [
        Row(what, f"{ratio:.2f} of `cp` + `sha256sum`", f"≥ {target:g}", ratio >= target, remark),
        Row(
            f"{what}: the server's memory",
            f"{peak / 2**20:.0f} MiB",
            "≤ 300 MiB",
            peak <= MOST_BYTES,
            "high water",
        ),
    ]


def appended(root: Path, shape: Shape) -> Row:
    """Upload a dataset file of our writer by Xet, add a hundredth of its episodes, and upload it again."""
    write_ours(shape, root)
    file = store(root).data_path(shape.dataset_id) / "main_data.hdf5"
    hub = HubProcess(root / "hub")
    with hub.running(), Relay(urlsplit(hub.endpoint).port).running() as relay:

        def sent() -> int:
            before = relay.sent
            upload(relay.endpoint, hub.token, f"{ADMIN}/series", file, home=root / "hf", xet=True)
            return relay.sent - before

        first = sent()
        more = max(1, round(shape.episodes * APPENDED))
        with store(root).append(shape.dataset_id) as writer:
            for episode in episodes(replace(shape, episodes=more, seed=1)):
                writer.add(replace(episode, episode_id=None))
        second = sent()
    share = second / first
    remark = f"{second / 1e6:.1f} MB of {first / 1e6:.0f} MB, counted on the wire; {more} episodes to {shape.episodes}"
    return Row(
        "appending 1 % of new episodes sends again by Xet",
        f"{share:.1%}",
        f"≤ {MOST_SENT_AGAIN:.0%}",
        share <= MOST_SENT_AGAIN,
        remark,
    )
