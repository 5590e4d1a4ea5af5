"""Publishing a large dataset, against the stock client's upload of files of the same size to the same server."""

from __future__ import annotations

import shutil
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

from servers import ADMIN
from stage import LONG, WAYS, Stage, scaled
from table import Row, spoken

if TYPE_CHECKING:
    from stage import Client

LEAST, MOST_MEMORY = 0.7, 300e6
MOST_REPEATS = 2  # the Hub keeps each set, which is 2 GB
_FIRST_SEED = 500


def measure(stage: Stage, scale: float, repeats: int) -> list[Row]:
    rows = []
    seed = _FIRST_SEED
    for name, conditions in WAYS.items():
        ours, theirs, foreign, peaks = [], [], [], []
        with stage.way(name, **conditions) as way:
            for repeat in range(1 if conditions else min(repeats, MOST_REPEATS)):  # minutes on a slow way
                for times in (ours, theirs, foreign) if repeat % 2 == 0 else (foreign, theirs, ours):
                    seed += 1
                    client = replace(way.client, cache=stage.root / "cache") if times is ours else way.client
                    said = _sent(stage, client, scale, seed, published=times is not theirs)
                    times.append(said["seconds"])
                    peaks += [] if times is theirs else [said["peak_bytes"]]
        rows += _rows(f"publish {_gigabytes(scale):.2g} GB, {name}", ours, theirs, foreign, peaks)
    return rows


def _sent(stage: Stage, client: Client, scale: float, seed: int, *, published: bool) -> dict[str, float]:
    """Send a set of which the Hub has no byte."""
    shape = replace(scaled(LONG, scale), seed=seed, namespace=f"published{seed}")
    folder = stage.write(shape).parent
    client.forget()
    try:
        if published:
            return client.do("publish", name=shape.namespace, organization=ADMIN)
        return client.do("upload", repo=f"{ADMIN}/{shape.namespace}", folder=str(folder))
    finally:
        shutil.rmtree(folder)


def _rows(
    what: str, ours: list[float], theirs: list[float], foreign: list[float], peaks: list[float]
) -> list[Row]:
    return [
        _speed(f"{what}, recorded here: speed", ours, theirs),
        _speed(f"{what}, of others, verified first: speed", foreign, theirs),
        Row(
            f"{what}: memory",
            f"{max(peaks) / 1e6:.0f} MB",
            f"≤ {MOST_MEMORY / 1e6:.0f} MB",
            max(peaks) <= MOST_MEMORY,
        ),
    ]


def _speed(what: str, ours: list[float], theirs: list[float]) -> Row:
    mine, stock = statistics.median(ours), statistics.median(theirs)
    ratio = stock / mine
    remark = f"{spoken(mine)} against {spoken(stock)}"
    return Row(what, f"{ratio:.2f} of `hf upload`", f"≥ {LEAST}", ratio >= LEAST, remark)


def _gigabytes(scale: float) -> float:
    shape = scaled(LONG, scale)
    return shape.episodes * shape.steps * 314 / 1e9
