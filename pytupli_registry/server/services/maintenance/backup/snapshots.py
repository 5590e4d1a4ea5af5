"""The directory of a backup."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import select

from pytupli_registry import __version__
from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.schema import Blob
from pytupli_registry.server.objects import ObjectStore, open_store
from pytupli_registry.server.services.maintenance.backup.arriving import read_text
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.services.maintenance.marks import MANY
from pytupli_registry.server.settings import CONFIG_NAME

__all__ = ["DATABASE", "MANIFEST", "BackupDirectory", "Manifest", "blobs_of", "snapshot_database"]

DATABASE = "database.sqlite3"
MANIFEST = "manifest.json"
FORMAT = 1
UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot is a copy of.

    Attributes:
        made_at: when the database was copied, ISO 8601.
        schema: the migration the database is at.
        blobs: how many blobs it names.
        blobs_bytes: their bytes.
        has_objects: whether they lie in ``objects``, too.
        version: of the server that made it.
        format: of the directory.
    """

    made_at: str
    schema: str
    blobs: int
    blobs_bytes: int
    has_objects: bool
    version: str = __version__
    format: int = FORMAT

    @classmethod
    def read(cls, snapshot: Path) -> Self:
        """Read the manifest of a snapshot.

        Raises:
            MaintenanceError: it cannot be read, or is of a newer version.
        """
        try:
            manifest = cls(**json.loads(read_text(snapshot / MANIFEST)))
        except (ValueError, TypeError, RecursionError) as error:
            raise MaintenanceError(f"{snapshot / MANIFEST} cannot be read: {error}.") from error
        if manifest.format != FORMAT:
            raise MaintenanceError(
                f"{snapshot} was made by version {manifest.version} of the server. Use that one."
            )
        return manifest

    def write(self, snapshot: Path) -> None:
        """Write it into a snapshot."""
        (snapshot / MANIFEST).write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")


class BackupDirectory:
    """A directory with snapshots and their objects.

    Args:
        path: where; made if it is missing.

    Raises:
        MaintenanceError: it is a Hub, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.snapshots = self.path / "snapshots"
        if (path / CONFIG_NAME).exists():
            raise MaintenanceError(f"{path} is a Hub. Name another directory for the backup.")
        if path.exists() and not self.snapshots.is_dir() and any(path.iterdir()):
            raise MaintenanceError(f"{path} is neither empty nor a backup. Name another directory.")

    def objects(self, *, fsync: bool = True) -> ObjectStore:
        """Return the store of all snapshots' objects."""
        return open_store(self.path / "objects", fsync=fsync)

    def names(self) -> list[str]:
        """Return the snapshots, oldest first."""
        if not self.snapshots.is_dir():
            return []
        return sorted(
            entry.name
            for entry in self.snapshots.iterdir()
            if entry.is_dir() and not entry.name.startswith(UNFINISHED)
        )

    def find(self, name: str | None) -> Path:
        """Return a snapshot, the newest unless it is named.

        Raises:
            MaintenanceError: there is none.
        """
        names = self.names()
        if not names or (name is not None and name not in names):
            raise MaintenanceError(
                f"There is no snapshot {name or ''} in {self.path}. There are: {', '.join(names) or 'none'}."
            )
        return self.snapshots / (name or names[-1])

    @contextmanager
    def new(self, time: datetime) -> Iterator[Path]:
        """Yield a directory that becomes a snapshot at the end; an exception leaves no trace."""
        self.snapshots.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self.snapshots / f"{UNFINISHED}{secrets.token_hex(6)}"
        unfinished.mkdir(mode=0o700)
        try:
            yield unfinished
            for entry in [*unfinished.iterdir(), unfinished]:
                _sync(entry)
            unfinished.rename(self.snapshots / f"{time:%Y%m%dT%H%M%S}{time.microsecond // 1000:03d}Z")
            _sync(self.snapshots)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def forget(self, name: str) -> None:
        """Delete a snapshot; its objects stay until :func:`prune <taking.prune>`."""
        shutil.rmtree(self.snapshots / name)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def snapshot_database(snapshot: Path) -> Iterator[Database]:
    """Open the database of a snapshot."""
    database = Database(f"sqlite:///{snapshot / DATABASE}", connections=2)
    try:
        yield database
    finally:
        database.dispose()


def blobs_of(database: Database) -> Iterator[tuple[str, int]]:
    """Give all blobs that a database names, with their sizes."""
    last = ""
    while True:
        with database.read() as session:
            query = select(Blob.sha256, Blob.size).where(Blob.sha256 > last).order_by(Blob.sha256).limit(MANY)
            page = session.execute(query).all()
        if not page:
            return
        yield from ((row.sha256, row.size) for row in page)
        last = page[-1].sha256
