"""All rows of one database into another, of whatever kind."""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, insert, select, text

from pytupli_registry.server.database.schema import Base

__all__ = ["copy_rows"]

ROWS_AT_ONCE = 200


def copy_rows(source: Connection, target: Connection) -> None:
    """Copy the rows of all tables, parents before children, into tables that are empty."""
    for table in Base.metadata.sorted_tables:
        rows = source.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table)).mappings()
        for chunk in rows.partitions():
            target.execute(insert(table), [dict(row) for row in chunk])
        if target.dialect.name == "postgresql":
            _continue_counting(target, table)


def _continue_counting(connection: Connection, table: Table) -> None:
    """Let PostgreSQL give new rows numbers above those that came with the rows."""
    column = table.autoincrement_column
    if column is None:
        return
    most = connection.scalar(select(func.max(column)))
    if most is not None:
        named = {"table": table.name, "column": column.name, "most": most}
        connection.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :most)"), named)
