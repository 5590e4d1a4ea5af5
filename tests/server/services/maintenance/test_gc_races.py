"""gc against requests that want what it is about to remove: everything is old, and everything comes back."""

from __future__ import annotations

import os
import random
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from pytupli_registry.server.database.schema import (
    Blob,
    Commit,
    GitBlob,
    Ref,
    RepositoryBlob,
    Tree,
    Xorb,
    now,
)
from pytupli_registry.server.errors import Conflict, RevisionNotFound, Unavailable, Unprocessable
from pytupli_registry.server.services import repositories
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.duplicating import duplicate
from pytupli_registry.server.services.maintenance.gc.collection import collect_garbage
from pytupli_registry.server.services.refs import create_branch, delete_branch
from pytupli_registry.server.services.storage_history.squashing import super_squash
from pytupli_registry.server.wire.names import RepoId, RepoType
from tests.server.services.maintenance.conftest import Large, World

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 4
REQUESTS = 25
THREADS = 3
# What may be answered when gc was faster; a commit that was answered with its id is never lost.
REFUSALS = (Conflict, RevisionNotFound, Unavailable, Unprocessable)
AGED = ((Blob, "touched_at"), (RepositoryBlob, "created_at"), (GitBlob, "touched_at"), (Tree, "touched_at"))


def make_old(world: World) -> None:
    """Let everything be a day old: rows, and objects."""
    long_ago = now() - timedelta(days=1)
    with world.hub.database.write() as session:
        for table, column in (*AGED, (Xorb, "touched_at")):
            session.execute(update(table).values({column: long_ago}))
        session.execute(update(Commit).where(Commit.orphaned_at.is_not(None)).values(orphaned_at=long_ago))
    for found in world.hub.objects.list():
        path = world.hub.objects.path(found.key)
        if path is not None:
            os.utime(path, (long_ago.timestamp(), long_ago.timestamp()))


class Requests:
    """What clients do to three repositories, with few different contents."""

    def __init__(self, world: World, repos: list[RepoId], seed: int) -> None:
        self.world, self.repos = world, repos
        self.random = random.Random(seed)
        self.errors: list[BaseException] = []
        self.commits: list[tuple[RepoId, str]] = []

    def run(self) -> None:
        actions: list[Callable[[RepoId], None]] = [
            self.commit,
            self.commit,
            self.commit,
            self.squash,
            self.branch,
        ]
        for _ in range(REQUESTS):
            try:
                self.random.choice([*actions, self.duplicate])(self.random.choice(self.repos))
            except REFUSALS:
                pass
            except BaseException as error:  # noqa: BLE001 - shown by the test
                self.errors.append(error)

    def commit(self, repo: RepoId) -> None:
        which = self.random.randrange(4)
        files = {
            f"folder{which}__small": b"small %d" % which,
            f"folder{which}__stored": b"stored %d " % which * 10_000,
            "large": Large(b"large %d " % which * 1000),
        }
        for name in self.random.sample(sorted(files), 2):
            self.world.commit(repo, **{name: files[name]})

    def squash(self, repo: RepoId) -> None:
        with self.world.hub.database.write() as session:
            repository = repositories.lookup(session, repo)
            super_squash(session, repository, caller_of_user(session, self.world.user_id), "main", "squashed")

    def branch(self, repo: RepoId) -> None:
        """Make a branch at any commit there is, reachable or not; or delete one."""
        repository_id = self.world.repository_id(repo)
        with self.world.hub.database.read() as session:
            oids = session.query(Commit.oid).filter(Commit.repository_id == repository_id).all()
        name, (oid,) = f"b{self.random.randrange(3)}", self.random.choice(oids)
        with self.world.hub.database.write() as session:
            if session.get(Ref, (repository_id, f"refs/heads/{name}")):
                delete_branch(session, repository_id, name)
            else:
                create_branch(session, repository_id, name, oid)

    def duplicate(self, repo: RepoId) -> None:
        """Copy a repository, and delete it or the copy."""
        copy = RepoId(RepoType.DATASET, "alice", f"copy{self.random.randrange(10**9)}")
        with self.world.hub.database.write() as session:
            caller = caller_of_user(session, self.world.user_id)
            duplicate(session, self.world.hub, caller, repo, copy, visibility=None)
        if self.random.random() < 0.7:
            with self.world.hub.database.write() as session:
                caller = caller_of_user(session, self.world.user_id)
                repositories.delete_repository(session, caller, copy)


@pytest.mark.slow
def test_nothing_is_lost(world: World):
    repos = [world.create(name) for name in ("one", "two", "three")]
    for round_ in range(ROUNDS):
        make_old(world)
        requests = [Requests(world, repos, seed=round_ * 100 + index) for index in range(THREADS)]
        threads = [threading.Thread(target=request.run) for request in requests]
        for thread in threads:
            thread.start()
        removed = 0
        while any(thread.is_alive() for thread in threads):
            removed += sum(collect_garbage(world.hub, grace_s=3600).removed.values())
        for thread in threads:
            thread.join()
        assert [error for request in requests for error in request.errors] == []
        world.assert_sound()
