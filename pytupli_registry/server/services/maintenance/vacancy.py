"""A directory that becomes a Hub: all of it, or nothing."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.settings import CONFIG_NAME

__all__ = ["unfinished_hub", "write_private"]

UNFINISHED = ".init-"


@contextmanager
def unfinished_hub(directory: Path) -> Iterator[Path]:
    """Yield a directory inside ``directory`` whose content moves up at the end; an exception leaves no trace.

    Raises:
        MaintenanceError: ``directory`` is neither missing nor empty.
    """
    existed = directory.exists()
    _check_vacant(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = directory / f"{UNFINISHED}{secrets.token_hex(6)}"
    moved: list[Path] = []
    try:
        unfinished.mkdir(mode=0o700)
        yield unfinished
        # Without its configuration a directory is no Hub, so that comes last.
        entries = sorted(unfinished.iterdir(), key=lambda entry: entry.name == CONFIG_NAME)
        moved.extend(entry.rename(directory / entry.name) for entry in entries)
        unfinished.rmdir()
    except BaseException:
        for path in [unfinished, *moved] if existed else [directory]:
            _remove(path)
        raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _check_vacant(directory: Path) -> None:
    if (directory / CONFIG_NAME).exists():
        raise MaintenanceError(
            f"There is a Hub in {directory} already: `pytupli-server start {directory}` starts it."
        )
    if directory.exists() and not directory.is_dir():
        raise MaintenanceError(f"{directory} is a file. Name a directory that is missing or empty.")
    found = [entry.name for entry in directory.iterdir()] if directory.exists() else []
    strange = sorted(name for name in found if name != "lost+found" and not name.startswith(UNFINISHED))
    if strange:
        raise MaintenanceError(
            f"{directory} is not empty: it holds {strange[0]!r}. Name a directory that is missing or empty."
        )


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read."""
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
