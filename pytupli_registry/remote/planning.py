"""Which ranges to ask for, and together in which requests: gaps are closed that cost less than a range of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pytupli_registry.storage.intervals import Intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_registry.hub.pacing import Speed

__all__ = ["PART_BYTES", "Transfer", "lanes", "plan_transfer", "plan_whole", "requests_of"]

PART_BYTES = 1 << 23  # more than this is asked for in parts, which come side by side
_PART_S = 60e-6  # what one of several ranges of a request costs client and server; measured
_PART_HEAD = 120  # bytes that stand before it
_REQUEST_S = 0.0015  # what a request costs client and server even where the network costs nothing; measured
_HASH_RATE = 1.2e9  # bytes a second of SHA-256, which a whole file goes through
_WASTE = 0.08  # of the wanted bytes may be gaps, as long as ranges beat the whole file
_NEARLY_ALL = 0.85
_FEWEST_LANES, _MOST_LANES = 4, 16


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """What would travel.

    Attributes:
        ranges: what to ask for.
        wanted: bytes of it that are needed.
        total: bytes of the file.
        requests: how many.
        seconds: how long that should take.
        is_whole: whether the whole file comes, or what is missing of it.
    """

    ranges: Intervals
    wanted: int
    total: int
    requests: int
    seconds: float
    is_whole: bool = False

    @property
    def bytes(self) -> int:
        """Bytes that travel."""
        return self.ranges.total


def lanes(speed: Speed) -> int:
    """Return how many requests go on at once: enough to hide the latency, few enough to be polite."""
    return int(np.clip(np.ceil(speed.latency / _REQUEST_S), _FEWEST_LANES, _MOST_LANES))


def plan_transfer(
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    missing: Intervals,
    size: int,
    speed: Speed,
    most_ranges: int = 1,
) -> Transfer:
    """Plan how ranges come over the network, as ranges or as the whole file.

    Args:
        starts: first byte of each wanted range.  # (n,)
        stops: one past its last byte.  # (n,)
        missing: what of the file is not on this machine; the wanted ranges are.
        size: bytes of the file.
        speed: of the Hub.
        most_ranges: that one request may name.
    """
    exact = Intervals.of(starts, stops)
    wanted = exact.total
    worth = _worth(speed, most_ranges)
    frugal = _merged(exact, worth, int(_WASTE * wanted))
    whole = plan_whole(missing, size, speed, wanted=wanted)
    plan = _transfer(frugal, wanted, size, speed, most_ranges)
    if plan.seconds <= whole.seconds:
        return plan
    quick = _transfer(_merged(exact, worth, size), wanted, size, speed, most_ranges)
    # Whole, it need not be asked for again, and is found by others: a little more is not too much for that.
    is_nearly_all = quick.bytes > _NEARLY_ALL * whole.bytes or quick.seconds > _NEARLY_ALL * whole.seconds
    return whole if is_nearly_all else quick


def plan_whole(missing: Intervals, size: int, speed: Speed, wanted: int | None = None) -> Transfer:
    """Plan how the rest of the whole file comes, of which so many bytes are wanted, or all."""
    rest = _transfer(missing, missing.total if wanted is None else wanted, size, speed, 1)
    return replace(rest, seconds=rest.seconds + size / _HASH_RATE, is_whole=True)


def requests_of(ranges: Intervals, most_ranges: int) -> list[list[tuple[int, int]]]:
    """Return what each request asks for: large ranges in parts, and small ones together."""
    starts, stops, opens = _grouped(ranges, most_ranges)
    pairs = list(zip(starts.tolist(), stops.tolist(), strict=True))
    bounds = [*np.flatnonzero(opens).tolist(), len(pairs)]
    return [pairs[first:last] for first, last in pairwise(bounds)]


def _grouped(
    ranges: Intervals, most_ranges: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the parts, of at most ``PART_BYTES``, and with which of them a request begins.  # (n,) each"""  # noqa: D415
    counts = -(-(ranges.stops - ranges.starts) // PART_BYTES)
    of = np.repeat(np.arange(len(ranges)), counts)
    number = np.arange(len(of))
    starts = ranges.starts[of] + (number - (np.cumsum(counts) - counts)[of]) * PART_BYTES
    stops = np.minimum(starts + PART_BYTES, ranges.stops[of])
    before = np.cumsum(stops - starts) - (stops - starts)
    block = number // most_ranges
    place = (before - before[block * most_ranges]) // PART_BYTES
    opens = np.ones(len(of), dtype=np.bool_)
    opens[1:] = (np.diff(block) > 0) | (np.diff(place) > 0)
    return starts, stops, opens


def _worth(speed: Speed, most_ranges: int) -> int:
    """Return how many bytes come as fast as one range more."""
    if most_ranges > 1:
        return int(speed.bandwidth * _PART_S) + _PART_HEAD
    return int(speed.bandwidth * _per_request(speed))


def _merged(exact: Intervals, worth: int, budget: int) -> Intervals:
    """Close the smallest gaps first: those of at most ``worth`` bytes, of ``budget`` bytes together."""
    gaps = exact.starts[1:] - exact.stops[:-1]
    order = np.argsort(gaps, kind="stable")
    spent = np.cumsum(gaps[order])
    closed = np.zeros(len(gaps), dtype=np.bool_)
    closed[order[(gaps[order] <= worth) & (spent <= budget)]] = True
    opens = np.ones(len(exact), dtype=np.bool_)
    opens[1:] = ~closed
    ends = np.ones(len(exact), dtype=np.bool_)
    ends[:-1] = ~closed
    return Intervals(exact.starts[opens], exact.stops[ends])


def _transfer(ranges: Intervals, wanted: int, size: int, speed: Speed, most_ranges: int) -> Transfer:
    _, _, opens = _grouped(ranges, most_ranges)
    requests, together = int(opens.sum()), int((~opens).sum())
    seconds = speed.latency + requests * _per_request(speed) + together * _PART_S
    seconds += (ranges.total + together * _PART_HEAD) / speed.bandwidth
    return Transfer(ranges, wanted, size, requests, seconds)


def _per_request(speed: Speed) -> float:
    if speed.request is not None:
        return speed.request
    return max(speed.latency / lanes(speed), _REQUEST_S)
