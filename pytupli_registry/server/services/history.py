"""History: commits of a revision, and which commit last touched each path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sqlalchemy import Integer, and_, literal, select
from sqlalchemy.orm import Session, aliased

from pytupli_registry.server.database.schema import Commit
from pytupli_registry.server.services.trees import entry_at

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["ancestors", "last_commits"]

AT_ONCE = 200


def ancestors(session: Session, repository_id: int, head: str, *, skip: int = 0, count: int) -> list[Commit]:
    """Return ``count`` commits from ``head`` on, newest first, leaving out the first ``skip``."""
    start = (
        select(Commit.oid, Commit.parent_oid, literal(0, Integer).label("age"))
        .where(Commit.repository_id == repository_id, Commit.oid == head)
        .cte("history", recursive=True)
    )
    older = aliased(Commit)
    history = start.union_all(
        select(older.oid, older.parent_oid, start.c.age + 1).where(
            older.repository_id == repository_id,
            older.oid == start.c.parent_oid,
            start.c.age < skip + count - 1,
        )
    )
    return list(
        session.scalars(
            select(Commit)
            .join(history, and_(Commit.repository_id == repository_id, Commit.oid == history.c.oid))
            .where(history.c.age >= skip)
            .order_by(history.c.age)
        )
    )


def _all_ancestors(session: Session, repository_id: int, head: str) -> Iterator[Commit]:
    next_oid: str | None = head
    while next_oid is not None:
        page = ancestors(session, repository_id, next_oid, count=AT_ONCE)
        if not page:
            return
        yield from page
        next_oid = page[-1].parent_oid


def last_commits(
    session: Session, hub: Hub, repository_id: int, head: str, paths: Iterable[str]
) -> dict[str, Commit]:
    """Return for each path the newest commit, from ``head`` on, in which it became what it is."""
    wanted: dict[str, str] = {}
    found: dict[str, Commit] = {}
    newer: Commit | None = None
    for commit in _all_ancestors(session, repository_id, head):
        if newer is None:
            entries = {path: entry_at(session, hub, commit.tree_oid, path) for path in paths}
            wanted = {path: entry.oid for path, entry in entries.items() if entry is not None}
        elif commit.tree_oid != newer.tree_oid:
            for path, oid in list(wanted.items()):
                entry = entry_at(session, hub, commit.tree_oid, path)
                if entry is None or entry.oid != oid:
                    found[path] = newer
                    del wanted[path]
        if not wanted:
            return found
        newer = commit
    if newer is not None:
        found.update(dict.fromkeys(wanted, newer))
    return found
