"""Bytes that come in: hashed while they are written to a file that nobody else sees."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod

from pytupli_registry.server.errors import Unprocessable
from pytupli_registry.server.objects.errors import StoreUnavailable, disk_errors
from pytupli_registry.server.objects.keys import checked_key

__all__ = ["StagedFile"]


class StagedFile(ABC):
    """A local file of bytes on their way into a store; where they go is said by the classes below."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._size = 0
        self._hash: hashlib._Hash | None = hashlib.sha256()
        self._published = False

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hexadecimal."""
        if self._hash is None:
            raise ValueError("these bytes are not hashed")
        return self._hash.hexdigest()

    def forgo_hash(self) -> None:
        """Do not compute the SHA-256; to be called before anything is written."""
        self._hash = None

    def write(self, block: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end."""
        self._ensure_unpublished()
        view = memoryview(block).cast("B")
        with disk_errors("writing"):
            written = 0
            while written < len(view):
                written += os.write(self._handle, view[written:])
        if self._hash is not None:
            self._hash.update(view)
        self._size += len(view)

    def publish(self, key: str) -> None:
        """Let everyone see the bytes under ``key``."""
        self._ensure_unpublished()
        checked_key(key)
        if key.startswith("blobs/") and key != f"blobs/{self.sha256}":
            raise Unprocessable(
                f"The SHA-256 of these bytes is {self.sha256}, not {key.removeprefix('blobs/')}."
            )
        with disk_errors("publishing"):
            if os.fstat(self._handle).st_size != self._size:  # a write that failed half-way
                raise StoreUnavailable("writing")
            self._publish(key)
        self._published = True

    def _ensure_unpublished(self) -> None:
        if self._published:
            raise ValueError("these bytes are published already")

    @abstractmethod
    def _publish(self, key: str) -> None:
        """Store the file's bytes durably under a checked key, unless it is taken."""

    @abstractmethod
    def discard(self) -> None:
        """Close the file, which leaves nothing behind."""
