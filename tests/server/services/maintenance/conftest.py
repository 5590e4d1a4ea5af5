"""A Hub without a socket, filled by the services themselves: on SQLite and a folder, and on PostgreSQL."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.migrations import migrating, upgrade
from pytupli_registry.server.services import accounts, repositories
from pytupli_registry.server.services.blobs import blob_key, publish
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.commits import Draft, apply
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.intake import Intake
from pytupli_registry.server.services.maintenance.fsck.check import check_hub
from pytupli_registry.server.settings import Settings
from pytupli_registry.server.wire.names import RepoId, RepoType
from pytupli_registry.server.wire.operations import DeletePath, PutFile, PutLargeFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytupli_registry.server.database.schema import Base
    from pytupli_registry.server.services.maintenance.fsck.findings import Findings
    from tests.server.support.postgres import Postgres


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Large(bytes):
    """Content that goes to the object store, by its own upload."""


class World:
    """A Hub, the user alice, and short ways to do what requests do."""

    def __init__(self, directory: Path, **settings) -> None:
        defaults = {
            "database_url": f"sqlite:///{directory / 'hub.sqlite3'}",
            "objects_url": (directory / "objects").as_uri(),
        }
        self.settings = Settings(
            **{"directory": directory, "secret": "s" * 32, "fsync": False, **defaults, **settings}
        )
        self.hub = Hub.open(self.settings)
        with self.hub.database.write() as session:
            self.user_id = accounts.create_user(session, "alice").id

    def close(self) -> None:
        self.hub.close()

    def create(self, name: str) -> RepoId:
        repo_id = RepoId(RepoType.DATASET, "alice", name)
        with self.hub.database.write() as session:
            caller = caller_of_user(session, self.user_id)
            repositories.create(session, self.hub, caller, repo_id, visibility=None)
        return repo_id

    def upload(self, repo_id: RepoId, content: bytes) -> str:
        """What LFS does at its end."""
        with self.hub.objects.stage() as staged:
            staged.write(content)
            with self.hub.database.write() as session:
                repository = repositories.lookup(session, repo_id)
                return publish(session, self.hub, staged, repository_id=repository.id, user_id=self.user_id)

    def commit(self, repo_id: RepoId, ref: str = "refs/heads/main", **files: bytes | None) -> str:
        """Commit files, named with ``__`` for a slash; ``Large`` ones are uploaded first; None deletes."""
        intake = Intake(self.hub, self.repository_id(repo_id), self.user_id)
        for name, content in files.items():
            path = name.replace("__", "/")
            if content is None:
                intake.take(DeletePath(path))
            elif isinstance(content, Large):
                intake.take(PutLargeFile(path, self.upload(repo_id, content), len(content)))
            else:
                intake.take(PutFile(path, content))
        with self.hub.database.write() as session:
            repository = repositories.lookup(session, repo_id)
            caller = caller_of_user(session, self.user_id)
            return apply(
                session, self.hub, repository, caller, ref, Draft("a commit", changes=intake.changes)
            )

    def repository_id(self, repo_id: RepoId) -> int:
        with self.hub.database.read() as session:
            return repositories.lookup(session, repo_id).id

    def count(self, table: type[Base]) -> int:
        with self.hub.database.read() as session:
            return session.scalar(select(func.count()).select_from(table))

    def is_stored(self, content: bytes) -> bool:
        return self.hub.objects.size(blob_key(sha(content))) is not None

    def check(self, **how) -> Findings:
        return check_hub(self.hub, **how)

    def assert_sound(self) -> None:
        findings = self.check(deep=True)
        assert findings.damaged == 0, findings.kept


def _migrated(url: str) -> str:
    database = Database(url, connections=1, synchronous=False)
    with migrating(database) as connection:
        upgrade(connection)
    database.dispose()
    return url


@pytest.fixture(scope="session")
def tables_in_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "hub.sqlite3"
    _migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def tables_in_postgres(postgres: Postgres) -> str:
    return _migrated(postgres.database())


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    directory = tmp_path / "hub"
    directory.mkdir()
    settings = {}
    if request.param == "postgresql":
        template = request.getfixturevalue("tables_in_postgres")
        settings["database_url"] = request.getfixturevalue("postgres").database(template)
    else:
        shutil.copyfile(request.getfixturevalue("tables_in_file"), directory / "hub.sqlite3")
    world = World(directory, **settings)
    yield world
    world.close()
