"""What the steps of one gc share."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Ref, Repository
from pytupli_registry.server.errors import Unavailable
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.marks import Marks

__all__ = ["GcRun"]

Result = TypeVar("Result")
ATTEMPTS = 20
PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class GcRun:
    """One gc.

    Attributes:
        hub: the Hub.
        marks: sets of what is reached, and of what would go in a dry run.
        started: when it began.
        cutoff: what was touched since then stays.
        dry: only count.
        removed: how many of each kind went.
        freed: bytes of the objects that went.
        busy: repositories that were left for the next time.
    """

    hub: Hub
    marks: Marks
    started: datetime
    cutoff: datetime
    dry: bool
    removed: Counter[str] = field(default_factory=Counter)
    freed: Counter[str] = field(default_factory=Counter)
    busy: set[int] = field(default_factory=set)

    def locked(self, repository_id: int, work: Callable[[Session], Result]) -> Result | None:
        """Do ``work`` while nobody else changes the repository's refs; None if somebody always does."""
        for attempt in range(ATTEMPTS):
            try:
                with self.hub.database.write() as session:
                    _lock(session, repository_id)
                    return work(session)
            except Unavailable:  # somebody holds a lock
                if attempt + 1 < ATTEMPTS:
                    time.sleep(PAUSE_S * random.random())  # noqa: S311 - no secret
        self.busy.add(repository_id)
        return None


def _lock(session: Session, repository_id: int) -> None:
    # Never waiting for a lock while holding one, gc is never part of a deadlock.
    refs = select(Ref.name).where(Ref.repository_id == repository_id).order_by(Ref.name)
    session.execute(refs.with_for_update(nowait=True)).all()
    repository = select(Repository.id).where(Repository.id == repository_id)
    session.execute(repository.with_for_update(nowait=True)).all()
