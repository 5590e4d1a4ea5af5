"""What a Hub holds, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from pytupli_registry.server.database.schema import (
    Account,
    Blob,
    Commit,
    GitBlob,
    HubState,
    Repository,
    RepositoryBlob,
    Token,
    Xorb,
)
from pytupli_registry.server.services.hub import Hub

__all__ = ["Statistics", "count_hub"]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The numbers of one Hub; sizes in bytes.

    Attributes:
        users: accounts of people.
        organizations: accounts of organizations.
        tokens: access tokens.
        repositories: by type.
        commits: of all repositories.
        small_files: distinct files that live in the database.
        small_files_bytes: their bytes.
        blobs: distinct blobs in the object store.
        blobs_bytes: their bytes.
        repositories_bytes: bytes of all blobs of all repositories, counted once per repository.
        sharing: ``repositories_bytes / blobs_bytes``: what sharing blobs between repositories saves.
        waiting_xorbs_bytes: bytes of Xet uploads that no file uses yet.
        database_bytes: size of the database.
        last_gc: when gc ran last, None for never.
    """

    users: int
    organizations: int
    tokens: int
    repositories: dict[str, int]
    commits: int
    small_files: int
    small_files_bytes: int
    blobs: int
    blobs_bytes: int
    repositories_bytes: int
    sharing: float
    waiting_xorbs_bytes: int
    database_bytes: int
    last_gc: str | None


def count_hub(hub: Hub) -> Statistics:
    """Count what a Hub holds, in one state of the database.

    Raises:
        Unavailable: the database does not answer.
    """
    with hub.database.read() as session:
        kinds = _by(session, Account.kind)
        small, small_bytes = _sum(session, GitBlob.size, GitBlob.content.is_not(None))
        blobs, blobs_bytes = _sum(session, Blob.size)
        shared = select(func.sum(Blob.size)).join(RepositoryBlob, RepositoryBlob.sha256 == Blob.sha256)
        repositories_bytes = int(session.scalar(shared) or 0)
        state = session.get(HubState, "last_gc")
        return Statistics(
            users=kinds.get("user", 0),
            organizations=kinds.get("organization", 0),
            tokens=_count(session, Token.id),
            repositories=_by(session, Repository.type),
            commits=_count(session, Commit.oid),
            small_files=small,
            small_files_bytes=small_bytes,
            blobs=blobs,
            blobs_bytes=blobs_bytes,
            repositories_bytes=repositories_bytes,
            sharing=round(repositories_bytes / blobs_bytes, 3) if blobs_bytes else 1.0,
            waiting_xorbs_bytes=_sum(session, Xorb.size, Xorb.stored)[1],
            database_bytes=_database_size(session, hub),
            last_gc=state.value["at"] if state else None,
        )


def _by(session: Session, column: InstrumentedAttribute[str]) -> dict[str, int]:
    return dict(session.execute(select(column, func.count()).group_by(column).order_by(column)).all())


def _count(session: Session, column: InstrumentedAttribute[Any]) -> int:
    return int(session.scalar(select(func.count(column))) or 0)


def _sum(
    session: Session,
    size: InstrumentedAttribute[int],
    *conditions: ColumnElement[bool] | InstrumentedAttribute[bool],
) -> tuple[int, int]:
    count, total = session.execute(select(func.count(), func.sum(size)).where(*conditions)).one()
    return int(count), int(total or 0)


def _database_size(session: Session, hub: Hub) -> int:
    if not hub.database.is_sqlite:
        return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    file = Path(hub.database.url.database or "")
    return sum(part.stat().st_size for part in (file, file.with_name(file.name + "-wal")) if part.exists())
