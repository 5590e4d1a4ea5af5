"""Blobs: verified bytes in the object store, and which repositories they belong to.

A row in ``blobs`` is locked before the bytes are published, and gc deletes the bytes while it holds the lock
of the row it deletes: so a row never stands without its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Blob, Repository, RepositoryBlob, now
from pytupli_registry.server.errors import Unavailable, Unprocessable

if TYPE_CHECKING:
    from pytupli_registry.server.objects import Staged
    from pytupli_registry.server.services.hub import Hub

__all__ = ["adopt", "belonging", "blob_key", "give", "publish"]


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
    _lock(session, hub, {staged.sha256: staged.size})
    staged.publish(blob_key(staged.sha256))
    give(session, hub, repository_id, [staged.sha256], user_id=user_id)
    return staged.sha256


def adopt(
    session: Session, hub: Hub, sizes: Mapping[str, int], *, repository_id: int, user_id: int | None
) -> None:
    """Make objects, published under their names before, blobs of a repository. Needs a session that writes.

    For large ones: bringing gigabytes to the disk or the cloud takes longer than others can wait for the database.

    Raises:
        Unavailable: gc has removed one, which nothing referred to, since it was published.
    """
    _lock(session, hub, sizes)
    for sha256 in sizes:
        if hub.objects.size(blob_key(sha256)) is None:
            raise Unavailable("What was uploaded has been removed by a clean-up. Upload it again.")
    give(session, hub, repository_id, sizes, user_id=user_id)


def _lock(session: Session, hub: Hub, sizes: Mapping[str, int]) -> None:
    time = now()
    # In the order of their names, so that nobody waits in a circle.
    rows = [
        {"sha256": sha256, "size": sizes[sha256], "created_at": time, "touched_at": time}
        for sha256 in sorted(sizes)
    ]
    hub.database.upsert(session, Blob, rows, update=("touched_at",))


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
