"""The migrations make what ``schema.py`` says, on both databases; what Alembic does not compare is compared too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.migrations import (
    VERSION_TABLE,
    is_empty,
    migrating,
    migration_state,
    upgrade,
)
from pytupli_registry.server.database.schema import Account, Base, User
from pytupli_registry.server.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

POSTGRES_CHECKS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path) -> Iterator[Database]:
    database = _database(request, tmp_path, "one")
    yield database
    database.dispose()


@pytest.fixture
def another(request, empty, tmp_path) -> Iterator[Database]:
    """One more of the same kind."""
    database = _database(request, tmp_path, "two", sqlite=empty.is_sqlite)
    yield database
    database.dispose()


def _database(request, tmp_path, name: str, *, sqlite: bool | None = None) -> Database:
    if sqlite or (sqlite is None and request.param == "sqlite"):
        return Database(f"sqlite:///{tmp_path / name}", synchronous=False)
    return Database(request.getfixturevalue("postgres").database())


def _migrate(database: Database) -> None:
    with migrating(database) as connection:
        upgrade(connection)


def test_alembic_finds_no_difference(empty):
    _migrate(empty)
    with empty.engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_checks_keys_and_columns_are_those_of_the_schema(empty, another):
    """Alembic compares no CHECK, primary key or ON DELETE."""
    _migrate(empty)
    Base.metadata.create_all(another.engine)
    assert _definitions(empty) == _definitions(another)


def _definitions(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            found = [tuple(row) for row in connection.exec_driver_sql(POSTGRES_CHECKS)]
            return [row for row in found if row[0] != VERSION_TABLE]
        tables = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1"
        )
        # Columns and constraints are the lines of a definition, or what commas part where a column was added; their
        # order is no difference.
        return [
            (
                name,
                sorted(
                    part.strip().lower() for part in re.split(r",(?![^()]*\))|\n|\)$", sql) if part.strip()
                ),
            )
            for name, sql in tables
            if name != VERSION_TABLE
        ]


def test_state_tells_what_is_pending(empty):
    with empty.engine.connect() as connection:
        assert is_empty(connection)
        before = migration_state(connection)
    assert before.current is None
    assert before.is_known
    assert [text.split()[0] for text in before.pending][-1] == before.newest
    _migrate(empty)
    with empty.engine.connect() as connection:
        after = migration_state(connection)
        assert not is_empty(connection)
    assert (after.current, after.pending) == (before.newest, ())


def test_a_database_of_a_newer_version_is_unknown(empty):
    _migrate(empty)
    with empty.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with empty.engine.connect() as connection:
        state = migration_state(connection)
    assert not state.is_known


def test_a_migration_that_fails_leaves_nothing(empty):
    with pytest.raises((sa.exc.DBAPIError, Unavailable)), migrating(empty) as connection:  # noqa: PT012 - the error follows the work
        upgrade(connection)
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
    with empty.engine.connect() as connection:
        assert is_empty(connection)


def test_foreign_keys_that_a_migration_breaks_undo_it(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'one'}", synchronous=False)
    _migrate(database)
    with pytest.raises(RuntimeError, match="tokens"), migrating(database) as connection:
        connection.exec_driver_sql(
            "INSERT INTO tokens (user_id, name, digest, role, kind, created_at) "
            "VALUES (77, 'a', 'b', 'read', 'personal', '2026-01-01')"
        )
    with database.read() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM tokens")) == 0
    database.dispose()


def test_other_connections_keep_their_foreign_keys(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'one'}", connections=1, synchronous=False)
    _migrate(database)
    with migrating(database):
        pass
    with database.write() as session:
        assert session.scalar(sa.text("PRAGMA foreign_keys")) == 1
    database.dispose()


def test_making_a_table_anew_keeps_what_refers_to_it(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'one'}", synchronous=False)
    _migrate(database)
    with database.write() as session:
        session.add(Account(id=1, kind="user", name="a", name_key="a"))
        session.add(User(account_id=1))
    with migrating(database) as connection:
        connection.exec_driver_sql("CREATE TABLE copied (id INTEGER PRIMARY KEY, name TEXT)")
        connection.exec_driver_sql("INSERT INTO copied SELECT id, name FROM accounts")
        connection.exec_driver_sql("DROP TABLE accounts")
        connection.exec_driver_sql("ALTER TABLE copied RENAME TO accounts")
    with database.read() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM users")) == 1
    database.dispose()
