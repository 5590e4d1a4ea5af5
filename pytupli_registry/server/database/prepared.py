"""Questions that nearly every request asks, compiled once and asked at the driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect, Select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

__all__ = ["Prepared"]


class Prepared:
    """A SELECT with named parameters.

    On SQLite the answer takes less time than SQLAlchemy takes around it, so it is asked without. On PostgreSQL, which
    is further away, it makes no difference.

    Args:
        statement: must select and compare only texts, whole numbers and bytes, which need no conversion, with
            parameters that each stand for one value.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._compiled: tuple[str, tuple[str, ...]] | None = None

    def rows(self, session: Session, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return all rows."""
        connection = session.connection()
        if connection.dialect.name != "sqlite":
            return session.execute(self._statement, values).all()
        text, names = self._compiled or self._compile(connection.dialect)
        driver: Any = connection.connection.driver_connection
        try:
            found: list[Sequence[Any]] = driver.execute(text, [values[name] for name in names]).fetchall()
        except sqlite3.OperationalError as error:
            raise OperationalError(text, None, error) from error
        return found

    def value(self, session: Session, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of whatever column
        """Return the first column of the first row, or None if there is none."""
        rows = self.rows(session, values)
        return rows[0][0] if rows else None

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
        compiled = self._statement.compile(dialect=dialect)
        self._compiled = str(compiled), tuple(compiled.positiontup or ())
        return self._compiled
