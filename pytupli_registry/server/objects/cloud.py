"""Objects in S3 and what speaks like it, in Google Cloud Storage or Azure, through ``obstore``.

New objects are spooled to an unlinked local file and uploaded when they are published. The other way, a multipart
upload to a temporary key and a copy within the store, would need no local disk, but S3 copies at most 5 GiB in
one request, bytes with a wrong hash would reach the bucket, and a killed server would leave temporary objects in it.

What a killed server does leave are unfinished multipart uploads, which no reader sees and ``obstore`` cannot list:
buckets want the usual lifecycle rule (``AbortIncompleteMultipartUpload``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from pytupli_registry.server.objects.budget import Budget
from pytupli_registry.server.objects.errors import ObjectNotFound, disk_errors
from pytupli_registry.server.objects.keys import checked_key, checked_prefix
from pytupli_registry.server.objects.signing import SignedUrls
from pytupli_registry.server.objects.store import BLOCK, StoredObject
from pytupli_registry.server.objects.upload import StagedForCloud, cloud_errors

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore as Backend  # a name for type checkers only

__all__ = ["CloudStore"]

_IN_MEMORY = 80 << 20  # bytes that all uploads hold together
_SMALLEST_BLOCK = BLOCK // 2  # obstore gathers what arrives until it has so much
_FARTHEST = (1 << 63) - 1  # no object is so large
_NOTHING = "readiness"  # no kind of object has this name


class CloudStore:
    """A bucket, or what lies below a prefix of one.

    Args:
        backend: the bucket.
        spool: a local directory for objects on their way in; None is the system's directory for temporary files.
        urls: signs the URLs that readers are sent to; None has the server pass on the bytes.

    Attributes:
        is_local: not at all.
    """

    is_local = False

    def __init__(
        self, backend: Backend, *, spool: Path | None = None, urls: SignedUrls | None = None
    ) -> None:
        self._backend = backend
        self._spool = spool
        self._urls = urls
        self._budget = Budget(_IN_MEMORY)

    @contextmanager
    def stage(self, *, hashed: bool = True) -> Iterator[StagedForCloud]:
        """Begin a new object in a local file."""
        with disk_errors("beginning to write"):
            file = TemporaryFile(buffering=0, dir=self._spool)  # noqa: SIM115 - closed by discard
        staged = StagedForCloud(file, self._backend, self._budget)
        if not hashed:
            staged.forgo_hash()
        try:
            yield staged
        finally:
            staged.discard()

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Ask for the range now, and pass on what comes."""
        if start < 0 or (length is not None and length < 0):
            raise ValueError("start and length count bytes from the beginning")
        checked_key(key)
        with cloud_errors(key, "reading"):
            try:
                result = obstore.get(self._backend, key, options=_range(start, length))
            except (BaseError, ValueError):  # so answer stores where the range is empty or behind the end
                if (start or length is not None) and self._ends_before(key, start, length):
                    return iter(())
                raise
            return _blocks(key, iter(result.stream(_SMALLEST_BLOCK)))

    def size(self, key: str) -> int | None:
        """Ask for the object's description."""
        checked_key(key)
        try:
            with cloud_errors(key, "looking for an object"):
                return obstore.head(self._backend, key)["size"]
        except ObjectNotFound:
            return None

    def path(self, key: str) -> Path | None:
        """Return None: it lies in no file here."""
        checked_key(key)
        return None

    def url(self, key: str, *, expires_s: int, filename: str, content_type: str) -> str | None:
        """Sign a URL, if readers are to be sent away."""
        checked_key(key)
        if self._urls is None:
            return None
        with cloud_errors(key, "signing a URL"):
            return self._urls.sign(key, expires_s=expires_s, filename=filename, content_type=content_type)

    def delete(self, key: str) -> None:
        """Remove the object."""
        checked_key(key)
        with suppress(ObjectNotFound), cloud_errors(key, "deleting"):
            obstore.delete(self._backend, key)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Ask for page after page."""
        return self._below(checked_prefix(prefix))

    def check(self) -> None:
        """Ask for a listing of nothing: unlike a missing object, a missing bucket is an error there."""
        with cloud_errors(_NOTHING, "being asked for a listing"):
            for _ in obstore.list(self._backend, _NOTHING, chunk_size=1):
                break

    def sweep_stale(self, older_than: timedelta) -> int:  # noqa: ARG002
        """Return 0: spooled files have no name, and unfinished uploads end by the bucket's lifecycle rule."""
        return 0

    def _ends_before(self, key: str, start: int, length: int | None) -> bool:
        size = obstore.head(self._backend, key)["size"]
        return length == 0 or start >= size

    def _below(self, prefix: str) -> Iterator[StoredObject]:
        with cloud_errors(prefix, "listing"):
            for page in obstore.list(self._backend, prefix or None, chunk_size=1000):
                for found in page:
                    yield StoredObject(found["path"], found["size"], found["last_modified"])


def _range(start: int, length: int | None) -> GetOptions:
    if length is not None:
        return {"range": (min(start, _FARTHEST - 1), min(start + length, _FARTHEST))}
    return {"range": {"offset": min(start, _FARTHEST)}} if start else {}


def _blocks(key: str, stream: Iterator[bytes]) -> Iterator[bytes]:
    with cloud_errors(key, "reading"):
        for arrived in stream:
            for begin in range(0, len(arrived), BLOCK):
                yield arrived[begin : begin + BLOCK]
