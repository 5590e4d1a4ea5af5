"""Publishing a large dataset, against the stock client's upload of the same files to the same server."""

from __future__ import annotations

import shutil
import statistics
from dataclasses import replace

from servers import ADMIN
from stage import LONG, WAYS, Stage, scaled
from table import Row, spoken

LEAST, MOST_MEMORY = 0.7, 300e6


def measure(stage: Stage, scale: float, repeats: int) -> list[Row]:
    rows = []
    for number, (name, conditions) in enumerate(WAYS.items()):
        ours, theirs, peaks = [], [], []
        with stage.way(name, **conditions) as way:
            for repeat in range(repeats):
                for published in (True, False):  # the Hub has none of the bytes before: each time others
                    seed = 4 * repeat + 2 * number + published
                    shape = replace(scaled(LONG, scale), seed=seed, namespace=f"published{seed}")
                    folder = stage.write(shape)
                    way.client.forget()
                    said = (
                        way.client.do("publish", name=shape.dataset_id.partition("/")[0], organization=ADMIN)
                        if published
                        else way.client.do(
                            "upload", repo=f"{ADMIN}/{folder.parent.name}", folder=str(folder.parent)
                        )
                    )
                    (ours if published else theirs).append(said["seconds"])
                    peaks += [said["peak_bytes"]] if published else []
                    shutil.rmtree(folder.parent)
        ratio = statistics.median(theirs) / statistics.median(ours)
        what = f"publish {shape.episodes * shape.steps * 314 / 1e9:.2g} GB, {name}"
        speed = f"{spoken(statistics.median(ours))} against {spoken(statistics.median(theirs))}"
        rows += [
            Row(f"{what}: speed", f"{ratio:.2f} of `hf upload`", f"≥ {LEAST}", ratio >= LEAST, speed),
            Row(
                f"{what}: memory",
                f"{max(peaks) / 1e6:.0f} MB",
                f"≤ {MOST_MEMORY / 1e6:.0f} MB",
                max(peaks) <= MOST_MEMORY,
            ),
        ]
    return rows
