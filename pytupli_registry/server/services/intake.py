"""What a commit brings, kept before anybody can see it: contents first, the branch moves last (git's order).

Small contents wait in memory up to a few megabytes and go to the database together; larger ones go to the
object store. What a refused or interrupted commit leaves is referenced by nothing, and gc removes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import update
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import GitBlob, now
from pytupli_registry.server.errors import Conflict
from pytupli_registry.server.services.blobs import belonging, publish
from pytupli_registry.server.services.git_objects import keep_files, keep_stored_file
from pytupli_registry.server.wire.git import blob_hasher
from pytupli_registry.server.wire.lfs import Pointer
from pytupli_registry.server.wire.operations import DeletePath, Operation, PutFile, PutLargeFile

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["Change", "Intake", "SmallFile", "hold_contents", "keep_contents"]

MOST_IN_MEMORY = 4 << 20
MANY = 500


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A regular file whose content is kept already, or in ``content`` still."""

    oid: str
    content: bytes | None = None


Change = SmallFile | PutLargeFile | None  # None: what is at the path goes


class Intake:
    """Takes in the operations of one commit, in order; the last one of a path counts.

    Args:
        hub: where contents are kept.
        repository_id: the repository they are for.
        user_id: who sends them.

    Attributes:
        changes: what becomes of each path.
        replaced: paths that are deleted and written again.
    """

    def __init__(self, hub: Hub, repository_id: int, user_id: int | None) -> None:
        self.changes: dict[str, Change] = {}
        self.replaced: set[str] = set()
        self._hub = hub
        self._repository_id = repository_id
        self._user_id = user_id
        self._waiting = 0

    def take(self, operation: Operation) -> None:
        """Take in one operation.

        Raises:
            StorageFull, StoreUnavailable, Unavailable: it cannot be kept.
        """
        match operation:
            case DeletePath(path):
                self._set(path, None)
            case PutLargeFile(path):
                self._set(path, operation)
            case PutFile(path, content):
                self._put(path, content)

    def _set(self, path: str, change: Change) -> None:
        if path in self.changes and self.changes.pop(path) is None and change is not None:
            self.replaced.add(path)
        self.changes[path] = change

    def _put(self, path: str, content: bytes) -> None:
        pointer = Pointer.parse(content)
        if pointer is not None and pointer.encoded() == content:
            # In git this is the large file itself: it must belong to the repository like every other.
            self._set(path, PutLargeFile(path, pointer.sha256, pointer.size))
            return
        hasher = blob_hasher(len(content))
        hasher.update(content)
        oid = hasher.hexdigest()
        if len(content) > self._hub.settings.inline_size:
            self._store(oid, content)
            self._set(path, SmallFile(oid))
            return
        self._set(path, SmallFile(oid, content))
        self._waiting += len(content)
        if self._waiting > MOST_IN_MEMORY:
            self._flush()

    def _flush(self) -> None:
        with self._hub.database.write() as session:
            keep_contents(
                session,
                self._hub,
                self.changes,
                repository_id=self._repository_id,
                user_id=self._user_id,
            )
        for path, change in self.changes.items():
            if isinstance(change, SmallFile):
                self.changes[path] = SmallFile(change.oid)
        self._waiting = 0

    def _store(self, oid: str, content: bytes) -> None:
        with self._hub.objects.stage() as staged:
            staged.write(content)
            with self._hub.database.write() as session:
                sha256 = publish(
                    session, self._hub, staged, repository_id=self._repository_id, user_id=self._user_id
                )
                keep_stored_file(session, self._hub, oid, content, sha256)


def keep_contents(
    session: Session,
    hub: Hub,
    changes: Mapping[str, Change],
    *,
    repository_id: int,
    user_id: int | None,
) -> None:
    """Write the contents that are still in memory to the database.

    Raises:
        Unprocessable: other people's file has the same SHA-1 as one of them.
    """
    files = {
        change.oid: change.content
        for change in changes.values()
        if isinstance(change, SmallFile) and change.content is not None
    }
    keep_files(session, hub, files, repository_id=repository_id, user_id=user_id)


def hold_contents(session: Session, repository_id: int, changes: Mapping[str, Change]) -> None:
    """Make sure that contents which were kept earlier are still there, and stay: gc may have come by.

    Raises:
        Conflict: some are gone; the commit took longer than gc waits.
    """
    kept = {
        change.oid for change in changes.values() if isinstance(change, SmallFile) and change.content is None
    }
    wanted = sorted(kept)
    stored: set[str] = set()
    for first in range(0, len(wanted), MANY):
        chunk = wanted[first : first + MANY]
        touched = update(GitBlob).where(GitBlob.oid.in_(chunk)).values(touched_at=now())
        held = session.execute(touched.returning(GitBlob.oid, GitBlob.sha256)).all()
        kept.difference_update(row.oid for row in held)
        stored.update(row.sha256 for row in held if row.sha256 is not None)
    if kept or len(belonging(session, repository_id, stored)) < len(stored):
        raise Conflict("The commit took so long that its first files were removed again. Send it once more.")
