"""The first batch out of a dataset that nothing is known of, against downloading it."""

from __future__ import annotations

import statistics

from stage import LONG, REPO, WAYS, Stage, scaled
from table import Row, spoken

MOST = 0.1


def measure(stage: Stage, scale: float, repeats: int) -> list[Row]:
    shape = scaled(LONG, scale)
    reference = stage.put(shape)
    path = f"{stage.written[shape.dataset_id].name}/data/main_data.hdf5"
    rows = []
    for name, conditions in WAYS.items():
        ours, theirs = [], []
        with stage.way(name, **conditions) as way:
            _, travelled = way.count("first_batch", reference=reference)
            for _ in range(way.repeats(repeats)):
                way.client.forget()
                ours.append(way.client.do("first_batch", reference=reference)["seconds"])
                way.client.forget()
                theirs.append(way.client.do("download", repo=REPO, path=path)["seconds"])
        share = statistics.median(ours) / statistics.median(theirs)
        rows.append(
            Row(
                f"first batch of 256, {name}",
                f"{share:.1%} of a full download",
                f"≤ {MOST:.0%}",
                share <= MOST,
                f"{spoken(statistics.median(ours))} against {spoken(statistics.median(theirs))}; "
                f"{travelled.down / 1e6:,.1f} MB in {travelled.requests} requests",
            )
        )
    return rows
