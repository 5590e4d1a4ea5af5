"""The object store against the database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import (
    Account,
    Blob,
    GitBlob,
    Repository,
    RepositoryBlob,
    Upload,
    Xorb,
)
from pytupli_registry.server.objects import ObjectNotFound, StoredObject
from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.fsck.findings import Findings
from pytupli_registry.server.services.maintenance.marks import MANY, Marks
from pytupli_registry.server.services.xet.xorbs import xorb_key
from pytupli_registry.server.wire.git import blob_hasher

__all__ = ["check_objects"]

OBJECTS = "objects"
ROWS = "objects with a row"
SHOWN = 3


def check_objects(
    hub: Hub, marks: Marks, findings: Findings, *, deep: bool, progress: Callable[[int], None]
) -> None:
    """Check that every blob is stored with the right size (``deep``: with the right bytes)."""
    _list(hub, marks)
    _check_blobs(hub, marks, findings, deep=deep, progress=progress)
    _check_xorbs(hub, marks, findings)
    _note_remains(hub, marks, findings)


def _list(hub: Hub, marks: Marks) -> None:
    page: list[StoredObject] = []
    for found in hub.objects.list():
        page.append(found)
        if len(page) == MANY:
            marks.put(OBJECTS, ((stored.key, stored.size) for stored in page))
            page.clear()
    marks.put(OBJECTS, ((stored.key, stored.size) for stored in page))


def _check_blobs(
    hub: Hub, marks: Marks, findings: Findings, *, deep: bool, progress: Callable[[int], None]
) -> None:
    last = ""
    while True:
        with hub.database.read() as session:
            query = select(Blob.sha256, Blob.size).where(Blob.sha256 > last).order_by(Blob.sha256).limit(MANY)
            page = dict(session.execute(query).all())
        if not page:
            return
        last = max(page)
        findings.checked["blobs"] += len(page)
        listed = marks.of(OBJECTS, (blob_key(sha256) for sha256 in page))
        marks.add(ROWS, (blob_key(sha256) for sha256 in page))
        for sha256, size in page.items():
            _check_blob(hub, findings, sha256, size, listed.get(blob_key(sha256)), deep=deep)
            progress(1)


def _check_blob(
    hub: Hub, findings: Findings, sha256: str, size: int, listed: int | None, *, deep: bool
) -> None:
    # What was uploaded after the listing is asked for by itself.
    found = hub.objects.size(blob_key(sha256)) if listed is None else listed
    if found is None:
        with hub.database.read() as session:
            if not _is_referred_to(session, sha256):
                findings.note(
                    "blob", sha256, "has a row but no bytes; nothing refers to it (gc was interrupted)"
                )
                return
            findings.damage("blob", sha256, f"is missing in the object store; {_owners(session, sha256)}")
    elif found != size:
        with hub.database.read() as session:
            owners = _owners(session, sha256)
        findings.damage("blob", sha256, f"has {found} bytes instead of {size}; {owners}")
    elif deep:
        _check_bytes(hub, findings, sha256, size)


def _is_referred_to(session: Session, sha256: str) -> bool:
    named = or_(
        exists().where(RepositoryBlob.sha256 == Blob.sha256), exists().where(GitBlob.sha256 == Blob.sha256)
    )
    return session.scalar(select(Blob.sha256).where(Blob.sha256 == sha256, named)) is not None


def _owners(session: Session, sha256: str) -> str:
    query = (
        select(Account.name, Repository.name)
        .join(Repository, Repository.owner_id == Account.id)
        .join(RepositoryBlob, RepositoryBlob.repository_id == Repository.id)
        .where(RepositoryBlob.sha256 == sha256)
    )
    names = [f"{owner}/{name}" for owner, name in session.execute(query.limit(SHOWN + 1))]
    return f"it belongs to {', '.join(names[:SHOWN])}{' and others' * (len(names) > SHOWN)}"


def _check_bytes(hub: Hub, findings: Findings, sha256: str, size: int) -> None:
    with hub.database.read() as session:
        regular = select(GitBlob.oid).where(GitBlob.sha256 == sha256, ~GitBlob.lfs)
        oids: Sequence[str] = session.scalars(regular).all()
    hashes = [hashlib.sha256(), blob_hasher(size)]
    try:
        for block in hub.objects.read(blob_key(sha256)):
            for each in hashes:
                each.update(block)
    except ObjectNotFound:
        findings.damage("blob", sha256, "went while it was read")
        return
    if hashes[0].hexdigest() != sha256:
        findings.damage("blob", sha256, f"has other bytes, of the SHA-256 {hashes[0].hexdigest()}")
    for oid in oids:
        if hashes[1].hexdigest() != oid:
            findings.damage("git blob", oid, f"is not the id of its bytes, the blob {sha256}")


def _check_xorbs(hub: Hub, marks: Marks, findings: Findings) -> None:
    with hub.database.read() as session:
        stored = session.execute(select(Xorb.user_id, Xorb.hash, Xorb.size).where(Xorb.stored))
        keys = {xorb_key(user_id, xorb_hash): size for user_id, xorb_hash, size in stored}
    findings.checked["xorbs"] += len(keys)
    marks.add(ROWS, keys)
    listed = marks.of(OBJECTS, keys)
    for key, size in keys.items():
        found = listed[key] if key in listed else hub.objects.size(key)
        if found != size:
            findings.note(
                "xorb", key, f"has {found} bytes instead of {size}; clients will be asked to send it again"
            )


def _note_remains(hub: Hub, marks: Marks, findings: Findings) -> None:
    for page in marks.pages(OBJECTS):
        unknown = set(page) - marks.of(ROWS, page).keys()
        for key in unknown - _of_uploads(hub, unknown):
            findings.note("object", key, "has no row: an upload that is under way, or its remains for gc")


def _of_uploads(hub: Hub, keys: Iterable[str]) -> set[str]:
    """Return the parts of uploads that are under way."""
    parts = {key: key.split("/")[1] for key in keys if key.startswith("parts/")}
    with hub.database.read() as session:
        known = set(session.scalars(select(Upload.id).where(Upload.id.in_(set(parts.values())))))
    return {key for key, upload in parts.items() if upload in known}
