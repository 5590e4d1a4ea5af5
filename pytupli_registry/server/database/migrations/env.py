"""What Alembic runs: the migrations, on a connection and in a transaction that belong to the caller."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import False_

from pytupli_registry.server.database.migrations import VERSION_TABLE
from pytupli_registry.server.database.schema import ID, Base, UTCDateTime


def _rendered(kind: str, subject: Any, autogen: AutogenContext) -> str | Literal[False]:  # noqa: ANN401 - Alembic's
    """Write types so that a migration stays what it was when the schema moves on."""
    del autogen
    if kind == "server_default" and isinstance(getattr(subject, "arg", None), False_):
        return "sa.false()"  # Alembic would write SQLite's 0
    if kind == "type" and isinstance(subject, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and subject is ID:
        return "sa.BigInteger().with_variant(sa.Integer(), 'sqlite')"
    return False


def _run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        render_item=_rendered,
        render_as_batch=True,  # SQLite cannot change columns otherwise
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


_run()
