"""The top 10 % by return of a large dataset with long episodes, against downloading all of it."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from stage import LONG, REPO, WAYS, Stage, Way, scaled
from table import Row, spoken, times

if TYPE_CHECKING:
    from sets import Shape

MOST_BYTES, LEAST_TIMES, MOST_AGAIN = 1.15, 5.0, 1.2


def measure(stage: Stage, scale: float, repeats: int) -> list[Row]:
    shape = scaled(LONG, scale)
    reference = stage.put(shape)
    least = stage.least_of_top(shape)
    rows = []
    for name, conditions in WAYS.items():
        with stage.way(name, **conditions) as way:
            rows += _rows(stage, shape, reference, least, way, repeats)
    return rows


def _rows(stage: Stage, shape: Shape, reference: str, least: float, way: Way, repeats: int) -> list[Row]:
    folder = stage.written[shape.dataset_id]
    index = sum((folder / "data" / name).stat().st_size for name in ("episodes.parquet", "metadata.json"))
    size = (folder / "data" / "main_data.hdf5").stat().st_size
    loaded, travelled = way.count("load_top", reference=reference, least=least)
    ours, theirs = [], []
    for _ in range(way.repeats(repeats)):
        way.client.forget()
        ours.append(way.client.do("load_top", reference=reference, least=least)["seconds"])
        again = way.client.do("load_again", reference=reference, local=_local(shape), least=least)
        way.client.forget()
        filtered = way.client.do("minari_top", repo=REPO, folder=folder.name, least=least)
        theirs.append(filtered["seconds"])
        if (filtered["episodes"], round(filtered["total"], 6)) != (
            loaded["episodes"],
            round(loaded["total"], 6),
        ):
            raise RuntimeError(f"not the same data: {filtered} {loaded}")
    share = travelled.down / (loaded["bytes"] + index)
    ratio = statistics.median(theirs) / statistics.median(ours)
    later = again["commit"] / again["local"]
    what = f"top 10 % of {size / 1e9:.2g} GB, {way.name}"
    return [
        Row(
            f"{what}: bytes on the wire",
            f"{share:.3f} × (selected + index)",
            f"≤ {MOST_BYTES}",
            share <= MOST_BYTES,
            f"{travelled.down / 1e6:,.1f} MB in {travelled.requests} requests; selected {loaded['bytes'] / 1e6:,.1f} MB, "
            f"index {index / 1e6:.2f} MB",
        ),
        Row(
            f"{what}: time",
            times(ratio),
            f"≥ {LEAST_TIMES:g}×",
            ratio >= LEAST_TIMES,
            f"{spoken(statistics.median(ours))} against {spoken(statistics.median(theirs))} (all of it, Minari's filter)",
        ),
        Row(
            f"{what}: second load, from the cache",
            f"{later:.2f} × local",
            f"≤ {MOST_AGAIN}",
            later <= MOST_AGAIN,
            f"{spoken(again['commit'])} at a commit, {spoken(again['branch'])} of a branch, which the Hub is asked for; "
            f"local {spoken(again['local'])}",
        ),
    ]


def _local(shape: Shape) -> str:
    return f"local://{shape.dataset_id}"
