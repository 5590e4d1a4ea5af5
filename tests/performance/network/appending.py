"""Bytes that travel when a published dataset grows, and when a publisher that was killed begins again."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from servers import ADMIN
from stage import LONG, WAYS, Stage, scaled
from table import Row, spoken

if TYPE_CHECKING:
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
    shape = replace(scaled(LONG, scale), seed=900, namespace="growing")
    more = replace(shape, seed=901, namespace="more", episodes=max(1, int(SHARE * shape.episodes)))
    size = _size(stage, shape)
    new = _size(stage, more)
    with stage.way(WAY, **WAYS[WAY]) as way:
        way.client.do("publish", name=shape.namespace, organization=ADMIN)
        way.network.forget()
        said = way.client.do("append", reference=f"{ADMIN}/{shape.dataset_id}", name=more.dataset_id)
        totals = way.network.totals()
    what = f"append {new / 1e6:,.1f} MB to {size / 1e6:,.0f} MB, {WAY}"
    return [
        Row(
            f"{what}: sent",
            f"{totals.up / size:.1%} of the file",
            f"≤ {MOST_BYTES:.0%}",
            totals.up <= MOST_BYTES * size,
            f"{totals.up / 1e6:,.1f} MB up, {totals.down / 1e6:,.1f} MB down, {spoken(said['seconds'])}",
        ),
        Row(
            f"{what}: memory",
            f"{said['peak_bytes'] / 1e6:.0f} MB",
            f"≤ {MOST_MEMORY / 1e6:.0f} MB",
            said["peak_bytes"] <= MOST_MEMORY,
        ),
    ]


def _resumed(stage: Stage, scale: float) -> list[Row]:
    shape = replace(scaled(LONG, scale), seed=902, namespace="resumed")
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
