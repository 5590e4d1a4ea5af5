"""Making a Hub out of a backup, on the same or on another kind of database and object store."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.migrations import is_empty, migrating, migration_state, upgrade
from pytupli_registry.server.objects import open_store
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.backup.arriving import (
    check_tables,
    copy_database,
    read_text,
)
from pytupli_registry.server.services.maintenance.backup.blobs import Copied, copy_blobs
from pytupli_registry.server.services.maintenance.backup.snapshots import (
    DATABASE,
    BackupDirectory,
    Manifest,
    blobs_of,
)
from pytupli_registry.server.services.maintenance.backup.tables import copy_rows
from pytupli_registry.server.services.maintenance.configuration import configuration_text
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.services.maintenance.vacancy import unfinished_hub, write_private
from pytupli_registry.server.services.xet.epochs import renew_epoch
from pytupli_registry.server.settings import CONFIG_NAME, SECRET_NAME, Settings

__all__ = ["RestoreReport", "restore_backup"]

PLACES = ("database_url", "objects_url", "objects_options")


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was restored.

    Attributes:
        manifest: of the snapshot.
        copied: the blobs that were copied, None if the backup has none.
    """

    manifest: Manifest
    copied: Copied | None


def restore_backup(
    source: Path,
    directory: Path,
    *,
    snapshot: str | None = None,
    chosen: Mapping[str, object] | None = None,
    local: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> RestoreReport:
    """Make a Hub in ``directory``, which is missing or empty.

    Args:
        source: the directory of the backup.
        directory: where the Hub will be.
        snapshot: its name; the newest unless given.
        chosen: settings that take the place of those in the backup: ``database_url``, ``objects_url``, …
        local: use SQLite and a folder, whatever the backup's configuration says.
        progress: called with 1 after each blob.

    Raises:
        MaintenanceError: there is no such snapshot; ``directory`` or the database are not empty; or the backup is
            of a newer version, incomplete, damaged, or not as it was made.
        SettingsError: the configuration is not possible.
        StorageFull, Unavailable: the new places are full, or do not answer. Nothing is left but blobs that were
            copied to a cloud.
    """
    backup = BackupDirectory(source)
    chosen_snapshot = backup.find(snapshot)
    manifest = Manifest.read(chosen_snapshot)
    with unfinished_hub(directory) as unfinished:
        _write_configuration(chosen_snapshot, unfinished, chosen or {}, local=local)
        settings = Settings.load(unfinished)
        database = unfinished / "restored.sqlite3"
        copy_database(chosen_snapshot / DATABASE, database, manifest.schema)
        _migrate(database)
        copied = _copy_objects(backup, settings, database, progress) if manifest.has_objects else None
        _fill(settings, database)
        database.unlink(missing_ok=True)
    return RestoreReport(manifest, copied)


def _write_configuration(
    snapshot: Path, unfinished: Path, chosen: Mapping[str, object], *, local: bool
) -> None:
    text = read_text(snapshot / CONFIG_NAME)
    if chosen or local:
        said = _understood(snapshot / CONFIG_NAME, text)
        kept = {name: value for name, value in said.items() if not (local and name in PLACES)}
        text = configuration_text({**kept, **chosen})
    write_private(unfinished / CONFIG_NAME, text)
    write_private(unfinished / SECRET_NAME, read_text(snapshot / SECRET_NAME))


def _understood(path: Path, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MaintenanceError(f"{path} cannot be read: {error}.") from error


def _migrate(path: Path) -> None:
    """Bring the copy to this version of the server."""
    database = Database(f"sqlite:///{path}", connections=1)
    try:
        with migrating(database) as connection:
            if not migration_state(connection).is_known:
                raise MaintenanceError("The backup is of a newer version of the server. Install that one.")
            upgrade(connection)
            check_tables(connection)
    except DatabaseError as error:  # a migration does not find what it changes
        raise MaintenanceError("The backup's database is not the one that was saved.") from error
    finally:
        database.dispose()


def _copy_objects(
    backup: BackupDirectory, settings: Settings, path: Path, progress: Callable[[int], None]
) -> Copied:
    spool = settings.directory / "spool"
    target = open_store(settings.objects_url, settings.objects_options, fsync=settings.fsync, spool=spool)
    target.check()
    database = Database(f"sqlite:///{path}", connections=1)
    try:
        return copy_blobs(backup.objects(), target, blobs_of(database), progress)
    finally:
        database.dispose()


def _fill(settings: Settings, path: Path) -> None:
    """Put the rows where the settings say."""
    hub = Hub.open(settings)
    try:
        if hub.database.is_sqlite:
            _place(path, Path(hub.database.url.database or ""))
        else:
            _pour(path, hub.database)
        with hub.database.write() as session:
            # Clients remember what they have sent to the old Hub, which may be more than is in the backup.
            renew_epoch(hub, session)
    finally:
        hub.close()


def _place(path: Path, target: Path) -> None:
    if target.exists():
        raise MaintenanceError(f"There is a database in {target} already. Name another one.")
    shutil.move(path, target)  # perhaps to another disk
    target.chmod(0o600)


def _pour(path: Path, database: Database) -> None:
    source = Database(f"sqlite:///{path}", connections=1)
    try:
        with migrating(database) as target, source.engine.connect() as rows:
            if not is_empty(target):
                shown = database.url.render_as_string()
                raise MaintenanceError(f"The database {shown} holds tables already. Name an empty one.")
            upgrade(target)
            copy_rows(rows, target)
    finally:
        source.dispose()
