"""Commits to a Hub without a socket: the body is the one that clients send."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from pytupli_registry.server.database.schema import Base, DatasetFacts, RepositoryTag
from pytupli_registry.server.services import accounts, repositories
from pytupli_registry.server.services.blobs import publish
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.committing import Committing
from pytupli_registry.server.services.datasets.snapshot import Snapshot
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import Action, Role
from pytupli_registry.server.services.revisions import resolve, tree_of
from pytupli_registry.server.settings import Settings
from pytupli_registry.server.wire.names import RepoId, RepoType
from tests.server.support.recordings import files_below, record, with_index
from tests.server.support.s3 import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LARGE = (".hdf5", ".parquet", ".arrow")


class Workshop:
    """A Hub, the organization acme with the admin alice, and commits by her."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        with hub.database.write() as session:
            alice = accounts.create_user(session, "alice", password=None, is_admin=False)
            acme = accounts.create_organization(session, "acme", None)
            accounts.add_member(session, acme.id, alice.id, Role.ADMIN)
            self.alice = alice.id
        with hub.database.read() as session:
            self.caller = caller_of_user(session, self.alice)

    def configure(self, **settings: object) -> None:
        self.hub = replace(self.hub, settings=self.hub.settings.model_copy(update=settings))

    def create(self, name: str, type_: RepoType = RepoType.DATASET, *, visibility: str = "public") -> None:
        with self.hub.database.write() as session:
            repo_id = RepoId(type_, "acme", name)
            repositories.create(session, self.hub, self.caller, repo_id, visibility=visibility)

    def commit(
        self,
        name: str,
        files: Mapping[str, bytes | None],
        *,
        branch: str = "main",
        type_: RepoType = RepoType.DATASET,
        parent: str | None = None,
    ) -> str:
        """Commit contents (None deletes); large ones are uploaded first."""
        repo_id = RepoId(type_, "acme", name)
        committing = Committing.begin(self.hub, self.caller, repo_id, branch, False, Action.WRITE)
        header = {"key": "header", "value": {"summary": "a commit", "parentCommit": parent}}
        lines = [header, *(self._line(repo_id, path, content) for path, content in files.items())]
        committing.feed(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        return committing.finish().oid

    def _line(self, repo_id: RepoId, path: str, content: bytes | None) -> dict[str, object]:
        if content is None:
            return {"key": "deletedFile", "value": {"path": path}}
        if not path.endswith(LARGE):
            text = base64.b64encode(content).decode()
            return {"key": "file", "value": {"path": path, "content": text, "encoding": "base64"}}
        with self.hub.database.write() as session, self.hub.objects.stage() as staged:
            staged.write(content)
            repository = repositories.find(session, self.caller, repo_id, Action.WRITE)
            sha256 = publish(session, self.hub, staged, repository_id=repository.id, user_id=self.alice)
        assert sha256 == hashlib.sha256(content).hexdigest()
        return {
            "key": "lfsFile",
            "value": {"path": path, "algo": "sha256", "oid": sha256, "size": len(content)},
        }

    def read(self, name: str, path: str, branch: str = "main") -> bytes | None:
        with self.hub.database.read() as session:
            repository = repositories.lookup(session, RepoId(RepoType.DATASET, "acme", name))
            tree = tree_of(session, repository.id, resolve(session, repository.id, branch))
            return Snapshot(session, self.hub, tree).read(path, 1 << 24)

    def namespace(self, name: str) -> dict[str, object]:
        return json.loads(self.read(name, "namespace_metadata.json"))

    def facts(self, name: str) -> dict[str, DatasetFacts]:
        with self.hub.database.read() as session:
            repository = repositories.lookup(session, RepoId(RepoType.DATASET, "acme", name))
            rows = session.scalars(select(DatasetFacts).where(DatasetFacts.repository_id == repository.id))
            return {row.path: row for row in rows}

    def tags(self, name: str, type_: RepoType = RepoType.DATASET) -> list[str]:
        with self.hub.database.read() as session:
            repository = repositories.lookup(session, RepoId(type_, "acme", name))
            return list(
                session.scalars(
                    select(RepositoryTag.tag)
                    .where(RepositoryTag.repository_id == repository.id)
                    .order_by(RepositoryTag.position)
                )
            )


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    """On SQLite and a folder, unless the parameter is ``postgres`` or ``s3``."""
    kind = getattr(request, "param", "")
    where: dict[str, object] = {
        "database_url": f"sqlite:///{tmp_path}/hub.sqlite3",
        "objects_url": (tmp_path / "objects").as_uri(),
    }
    if kind == "postgres":
        where["database_url"] = request.getfixturevalue("postgres").database()
    elif kind == "s3":
        server = request.getfixturevalue("s3")
        where |= {"objects_url": server.url(), "objects_options": server.options()}
    hub = Hub.open(Settings(directory=tmp_path, secret="s" * 32, fsync=False, **where))
    Base.metadata.create_all(hub.database.engine)
    yield Workshop(hub)
    hub.close()


@pytest.fixture(scope="session")
def walker(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the namespace ``walker`` with one HDF5 dataset, ``random-v0``, and its index."""
    root = tmp_path_factory.mktemp("recordings")
    made = with_index(record("walker/random-v0", root / "minari"), root / "store", root / "cache")
    return files_below(made.parent)


@pytest.fixture(scope="session")
def arrow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the dataset ``walker/arrow-v0``, one folder an episode."""
    root = tmp_path_factory.mktemp("arrow")
    return files_below(record("walker/arrow-v0", root, data_format="arrow"))
