"""Migrations: how the tables of one version of the server become those of the next.

Every migration is a file in ``versions``, made by ``python -m pytupli_registry.server.database.migrations MESSAGE``
from the difference between what the newest migration leaves and what ``schema`` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from pytupli_registry.server.database.engine import WRITES, Database, translated

__all__ = ["MigrationState", "configuration", "is_empty", "migrating", "migration_state", "upgrade"]

LOCATION = "pytupli_registry.server.database:migrations"
VERSION_TABLE = "schema_version"


@dataclass(frozen=True, slots=True)
class MigrationState:
    """How a database stands to this version of the server.

    Attributes:
        current: the migration the database is at, None for one without tables.
        newest: the newest migration this version of the server knows.
        pending: what has to run, oldest first, as ``0002 what it does``.
        is_known: False when the database was migrated by a newer version of the server.
    """

    current: str | None
    newest: str
    pending: tuple[str, ...]
    is_known: bool


def configuration(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration, without any file."""
    config = Config()
    config.set_main_option("script_location", LOCATION)
    config.attributes["connection"] = connection
    return config


def migration_state(connection: Connection) -> MigrationState:
    """Return how the database of ``connection`` stands to this version of the server."""
    current = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE}
    ).get_current_revision()
    known = _known()
    revisions = [revision for revision, _ in known]
    done = revisions.index(current) + 1 if current in revisions else 0
    pending = tuple(f"{revision} {what}" for revision, what in known[done:])
    return MigrationState(current, revisions[-1], pending, current is None or current in revisions)


@cache
def _known() -> tuple[tuple[str, str], ...]:
    """Return the migrations of this version, oldest first; reading them takes a while, and `/ready` is asked often."""
    scripts = ScriptDirectory.from_config(configuration()).walk_revisions()
    return tuple((script.revision, script.doc) for script in scripts)[::-1]


def is_empty(connection: Connection) -> bool:
    """Return whether the database holds no tables at all."""
    return not inspect(connection).get_table_names()


def upgrade(connection: Connection) -> None:
    """Run all pending migrations inside the connection's transaction."""
    command.upgrade(configuration(connection), "head")


@contextmanager
def migrating(database: Database) -> Iterator[Connection]:
    """Open a transaction for migrations; an exception undoes all of them, tables included.

    SQLite changes a column by making the table anew, which would delete everything that refers to it:
    foreign keys are off meanwhile and checked before the end.

    Raises:
        Unavailable: the database does not answer.
    """
    with translated(), database.engine.connect() as plain:
        connection = plain.execution_options(**{WRITES: True})
        if database.is_sqlite:
            connection.detach()  # closed at the end: no other user may get it with foreign keys off
            _driver_execute(connection, "PRAGMA foreign_keys = OFF")  # does nothing inside a transaction
        with connection.begin():
            yield connection
            if database.is_sqlite:
                _check_foreign_keys(connection)


def _driver_execute(connection: Connection, statement: str) -> None:
    driver = connection.connection.dbapi_connection
    assert driver is not None  # noqa: S101 - it was connected a line above
    driver.cursor().execute(statement)


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise RuntimeError(
            f"a migration has broken the reference of {broken[0]} row {broken[1]} to {broken[2]}"
        )
