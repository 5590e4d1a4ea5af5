"""Sessions on SQLite or PostgreSQL, and what differs between the two."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, Executable, Table, and_, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    TimeoutError,  # noqa: A004
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import TypedReturnsRows

from pytupli_registry.server.database.schema import Base
from pytupli_registry.server.database.turns import Turn, Turns
from pytupli_registry.server.errors import BadRequest, Conflict, StorageFull, Unavailable
from pytupli_registry.server.settings import SettingsError

__all__ = ["Database", "Session", "Version"]

BUSY_MS = 30_000
WRITES = "hub_writes"
SNAPSHOT: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
ROWS_A_STATEMENT = 500  # SQLite takes 32,766 parameters
Version = int
Upsert = sqlite.Insert | postgresql.Insert
DISK_FULL = ("database or disk is full", "No space left on device")


class Database:
    """The Hub's database.

    Args:
        url: an SQLAlchemy URL, ``sqlite:///…`` or ``postgresql+psycopg://…``.
        connections: how many threads may hold a connection at the same time.
        synchronous: SQLite only; False trades durability at power failures for speed (tests).

    Raises:
        SettingsError: the URL cannot be understood, or its driver is not installed.
    """

    def __init__(self, url: str, *, connections: int = 40, synchronous: bool = True) -> None:
        self.url = _understood(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._engine(connections)
        self._watch = _Watch(self.url.database) if self.is_sqlite and self.url.database else None
        self._turns = Turns(BUSY_MS / 1000)
        self._upserts: dict[tuple[type[Base], tuple[str, ...], tuple[str, ...]], Upsert] = {}
        if self.is_sqlite:
            _prepare_sqlite(self.engine, synchronous=synchronous)

    def _engine(self, connections: int) -> Engine:
        arguments: dict[str, Any] = {"timeout": BUSY_MS / 1000} if self.is_sqlite else {"connect_timeout": 10}
        try:
            return create_engine(
                self.url,
                pool_size=connections,
                max_overflow=8,
                pool_timeout=30,
                pool_pre_ping=not self.is_sqlite,  # a restarted server must not cost a request
                connect_args=arguments,
                query_cache_size=2000,
                hide_parameters=True,  # errors are logged, and parameters are secrets at times
            )
        except ImportError as error:
            raise SettingsError(
                "database_url: install pytupli-registry[postgresql] for PostgreSQL."
            ) from error

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session for reading: one consistent state, nothing is kept.

        Raises:
            Unavailable: the database does not answer.
        """
        with translated(), self.engine.connect() as plain:
            connection = plain if self.is_sqlite else plain.execution_options(**SNAPSHOT)
            connection.begin()  # here: a session takes several times as long for it, at both ends
            with Session(connection, expire_on_commit=False, autoflush=False) as session:
                yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session whose changes are committed at the end, or undone by an exception.

        SQLite writers queue up at the beginning, so that what they read is what they change.

        Raises:
            Unavailable: the database does not answer, or was changed in a way that cannot be combined.
        """
        turn = Turn(self._turns)
        try:
            with translated(), self.engine.connect() as plain:
                connection = plain.execution_options(**{WRITES: turn})
                with Session(connection, expire_on_commit=False) as session, session.begin():
                    yield session
        finally:
            turn.give()

    def check(self) -> None:
        """Ask the database for an answer.

        Raises:
            Unavailable: there is none.
        """
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def version(self) -> Version | None:
        """Return a number that is another one after every commit, of whatever process; fast, without waiting.

        None where the database has no such number (PostgreSQL), or does not tell it now.
        """
        return self._watch.version() if self._watch else None

    def insert_missing(
        self, session: Session, table: type[Base], rows: Iterable[dict[str, Any]], *, tell: str | None = None
    ) -> list[Any]:
        """Insert rows, leaving those alone whose primary or unique key exists already.

        Returns:
            the values of the column ``tell`` in the rows that were new.
        """
        statement = self._insert(table).on_conflict_do_nothing()
        if tell is None:
            _run(session, statement, list(rows))
            return []
        return _told(session, statement.returning(table.__table__.c[tell]), list(rows))

    def upsert(
        self,
        session: Session,
        table: type[Base],
        rows: Iterable[dict[str, Any]],
        *,
        update: tuple[str, ...],
        same: tuple[str, ...] = (),
    ) -> list[Any]:
        """Insert rows; where the primary key exists, set the columns ``update`` to the new row's.

        Returns:
            the first keys of the rows that were left alone because they differ from the new ones in ``same``.
        """
        key = next(iter(table.__table__.primary_key)).name
        upserting = self._upserting(table, update, same)
        wanted = list(rows)
        if not same:
            _run(session, upserting, wanted)
            return []
        written = set(_told(session, upserting.returning(table.__table__.c[key]), wanted))
        return [row[key] for row in wanted if row[key] not in written]

    def _upserting(self, table: type[Base], update: tuple[str, ...], same: tuple[str, ...]) -> Upsert:
        # Kept, because putting such a statement together takes longer than running it.
        known = self._upserts.get((table, update, same))
        if known is None:
            columns = table.__table__.c
            statement = self._insert(table)
            new = statement.excluded
            known = statement.on_conflict_do_update(
                index_elements=[column.name for column in table.__table__.primary_key],
                set_={name: new[name] for name in update},
                where=and_(*(columns[name].is_not_distinct_from(new[name]) for name in same))
                if same
                else None,
            )
            self._upserts[table, update, same] = known
        return known

    def _insert(self, table: type[Base]) -> Upsert:
        # The table, not the class: so its rows are parameters of one statement, which is compiled once.
        whole = cast("Table", table.__table__)
        return sqlite.insert(whole) if self.is_sqlite else postgresql.insert(whole)

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        if self._watch:
            self._watch.close()


class _Watch:
    """A connection of its own, which never writes: only so does SQLite tell it of all others' commits."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._lock = Lock()

    def version(self) -> Version | None:
        with self._lock:
            try:
                if self._connection is None:
                    # "rw": never made by this, and a read-only one could not open the log's index.
                    url = f"{Path(self._file).resolve().as_uri()}?mode=rw"
                    self._connection = sqlite3.connect(url, uri=True, timeout=0, check_same_thread=False)
                row = self._connection.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error:
                return None
            return int(row[0])

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _understood(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:  # whose message repeats the URL, password and all
        raise SettingsError("database_url: this is no SQLAlchemy URL.") from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql") or not parsed.database:
        raise SettingsError("database_url: it is sqlite:///FILE or postgresql://HOST/DATABASE.")
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _run(session: Session, statement: Executable, rows: Sequence[dict[str, Any]]) -> None:
    session.flush()  # statements on tables do not see to that
    for first in range(0, len(rows), ROWS_A_STATEMENT):
        session.execute(statement, rows[first : first + ROWS_A_STATEMENT])


def _told(
    session: Session, statement: TypedReturnsRows[tuple[Any]], rows: Sequence[dict[str, Any]]
) -> list[Any]:
    """Run ``statement`` for each of ``rows`` and return what it returns."""
    session.flush()
    told: list[Any] = []
    for first in range(0, len(rows), ROWS_A_STATEMENT):
        told += session.scalars(statement, rows[first : first + ROWS_A_STATEMENT])
    return told


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the database says into the server's errors.

    Raises:
        StorageFull: its disk is full.
        Unavailable: it does not answer, or is busy.
        Conflict: a row that is referred to has gone meanwhile, or one of the same name has come.
        BadRequest: a value that it does not take, and that was not looked at before.
    """
    try:
        yield
    except TimeoutError as error:
        raise Unavailable("The database is busy. Try again in a moment.") from error
    except (DataError, OverflowError, UnicodeEncodeError) as error:
        # A number beyond 64 bits, a NUL or half a surrogate pair in a text: nothing that a database keeps.
        raise BadRequest(
            "A number is too large, or a text contains characters that cannot be stored."
        ) from error
    except (OperationalError, InterfaceError) as error:
        if any(sign in str(error.orig) for sign in DISK_FULL):
            raise StorageFull("The Hub's disk is full. Nothing was changed.") from error
        raise Unavailable("The database does not answer. Try again in a moment.") from error
    except IntegrityError as error:
        raise Conflict("Something that this needs was changed at the same time. Try again.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("The connection to the database was lost. Try again in a moment.") from error
        raise


def _prepare_sqlite(engine: Engine, *, synchronous: bool) -> None:
    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
        connection.isolation_level = None  # the driver would begin transactions by itself, and too late
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {'FULL' if synchronous else 'OFF'}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        cursor.execute("PRAGMA cache_size = -16000")
        cursor.execute("PRAGMA mmap_size = 268435456")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails with "locked" when another has written between.
        immediate: Turn | bool = connection.get_execution_options().get(WRITES, False)
        if isinstance(immediate, Turn):
            immediate.take()
        if immediate:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:  # asks for nothing yet, and so for no translation of what may go wrong
            driver: Any = connection.connection.driver_connection
            driver.execute("BEGIN")
