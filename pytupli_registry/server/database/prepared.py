"""Questions that nearly every request asks, compiled once and asked at the driver."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Dialect, Select, bindparam, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

__all__ = ["Prepared", "PreparedForMany"]

Row = Sequence[Any]


def _connection(session: Session) -> Connection:
    """Return ``session.connection()``, without its way through the session's states where that changes nothing."""
    bind = session.bind
    return bind if isinstance(bind, Connection) and bind.in_transaction() else session.connection()


class Prepared:
    """A SELECT with named parameters.

    On SQLite the answer takes less time than SQLAlchemy takes around it, so it is asked without. On PostgreSQL, which
    is further away, it makes no difference.

    Args:
        statement: must compare only texts, whole numbers and bytes, which need no conversion, with parameters that
            each stand for one value.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._compiled: _Compiled | None = None

    def rows(self, session: Session, values: Mapping[str, Any]) -> Sequence[Row]:
        """Return all rows."""
        connection = _connection(session)
        if connection.dialect.name != "sqlite":
            return session.execute(self._statement, values).all()
        compiled = self._compiled or self._compile(connection.dialect)
        driver: Any = connection.connection.driver_connection
        try:
            found: list[Row] = driver.execute(
                compiled.text, [values[name] for name in compiled.names]
            ).fetchall()
        except sqlite3.OperationalError as error:
            raise OperationalError(compiled.text, None, error) from error
        return [compiled.converted(row) for row in found] if compiled.converters else found

    def value(self, session: Session, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of whatever column
        """Return the first column of the first row, or None if there is none."""
        rows = self.rows(session, values)
        return rows[0][0] if rows else None

    def _compile(self, dialect: Dialect) -> _Compiled:
        compiled = self._statement.compile(dialect=dialect)
        types = [column.type.dialect_impl(dialect) for column in self._statement.selected_columns]
        converters = {
            place: convert
            for place, type_ in enumerate(types)
            if (convert := type_.result_processor(dialect, None)) is not None
        }
        self._compiled = _Compiled(str(compiled), tuple(compiled.positiontup or ()), converters)
        return self._compiled


class _Compiled(NamedTuple):
    """What the driver is asked, and how columns become Python's values (times, JSON), by place."""

    text: str
    names: tuple[str, ...]
    converters: Mapping[int, Callable[[Any], Any]]

    def converted(self, row: Row) -> Row:
        values = list(row)
        for place, convert in self.converters.items():
            values[place] = convert(values[place])
        return values


class PreparedForMany:
    """A SELECT of the rows whose ``key`` is one of many.

    Args:
        statement: as for :class:`Prepared`, without any condition.
        key: the column.
    """

    def __init__(self, statement: Select[Any], key: ColumnElement[Any]) -> None:
        listed = func.json_each(bindparam("keys")).table_valued("value")
        self._on_sqlite = Prepared(statement.where(key.in_(select(listed.c.value))))
        self._elsewhere = statement.where(key.in_(bindparam("keys", expanding=True)))

    def rows(self, session: Session, keys: Collection[Any]) -> Sequence[Row]:
        """Return the rows of all ``keys``, at most some hundreds."""
        if not keys:
            return ()
        if _connection(session).dialect.name == "sqlite":
            return self._on_sqlite.rows(session, {"keys": json.dumps(list(keys))})
        return session.execute(self._elsewhere, {"keys": list(keys)}).all()
