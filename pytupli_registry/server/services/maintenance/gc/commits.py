"""Commits that no branch, tag or pull request leads to: marked first, removed a grace period later."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Commit
from pytupli_registry.server.services.maintenance.gc.run import GcRun
from pytupli_registry.server.services.maintenance.marks import chunks
from pytupli_registry.server.services.maintenance.reachability import reachable_commits

__all__ = ["CONDEMNED", "collect_commits", "commit_name"]

CONDEMNED = "commits that go"


def commit_name(repository_id: int, oid: str) -> str:
    """Return how the set of commits that go names one."""
    return f"{repository_id}:{oid}"


@dataclass(frozen=True, slots=True)
class _Found:
    """Commits of one repository whose mark has to change, or whose time is over."""

    fresh: list[str]  # unreachable since now
    revived: list[str]  # marked, but reachable again
    expired: list[str]  # marked a grace period ago


def collect_commits(run: GcRun, repository_id: int) -> None:
    """Mark or remove the unreachable commits of a repository."""
    with run.hub.database.read() as session:
        found = _look(session, run, repository_id)
    if run.dry:
        run.marks.add(CONDEMNED, (commit_name(repository_id, oid) for oid in found.expired))
        run.removed["commits"] += len(found.expired)
    elif found.fresh or found.revived or found.expired:
        run.removed["commits"] += run.locked(repository_id, lambda s: _settle(s, run, repository_id)) or 0


def _settle(session: Session, run: GcRun, repository_id: int) -> int:
    found = _look(session, run, repository_id)
    for oids, time in ((found.fresh, run.started), (found.revived, None)):
        for chunk in chunks(oids):
            marked = update(Commit).where(Commit.repository_id == repository_id, Commit.oid.in_(chunk))
            session.execute(marked.values(orphaned_at=time))
    for chunk in chunks(found.expired):
        session.execute(delete(Commit).where(Commit.repository_id == repository_id, Commit.oid.in_(chunk)))
    return len(found.expired)


def _look(session: Session, run: GcRun, repository_id: int) -> _Found:
    reachable = reachable_commits(repository_id)
    of_repository = select(Commit.oid, Commit.orphaned_at).where(Commit.repository_id == repository_id)
    unreachable = session.execute(of_repository.where(Commit.oid.not_in(reachable))).all()
    revived = session.scalars(
        select(Commit.oid).where(
            Commit.repository_id == repository_id,
            Commit.orphaned_at.is_not(None),
            Commit.oid.in_(reachable),
        )
    ).all()
    fresh = [row.oid for row in unreachable if row.orphaned_at is None]
    # Without a grace period both steps happen at once.
    at_once = fresh if run.cutoff >= run.started else []
    expired = [row.oid for row in unreachable if row.orphaned_at and row.orphaned_at <= run.cutoff]
    return _Found(fresh, list(revived), expired + at_once)
