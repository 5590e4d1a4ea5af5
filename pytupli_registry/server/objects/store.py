"""The seam: what the services ask of a store of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

__all__ = ["BLOCK", "ObjectStore", "Staged", "StoredObject"]

BLOCK = 1 << 20  # most bytes of a block that is read


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object, as a listing shows it.

    Attributes:
        key: its name.
        size: bytes.
        modified: when it was stored, UTC.
    """

    key: str
    size: int
    modified: datetime


class Staged(Protocol):
    """Bytes on their way into the store, which nobody else can see yet."""

    @property
    def size(self) -> int:
        """Bytes so far."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hexadecimal."""

    def write(self, block: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end.

        Raises:
            StorageFull: no space is left.
            StoreUnavailable: the store fails.
        """

    def publish(self, key: str) -> None:
        """Let everyone see the bytes under ``key``, at once, and on stable storage. Nothing can be added afterwards.

        An object that has this name already stays as it is. The caller has compared :attr:`sha256` and
        :attr:`size` with what was announced; that a blob's name is its SHA-256 is checked again.

        Raises:
            InvalidKey: no object can have that name.
            StorageFull: no space is left; nothing is visible.
            StoreUnavailable: the store fails.
            Unprocessable: the name of a blob is not the SHA-256 of these bytes.
        """


class ObjectStore(Protocol):
    """Objects by key; written once, then only read or deleted. All calls block, and may come from any thread.

    Keys: ``blobs/<sha256>``, ``xorbs/<scope>/<hash>``, ``parts/<upload>/<number>``. Every method that takes one
    raises ``InvalidKey`` for others, and ``StoreUnavailable`` if the store fails.
    """

    @property
    def is_local(self) -> bool:
        """Whether objects are files of this machine, so that ``read`` begins without waiting for anything else."""

    def stage(self, *, hashed: bool = True) -> AbstractContextManager[Staged]:
        """Begin a new object. What was not published on leaving the context is discarded.

        Args:
            hashed: False saves the time of computing its SHA-256; it cannot become a blob then.

        Raises:
            StorageFull: no space is left.
        """

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return the bytes from ``start`` on, at most ``length``, in blocks of at most ``BLOCK``.

        As with slices, what lies behind the end is left out. The store is asked before this returns: errors of
        the first byte come from the call, later ones from the iterator.

        Raises:
            ObjectNotFound: there is none.
        """

    def size(self, key: str) -> int | None:
        """Return the size in bytes, or None if there is no such object."""

    def path(self, key: str) -> Path | None:
        """Return the file that holds exactly the object's bytes, or None if it is in no file here, or missing."""

    def url(self, key: str, *, expires_s: int, filename: str, content_type: str) -> str | None:
        """Return a URL from which anyone can download the object for so long, or None if readers are not sent away.

        Whether there is such an object is not asked. Where the store can be told to, it answers with
        ``filename`` and ``content_type``.
        """

    def delete(self, key: str) -> None:
        """Remove an object; no error if there is none."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Return the objects below ``prefix`` (whole segments: ``blobs``, ``xorbs/<scope>``), in no special order.

        Objects that are stored or deleted meanwhile may be among them or not.
        """

    def check(self) -> None:
        """Ask whether the store can be used now.

        Raises:
            StoreUnavailable: no; the cause says why.
        """

    def sweep_stale(self, older_than: timedelta) -> int:
        """Remove what killed processes left of objects that they never published, and return how many there were."""
