"""How many passwords are checked at the same time: each check takes a core and 64 MiB for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from pytupli_registry.server.errors import TooManyRequests

__all__ = ["PasswordChecks"]

AT_ONCE = 4


class PasswordChecks:
    """Keeps password checks from taking all threads and all memory."""

    def __init__(self) -> None:
        self._free = BoundedSemaphore(AT_ONCE)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Take one of the places, without waiting for it.

        Raises:
            TooManyRequests: all are taken.
        """
        if not self._free.acquire(blocking=False):
            raise TooManyRequests(
                "Too many people are logging in right now. Try again in a moment.",
                headers={"Retry-After": "1"},
            )
        try:
            yield
        finally:
            self._free.release()
