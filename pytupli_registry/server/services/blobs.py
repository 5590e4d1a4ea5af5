"""Blobs: verified bytes in the object store, and which repositories they belong to.

A row in ``blobs`` is locked before the bytes are published, and gc deletes the bytes while it holds the lock
of the row it deletes: so a row never stands without its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Blob, Repository, RepositoryBlob, now
from pytupli_registry.server.errors import Unprocessable

if TYPE_CHECKING:
    from pytupli_registry.server.objects import Staged
    from pytupli_registry.server.services.hub import Hub

__all__ = ["belonging", "blob_key", "give", "publish", "publish_all"]


def blob_key(sha256: str) -> str:
    """Return the object store's key of a blob."""
    return f"blobs/{sha256}"


def publish(
    session: Session,
    hub: Hub,
    staged: Staged,
    *,
    repository_id: int,
    user_id: int | None,
    sha256: str | None = None,
    size: int | None = None,
) -> str:
    """Let staged bytes become a blob of a repository, and return its SHA-256. Needs a session that writes.

    Raises:
        Unprocessable: hash or size are not what was announced; nothing is kept.
        StorageFull, StoreUnavailable: the store cannot take them.
    """
    _compare(staged, sha256, size)
    publish_all(session, hub, [staged], repository_id=repository_id, user_id=user_id)
    return staged.sha256


def publish_all(
    session: Session, hub: Hub, staged: Iterable[Staged], *, repository_id: int, user_id: int | None
) -> None:
    """Let staged bytes, whose hashes are right, become blobs of a repository. Needs a session that writes.

    Raises:
        StorageFull, StoreUnavailable: the store cannot take them.
    """
    time = now()
    by_name = {one.sha256: one for one in staged}
    # Locked in the order of their names, and before the repository: nobody waits in a circle.
    rows = [
        {"sha256": sha256, "size": by_name[sha256].size, "created_at": time, "touched_at": time}
        for sha256 in sorted(by_name)
    ]
    hub.database.upsert(session, Blob, rows, update=("touched_at",))
    for sha256, one in by_name.items():
        one.publish(blob_key(sha256))
    give(session, hub, repository_id, by_name, user_id=user_id)


def _compare(staged: Staged, sha256: str | None, size: int | None) -> None:
    if size is not None and staged.size != size:
        raise Unprocessable(
            f"{staged.size} bytes arrived instead of the announced {size}. Upload the file again."
        )
    if sha256 is not None and staged.sha256 != sha256:
        raise Unprocessable(
            f"What arrived has the SHA-256 {staged.sha256}, announced was {sha256}. Upload the file again."
        )


def give(
    session: Session, hub: Hub, repository_id: int, blobs: Iterable[str], *, user_id: int | None
) -> None:
    """Note that blobs belong to a repository. The caller has made sure that they may."""
    rows = [
        {"repository_id": repository_id, "sha256": sha256, "uploaded_by": user_id, "created_at": now()}
        for sha256 in sorted(set(blobs))
    ]
    new = hub.database.insert_missing(session, RepositoryBlob, rows, tell="sha256")
    if new:
        added = session.scalar(select(func.sum(Blob.size)).where(Blob.sha256.in_(new))) or 0
        session.execute(
            update(Repository)
            .where(Repository.id == repository_id)
            .values(used_storage=Repository.used_storage + int(added))
        )


def belonging(session: Session, repository_id: int, blobs: Iterable[str]) -> dict[str, int]:
    """Return the sizes of those of ``blobs`` that belong to the repository."""
    sizes: dict[str, int] = {}
    wanted = sorted(set(blobs))
    for first in range(0, len(wanted), 500):
        rows = session.execute(
            select(Blob.sha256, Blob.size)
            .join(RepositoryBlob, RepositoryBlob.sha256 == Blob.sha256)
            .where(
                RepositoryBlob.repository_id == repository_id,
                RepositoryBlob.sha256.in_(wanted[first : first + 500]),
            )
        )
        sizes.update((row.sha256, row.size) for row in rows)
    return sizes
