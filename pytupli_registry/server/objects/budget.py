"""A common allowance of memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

__all__ = ["Budget"]


class Budget:
    """Bytes that all threads together may hold; who asks for more than is left waits."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._left = total
        self._given_back = Condition()

    @contextmanager
    def take(self, amount: int) -> Iterator[None]:
        """Hold ``amount`` bytes of it, or all of it where it is less."""
        amount = min(amount, self._total)
        with self._given_back:
            self._given_back.wait_for(lambda: self._left >= amount)
            self._left -= amount
        try:
            yield
        finally:
            with self._given_back:
                self._left += amount
                self._given_back.notify_all()
