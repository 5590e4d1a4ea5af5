"""Files of a backup as they arrive: it may have been cut off, changed, or made by somebody who means no good."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection, inspect

from pytupli_registry.server.database.schema import Base
from pytupli_registry.server.objects.errors import disk_errors
from pytupli_registry.server.services.maintenance.errors import MaintenanceError

__all__ = ["check_tables", "copy_database", "read_text"]

LARGEST_TEXT = 1 << 20
_PLAIN = (
    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)  # never another's file, never a pipe's wait


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        handle = os.open(path, _PLAIN)
    except OSError as error:
        raise MaintenanceError(f"{path} cannot be read: {error.strerror}. Is the backup complete?") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise MaintenanceError(f"{path} cannot be read: it is no file.")
    with os.fdopen(handle, "rb") as file:
        yield file


def read_text(path: Path) -> str:
    """Return a small file of a backup.

    Raises:
        MaintenanceError: it is missing, a link, too large, or no text.
    """
    with _opened(path) as file:
        content = file.read(LARGEST_TEXT + 1)
    if len(content) > LARGEST_TEXT:
        raise MaintenanceError(
            f"{path} has more than {LARGEST_TEXT} bytes. This is not as the backup was made."
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MaintenanceError(f"{path} is no text. This is not as the backup was made.") from error


def copy_database(source: Path, target: Path, revision: str) -> None:
    """Copy the database of a snapshot, which has to be sound, plain, and at the migration that the manifest names.

    Raises:
        MaintenanceError: it is not; its tables do things by themselves; or it is missing or a link.
        StorageFull, StoreUnavailable: it cannot be written.
    """
    with _opened(source) as file, disk_errors("copying the database"), target.open("xb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
    target.chmod(0o600)
    try:
        with closing(sqlite3.connect(target)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            damage = [text for (text,) in database.execute("PRAGMA quick_check(3)") if text != "ok"]
            kinds = "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index')"
            active = [name for (name,) in database.execute(kinds)]
            revisions = [name for (name,) in database.execute("SELECT version_num FROM schema_version")]
    except sqlite3.Error as error:
        raise MaintenanceError(f"{source} is damaged: {error}. Take another snapshot.") from error
    if damage:
        raise MaintenanceError(f"{source} is damaged: {'; '.join(damage)[:500]}. Take another snapshot.")
    if active or revisions != [revision]:
        raise MaintenanceError(f"{source} is not the database that the backup was made with.")


def check_tables(connection: Connection) -> None:
    """Check that a database has the tables and columns of this version.

    Raises:
        MaintenanceError: some are missing.
    """
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    for table in Base.metadata.sorted_tables:
        names = (
            {column["name"] for column in inspector.get_columns(table.name)} if table.name in there else set()
        )
        missing = [column.name for column in table.columns if column.name not in names]
        if missing:
            raise MaintenanceError(
                f"The backup's table {table.name} lacks {', '.join(missing)}: it is not the database that was saved."
            )
