"""Bringing a Hub's database to this version of the server."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.migrations import migrating, migration_state, upgrade
from pytupli_registry.server.database.schema import now
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.services.maintenance.locks import alone
from pytupli_registry.server.settings import Settings

__all__ = ["MigrationReport", "copy_sqlite", "migrate"]


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What a migration did.

    Attributes:
        done: the migrations that ran, oldest first.
        newest: the migration the database is at.
        backup: the copy of the SQLite file as it was before; None on PostgreSQL, or if nothing had to be done.
    """

    done: tuple[str, ...]
    newest: str
    backup: Path | None


def migrate(settings: Settings) -> MigrationReport:
    """Run all pending migrations, in one transaction. Servers of the older version are to be stopped before.

    Raises:
        MaintenanceError: the database is newer than this version of the server, or was never initialised; or a
            server is running here.
        Unavailable: it does not answer.
    """
    database = Database(settings.database_url, connections=1)
    try:
        with alone(settings.directory) as is_alone, migrating(database) as connection:
            state = migration_state(connection)
            if state.pending and not is_alone:
                raise MaintenanceError("The server is running. Stop it before its tables change.")
            if not state.is_known or state.current is None:
                raise MaintenanceError(
                    f"The database is at migration {state.current or 'none'}, from which this version of the "
                    f"server knows no way to {state.newest}. Install the version that made it, or restore a backup."
                )
            backup = _backup(database, state.current) if state.pending else None
            if state.pending:
                upgrade(connection)
            return MigrationReport(state.pending, state.newest, backup)
    finally:
        database.dispose()


def _backup(database: Database, current: str) -> Path | None:
    if not database.is_sqlite or not database.url.database:
        return None
    source = Path(database.url.database)
    target = source.with_name(f"{source.name}.{current}-{now():%Y%m%dT%H%M%S}")
    copy_sqlite(source, target)
    return target


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy an SQLite file that may be in use: the state of one moment, committed transactions only."""
    target.touch(mode=0o600)
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")  # one file, whole in itself
