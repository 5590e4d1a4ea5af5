"""Changes that survive a power cut, and locks that processes and their children share rightly."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["hold_lock", "make_directories", "sync", "write_durably"]


def sync(path: Path) -> None:
    """Wait until a file's content, or a directory's entries, are on disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, content: str) -> None:
    """Write a small file in one step that survives a crash."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


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
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        # A child that was forked meanwhile shares the lock: closing our descriptor alone would leave it held.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)
