"""The files behind the blobs of a tree: their sizes, where their bytes are, and the bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Integer, bindparam, select, type_coerce
from sqlalchemy.orm import Session

from pytupli_registry.server.database.prepared import Prepared, PreparedForMany
from pytupli_registry.server.database.schema import GitBlob
from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.wire.lfs import Pointer

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["File", "content_of", "file_of", "files_of", "keep_content", "read_file"]

MANY = 500
OVERHEAD = 200  # bytes that an entry of a cache takes by itself


class File(NamedTuple):
    """What a git blob stands for.

    Attributes:
        oid: the git blob's id (of the pointer, for large files).
        size: bytes of the file.
        lfs: whether git keeps a pointer only.
        sha256: the blob in the object store; None for small files, which are in the database.
    """

    oid: str
    size: int
    lfs: bool
    sha256: str | None

    @property
    def etag(self) -> str:
        """What clients name their cached copy by: the SHA-256 of large files, else git's id."""
        return self.sha256 if self.lfs and self.sha256 else self.oid

    @property
    def pointer_size(self) -> int:
        """Bytes of the pointer that git keeps."""
        return len(Pointer(self.sha256 or "", self.size).encoded())


_BLOBS = GitBlob.__table__.c
# A number, so that nothing of many rows is converted.
_FILES = select(_BLOBS.oid, _BLOBS.size, type_coerce(_BLOBS.lfs, Integer), _BLOBS.sha256)
_KNOWN = PreparedForMany(_FILES, _BLOBS.oid)
_ONE = Prepared(_FILES.where(_BLOBS.oid == bindparam("oid")))
_CONTENT = Prepared(select(_BLOBS.content).where(_BLOBS.oid == bindparam("oid")))


def files_of(session: Session, hub: Hub, oids: Iterable[str]) -> dict[str, File]:
    """Return the files behind git blobs, by id."""
    wanted = set(oids)
    found = hub.caches.files.get_many(wanted)
    unknown = list(wanted - found.keys())
    for first in range(0, len(unknown), MANY):
        found |= _kept(hub, _KNOWN.rows(session, unknown[first : first + MANY]))
    return found


def _kept(hub: Hub, rows: Sequence[Sequence[Any]]) -> dict[str, File]:
    files = {oid: File(oid, size, bool(lfs), sha256) for oid, size, lfs, sha256 in rows}
    hub.caches.files.put_many(files)
    return files


def file_of(session: Session, hub: Hub, oid: str) -> File:
    """Return the file behind one git blob.

    Raises:
        LookupError: the database is damaged; fsck tells more.
    """
    known = hub.caches.files.get(oid)
    if known is not None:
        return known
    rows = _ONE.rows(session, {"oid": oid})
    if not rows:
        raise LookupError(f"git blob {oid} is missing from the database")
    return _kept(hub, rows)[oid]


def content_of(session: Session, oid: str) -> bytes:
    """Return the bytes of a small file that is in the database.

    Raises:
        LookupError: the database is damaged; fsck tells more.
    """
    content: bytes | None = _CONTENT.value(session, {"oid": oid})
    if content is None:
        raise LookupError(f"the content of git blob {oid} is missing from the database")
    return content


def keep_content(session: Session, hub: Hub, oid: str) -> bytes:
    """Return the bytes of a small file as :func:`content_of`, and keep them in memory for a while."""
    content = content_of(session, oid)
    hub.caches.contents.put(oid, content, len(content) + OVERHEAD)
    return content


def read_file(
    session: Session, hub: Hub, file: File, start: int = 0, length: int | None = None
) -> Iterator[bytes]:
    """Return the bytes of a file in blocks, from wherever they are."""
    if file.sha256 is not None:
        return hub.objects.read(blob_key(file.sha256), start, length)
    content = content_of(session, file.oid)
    return iter([content[start : None if length is None else start + length]])
