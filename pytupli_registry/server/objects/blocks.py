"""The bytes of a file, block by block."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pytupli_registry.server.objects.errors import StoreUnavailable, disk_errors
from pytupli_registry.server.objects.store import BLOCK

__all__ = ["FileBlocks"]


class FileBlocks(Iterator[bytes]):
    """Reads part of an open file, which it owns; one that is dropped half-way closes it too.

    A generator would not do: one that was never started runs no ``finally``.
    """

    def __init__(self, handle: int, start: int, stop: int) -> None:
        self._handle = handle
        self._position = start
        self._stop = stop

    def __next__(self) -> bytes:
        wanted = min(self._stop - self._position, BLOCK)
        if wanted <= 0 or self._handle < 0:
            self.close()
            raise StopIteration
        block = self._read(self._position, wanted)
        self._position += len(block)
        return block

    def between(self, start: int, stop: int) -> Iterator[bytes]:
        """Iterate over other bytes of the file, which stays open."""
        while start < stop:
            block = self._read(start, min(stop - start, BLOCK))
            start += len(block)
            yield block

    def _read(self, position: int, wanted: int) -> bytes:
        with disk_errors("reading"):
            block = os.pread(self._handle, wanted, position)
        if not block:
            raise StoreUnavailable("reading a file that became shorter")
        return block

    @property
    def position(self) -> int:
        """Where in the file the next block begins."""
        return self._position

    @property
    def remaining(self) -> int:
        """How many bytes are still to be read."""
        return max(self._stop - self._position, 0)

    def fileno(self) -> int:
        """Return the file's descriptor, for ``sendfile``; it is closed with this."""
        return self._handle

    def close(self) -> None:
        """Close the file; nothing more is read."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def __del__(self) -> None:
        self.close()
