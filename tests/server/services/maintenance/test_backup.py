"""A backup is a Hub again: on the same places or on others, and after changes in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from pytupli_registry.server.database.schema import Base, HubState, Repository, Upload, Xorb, now
from pytupli_registry.server.services import accounts
from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.services.callers import authenticate
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.backup.restoring import restore_backup
from pytupli_registry.server.services.maintenance.backup.taking import take_backup
from pytupli_registry.server.services.maintenance.configuration import configuration_text
from pytupli_registry.server.services.maintenance.errors import MaintenanceError
from pytupli_registry.server.services.maintenance.fsck.check import check_hub
from pytupli_registry.server.services.maintenance.gc.collection import collect_garbage
from pytupli_registry.server.services.maintenance.locks import exclusive
from pytupli_registry.server.services.tokens import create_token
from pytupli_registry.server.services.xet.epochs import xet_path
from pytupli_registry.server.settings import Settings
from tests.server.services.maintenance.conftest import Large, World, sha
from tests.server.support.s3 import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BIG = Large(b"big " * 50_000)
OTHER = Large(b"other " * 50_000)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def filled(world: World) -> World:
    """With the files that `init` writes."""
    places = {"database_url": world.settings.database_url, "objects_url": world.settings.objects_url}
    (world.settings.directory / "hub.toml").write_text(configuration_text({**places, "page_size": 7}))
    repo = world.create("one")
    world.commit(repo, a=b"small", b__c=BIG)
    return world


def opened(directory: Path) -> Hub:
    return Hub.open(Settings.load(directory))


def rows(hub: Hub) -> dict[str, list]:
    """All rows of all tables but those of state, as plain values."""
    with hub.database.read() as session:
        return {
            table.name: sorted(repr(tuple(row)) for row in session.execute(select(table)))
            for table in Base.metadata.sorted_tables
            if table.name != "hub_state"
        }


def test_a_restored_hub_has_the_same_rows_and_bytes(filled: World, tmp_path: Path):
    with filled.hub.database.write() as session:
        token = create_token(session, filled.user_id, "t")
    before = rows(filled.hub)
    report = take_backup(filled.hub, tmp_path / "backup")
    assert (report.copied.blobs, report.copied.damaged, report.manifest.blobs) == (1, 0, 1)
    restore_backup(tmp_path / "backup", tmp_path / "again", local=True)
    hub = opened(tmp_path / "again")
    assert hub.settings.page_size == 7
    assert hub.database.is_sqlite
    assert rows(hub) == before
    assert b"".join(hub.objects.read(blob_key(sha(BIG)))) == BIG
    assert check_hub(hub, deep=True).damaged == 0
    with hub.database.read() as session:
        assert authenticate(session, token).name == "alice"
    hub.close()


def test_it_moves_to_postgresql_and_s3_and_back(filled: World, tmp_path: Path, postgres, s3):
    with filled.hub.database.write() as session:
        session.delete(accounts.create_user(session, "temporary"))
    before = rows(filled.hub)
    take_backup(filled.hub, tmp_path / "one")
    places = {
        "database_url": postgres.database(),
        "objects_url": s3.url(),
        "objects_options": s3.options(),
    }
    restore_backup(tmp_path / "one", tmp_path / "cloud", chosen=places)
    cloud = opened(tmp_path / "cloud")
    assert rows(cloud) == before
    assert check_hub(cloud, deep=True).kept == []
    with cloud.database.write() as session:  # numbers go on where they were
        assert accounts.create_user(session, "bob").id == filled.user_id + 2
    take_backup(cloud, tmp_path / "two")
    moved = rows(cloud)
    restore_backup(tmp_path / "two", tmp_path / "home", local=True)
    home = opened(tmp_path / "home")
    assert rows(home) == moved
    assert check_hub(home, deep=True).kept == []
    with home.database.write() as session:
        assert accounts.create_user(session, "carol").id == filled.user_id + 3
    home.close()
    with cloud.database.write() as session:
        session.delete(session.query(Repository).one())
    assert collect_garbage(cloud, grace_s=0).removed["blobs"] == 1
    assert list(cloud.objects.list()) == []
    cloud.close()


def test_the_second_backup_copies_what_is_new(filled: World, tmp_path: Path):
    take_backup(filled.hub, tmp_path / "backup")
    filled.commit(filled.create("two"), a=OTHER)
    report = take_backup(filled.hub, tmp_path / "backup")
    assert (report.copied.blobs, report.copied.skipped) == (1, 1)


def test_old_snapshots_go_with_the_blobs_that_only_they_had(filled: World, tmp_path: Path):
    backup = tmp_path / "backup"
    first = take_backup(filled.hub, backup).snapshot
    with filled.hub.database.write() as session:
        session.delete(session.query(Repository).one())
    collect_garbage(filled.hub, grace_s=0)
    filled.commit(filled.create("two"), a=OTHER)
    first = first.rename(first.with_name("20200101T000000Z"))
    report = take_backup(filled.hub, backup, keep=1)
    assert report.pruned == 1
    assert not first.exists()
    restore_backup(backup, tmp_path / "again", local=True)
    hub = opened(tmp_path / "again")
    assert check_hub(hub, deep=True).kept == []
    hub.close()


def test_an_older_snapshot_can_be_chosen(filled: World, tmp_path: Path):
    first = take_backup(filled.hub, tmp_path / "backup").snapshot
    first.rename(first.with_name("20200101T000000Z"))
    filled.create("two")
    take_backup(filled.hub, tmp_path / "backup")
    restore_backup(tmp_path / "backup", tmp_path / "old", snapshot="20200101T000000Z", local=True)
    hub = opened(tmp_path / "old")
    with hub.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Repository)) == 1
    hub.close()
    with pytest.raises(MaintenanceError, match="20200101T000000Z"):
        restore_backup(tmp_path / "backup", tmp_path / "no", snapshot="1999", local=True)


def test_uploads_under_way_stay_behind_and_clients_are_told(filled: World, tmp_path: Path):
    time = now()
    with filled.hub.database.write() as session:
        upload = {
            "repository_id": 1,
            "user_id": filled.user_id,
            "sha256": "0" * 64,
            "size": 1,
            "part_size": 1,
        }
        upload["repository_id"] = session.query(Repository).one().id
        session.add(Upload(id="a", expires_at=time, **upload))
        xorb = {"user_id": filled.user_id, "hash": "a" * 64, "size": 4, "lengths": b"", "segments": []}
        session.add(Xorb(stored=True, created_at=time, touched_at=time, **xorb))
    path = xet_path(filled.hub, filled.user_id)
    take_backup(filled.hub, tmp_path / "backup")
    restore_backup(tmp_path / "backup", tmp_path / "again", local=True)
    hub = opened(tmp_path / "again")
    assert check_hub(hub).kept == []
    assert xet_path(hub, filled.user_id) != path
    with hub.database.read() as session:
        assert session.get(Upload, "a") is None
        assert session.get(HubState, "xet_epoch") is not None
    hub.close()


def test_damaged_blobs_are_told_and_the_rest_is_copied(filled: World, tmp_path: Path):
    filled.commit(filled.create("two"), a=OTHER)
    path = filled.hub.objects.path(blob_key(sha(BIG)))
    path.chmod(0o600)
    path.write_bytes(b"?" * len(BIG))
    report = take_backup(filled.hub, tmp_path / "backup")
    assert (report.copied.blobs, report.copied.damaged) == (1, 1)
    assert report.copied.damages[0].startswith(sha(BIG))
    path.unlink()
    again = take_backup(filled.hub, tmp_path / "backup")
    assert (again.copied.blobs, again.copied.damaged, again.copied.skipped) == (0, 1, 1)


def test_it_needs_empty_places(filled: World, tmp_path: Path):
    take_backup(filled.hub, tmp_path / "backup")
    with pytest.raises(MaintenanceError, match="There is a Hub"):
        restore_backup(tmp_path / "backup", filled.settings.directory, local=True)
    with pytest.raises(MaintenanceError, match=r"There is a database|holds tables already"):
        restore_backup(tmp_path / "backup", tmp_path / "again")  # to the same database
    assert not (tmp_path / "again").exists()
    filled.assert_sound()


@pytest.mark.parametrize("inside", [True, False])
def test_a_backup_needs_a_directory_of_its_own(filled: World, tmp_path: Path, inside: bool):
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "file").touch()
    target = filled.settings.directory / "backup" if inside else tmp_path / "strange"
    with pytest.raises(MaintenanceError, match=r"own directory|neither empty nor a backup"):
        take_backup(filled.hub, target)
    assert not (filled.settings.directory / "backup").exists()


def test_no_backup_while_gc_runs(filled: World, tmp_path: Path):
    with exclusive(filled.hub), pytest.raises(MaintenanceError, match="Another maintenance"):
        take_backup(filled.hub, tmp_path / "backup")
    assert list((tmp_path / "backup").glob("snapshots/*")) == []


def test_a_backup_without_objects(filled: World, tmp_path: Path):
    report = take_backup(filled.hub, tmp_path / "backup", with_objects=False)
    assert report.copied is None
    restored = restore_backup(tmp_path / "backup", tmp_path / "again", local=True)
    assert restored.copied is None
    hub = opened(tmp_path / "again")
    assert check_hub(hub).damaged == 1
    hub.close()


def test_a_backup_of_a_newer_server_is_refused(filled: World, tmp_path: Path):
    snapshot = take_backup(filled.hub, tmp_path / "backup").snapshot
    manifest = json.loads((snapshot / "manifest.json").read_text())
    (snapshot / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(MaintenanceError, match="was made by version"):
        restore_backup(tmp_path / "backup", tmp_path / "again", local=True)
    (snapshot / "manifest.json").write_text("{")
    with pytest.raises(MaintenanceError, match="cannot be read"):
        restore_backup(tmp_path / "backup", tmp_path / "again", local=True)


def test_secrets_are_for_their_owner_only(filled: World, tmp_path: Path):
    snapshot = take_backup(filled.hub, tmp_path / "backup").snapshot
    restore_backup(tmp_path / "backup", tmp_path / "again", local=True)
    for directory in (snapshot, tmp_path / "again"):
        for name in ("hub.toml", "secret"):
            assert (directory / name).stat().st_mode & 0o077 == 0
    assert (snapshot / "database.sqlite3").stat().st_mode & 0o077 == 0
    assert (tmp_path / "again" / "hub.sqlite3").stat().st_mode & 0o077 == 0
