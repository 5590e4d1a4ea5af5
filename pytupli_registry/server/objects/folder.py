"""Objects as files of a directory: ``blobs/ab/cd/abcd…``, ``xorbs/<scope>/ab/cd/abcd…``, ``parts/<upload>/<number>``.

New ones are written in ``staging/`` and get their final name as a hard link: on one file system that happens at
once and never replaces anything, and bytes that are on the disk before they have a name are whole after a power cut.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pytupli_registry.server.objects.blocks import FileBlocks
from pytupli_registry.server.objects.directories import Directories
from pytupli_registry.server.objects.errors import ObjectNotFound, StoreUnavailable, disk_errors
from pytupli_registry.server.objects.keys import checked_key, checked_prefix
from pytupli_registry.server.objects.layout import STAGING, key_at, location
from pytupli_registry.server.objects.staging import StagedInFolder, sweep
from pytupli_registry.server.objects.store import StoredObject

__all__ = ["FolderStore"]

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # never wait: it may turn out to be a pipe


class FolderStore:
    """A directory on a file system with hard links, made if it is missing.

    Attributes:
        root: the directory.
        is_local: as it has to be.
    """

    is_local = True

    def __init__(self, root: Path, *, fsync: bool = True) -> None:
        self.root = root
        self._directories = Directories(root)
        self._fsync = fsync
        with disk_errors("being opened"):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            (root / STAGING).mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def stage(self, *, hashed: bool = True) -> Iterator[StagedInFolder]:
        """Begin a new object in the staging directory."""
        with disk_errors("beginning to write"):
            staged = StagedInFolder(self._directories, fsync=self._fsync)
        if not hashed:
            staged.forgo_hash()
        try:
            yield staged
        finally:
            staged.discard()

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Open the file now, and read it block by block."""
        if start < 0 or (length is not None and length < 0):
            raise ValueError("start and length count bytes from the beginning")
        handle, size = self._open(key)
        return FileBlocks(handle, start, size if length is None else min(size, start + length))

    def size(self, key: str) -> int | None:
        """Return the file's size, or None."""
        try:
            handle, size = self._open(key)
        except ObjectNotFound:
            return None
        os.close(handle)
        return size

    def path(self, key: str) -> Path | None:
        """Return the file, for ``sendfile``."""
        return None if self.size(key) is None else self.root.joinpath(*location(key))

    def url(self, key: str, *, expires_s: int, filename: str, content_type: str) -> str | None:  # noqa: ARG002 - the seam's
        """Return None: a folder has no address."""
        checked_key(key)
        return None

    def delete(self, key: str) -> None:
        """Remove the file, and the directory of an upload with its last part."""
        *above, name = location(key)
        with disk_errors("deleting"), suppress(FileNotFoundError), self._directories.enter(above) as handles:
            os.unlink(name, dir_fd=handles[-1])
            if above[0] == "parts":
                with suppress(OSError):  # other parts are left
                    os.rmdir(above[-1], dir_fd=handles[-2])

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Walk the directories."""
        bare = checked_prefix(prefix)
        return self._below(bare.split("/") if bare else [])

    def check(self) -> None:
        """Make a file in the staging directory and discard it."""
        with self.stage():
            pass

    def sweep_stale(self, older_than: timedelta) -> int:
        """Remove files of the staging directory that no process holds any more."""
        with disk_errors("being cleaned up"):
            return sweep(self._directories, older_than)

    def _open(self, key: str) -> tuple[int, int]:
        *above, name = location(key)
        with disk_errors("opening an object"):
            try:
                with self._directories.enter(above) as handles:
                    handle = os.open(name, _READ, dir_fd=handles[-1])
            except FileNotFoundError:
                raise ObjectNotFound(key) from None
            status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            os.close(handle)
            raise StoreUnavailable("opening an object: what has its name is no file")
        return handle, status.st_size

    def _below(self, names: Sequence[str]) -> Iterator[StoredObject]:
        with disk_errors("listing"), suppress(FileNotFoundError), self._directories.enter(names) as handles:
            walk = os.fwalk(".", dir_fd=handles[-1], onerror=_raise_unless_gone)
            for directory, _, files, handle in walk:
                between = [*names, *Path(directory).parts]
                for name in files:
                    if (key := key_at([*between, name])) and (found := _described(key, name, handle)):
                        yield found


def _described(key: str, name: str, directory: int) -> StoredObject | None:
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:  # deleted meanwhile
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return StoredObject(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
