"""Histograms as text.

They need no image, look the same wherever Markdown or a terminal shows them, and are the same bytes on every
machine, so that publishing the same data twice changes nothing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["histogram"]

_WIDTH = 40
_EIGHTHS = " ▏▎▍▌▋▊▉"
_FULL = "█"


def histogram(values: ArrayLike, bins: int = 10) -> str:
    """Return a histogram, one line a bin: its range, a bar, and how many values it holds.

    Args:
        values: any numbers; those that are not finite are counted on a line of their own.  # (n,)
        bins: how many bins of equal width; values that are all the same have one.
    """
    given = np.asarray(values, dtype=np.float64).ravel()
    finite = given[np.isfinite(given)]
    lines = _lines(finite, bins) if finite.size else []
    if finite.size < given.size:
        lines.append(f"not finite: {given.size - finite.size:,}")
    return "\n".join(lines)


def _lines(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], bins: int) -> list[str]:
    low, high = float(values.min()), float(values.max())
    whole = bool(np.all(values == np.rint(values))) and high - low < bins
    if whole:
        edges = np.arange(low, high + 2)
    elif low == high or not np.isfinite(high - low):
        edges = np.array([low, np.nextafter(high, np.inf)])
    else:
        edges = np.linspace(low, high, bins + 1)
    counts, _ = np.histogram(values, np.concatenate([edges[:-1], [np.inf]]))
    names = [_number(edge) for edge in edges]
    labels = (
        names[: len(counts)]
        if whole or len(counts) == 1
        else [f"{first} … {last}" for first, last in pairwise(names)]
    )
    room = max(map(len, labels))
    return [
        f"{label:>{room}} │{_bar(count / counts.max())} {count:,}".rstrip()
        for label, count in zip(labels, counts.tolist(), strict=True)
    ]


def _bar(share: float) -> str:
    eighths = round(share * _WIDTH * 8)
    return _FULL * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:.4g}"
