"""Repositories as those see them who only read: one row, asked for in one question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.prepared import Prepared
from pytupli_registry.server.database.schema import Account, Repository
from pytupli_registry.server.services.permissions import Action, Caller, Ownership, allows
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.wire.names import RepoId, key_of

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["SeenRepository", "look"]

_ROWS = Repository.__table__.c
_OWNERS = Account.__table__.c


class SeenRepository(NamedTuple):
    """What is told about a repository; the names are those of :class:`~…database.schema.Repository`."""

    id: int
    type: str
    owner_id: int
    name: str
    visibility: str
    gated: str
    created_by: int | None
    created_at: datetime
    updated_at: datetime
    downloads: int
    likes: int
    used_storage: int
    sdk: str | None
    card: dict[str, Any] | None
    description: str
    owner_name: str

    @property
    def full_name(self) -> str:
        """``namespace/name``."""
        return f"{self.owner_name}/{self.name}"


_COLUMNS = [_ROWS[name] for name in SeenRepository._fields[:-1]]
_NAMED = Prepared(
    select(*_COLUMNS, _OWNERS.name)
    .join_from(Repository.__table__, Account.__table__, _OWNERS.id == _ROWS.owner_id)
    .where(
        _ROWS.type == bindparam("type"),
        _OWNERS.name_key == bindparam("namespace"),
        _ROWS.name_key == bindparam("name"),
    )
)


def look(session: Session, caller: Caller, repo_id: RepoId) -> SeenRepository:
    """Return the repository, if ``caller`` may see it.

    Raises:
        Moved, RepoNotFound: as ``repositories.find``.
    """
    names = {"namespace": key_of(repo_id.namespace), "name": key_of(repo_id.name)}
    rows = _NAMED.rows(session, {"type": repo_id.type.value, **names})
    seen = SeenRepository(*rows[0]) if rows else None
    if seen is None or not allows(
        caller, Ownership(seen.owner_id, seen.visibility, seen.created_by), Action.SEE
    ):
        find(session, caller, repo_id, Action.SEE)  # says why not
        raise AssertionError("two questions about one repository have two answers")
    return seen
