"""From what a client calls a revision to the commit it means."""

from __future__ import annotations

import re

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.prepared import Prepared
from pytupli_registry.server.database.schema import Commit, Ref
from pytupli_registry.server.errors import RevisionNotFound
from pytupli_registry.server.wire.names import check_revision

__all__ = ["DEFAULT_BRANCH", "branch_ref", "ref_names", "resolve", "tree_of", "writable_ref"]

DEFAULT_BRANCH = "main"
_ABBREVIATED = re.compile(r"[0-9a-f]{5,39}")
_FULL = re.compile(r"[0-9a-f]{40}")


_REFS = Ref.__table__
_COMMITS = Commit.__table__

_TARGETS = Prepared(
    select(_REFS.c.name, _REFS.c.commit_oid).where(
        _REFS.c.repository_id == bindparam("repository_id"),
        _REFS.c.name.in_((bindparam("first"), bindparam("second"))),
    )
)
_TREE = Prepared(
    select(_COMMITS.c.tree_oid).where(
        _COMMITS.c.repository_id == bindparam("repository_id"), _COMMITS.c.oid == bindparam("oid")
    )
)


def resolve(session: Session, repository_id: int, revision: str | None) -> str:
    """Return the commit that a branch, tag, full ref name, or (abbreviated) commit id means.

    A branch comes before a tag of the same name, and both before a commit whose id begins so.

    Raises:
        RevisionNotFound: there is none, or more than one commit begins so.
    """
    text = check_revision(revision or DEFAULT_BRANCH)
    names = ref_names(text)
    asked = {"repository_id": repository_id, "first": names[0], "second": names[-1]}
    found: dict[str, str] = {row[0]: row[1] for row in _TARGETS.rows(session, asked)}
    for name in names:
        if name in found:
            return found[name]
    return _commit(session, repository_id, text.lower())


def ref_names(text: str) -> tuple[str, ...]:
    """Return the refs that may be meant, the one that comes first first: ``main`` → ``refs/heads/main``, ``refs/tags/main``."""
    return (text,) if text.startswith("refs/") else (f"refs/heads/{text}", f"refs/tags/{text}")


def _commit(session: Session, repository_id: int, text: str) -> str:
    query = select(Commit.oid).where(Commit.repository_id == repository_id)
    if _FULL.fullmatch(text):
        query = query.where(Commit.oid == text)
    elif _ABBREVIATED.fullmatch(text):
        query = query.where(Commit.oid >= text, Commit.oid < text + "g")
    else:
        raise not_found(text)
    oids = session.scalars(query.limit(2)).all()
    if len(oids) != 1:
        raise not_found(text)
    return oids[0]


def not_found(text: str) -> RevisionNotFound:
    """Return the error for a revision that does not exist."""
    return RevisionNotFound(f"Invalid rev id: {text[:100]}")


def branch_ref(branch: str) -> str:
    """Return the full name of a branch or pull request: ``main`` → ``refs/heads/main``."""
    return branch if branch.startswith("refs/") else f"refs/heads/{branch}"


def writable_ref(revision: str) -> str:
    """Return the full name of the ref that a commit to ``revision`` moves.

    Raises:
        RevisionNotFound: tags and commits do not move.
    """
    name = branch_ref(check_revision(revision))
    if not name.startswith(("refs/heads/", "refs/pr/")):
        raise not_found(revision)
    return name


def tree_of(session: Session, repository_id: int, commit_oid: str) -> str:
    """Return the root tree of a commit.

    Raises:
        RevisionNotFound: the repository has no such commit.
    """
    oid: str | None = _TREE.value(session, {"repository_id": repository_id, "oid": commit_oid})
    if oid is None:
        raise not_found(commit_oid)
    return oid
