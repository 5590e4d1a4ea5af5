"""When tokens were used last, noted by a thread of its own: no reader waits for a writer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Lock
from time import monotonic

import structlog
from sqlalchemy import or_, update

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.schema import Token, now
from pytupli_registry.server.errors import StorageFull, Unavailable

__all__ = ["TokenUses"]

INTERVAL_S = 3600
MOST_KEPT = 100_000


class TokenUses:
    """Notes uses of tokens in the database, each token at most once an hour."""

    def __init__(self) -> None:
        self._noted: dict[int, float] = {}
        self._pending: set[int] = set()
        self._lock = Lock()
        self._writer: ThreadPoolExecutor | None = None

    def note(self, database: Database, token_id: int) -> None:
        """Say that a token was used; returns at once."""
        time = monotonic()
        if time - self._noted.get(token_id, -INTERVAL_S) < INTERVAL_S:
            return
        with self._lock:
            if len(self._noted) >= MOST_KEPT:
                self._noted.clear()
            self._noted[token_id] = time
            waiting = bool(self._pending)
            self._pending.add(token_id)
            if self._writer is None:
                self._writer = ThreadPoolExecutor(1, thread_name_prefix="token-uses")
            if not waiting:
                self._writer.submit(self._write, database)

    def _write(self, database: Database) -> None:
        with self._lock:
            used, self._pending = self._pending, set()
        time = now()
        try:
            with database.write() as session:
                session.execute(
                    update(Token)
                    .where(Token.id.in_(used))
                    .where(
                        or_(
                            Token.last_used_at.is_(None),
                            Token.last_used_at < time - timedelta(seconds=INTERVAL_S),
                        )
                    )
                    .values(last_used_at=time)
                    .execution_options(synchronize_session=False)
                )
        except (Unavailable, StorageFull) as error:
            structlog.get_logger(__name__).warning(
                "token uses not noted", tokens=len(used), reason=error.message
            )

    def close(self) -> None:
        """Write what is pending and end the thread."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.shutdown()
