"""Files to send, and putting them into a Hub without a client."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from servers import ADMIN

from pytupli_registry.server.services import accounts, blobs, repositories
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.commits import Draft, apply
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.settings import Settings
from pytupli_registry.server.wire.names import RepoId, RepoType
from pytupli_registry.server.wire.operations import PutLargeFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = 1 << 20


def random_file(path: Path, size: int) -> Path:
    """Write bytes that nothing compresses and nobody has yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for start in range(0, size, BLOCK):
            file.write(os.urandom(min(BLOCK, size - start)))
    return path


@contextmanager
def opened(directory: Path) -> Iterator[Hub]:
    """Open a Hub's data without serving it."""
    hub = Hub.open(Settings.load(directory))
    try:
        yield hub
    finally:
        hub.close()


def put(hub: Hub, repo: str, path: str, source: Path) -> None:
    """Make a private dataset repository of the administrator's that has one large file."""
    with hub.database.write() as session:
        account = accounts.find_account(session, ADMIN)
        caller = caller_of_user(session, account.id)
        repo_id = RepoId(RepoType.DATASET, ADMIN, repo)
        number = repositories.create(session, hub, caller, repo_id, visibility="private").id
    with hub.objects.stage() as staged, source.open("rb") as file:
        while block := file.read(BLOCK):
            staged.write(block)
        with hub.database.write() as session:
            sha256 = blobs.publish(session, hub, staged, repository_id=number, user_id=account.id)
    with hub.database.write() as session:
        repository = repositories.lookup(session, repo_id)
        draft = Draft("large file", changes={path: PutLargeFile(path, sha256, None)})
        apply(session, hub, repository, caller, "refs/heads/main", draft)
