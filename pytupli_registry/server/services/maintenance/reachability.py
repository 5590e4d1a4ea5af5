"""Which commits something leads to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select, union

from pytupli_registry.server.database.schema import Commit, Discussion, Ref

__all__ = ["reachable_commits"]


def reachable_commits(repository_id: int) -> Select[Any]:
    """Return a query for the ids of all commits that refs and pull requests of a repository lead to."""
    of_discussion = Discussion.repository_id == repository_id
    roots = union(
        select(Ref.commit_oid.label("oid")).where(Ref.repository_id == repository_id),
        select(Discussion.base_oid).where(of_discussion, Discussion.base_oid.is_not(None)),
        select(Discussion.merge_oid).where(of_discussion, Discussion.merge_oid.is_not(None)),
    ).cte("roots")
    reached = select(roots.c.oid).cte("reached", recursive=True)
    parents = (
        select(Commit.parent_oid)
        .join(reached, Commit.oid == reached.c.oid)
        .where(Commit.repository_id == repository_id, Commit.parent_oid.is_not(None))
    )
    return select(reached.union(parents).c.oid)
