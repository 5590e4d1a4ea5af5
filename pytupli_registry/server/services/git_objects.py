"""Git's objects in the database: shared by all repositories under their SHA-1, which can be forged.

So an object of a name that is there already has to be the same: who finds two contents of one SHA-1 must not be able
to put the one where other people read the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import GitBlob, Tree, now
from pytupli_registry.server.errors import Unprocessable
from pytupli_registry.server.services.blobs import give

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["keep_files", "keep_pointers", "keep_stored_file", "keep_trees"]

_WHAT_A_BLOB_IS = ("size", "lfs", "sha256", "content")


def keep_trees(session: Session, hub: Hub, trees: Mapping[str, bytes]) -> None:
    """Write tree objects by their ids.

    Raises:
        Unprocessable: another one has the same id.
    """
    rows = [{"oid": oid, "raw": raw, "touched_at": now()} for oid, raw in sorted(trees.items())]
    _refuse(hub.database.upsert(session, Tree, rows, update=("touched_at",), same=("raw",)))


def keep_pointers(session: Session, hub: Hub, pointers: Mapping[str, tuple[str, int]]) -> None:
    """Write large files, SHA-256 and size, by the ids of their pointers.

    Raises:
        Unprocessable: another object has the same id.
    """
    rows = [_row(oid, size, lfs=True, sha256=named) for oid, (named, size) in sorted(pointers.items())]
    _refuse(_upsert(session, hub, rows))


def keep_files(
    session: Session, hub: Hub, files: Mapping[str, bytes], *, repository_id: int, user_id: int | None
) -> None:
    """Write small files to the database by their ids.

    One that lies in the object store since smaller files did so becomes the repository's there.

    Raises:
        Unprocessable: another object has the same id.
    """
    # Sorted, so that two commits with the same files lock the rows in the same order.
    rows = [_row(oid, len(content), content=content) for oid, content in sorted(files.items())]
    elsewhere = {oid: sha256(files[oid]).hexdigest() for oid in _upsert(session, hub, rows)}
    if elsewhere:
        _refuse(
            oid for oid, named in elsewhere.items() if not _is_stored(session, oid, named, len(files[oid]))
        )
        give(session, hub, repository_id, elsewhere.values(), user_id=user_id)


def keep_stored_file(session: Session, hub: Hub, oid: str, content: bytes, named: str) -> None:
    """Write a regular file that is in the object store under its SHA-256.

    Raises:
        Unprocessable: another object has the same id.
    """
    if _upsert(session, hub, [_row(oid, len(content), sha256=named)]):
        same = update(GitBlob).where(GitBlob.oid == oid, GitBlob.content == content)
        touched = session.scalars(same.values(touched_at=now()).returning(GitBlob.oid)).all()
        _refuse({oid}.difference(touched))


def _is_stored(session: Session, oid: str, named: str, size: int) -> bool:
    """Return whether a regular file is in the object store, and hold it."""
    there = update(GitBlob).where(
        GitBlob.oid == oid, GitBlob.lfs.is_(False), GitBlob.sha256 == named, GitBlob.size == size
    )
    return bool(session.scalars(there.values(touched_at=now()).returning(GitBlob.oid)).all())


def _upsert(session: Session, hub: Hub, rows: list[dict[str, Any]]) -> list[Any]:
    return hub.database.upsert(session, GitBlob, rows, update=("touched_at",), same=_WHAT_A_BLOB_IS)


def _refuse(oids: Iterable[str]) -> None:
    shown = ", ".join(sorted(oids)[:3])
    if shown:
        raise Unprocessable(f"Another content has the same SHA-1 ({shown}). Change the file a little.")


def _row(
    oid: str, size: int, *, content: bytes | None = None, sha256: str | None = None, lfs: bool = False
) -> dict[str, Any]:
    return {"oid": oid, "size": size, "lfs": lfs, "sha256": sha256, "content": content, "touched_at": now()}
