"""When to ask again, and how fast a Hub is: what all requests to it learn together."""

from __future__ import annotations

import random
import re
import threading
import time
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RETRIED", "Pace", "Speed", "wait_asked_for"]

# What a later request may well be given: as the stock client does.
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
LONGEST_WAIT_S = 300.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_RATE_LIMIT = re.compile(r";\s*r\s*=\s*0\s*(?:;.*?)?;\s*t\s*=\s*(\d{1,6})")
_SMALL, _MIDDLE, _LARGE = 1 << 16, 1 << 18, 1 << 22
_MANY = 16
_MOST_RANGES = 160  # a head of 4 KiB: some proxies take no more than 8 KiB


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a Hub has been.

    Attributes:
        latency: seconds from a request to the first byte of its answer.
        bandwidth: bytes a second, of all connections together.
        request: seconds that one of many small requests side by side has cost; None before there were many.
    """

    latency: float = 0.03
    bandwidth: float = 25e6
    request: float | None = None


class Pace:
    """Shared by every thread that asks one Hub: measures it, and keeps all of them waiting when it asks for that."""

    def __init__(self, speed: Speed | None = None) -> None:
        self._lock = threading.Lock()
        self._speed = speed or Speed()
        self._latencies = 0
        self._transfers = 0
        self._silent_until = 0.0
        self._most_ranges: dict[tuple[str, str, int], int] = {}

    @property
    def speed(self) -> Speed:
        """What is known so far; a guess before anything was measured."""
        return self._speed

    def saw_latency(self, seconds: float) -> None:
        """Take the time to the first byte of one answer into account."""
        with self._lock:
            weight = max(1 / (self._latencies + 1), 0.1)
            self._latencies += 1
            latency = (1 - weight) * self._speed.latency + weight * seconds
            self._speed = replace(self._speed, latency=max(latency, 1e-4))

    def saw_transfer(self, size: int, seconds: float) -> None:
        """Take into account how long the bodies of some answers took together.

        One of middle size says only that the network is not slower: connections begin slowly.
        """
        if size < _MIDDLE or seconds <= 0:
            return
        with self._lock:
            bandwidth = max(size / seconds, self._speed.bandwidth)
            if size >= _LARGE:
                weight = max(1 / (self._transfers + 1), 0.3)
                self._transfers += 1
                bandwidth = (1 - weight) * self._speed.bandwidth + weight * size / seconds
            self._speed = replace(self._speed, bandwidth=max(bandwidth, 1e3))

    def saw_requests(self, count: int, size: int, seconds: float) -> None:
        """Take into account how long many small requests took side by side."""
        if count < _MANY or size > count * _SMALL:
            return
        with self._lock:
            cost = max(seconds - size / self._speed.bandwidth, seconds / 2) / count
            known = self._speed.request
            self._speed = replace(self._speed, request=cost if known is None else (known + cost) / 2)

    def most_ranges(self, origin: tuple[str, str, int]) -> int | None:
        """Return how many ranges a request to this origin may name; None if it has not answered yet."""
        return self._most_ranges.get(origin)

    def saw_most_ranges(self, origin: tuple[str, str, int], said: str) -> None:
        """Take into account what an answer says in ``X-Max-Ranges``; who says nothing knows only one."""
        told = int(said) if said.isascii() and said.isdigit() and len(said) < 6 else 1
        self._most_ranges.setdefault(origin, min(max(told, 1), _MOST_RANGES))

    def ask_for_one_range(self, origin: tuple[str, str, int]) -> None:
        """Ask this origin for one range at a time: it, or somebody on the way, does not keep its promise."""
        self._most_ranges[origin] = 1

    def be_silent(self, seconds: float) -> None:
        """Keep every thread from asking for some time, as the Hub has asked for."""
        with self._lock:
            self._silent_until = max(
                self._silent_until, time.monotonic() + min(max(seconds, 0.0), LONGEST_WAIT_S)
            )

    def wait(self) -> None:
        """Wait until requests are welcome."""
        while (left := self._silent_until - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))

    def back_off(self, attempt: int, headers: Mapping[str, str] | None = None) -> None:
        """Wait before an attempt is made again: as long as the answer asks for, or longer from time to time."""
        asked = wait_asked_for(headers) if headers is not None else None
        if asked is not None:
            self.be_silent(asked)
            self.wait()
            return
        pause = min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads clients, guards nothing
        self.wait()


def wait_asked_for(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer asks to wait, by Retry-After or RateLimit; None if it does not."""
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text[:9])
    if text:
        try:
            return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
        except (ValueError, TypeError, OverflowError):
            pass
    found = _RATE_LIMIT.search(headers.get("ratelimit", ""))
    return float(found[1]) if found else None
