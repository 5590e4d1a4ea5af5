"""Writers of SQLite, one after the other in the order they came.

SQLite lets one write at a time, and whoever waits for it asks again and again, less often the longer it has waited:
with many writers some get their turn at once and others after many seconds. Here those of one process queue up; the
writers of other processes are still waited for in SQLite's own way.
"""

from __future__ import annotations

from collections import deque
from threading import Lock

from pytupli_registry.server.errors import Unavailable

__all__ = ["Turn", "Turns"]


class Turns:
    """The queue before one database.

    Args:
        longest_s: how long somebody waits before giving up.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._lock = Lock()
        self._waiting: deque[Lock] = deque()
        self._is_taken = False

    def take(self) -> None:
        """Wait until it is the caller's turn.

        Raises:
            Unavailable: it took too long.
        """
        mine = Lock()
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return
            mine.acquire()
            self._waiting.append(mine)
        if not mine.acquire(timeout=self._longest_s):
            self._leave(mine)

    def _leave(self, mine: Lock) -> None:
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
                raise Unavailable("The database is busy. Try again in a moment.")
        # Else the turn came at the last moment.

    def give(self) -> None:
        """End the caller's turn: the next one's begins."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False


class Turn:
    """One writer's place: taken when its transaction really begins, given back when it has ended."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._is_mine = False

    def take(self) -> None:
        """Wait for it; once taken, it stays until :meth:`give`.

        Raises:
            Unavailable: it took too long.
        """
        if not self._is_mine:
            self._turns.take()
            self._is_mine = True

    def give(self) -> None:
        """Let the next one go, if this one has begun."""
        if self._is_mine:
            self._is_mine = False
            self._turns.give()
