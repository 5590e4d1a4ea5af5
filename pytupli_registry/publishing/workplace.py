"""Places for files that are needed until they are published, below the cache; what a killed process left goes."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import WriteError
from pytupli_registry.storage.durable import hold_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["place_file", "workplace"]

_LOCK = ".lock"


@contextmanager
def workplace() -> Iterator[Path]:
    """Yield an empty directory that goes away again.

    Raises:
        WriteError: the cache cannot be written.
    """
    home = ClientConfig.from_environment().cache_path / "publishing"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with hold_lock(
            home / _LOCK, wait=True
        ):  # so that nobody sweeps a place between its making and its lock
            _sweep(home)
            made = Path(tempfile.mkdtemp(prefix="work-", dir=home))
            lock = hold_lock(made / _LOCK, wait=False)
            lock.__enter__()
    except OSError as error:
        raise WriteError(
            f"Nothing can be made ready in {home}: {error.strerror or error}.",
            hint="PYTUPLI_CACHE_PATH names another place for the cache.",
        ) from error
    try:
        yield made
    finally:
        lock.__exit__(None, None, None)
        shutil.rmtree(made, ignore_errors=True)


def place_file(source: Path, path: Path) -> None:
    """Let a name stand for a file that will not be changed: another name of its bytes, a copy where that cannot be.

    Raises:
        WriteError: there is no room.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.hardlink_to(source)
        except OSError:  # another disk, or one without such names
            shutil.copyfile(source, path)
    except OSError as error:
        raise WriteError(
            f"{source.name} cannot be made ready to be published: {error.strerror or error}."
        ) from error


def _sweep(home: Path) -> None:
    for left in home.glob("work-*/"):
        try:
            with hold_lock(left / _LOCK, wait=False):
                shutil.rmtree(left, ignore_errors=True)
        except OSError:  # somebody is at work there
            continue
