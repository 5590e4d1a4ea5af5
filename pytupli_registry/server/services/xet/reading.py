"""Which blobs a user may read, by any repository."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Blob, Repository, RepositoryBlob
from pytupli_registry.server.errors import GatedRepo
from pytupli_registry.server.services.permissions import Caller, readable_owners
from pytupli_registry.server.services.repositories import check_gate

__all__ = ["ownerless_blobs", "readable_blobs"]

HASHES_A_QUERY = 500
MOST_GATES = 100


def readable_blobs(session: Session, caller: Caller, blobs: Iterable[str]) -> set[str]:
    """Return those of ``blobs`` that lie in a repository whose files ``caller`` may read."""
    wanted = sorted(blobs)
    readable: set[str] = set()
    for first in range(0, len(wanted), HASHES_A_QUERY):
        found = (
            select(RepositoryBlob.sha256)
            .join(Repository, Repository.id == RepositoryBlob.repository_id)
            .where(
                RepositoryBlob.sha256.in_(wanted[first : first + HASHES_A_QUERY]),
                Repository.gated == "no",
                _visible(caller),
            )
            .distinct()
        )
        readable.update(session.scalars(found))
    return readable | {
        sha256 for sha256 in wanted if sha256 not in readable and _behind_gate(session, caller, sha256)
    }


def ownerless_blobs(session: Session, blobs: Iterable[str]) -> set[str]:
    """Return those of ``blobs`` that exist and lie in no repository any more, as after one was deleted."""
    wanted = sorted(blobs)
    ownerless: set[str] = set()
    for first in range(0, len(wanted), HASHES_A_QUERY):
        found = (
            select(Blob.sha256)
            .outerjoin(RepositoryBlob, RepositoryBlob.sha256 == Blob.sha256)
            .where(Blob.sha256.in_(wanted[first : first + HASHES_A_QUERY]), RepositoryBlob.sha256.is_(None))
        )
        ownerless.update(session.scalars(found))
    return ownerless


def _visible(caller: Caller) -> ColumnElement[bool]:
    if caller.is_admin:
        return true()
    return or_(Repository.visibility == "public", Repository.owner_id.in_(readable_owners(caller)))


def _behind_gate(session: Session, caller: Caller, sha256: str) -> bool:
    # Of very many gated repositories with the same blob some are asked; the worst is that it is sent again.
    gated = (
        select(Repository)
        .join(RepositoryBlob, RepositoryBlob.repository_id == Repository.id)
        .where(RepositoryBlob.sha256 == sha256, Repository.gated != "no", _visible(caller))
        .order_by(Repository.id)
        .limit(MOST_GATES)
    )
    return any(_lets_in(session, caller, repository) for repository in session.scalars(gated))


def _lets_in(session: Session, caller: Caller, repository: Repository) -> bool:
    try:
        check_gate(session, caller, repository)
    except GatedRepo:
        return False
    return True
