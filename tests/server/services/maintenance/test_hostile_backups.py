"""Backups that were cut off, changed, or made by somebody who means no good: refused, and nothing is left."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.backup.restoring import restore_backup
from pytupli_registry.server.services.maintenance.backup.taking import take_backup
from pytupli_registry.server.services.maintenance.configuration import configuration_text
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.services.maintenance.fsck.check import check_hub
from pytupli_registry.server.settings import Settings
from tests.server.services.maintenance.conftest import Large, World, sha

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BIG = Large(b"big " * 50_000)


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory, tables_in_file: Path) -> Path:
    directory = tmp_path_factory.mktemp("saved") / "hub"
    directory.mkdir()
    shutil.copyfile(tables_in_file, directory / "hub.sqlite3")
    world = World(directory)
    (directory / "hub.toml").write_text(configuration_text({"page_size": 7}))
    (directory / "secret").write_text("s" * 32)
    repo = world.create("one")
    world.commit(repo, a=b"small", b__c=BIG, b__d=b"stored " * 20_000)
    backup = directory.with_name("backup")
    take_backup(world.hub, backup)
    world.close()
    return backup


@pytest.fixture
def backup(taken: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return shutil.copytree(taken, tmp_path / "backup")


def snapshot_of(backup: Path) -> Path:
    (snapshot,) = (backup / "snapshots").iterdir()
    return snapshot


def in_database(*statements: str) -> Callable[[Path], None]:
    def spoil(snapshot: Path) -> None:
        with closing(sqlite3.connect(snapshot / "database.sqlite3")) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    return spoil


def cut(name: str, share: float) -> Callable[[Path], None]:
    def spoil(snapshot: Path) -> None:
        os.truncate(snapshot / name, int((snapshot / name).stat().st_size * share))

    return spoil


def written(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda snapshot: (snapshot / name).write_bytes(content)  # type: ignore[return-value]


def linked(name: str) -> Callable[[Path], None]:
    """A link to what the restoring user may read."""

    def spoil(snapshot: Path) -> None:
        (snapshot / name).rename(snapshot.parent.parent / name)
        (snapshot / name).symlink_to(snapshot.parent.parent / name)

    return spoil


def replaced(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def spoil(snapshot: Path) -> None:
        (snapshot / name).unlink()
        make(snapshot / name)

    return spoil


def endless(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


FILES = ("database.sqlite3", "manifest.json", "hub.toml", "secret")
SPOILT = {
    **{f"no {name}": replaced(name, lambda _: None) for name in FILES},
    **{f"{name} is a link": linked(name) for name in FILES},
    **{f"{name} is a pipe": replaced(name, os.mkfifo) for name in FILES},
    **{f"{name} is a folder": replaced(name, os.mkdir) for name in FILES},
    **{f"{name} is endless": replaced(name, endless) for name in FILES[1:]},
    "empty database": cut("database.sqlite3", 0),
    "half a database": cut("database.sqlite3", 0.5),
    "nearly a database": cut("database.sqlite3", 0.95),
    "no database": written("database.sqlite3", b"x" * 10_000),
    "half a manifest": cut("manifest.json", 0.5),
    "deep manifest": written("manifest.json", b"[" * 100_000),
    "another manifest": written("manifest.json", b'{"format": 1}'),
    "configuration that is none": written("hub.toml", b"= ="),
    "configuration that is no text": written("hub.toml", b"\xff\xfe"),
    "a trigger": in_database("CREATE TRIGGER t AFTER INSERT ON users BEGIN DELETE FROM tokens; END"),
    "a view": in_database("DROP TABLE likes", "CREATE VIEW likes AS SELECT * FROM users"),
    "another migration": in_database("UPDATE schema_version SET version_num = '9999'"),
    "no migration": in_database("DELETE FROM schema_version"),
    "no table": in_database("DROP TABLE trees"),
    "no column": in_database("ALTER TABLE commits RENAME COLUMN orphaned_at TO other"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_what_is_not_as_it_was_made(backup: Path, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(snapshot_of(backup))
    with pytest.raises(MaintenanceError) as refused:
        restore_backup(backup, tmp_path / "again", local=True)
    assert (
        "backup" in str(refused.value)
        or "cannot be read" in str(refused.value)
        or "damaged" in str(refused.value)
    )
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", "..", ".", ""])
def test_snapshots_lie_in_the_backup(backup: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(snapshot_of(backup), backup.parent / "elsewhere")
    with pytest.raises(MaintenanceError, match="no snapshot"):
        restore_backup(backup, tmp_path / "again", snapshot=name, local=True)


def blob(backup: Path, content: bytes) -> Path:
    (found,) = (backup / "objects").rglob(sha(content))
    return found


def longer(path: Path) -> None:
    path.chmod(0o600)
    os.truncate(path, 1 << 42)


def link(path: Path) -> None:
    path.rename(path.parents[4] / "outside")
    path.symlink_to(path.parents[4] / "outside")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("spoil", [longer, os.unlink])
def test_bytes_that_are_not_as_they_were(backup: Path, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """However many they are; what is right is there."""
    spoil(blob(backup, BIG))
    report = restore_backup(backup, tmp_path / "again", local=True)
    assert report.copied is not None
    assert (report.copied.damaged, report.copied.blobs) == (1, 1)
    assert report.copied.damages[0].startswith(sha(BIG))
    hub = Hub.open(Settings.load(tmp_path / "again"))
    assert check_hub(hub, deep=True).damaged == 1
    hub.close()


@pytest.mark.parametrize("spoil", [link, pipe])
def test_bytes_that_are_no_file(backup: Path, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(blob(backup, BIG))
    with pytest.raises(Exception, match="object store failed"):
        restore_backup(backup, tmp_path / "again", local=True)
    assert not (tmp_path / "again").exists()


def test_names_of_blobs_that_lead_elsewhere(backup: Path, tmp_path: Path) -> None:
    in_database(
        "PRAGMA ignore_check_constraints = ON",
        "INSERT INTO blobs (sha256, size, created_at, touched_at) "
        "SELECT '../../../outside', 3, created_at, touched_at FROM blobs LIMIT 1",
    )(snapshot_of(backup))
    report = restore_backup(backup, tmp_path / "again", local=True)
    assert report.copied is not None
    assert report.copied.damages == ["'../../../outside' is no SHA-256"]
    assert report.copied.blobs == 2


def test_what_lies_beside_snapshots_is_none(backup: Path, tmp_path: Path) -> None:
    (backup / "snapshots" / "zzz.txt").write_text("a note")
    report = restore_backup(backup, tmp_path / "again", local=True)
    assert report.copied is not None
    assert report.copied.damaged == 0
