"""Objects of the store: blobs that no repository has, xorbs that nobody used, parts of uploads that ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Blob, GitBlob, RepositoryBlob, Upload, User, Xorb
from pytupli_registry.server.objects import StoredObject
from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.services.maintenance.gc.contents import (
    FILES_THAT_GO,
    OWNERSHIPS_THAT_GO,
    ownership_name,
)
from pytupli_registry.server.services.maintenance.gc.run import GcRun

__all__ = ["collect_blobs", "collect_remains"]

AT_ONCE = 50  # deleted while a transaction is open
SHORTEST_STAGING = timedelta(hours=1)


def collect_blobs(run: GcRun) -> None:
    """Remove blobs that neither a repository nor a git blob has."""
    last = ""
    while page := _page(run, last):
        last = page[-1][0]
        free = _unreferenced(run, page)
        if run.dry:
            _count(run, "blobs", free)
        elif free:
            with run.hub.database.write() as session:
                _count(run, "blobs", _remove(session, run, free))


def _page(run: GcRun, last: str) -> list[tuple[str, int]]:
    old = select(Blob.sha256, Blob.size).where(Blob.touched_at < run.cutoff, Blob.sha256 > last)
    with run.hub.database.read() as session:
        return list(session.execute(old.order_by(Blob.sha256).limit(AT_ONCE)))


def _unreferenced(run: GcRun, page: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return those that nothing has, but for what a dry run would have removed."""
    free = dict(page)
    with run.hub.database.read() as session:
        owners = session.execute(
            select(RepositoryBlob.repository_id, RepositoryBlob.sha256).where(RepositoryBlob.sha256.in_(free))
        ).all()
        files = session.execute(select(GitBlob.oid, GitBlob.sha256).where(GitBlob.sha256.in_(free))).all()
    named = {ownership_name(row.repository_id, row.sha256): row.sha256 for row in owners}
    of_files = {row.oid: row.sha256 for row in files}
    kept = {named[name] for name in named.keys() - run.marks.of(OWNERSHIPS_THAT_GO, named).keys()}
    kept |= {of_files[oid] for oid in of_files.keys() - run.marks.of(FILES_THAT_GO, of_files).keys()}
    return {sha256: size for sha256, size in free.items() if sha256 not in kept}


def _remove(session: Session, run: GcRun, blobs: dict[str, int]) -> dict[str, int]:
    old = select(Blob.sha256).where(Blob.sha256.in_(blobs), Blob.touched_at < run.cutoff)
    locked = session.scalars(old.order_by(Blob.sha256).with_for_update(skip_locked=True)).all()
    # Asked again: who came before the lock is seen now, who comes after it waits.
    free = session.scalars(
        select(Blob.sha256).where(
            Blob.sha256.in_(locked),
            ~exists().where(RepositoryBlob.sha256 == Blob.sha256),
            ~exists().where(GitBlob.sha256 == Blob.sha256),
        )
    ).all()
    session.execute(delete(Blob).where(Blob.sha256.in_(free)))
    for sha256 in free:
        run.hub.objects.delete(blob_key(sha256))
    return {sha256: blobs[sha256] for sha256 in free}


def _count(run: GcRun, kind: str, sizes: dict[str, int]) -> None:
    run.removed[kind] += len(sizes)
    run.freed[kind] += sum(sizes.values())


def collect_remains(run: GcRun) -> None:
    """Remove objects without a row, which uploads left that died, and what was never published."""
    for found in _old(run, "blobs"):
        _remove_blob_without_row(run, found)
    for found in _old(run, "xorbs"):
        _remove_xorb_without_row(run, found)
    for found in _old(run, "parts"):
        _remove_part_without_upload(run, found)
    if not run.dry:
        age = max(SHORTEST_STAGING, run.started - run.cutoff)
        run.removed["unfinished objects"] += run.hub.objects.sweep_stale(age)


def _old(run: GcRun, prefix: str) -> Iterator[StoredObject]:
    return (found for found in run.hub.objects.list(prefix) if found.modified < run.cutoff)


def _remove_blob_without_row(run: GcRun, found: StoredObject) -> None:
    sha256 = found.key.rpartition("/")[2]
    with run.hub.database.read() as session:
        if session.get(Blob, sha256) is not None:
            return
    if run.dry:
        _count(run, "objects without a row", {found.key: found.size})
        return
    with run.hub.database.write() as session:
        row = {"sha256": sha256, "size": found.size, "created_at": run.started, "touched_at": run.started}
        if run.hub.database.insert_missing(session, Blob, [row], tell="sha256"):
            run.hub.objects.delete(found.key)
            session.execute(delete(Blob).where(Blob.sha256 == sha256))
            _count(run, "objects without a row", {found.key: found.size})


def _remove_xorb_without_row(run: GcRun, found: StoredObject) -> None:
    _, scope, xorb_hash = found.key.split("/")
    user_id = int(scope) if scope.isdecimal() else 0
    with run.hub.database.read() as session:
        xorb = session.get(Xorb, (user_id, xorb_hash))
        if xorb is not None and xorb.stored:
            return
        is_user = session.get(User, user_id) is not None
    _count(run, "objects without a row", {found.key: found.size})
    if run.dry:
        return
    with run.hub.database.write() as session:
        row = {
            "user_id": user_id,
            "hash": xorb_hash,
            "size": 0,
            "lengths": b"",
            "stored": False,
            "segments": [],
        }
        times = {"created_at": run.started, "touched_at": run.started}
        if is_user and not run.hub.database.insert_missing(session, Xorb, [row | times], tell="hash"):
            again = session.get(Xorb, (user_id, xorb_hash), with_for_update=True)
            if again is None or again.stored:
                return
            run.hub.objects.delete(found.key)
            return
        run.hub.objects.delete(found.key)
        session.execute(delete(Xorb).where(Xorb.user_id == user_id, Xorb.hash == xorb_hash))


def _remove_part_without_upload(run: GcRun, found: StoredObject) -> None:
    with run.hub.database.read() as session:
        if session.get(Upload, found.key.split("/")[1]) is not None:
            return
    _count(run, "objects without a row", {found.key: found.size})
    if not run.dry:
        run.hub.objects.delete(found.key)
