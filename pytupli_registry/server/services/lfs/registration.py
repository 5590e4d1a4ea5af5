"""The end of an upload: staged bytes become blobs of the repository."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy.orm import Session

from pytupli_registry.server.errors import Unprocessable
from pytupli_registry.server.objects import Staged
from pytupli_registry.server.services.blobs import adopt, belonging, blob_key
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.permissions import Caller

__all__ = ["check_upload", "has_blob", "published"]

PUBLISHED_AT_ONCE = 8


def has_blob(hub: Hub, repository_id: int, sha256: str, size: int) -> bool:
    """Tell whether that blob belongs to the repository; elsewhere is as good as nowhere."""
    with hub.database.read() as session:
        return belonging(session, repository_id, [sha256]).get(sha256) == size


def check_upload(staged: Staged, sha256: str, size: int) -> None:
    """Compare what has arrived with what was announced.

    Raises:
        Unprocessable: it has another hash or size.
    """
    if (staged.sha256, staged.size) != (sha256, size):
        raise Unprocessable(
            f"The uploaded file has {staged.size} bytes and the SHA-256 {staged.sha256}; announced were {size} "
            f"bytes and {sha256}. It was not kept. Send it again, and do not change it meanwhile."
        )


@contextmanager
def published(hub: Hub, grant: UploadGrant, uploads: Collection[Staged]) -> Iterator[tuple[Session, Caller]]:
    """Make staged files, whose hashes are right, blobs of the grant's repository.

    Gives the transaction in which it happens, for what has to happen in the same, and who uploads.

    Raises:
        NotAuthenticated, RepoNotFound, Forbidden: the grant ended while the bytes came in.
        StorageFull, StoreUnavailable, Unavailable: they cannot be kept.
    """
    sizes = {staged.sha256: staged.size for staged in uploads}
    _publish(uploads)
    with hub.database.write() as session:
        caller = grant.check(session)
        adopt(session, hub, sizes, repository_id=grant.repository_id, user_id=grant.user_id)
        yield session, caller


def _publish(uploads: Collection[Staged]) -> None:
    # Each waits for the disk or the cloud, so together they take little longer than one.
    with ThreadPoolExecutor(min(PUBLISHED_AT_ONCE, max(1, len(uploads)))) as threads:
        for _ in threads.map(lambda staged: staged.publish(blob_key(staged.sha256)), uploads):
            pass
