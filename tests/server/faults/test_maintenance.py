"""Commands for administrators that are killed in the middle of their work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytupli_registry.server.services import repositories
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.backup.restoring import restore_backup
from pytupli_registry.server.services.maintenance.backup.taking import take_backup
from pytupli_registry.server.services.maintenance.configuration import configuration_text
from pytupli_registry.server.services.maintenance.fsck.check import check_hub
from pytupli_registry.server.services.maintenance.gc.collection import collect_garbage
from pytupli_registry.server.settings import Settings
from tests.server.services.maintenance.conftest import Large, World, tables_in_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["tables_in_file"]

BLOBS = 300


@pytest.fixture
def world(tmp_path: Path, tables_in_file: Path) -> Iterator[World]:
    """A Hub with many blobs, and the files that `init` writes."""
    directory = tmp_path / "hub"
    directory.mkdir()
    shutil.copyfile(tables_in_file, directory / "hub.sqlite3")
    (directory / "hub.toml").write_text(configuration_text({}))
    (directory / "secret").write_text("s" * 32)
    world = World(directory)
    repo = world.create("one")
    for first in range(0, BLOBS, 50):
        world.commit(repo, **{f"f{n}": Large(b"%d" % n * 1000) for n in range(first, first + 50)})
    yield world
    world.close()


def kill_when(condition: Callable[[], bool], *arguments: object) -> None:
    """Run a command, and kill it as soon as something is true."""
    command = [sys.executable, "-m", "pytupli_registry.cli.server", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, env={**os.environ, "PYTUPLI_SERVER_FSYNC": "0"}
    )
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "it was too fast to be killed"
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    process.kill()
    assert process.wait() < 0, "it had ended already"


def has_files(directory: Path, count: int) -> bool:
    return files(directory) >= count


def files(directory: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(directory))


@pytest.mark.slow
def test_gc(world: World):
    objects = world.settings.directory / "objects" / "blobs"
    with world.hub.database.write() as session:
        repo = repositories.repo_id_of(session.query(repositories.Repository).one())
        repositories.delete_repository(session, caller_of_user(session, world.user_id), repo)
    while (before := files(objects)) > BLOBS // 2:
        kill_when(lambda: files(objects) < before, "gc", world.settings.directory, "--grace", 0)
        assert check_hub(world.hub).damaged == 0
    collect_garbage(world.hub, grace_s=0)
    assert files(objects) == 0
    assert check_hub(world.hub).kept == []


@pytest.mark.slow
def test_backup(world: World, tmp_path: Path):
    target = tmp_path / "backup"
    blobs = target / "objects" / "blobs"
    for count in (1, 100):
        kill_when(partial(has_files, blobs, count), "backup", world.settings.directory, target)
    report = take_backup(world.hub, target)
    assert report.copied.skipped >= 100
    assert report.copied.blobs + report.copied.skipped == BLOBS
    restore_backup(target, tmp_path / "again", local=True)
    hub = Hub.open(Settings.load(tmp_path / "again"))
    assert check_hub(hub, deep=True).kept == []
    hub.close()


@pytest.mark.slow
def test_restore(world: World, tmp_path: Path):
    take_backup(world.hub, tmp_path / "backup")
    again = tmp_path / "again"
    kill_when(partial(has_files, again, 50), "restore", tmp_path / "backup", again)
    assert not (again / "hub.toml").exists()
    restore_backup(tmp_path / "backup", again, local=True)  # what the killed one left does not count
    hub = Hub.open(Settings.load(again))
    assert check_hub(hub, deep=True).kept == []
    hub.close()


@pytest.mark.slow
def test_a_backup_of_a_hub_in_use_is_one_state(world: World, tmp_path: Path):
    over = threading.Event()
    repo = world.create("busy")

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            world.commit(
                repo, **{f"f{number}": Large(b"busy %d" % number * 100), f"s{number}": b"%d" % number}
            )

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for _ in range(3):
        take_backup(world.hub, tmp_path / "backup", keep=2)
    over.set()
    for writer in writers:
        writer.join()
    names = sorted(path.name for path in (tmp_path / "backup" / "snapshots").iterdir())
    assert len(names) == 2
    for name in names:
        restore_backup(tmp_path / "backup", tmp_path / name, snapshot=name, local=True)
        hub = Hub.open(Settings.load(tmp_path / name))
        assert check_hub(hub, deep=True).kept == []
        hub.close()
