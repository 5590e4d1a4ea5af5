"""Rewards and flags of everything, for statistics: nothing else travels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stage import LONG, WAYS, Stage, scaled
from table import Row, spoken

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 1.15


def measure(stage: Stage, scale: float, repeats: int) -> list[Row]:
    shape = scaled(LONG, scale)
    reference = stage.put(shape)
    rows = []
    for name, conditions in WAYS.items():
        with stage.way(name, **conditions) as way:
            read, totals = way.count("statistics", reference=reference)
        index = _index(stage.written[shape.dataset_id])
        share = totals.down / (read["bytes"] + index)
        rows.append(
            Row(
                f"rewards and flags of {shape.episodes} × {shape.steps} steps, {name}",
                f"{share:.3f} × (these columns + index)",
                f"≤ {MOST_BYTES}",
                share <= MOST_BYTES,
                f"{totals.down / 1e6:,.1f} MB in {totals.requests} requests, {spoken(read['seconds'])}",
            )
        )
    return rows


def _index(folder: Path) -> int:
    return sum((folder / "data" / name).stat().st_size for name in ("episodes.parquet", "metadata.json"))
