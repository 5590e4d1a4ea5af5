"""Bytes that travel when a published dataset grows, and when a publisher that was killed begins again."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from servers import ADMIN
from stage import LONG, WAYS, Stage, scaled
from table import Row, spoken

if TYPE_CHECKING:
    from pathlib import Path

    from sets import Shape
    from stage import Way

SHARE, MOST_BYTES = 0.01, 0.05
MOST_MEMORY = 300e6
PACK = 68e6  # what Xet sends at once: the one on its way is lost
WAY = "20 ms, 200 Mbit/s"


def measure(stage: Stage, scale: float, repeats: int) -> list[Row]:
    del repeats  # counts vary little, and it is a slow way
    return [*_appended(stage, 0.15 * scale), *_resumed(stage, max(0.15 * scale, 0.1))]


def _appended(stage: Stage, scale: float) -> list[Row]:
    """Append on the machine that has published the dataset, and twice on one that has not."""
    shape = replace(scaled(LONG, scale), seed=900, namespace="growing")
    size = _size(stage, shape)
    with stage.way(WAY, **WAYS[WAY]) as way:
        way.client.do("publish", name=shape.namespace, organization=ADMIN)
        here = _more(stage, way, stage.root / "ours", shape, 901)
        way.client.forget()
        elsewhere = stage.root / "elsewhere"
        first = _more(stage, way, elsewhere, shape, 902)
        second = _more(stage, way, elsewhere, shape, 903)
    what = f"append {SHARE:.0%} to {size / 1e6:,.0f} MB, {WAY}"
    return [
        *_rows(f"{what}, where it was published from", size, here),
        *_rows(f"{what}, elsewhere, the second time", size, second, first),
        Row(
            f"{what}: memory",
            f"{max(here.peak, second.peak) / 1e6:.0f} MB",
            f"≤ {MOST_MEMORY / 1e6:.0f} MB",
            max(here.peak, second.peak) <= MOST_MEMORY,
            f"the first time elsewhere, when everything comes and goes, {first.peak / 1e6:.0f} MB",
        ),
    ]


@dataclass(frozen=True)
class _Appended:
    up: int
    down: int
    seconds: float
    peak: float


def _more(stage: Stage, way: Way, datasets: Path, shape: Shape, seed: int) -> _Appended:
    more = replace(shape, seed=seed, namespace=f"more{seed}", episodes=max(1, int(SHARE * shape.episodes)))
    written = stage.write(more)
    place = datasets / more.dataset_id
    if place != written:
        shutil.copytree(written, place)
    way.network.forget()
    client = replace(way.client, datasets=datasets)
    said = client.do("append", reference=f"{ADMIN}/{shape.dataset_id}", name=more.dataset_id)
    totals = way.network.totals()
    return _Appended(totals.up, totals.down, said["seconds"], said["peak_bytes"])


def _rows(what: str, size: int, made: _Appended, first: _Appended | None = None) -> list[Row]:
    remark = f"{made.up / 1e6:,.1f} MB up, {made.down / 1e6:,.1f} MB down, {spoken(made.seconds)}"
    if first is not None:
        remark += f"; the first time {first.up / 1e6:,.0f} MB up, {first.down / 1e6:,.0f} MB down, {spoken(first.seconds)}"
    most = MOST_BYTES * size
    return [
        Row(
            f"{what}: sent",
            f"{made.up / size:.1%} of the file",
            f"≤ {MOST_BYTES:.0%}",
            made.up <= most,
            remark,
        ),
        Row(f"{what}: came", f"{made.down / size:.1%} of the file", f"≤ {MOST_BYTES:.0%}", made.down <= most),
    ]


def _resumed(stage: Stage, scale: float) -> list[Row]:
    shape = replace(scaled(LONG, scale), seed=910, namespace="resumed")
    size = _size(stage, shape)
    with stage.way(WAY, **WAYS[WAY]) as way:
        before = _killed_at(way, shape.namespace, 0.7 * size)
        way.network.forget()
        way.client.do("publish", name=shape.namespace, organization=ADMIN)
        again = way.network.totals().up
    twice = before + again - size
    return [
        Row(
            f"publish {size / 1e6:,.0f} MB, killed after {before / 1e6:,.0f} MB, again: sent twice",
            f"{twice / 1e6:.0f} MB",
            f"≤ {PACK / 1e6:.0f} MB (one pack)",
            twice <= PACK + 0.02 * size,
            f"{again / 1e6:,.0f} MB the second time",
        )
    ]


def _killed_at(way: Way, name: str, size: float) -> int:
    """Publish until so many bytes have travelled, and return how many have."""
    process = way.client.start("publish", name=name, organization=ADMIN)
    while process.poll() is None and way.network.totals().up < size:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    return way.network.totals().up


def _size(stage: Stage, shape: Shape) -> int:
    return (stage.write(shape) / "data" / "main_data.hdf5").stat().st_size
