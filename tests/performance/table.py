"""Timing side by side, and the table of what came out."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Row:
    """One line of the table: ratios are medians of one run, targets are the issue's."""

    what: str
    ratio: str
    target: str
    met: bool | None
    remark: str = ""


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the median time of ``work`` in seconds."""
    times = []
    for _ in range(repeats):
        gc.collect()
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def faster(what: str, ours: float, theirs: float, target: float, remark: str = "") -> Row:
    """Return the row of something that must be ``target`` times faster than the other."""
    return Row(what, times(theirs / ours), f"≥ {target:g}×", theirs / ours >= target, remark)


def times(ratio: float) -> str:
    """Return how many times as fast, with as many digits as mean something."""
    return f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.1f}×"


def spoken(duration: float) -> str:
    """Return a duration with a fitting unit."""
    if duration >= 1:
        return f"{duration:.1f} s"
    return f"{duration * 1e3:.1f} ms" if duration >= 1e-3 else f"{duration * 1e6:.0f} µs"


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| what | measured | target | met | remark |", "| --- | --- | --- | --- | --- |"]
    marks = {True: "yes", False: "**no**", None: ""}
    lines += [
        f"| {row.what} | {row.ratio} | {row.target} | {marks[row.met]} | {row.remark} |" for row in rows
    ]
    return "\n".join(lines)
