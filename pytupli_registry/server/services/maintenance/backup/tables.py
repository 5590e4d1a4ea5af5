"""All rows of one database into another, of whatever kind."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Table, func, insert, select, text

from pytupli_registry.server.database.schema import Base

__all__ = ["copy_rows"]

ROWS_AT_ONCE = 200


def copy_rows(source: Connection, target: Connection) -> None:
    """Copy the rows of all tables, parents before children, into tables that are empty."""
    for table in Base.metadata.sorted_tables:
        rows = source.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table)).mappings()
        for chunk in rows.partitions():
            target.execute(insert(table), [dict(row) for row in chunk])
        column = table.autoincrement_column
        if column is not None:
            # Numbers of deleted rows are not given again: old links still carry them.
            _count_on(target, table, column, max(_counted(source, table, column), _most(target, column)))


def _most(connection: Connection, column: Column[int]) -> int:
    return int(connection.scalar(select(func.max(column))) or 0)


def _counted(connection: Connection, table: Table, column: Column[int]) -> int:
    """Return the highest number that rows of a table ever had."""
    if connection.dialect.name == "postgresql":
        sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
        counted = connection.scalar(text(f"SELECT last_value FROM {sequence} WHERE is_called"))  # noqa: S608 - its own answer
    else:
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
        counted = connection.scalar(query, {"table": table.name})
    return int(counted or 0)


def _count_on(connection: Connection, table: Table, column: Column[int], number: int) -> None:
    if not number:
        return
    named = {"table": table.name, "column": column.name, "number": number}
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :number)"), named)
    else:
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), named)
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :number)"), named)
