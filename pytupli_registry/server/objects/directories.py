"""Directories below one root, entered without ever following a symbolic link."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Directories"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Directories:
    """The directories of a store.

    Attributes:
        root: the outermost one; it alone may be reached through a link, which the administrator has put there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def enter(self, names: Sequence[str], *, create: bool = False) -> Iterator[list[int]]:
        """Open a directory below the root and those above it, the root first.

        Raises:
            FileNotFoundError: one of them is missing, and ``create`` is not set.
            RootMissing: the root is.
            OSError: a link or a file is in the way, and whatever else the operating system says.
        """
        handles = [self._open_root()]
        try:
            for name in names:
                handles.append(_enter(handles[-1], name, create=create))
            yield handles
        finally:
            for handle in reversed(handles):
                os.close(handle)

    def _open_root(self) -> int:
        try:
            return os.open(self.root, _DIRECTORY)
        except FileNotFoundError as error:
            # A volume that is not mounted is not the same as objects that are not there.
            raise RootMissing(f"there is no directory {self.root}") from error


class RootMissing(OSError):  # noqa: N818 - named as the server's own errors are
    """The root itself is missing: not mounted, moved, deleted."""


def _enter(above: int, name: str, *, create: bool) -> int:
    try:
        return os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=above)
    return os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
