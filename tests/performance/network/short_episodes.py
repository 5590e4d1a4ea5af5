"""Short episodes scattered over a file: what the planner chooses, against both things it could have chosen."""

from __future__ import annotations

import statistics

from stage import SHORT, Stage, scaled
from table import Row, spoken

MOST_BYTES, MOST_TIMES = 1.05, 1.3
BITS_PER_S = 200e6
SHARES = (0.1, 0.01)


def measure(stage: Stage, scale: float, repeats: int) -> list[Row]:
    shape = scaled(SHORT, scale)
    reference = stage.put(shape)
    folder = stage.written[shape.dataset_id]
    size = sum(path.stat().st_size for path in (folder / "data").iterdir())
    rows = []
    for share in SHARES:
        least = stage.least_of_top(shape, share)
        for milliseconds in (1, 20, 100):
            conditions = {"round_trip_s": milliseconds / 1000, "bits_per_s": BITS_PER_S}
            times: dict[str, list[float]] = {"": [], "ranges": [], "whole": []}
            down: dict[str, int] = {}
            with stage.way(f"{milliseconds} ms", **conditions) as way:
                for _ in range(repeats):
                    for force, seconds in times.items():
                        way.client.forget()
                        way.network.forget()
                        said = way.client.do("load_top", reference=reference, least=least, force=force)
                        seconds.append(said["seconds"])
                        down[force] = way.network.totals().down
            rows += _rows(f"L, top {share:.0%} by return, {milliseconds} ms", times, down, size)
    return rows


def _rows(what: str, times: dict[str, list[float]], down: dict[str, int], size: int) -> list[Row]:
    taken = {force: statistics.median(seconds) for force, seconds in times.items()}
    ratio = taken[""] / min(taken["ranges"], taken["whole"])
    share = down[""] / size
    told = ", ".join(
        f"{force} {spoken(taken[force])} ({down[force] / 1e6:.1f} MB)" for force in ("ranges", "whole")
    )
    return [
        Row(
            f"{what}: bytes",
            f"{share:.2f} of the file",
            f"≤ {MOST_BYTES}",
            share <= MOST_BYTES,
            f"{down[''] / 1e6:.1f} MB",
        ),
        Row(
            f"{what}: time",
            f"{ratio:.2f} × the better way",
            f"≤ {MOST_TIMES}",
            ratio <= MOST_TIMES,
            f"chosen {spoken(taken[''])}; {told}",
        ),
    ]
