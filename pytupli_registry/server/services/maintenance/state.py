"""Whether a Hub's database fits this version of the server."""

from __future__ import annotations

from sqlalchemy.pool import QueuePool

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.migrations import MigrationState, migration_state
from pytupli_registry.server.errors import HubError
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.errors import MaintenanceError

__all__ = ["check_schema", "connections_in_use", "problems", "schema_state"]


def schema_state(database: Database) -> MigrationState:
    """Return how the database stands to this version of the server.

    Raises:
        Unavailable: it does not answer.
    """
    with database.read() as session:
        return migration_state(session.connection())


def check_schema(database: Database, directory: object) -> None:
    """Refuse to work on a database of another version.

    Raises:
        MaintenanceError: migrations are pending, or the database is newer than this version of the server.
    """
    state = schema_state(database)
    if not state.is_known:
        raise MaintenanceError(
            f"The database is at migration {state.current}, which is newer than this version of the server "
            f"(it knows {state.newest}). Install the version that migrated it, or restore a backup."
        )
    if state.pending:
        raise MaintenanceError(
            f"The database waits for {len(state.pending)} migration(s): {', '.join(state.pending)}. "
            f"Run `pytupli-server migrate {directory}` (it makes a backup of SQLite first)."
        )


def problems(hub: Hub) -> list[str]:
    """Return why the Hub cannot serve requests now; nothing if it can."""
    found = []
    try:
        state = schema_state(hub.database)
        if state.pending or not state.is_known:
            found.append("The database's schema is not the one of this version of the server.")
    except HubError as error:
        found.append(error.message)
    try:
        hub.objects.check()
    except HubError as error:
        found.append(error.message)
    return found


def connections_in_use(database: Database) -> int:
    """Return how many connections to the database are in use."""
    pool = database.engine.pool
    return pool.checkedout() if isinstance(pool, QueuePool) else 0
