"""Which blobs a user may read, by any repository."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Repository, RepositoryBlob
from pytupli_registry.server.errors import GatedRepo
from pytupli_registry.server.services.permissions import Action, Caller, allows, readable_owners
from pytupli_registry.server.services.repositories import check_gate, ownership_of

__all__ = ["may_read_blob"]

MOST_REPOSITORIES = 100


def may_read_blob(session: Session, caller: Caller, sha256: str) -> bool:
    """Return whether ``caller`` may read a repository that has the blob.

    Of a blob that very many repositories have, some are looked at: the worst is that its chunks are sent again.
    """
    candidates = (
        select(Repository)
        .join(RepositoryBlob, RepositoryBlob.repository_id == Repository.id)
        .where(RepositoryBlob.sha256 == sha256)
        .order_by(Repository.gated != "no", Repository.id)
        .limit(MOST_REPOSITORIES)
    )
    if not caller.is_admin:
        candidates = candidates.where(
            or_(Repository.visibility == "public", Repository.owner_id.in_(readable_owners(caller)))
        )
    return any(_reads(session, caller, repository) for repository in session.scalars(candidates))


def _reads(session: Session, caller: Caller, repository: Repository) -> bool:
    if not allows(caller, ownership_of(repository), Action.READ):
        return False
    try:
        check_gate(session, caller, repository)
    except GatedRepo:
        return False
    return True
