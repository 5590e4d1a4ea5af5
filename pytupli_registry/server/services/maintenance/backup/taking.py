"""Taking a backup of a Hub that may be in use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, func, select, update

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.migrations import migrating, migration_state, upgrade
from pytupli_registry.server.database.schema import Blob, DeviceLogin, Upload, Xorb, now
from pytupli_registry.server.objects import ObjectStore
from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.backup.blobs import Copied, copy_blobs
from pytupli_registry.server.services.maintenance.backup.snapshots import (
    DATABASE,
    BackupDirectory,
    Manifest,
    blobs_of,
    snapshot_database,
)
from pytupli_registry.server.services.maintenance.backup.tables import copy_rows
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.services.maintenance.locks import exclusive
from pytupli_registry.server.services.maintenance.marks import Marks
from pytupli_registry.server.services.maintenance.migration import copy_sqlite
from pytupli_registry.server.services.maintenance.vacancy import write_private
from pytupli_registry.server.settings import CONFIG_NAME, SECRET_NAME

__all__ = ["BackupReport", "take_backup"]

STORED = "blobs of all snapshots"


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was backed up.

    Attributes:
        snapshot: its directory.
        manifest: what it holds.
        copied: the blobs that were copied, None if they were left out.
        pruned: blobs that no snapshot needed any more.
    """

    snapshot: Path
    manifest: Manifest
    copied: Copied | None
    pruned: int


def take_backup(
    hub: Hub,
    target: Path,
    *,
    keep: int | None = None,
    with_objects: bool = True,
    progress: Callable[[int], None] = lambda _: None,
) -> BackupReport:
    """Take a backup; blobs that are in ``target`` already are not copied again.

    Args:
        hub: the Hub.
        target: a directory for backups of this Hub.
        keep: how many snapshots stay, with this one; None for all.
        with_objects: copy blobs, too; without them, the object store needs a backup of its own.
        progress: called with 1 after each blob.

    Raises:
        MaintenanceError: other maintenance is at work, or ``target`` holds something else.
        StorageFull: there is no space; the snapshot is not kept.
        Unavailable: database or object store do not answer.
    """
    backup = BackupDirectory(target)
    if backup.path.is_relative_to(hub.settings.directory):
        raise MaintenanceError("A backup inside of the Hub's own directory would be lost with it.")
    time = now()
    with exclusive(hub):
        with backup.new(time) as snapshot:
            _copy_database(hub.database, snapshot)
            with snapshot_database(snapshot) as database:
                manifest = _described(database, time.isoformat(), with_objects=with_objects)
                copied = None
                if with_objects:
                    copied = copy_blobs(hub.objects, backup.objects(), blobs_of(database), progress)
            manifest.write(snapshot)
            write_private(snapshot / CONFIG_NAME, (hub.settings.directory / CONFIG_NAME).read_text("utf-8"))
            write_private(snapshot / SECRET_NAME, hub.settings.secret.get_secret_value() + "\n")
        pruned = _prune(backup, keep) if keep is not None else 0
    return BackupReport(backup.find(None), manifest, copied, pruned)


def _copy_database(database: Database, snapshot: Path) -> None:
    if database.is_sqlite:
        copy_sqlite(Path(database.url.database or ""), snapshot / DATABASE)
    else:
        (snapshot / DATABASE).touch(mode=0o600)
        with snapshot_database(snapshot) as copy, migrating(copy) as target, database.read() as session:
            upgrade(target)
            copy_rows(session.connection(), target)
    with snapshot_database(snapshot) as copy, copy.write() as session:
        # Uploads under way are not copied; of xorbs, what is known by their place in blobs is.
        session.execute(delete(Upload))
        session.execute(delete(DeviceLogin))
        session.execute(update(Xorb).values(stored=False))


def _described(database: Database, made_at: str, *, with_objects: bool) -> Manifest:
    with database.read() as session:
        schema = migration_state(session.connection()).current or ""
        count, size = session.execute(select(func.count(), func.sum(Blob.size))).one()
    return Manifest(made_at, schema, int(count), int(size or 0), with_objects)


def _prune(backup: BackupDirectory, keep: int) -> int:
    """Delete old snapshots, and the objects that only they needed."""
    for name in backup.names()[:-keep]:
        backup.forget(name)
    with Marks() as marks:
        for name in backup.names():
            with snapshot_database(backup.snapshots / name) as database:
                marks.put(STORED, ((blob_key(sha256), size) for sha256, size in blobs_of(database)))
        return _delete_others(backup.objects(), marks)


def _delete_others(store: ObjectStore, marks: Marks) -> int:
    count = 0
    for found in store.list("blobs"):
        if not marks.of(STORED, [found.key]):
            store.delete(found.key)
            count += 1
    return count
