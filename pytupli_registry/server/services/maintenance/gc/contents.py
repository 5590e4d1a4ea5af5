"""What commits reach: blobs of a repository that none of its commits has, and git objects that no commit has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from pytupli_registry.server.database.schema import (
    Blob,
    Commit,
    GitBlob,
    Repository,
    RepositoryBlob,
    Tree,
)
from pytupli_registry.server.services.maintenance.closure import BLOBS, FILES, TREES, Closure
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.services.maintenance.gc.commits import CONDEMNED, commit_name
from pytupli_registry.server.services.maintenance.gc.run import GcRun
from pytupli_registry.server.services.maintenance.marks import MANY, chunks

__all__ = [
    "FILES_THAT_GO",
    "OWNERSHIPS_THAT_GO",
    "collect_belongings",
    "collect_git_objects",
    "ownership_name",
]

REACHED_TREES = "trees of all"
REACHED_FILES = "git blobs of all"
FILES_THAT_GO = "git blobs that go"
OWNERSHIPS_THAT_GO = "blobs that leave a repository"


def ownership_name(repository_id: int, sha256: str) -> str:
    """Return how the set of blobs that leave a repository names one."""
    return f"{repository_id}:{sha256}"


def _refuse(kind: str, oid: str) -> None:
    # Whoever does not know all that is reached must not remove anything.
    raise MaintenanceError(
        f"The {kind} {oid} is missing or damaged. Nothing more is removed: see `pytupli-server fsck`."
    )


def collect_belongings(run: GcRun, session: Session, repository_id: int) -> None:
    """Note what the commits of a repository reach, and take from it the blobs that they do not."""
    closure = Closure(session, run.marks, _refuse)
    closure.clear()
    _add_commits(run, session, closure, repository_id)
    run.marks.merge(TREES, REACHED_TREES)
    run.marks.merge(FILES, REACHED_FILES)
    for page in _pages_of_blobs(run, session, repository_id):
        leaving = page - run.marks.of(BLOBS, page).keys()
        if run.dry:
            names = (ownership_name(repository_id, sha256) for sha256 in leaving)
            run.removed["blobs of repositories"] += len(run.marks.add(OWNERSHIPS_THAT_GO, names))
        elif leaving:
            taken = run.locked(repository_id, lambda s: _take(s, run, repository_id, leaving))  # noqa: B023 - called at once
            run.removed["blobs of repositories"] += taken or 0


def _add_commits(run: GcRun, session: Session, closure: Closure, repository_id: int) -> None:
    """Add all commits but those that a dry run would have removed."""
    last = ""
    of_repository = select(Commit.oid, Commit.tree_oid).where(Commit.repository_id == repository_id)
    while rows := session.execute(
        of_repository.where(Commit.oid > last).order_by(Commit.oid).limit(MANY)
    ).all():
        gone = run.marks.of(CONDEMNED, [commit_name(repository_id, row.oid) for row in rows])
        closure.add(row.tree_oid for row in rows if commit_name(repository_id, row.oid) not in gone)
        last = rows[-1].oid


def _pages_of_blobs(run: GcRun, session: Session, repository_id: int) -> Iterator[set[str]]:
    last = ""
    old = (
        select(RepositoryBlob.sha256)
        .join(Blob, Blob.sha256 == RepositoryBlob.sha256)
        .where(
            RepositoryBlob.repository_id == repository_id,
            RepositoryBlob.created_at < run.cutoff,
            Blob.touched_at < run.cutoff,
        )
        .order_by(RepositoryBlob.sha256)
        .limit(MANY)
    )
    while page := session.scalars(old.where(RepositoryBlob.sha256 > last)).all():
        yield set(page)
        last = page[-1]


def _take(session: Session, run: GcRun, repository_id: int, blobs: Iterable[str]) -> int:
    """Take blobs from a repository that is locked, unless a commit has come to them meanwhile."""
    _add_commits(run, session, Closure(session, run.marks, _refuse), repository_id)
    free = set(blobs) - run.marks.of(BLOBS, blobs).keys()
    locked = _lock(session, Blob.sha256, Blob.touched_at, free, run.cutoff)
    taken = session.scalars(
        delete(RepositoryBlob)
        .where(
            RepositoryBlob.repository_id == repository_id,
            RepositoryBlob.sha256.in_(locked),
            RepositoryBlob.created_at < run.cutoff,
        )
        .returning(RepositoryBlob.sha256)
    ).all()
    size = session.scalar(select(func.sum(Blob.size)).where(Blob.sha256.in_(taken))) or 0
    session.execute(
        update(Repository)
        .where(Repository.id == repository_id)
        .values(used_storage=Repository.used_storage - int(size))
    )
    return len(taken)


def collect_git_objects(run: GcRun) -> None:
    """Remove the trees and git blobs that no commit reaches."""
    _collect(run, "trees", Tree, Tree.oid, Tree.touched_at, REACHED_TREES)
    _collect(run, "git blobs", GitBlob, GitBlob.oid, GitBlob.touched_at, REACHED_FILES)


def _collect(
    run: GcRun,
    kind: str,
    table: type[Tree | GitBlob],
    key: InstrumentedAttribute[str],
    touched: InstrumentedAttribute[datetime],
    reached: str,
) -> None:
    last = ""
    while page := _page(run, select(key).where(touched < run.cutoff, key > last).order_by(key).limit(MANY)):
        last = page[-1]
        free = set(page) - run.marks.of(reached, page).keys()
        if run.dry:
            run.removed[kind] += len(run.marks.add(FILES_THAT_GO, free)) if table is GitBlob else len(free)
        elif free:
            with run.hub.database.write() as session:
                locked = _lock(session, key, touched, free, run.cutoff)
                session.execute(delete(table).where(key.in_(locked)))
                run.removed[kind] += len(locked)


def _page(run: GcRun, query: Any) -> list[str]:  # noqa: ANN401 - SQLAlchemy's queries of one column
    with run.hub.database.read() as session:
        return list(session.scalars(query))


def _lock(
    session: Session,
    key: InstrumentedAttribute[str],
    touched: InstrumentedAttribute[datetime],
    keys: Iterable[str],
    cutoff: datetime,
) -> list[str]:
    """Lock those rows that are still old and that nobody else holds, and return their keys."""
    locked: list[str] = []
    for chunk in chunks(sorted(keys)):
        query = select(key).where(key.in_(chunk), touched < cutoff).order_by(key)
        locked += session.scalars(query.with_for_update(skip_locked=True, of=key.class_)).all()
    return locked
