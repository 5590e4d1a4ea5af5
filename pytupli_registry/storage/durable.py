"""Changes that survive a power cut, and locks that processes and their children share rightly."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["hold_lock", "make_directories", "replacement", "sync", "write_durably"]


def sync(path: Path) -> None:
    """Wait until a file's content, or a directory's entries, are on disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacement(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of another in one step, unless an error comes before the end.

    The directory may come from a stranger: until then the file has a name that nobody can have put a link under.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)  # less the umask
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_durably(path: Path, content: str) -> None:
    """Write a small file in one step that survives a crash."""
    with replacement(path) as file:
        file.write(content.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())


def make_directories(path: Path) -> None:
    """Make a directory and those above it; the entry of each that was missing is on disk on return."""
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for directory in reversed(missing):
        sync(directory.parent)


@contextmanager
def hold_lock(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock that a file stands for.

    Raises:
        BlockingIOError: somebody else holds it, and ``wait`` is not set.
        OSError: there can be no such file, or it is a link, behind which nothing is made or locked.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        # A child that was forked meanwhile shares the lock: closing our descriptor alone would leave it held.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)
