"""Small JSON files in the user's configuration: nobody else's to read, replaced as a whole, by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["locked", "replace_json"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep two processes from losing what the other one writes to a file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = path.with_name(f".{path.stem}.lock")
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a file of mode 0600 in one step that survives a crash."""
    handle, partial = tempfile.mkstemp(prefix=f".{path.stem}.", dir=path.parent)  # of mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
