"""How often something was tried in a while, so that guessing takes too long to be worth it.

Counts live in memory: an attacker cannot restart the Hub, and a failed log-in must not cost a write to the
database.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from pytupli_registry.server.errors import TooManyRequests

__all__ = ["Attempts", "address_key"]

WINDOW_S = 600
MOST_KEPT = 100_000
IPV6_NETWORK = 64  # what one subscriber has to choose addresses from


@dataclass(slots=True)
class _Window:
    ends: float
    count: int = 0


class Attempts:
    """Counts attempts by key in fixed windows of ten minutes.

    Args:
        clock: returns seconds that never run backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._lock = Lock()

    def enter(self, policy: str, keys: Sequence[str], limit: int) -> None:
        """Count one attempt for each of ``keys``, before it is known how it ends.

        Args:
            policy: what is limited, as the headers name it.
            keys: a name, an address: each has a count of its own.
            limit: attempts in a window.

        Raises:
            TooManyRequests: one of them had its attempts; none is counted.
        """
        with self._lock:
            windows = [self._window(f"{policy}:{key}") for key in keys]
            full = [window.ends for window in windows if window.count >= limit]
            if not full:
                for window in windows:
                    window.count += 1
                return
            wait = max(1, round(max(full) - self._clock()))
        raise too_many(policy, limit, wait)

    def forgive(self, policy: str, key: str, *, all_of_them: bool = False) -> None:
        """Take back one attempt of ``key``, or all of them."""
        with self._lock:
            window = self._window(f"{policy}:{key}")
            window.count = 0 if all_of_them else max(0, window.count - 1)

    def forget(self) -> None:
        """Begin anew for everybody."""
        with self._lock:
            self._windows.clear()

    def _window(self, key: str) -> _Window:
        now = self._clock()
        window = self._windows.get(key)
        if window is None or window.ends <= now:
            window = self._windows[key] = _Window(now + WINDOW_S)
        self._windows.move_to_end(key)
        while len(self._windows) > MOST_KEPT:
            self._windows.popitem(last=False)
        return window


def too_many(policy: str, limit: int, wait_s: int) -> TooManyRequests:
    """Return the refusal with the headers that clients parse."""
    return TooManyRequests(
        f"Too many attempts. Try again in {wait_s} seconds.",
        headers={
            "Retry-After": str(wait_s),
            "RateLimit": f'"{policy}";r=0;t={wait_s}',
            "RateLimit-Policy": f'"fixed window";"{policy}";q={limit};w={WINDOW_S}',
        },
    )


def address_key(address: str | None) -> str:
    """Return what is counted for a client's address: IPv6 by network, for one machine has 2**64 addresses."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))
