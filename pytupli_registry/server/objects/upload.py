"""One object's way into the cloud."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError

from pytupli_registry.server.objects.budget import Budget
from pytupli_registry.server.objects.errors import ObjectNotFound, StoreUnavailable
from pytupli_registry.server.objects.staged import StagedFile

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import ObjectStore as Backend  # a name for type checkers only

__all__ = ["StagedForCloud", "cloud_errors"]

_PART = 8 << 20  # bytes of a part; what is no larger is sent in one piece
_MOST_PARTS = 10_000  # of one upload to S3
_IN_FLIGHT = 16 << 20  # bytes of parts of one upload that are sent at the same time
# Who follows a signed URL into the bucket gets a file to save, never a page to show.
_ATTRIBUTES: Attributes = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}


class StagedForCloud(StagedFile):
    """An unlinked local file, uploaded as a whole when it is published."""

    def __init__(self, file: IO[bytes], backend: Backend, budget: Budget) -> None:
        super().__init__(file.fileno())
        self._file = file
        self._backend = backend
        self._budget = budget

    def discard(self) -> None:
        """Close the file, and with it is gone."""
        self._file.close()

    def _publish(self, key: str) -> None:
        with cloud_errors(key, "publishing"):
            if self._size <= _PART:
                self._put_once(key)
            else:
                self._put_in_parts(key)

    def _put_once(self, key: str) -> None:
        with self._budget.take(2 * self._size):
            content = os.pread(self._handle, self._size, 0)
            try:
                obstore.put(
                    self._backend, key, content, attributes=_ATTRIBUTES, mode="create", use_multipart=False
                )
            except AlreadyExistsError:
                return
            except NotSupportedError:  # no conditional requests there; the last of two equal objects stays
                obstore.put(self._backend, key, content, attributes=_ATTRIBUTES, use_multipart=False)

    def _put_in_parts(self, key: str) -> None:
        # obstore completes multipart uploads without conditions: of two at the same time the last one stays. They
        # become visible as a whole, and are equal.
        with suppress(FileNotFoundError):
            obstore.head(self._backend, key)
            return
        part = max(_PART, -(-self._size // _MOST_PARTS))
        at_once = max(1, _IN_FLIGHT // part)
        self._file.seek(0)
        with self._budget.take((at_once + 1) * part):  # one more is being read
            obstore.put(
                self._backend,
                key,
                self._file,
                attributes=_ATTRIBUTES,
                use_multipart=True,
                chunk_size=part,
                max_concurrency=at_once,
            )


@contextmanager
def cloud_errors(key: str, doing: str) -> Iterator[None]:
    """Turn what the cloud answers into the server's errors.

    Raises:
        ObjectNotFound: there is no such object.
        StoreUnavailable: everything else.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectNotFound(key) from error
    except (BaseError, OSError) as error:
        raise StoreUnavailable(doing) from error
