"""A folder's new objects, before they have a name."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta

from pytupli_registry.server.objects.directories import Directories
from pytupli_registry.server.objects.errors import StoreUnavailable
from pytupli_registry.server.objects.layout import STAGING, location
from pytupli_registry.server.objects.staged import StagedFile

__all__ = ["StagedInFolder", "sweep"]

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ATTEMPTS = 5


class StagedInFolder(StagedFile):
    """A file in the staging directory, locked for as long as its process lives."""

    def __init__(self, directories: Directories, *, fsync: bool) -> None:
        self._directories = directories
        self._fsync = fsync
        self._name = secrets.token_hex(16)
        with ExitStack() as stack:
            *_, self._staging = stack.enter_context(directories.enter([STAGING]))
            super().__init__(os.open(self._name, _NEW, 0o600, dir_fd=self._staging))
            self._open = stack.pop_all()
        with suppress(
            OSError
        ):  # without locks (some network file systems), age alone protects from the sweep
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def discard(self) -> None:
        """Close the file and remove its staging name, which it has whether published or not."""
        with suppress(OSError):  # the sweep comes by later
            os.unlink(self._name, dir_fd=self._staging)
        os.close(self._handle)
        self._open.close()

    def _publish(self, key: str) -> None:
        if self._fsync:
            os.fsync(self._handle)
        *above, name = location(key)
        for _ in range(_ATTEMPTS - 1):
            with suppress(
                FileNotFoundError
            ):  # the last other part was deleted meanwhile, and its directory with it
                return self._link(above, name)
        return self._link(above, name)

    def _link(self, above: Sequence[str], name: str) -> None:
        with self._directories.enter(above, create=True) as handles:
            directory = handles[-1]
            try:
                os.link(
                    self._name, name, src_dir_fd=self._staging, dst_dir_fd=directory, follow_symlinks=False
                )
            except FileExistsError:
                if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                    raise StoreUnavailable("publishing: something that is no file has that name") from None
            if self._fsync:
                # Those that are not new, too: whoever made them may not have come as far as this.
                for handle in reversed(handles):
                    os.fsync(handle)


def sweep(directories: Directories, older_than: timedelta) -> int:
    """Remove the staging files of processes that are gone, and return how many there were."""
    oldest = time.time() - older_than.total_seconds()
    with directories.enter([STAGING]) as (_, staging):
        names = os.listdir(staging)  # noqa: PTH208 - pathlib knows no descriptors
        return sum(_swept(staging, name, oldest) for name in names)


def _swept(staging: int, name: str, oldest: float) -> bool:
    try:
        handle = os.open(name, _OLD, dir_fd=staging)
    except OSError:  # published or discarded meanwhile; or a link, which is not ours
        return False
    try:
        if os.fstat(handle).st_mtime > oldest:
            return False
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=staging)
    except OSError:  # locked: somebody is still writing to it
        return False
    else:
        return True
    finally:
        os.close(handle)
