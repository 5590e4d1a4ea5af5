"""Which ranges to ask for: neighbours become one request where the gap costs less than a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytupli_registry.storage.intervals import Intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_registry.hub.pacing import Speed

__all__ = ["PART_BYTES", "Transfer", "lanes", "plan_transfer", "plan_whole"]

PART_BYTES = 1 << 23  # more than this is asked for in parts, which come side by side
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
) -> Transfer:
    """Plan how ranges come over the network, as ranges or as the whole file.

    Args:
        starts: first byte of each wanted range.  # (n,)
        stops: one past its last byte.  # (n,)
        missing: what of the file is not on this machine; the wanted ranges are.
        size: bytes of the file.
        speed: of the Hub.
    """
    exact = Intervals.of(starts, stops)
    wanted = exact.total
    worth = int(speed.bandwidth * _per_request(speed))
    frugal = _merged(exact, worth, int(_WASTE * wanted))
    whole = _transfer(missing, wanted, size, speed, is_whole=True)
    plan = _transfer(frugal, wanted, size, speed)
    if plan.seconds <= whole.seconds:
        return plan
    quick = _transfer(_merged(exact, worth, size), wanted, size, speed)
    # Whole, it need not be asked for again, and is found by others: a little more is not too much for that.
    is_nearly_all = quick.bytes > _NEARLY_ALL * whole.bytes or quick.seconds > _NEARLY_ALL * whole.seconds
    return whole if is_nearly_all else quick


def plan_whole(missing: Intervals, size: int, speed: Speed) -> Transfer:
    """Plan how the rest of the whole file comes."""
    return _transfer(missing, missing.total, size, speed, is_whole=True)


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


def _transfer(ranges: Intervals, wanted: int, size: int, speed: Speed, *, is_whole: bool = False) -> Transfer:
    requests = int(np.ceil((ranges.stops - ranges.starts) / PART_BYTES).sum())
    seconds = speed.latency + requests * _per_request(speed) + ranges.total / speed.bandwidth
    if is_whole:
        seconds += size / _HASH_RATE
    return Transfer(ranges, wanted, size, requests, seconds, is_whole)


def _per_request(speed: Speed) -> float:
    if speed.request is not None:
        return speed.request
    return max(speed.latency / lanes(speed), _REQUEST_S)
