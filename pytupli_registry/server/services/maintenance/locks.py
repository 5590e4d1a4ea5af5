"""Commands that must not run at the same time, and whether a server is running."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.errors import MaintenanceError

__all__ = ["alone", "exclusive", "running"]

SERVING = "serving.lock"
MAINTAINING = "maintenance.lock"
ADVISORY = 0x7079_7475  # "pytu"


@contextmanager
def running(directory: Path) -> Iterator[None]:
    """Let others know that a server is running here, until its process ends in whatever way."""
    with _locked(directory / SERVING, fcntl.LOCK_SH):
        yield


@contextmanager
def alone(directory: Path) -> Iterator[bool]:
    """Yield whether no server is running here; if so, none starts meanwhile."""
    try:
        with _locked(directory / SERVING, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield True
    except BlockingIOError:
        yield False


@contextmanager
def exclusive(hub: Hub) -> Iterator[None]:
    """Keep other maintenance away: a backup must not run while gc removes what it copies.

    Raises:
        MaintenanceError: another command is at work.
    """
    busy = MaintenanceError(
        "Another maintenance command (gc, fsck, backup) is at work on this Hub. Wait for it."
    )
    try:
        with _locked(hub.settings.directory / MAINTAINING, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if hub.database.is_sqlite:
                yield
                return
            with _advisory(hub.database, busy):
                yield
    except BlockingIOError as error:
        raise busy from error


@contextmanager
def _locked(path: Path, operation: int) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, operation)
        yield
    finally:
        os.close(handle)


@contextmanager
def _advisory(database: Database, busy: MaintenanceError) -> Iterator[None]:
    """Hold PostgreSQL's own lock, for commands on other machines; it goes with the connection."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY}):
            raise busy
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY})
