"""Hubs that are killed, and what has to be true of them afterwards."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.services.files import file_of, read_file
from pytupli_registry.server.services.history import ancestors
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.fsck.check import check_hub
from pytupli_registry.server.services.repositories import head_of, lookup
from pytupli_registry.server.services.trees import entry_at, read_tree
from pytupli_registry.server.settings import Settings
from pytupli_registry.server.wire.names import RepoId, RepoType
from tests.server.faults.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.faults.workload import Acknowledged

THREADS = 6
ZYGOTE = Path(__file__).with_name("zygote.py")


def free_port() -> int:
    """Return a port that no outgoing connection takes by chance while the server that listens there is away."""
    while True:
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", random.randrange(20_000, 32_000)))
            port: int = listener.getsockname()[1]
            return port


class Zygote:
    """The process whose forks are servers."""

    def __init__(self, log: Path, **environment: str) -> None:
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, str(ZYGOTE)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env={**os.environ, "PYTUPLI_SERVER_FSYNC": "false", **environment},
            )

    def _ask(self, *words: object) -> int:
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self.log.read_text()
        return int(answer)

    @contextmanager
    def warm(self, directory: Path, port: int) -> Iterator[None]:
        """The Hub served by the zygote itself: whatever is asked for now takes less time later."""
        self._ask("warm", directory, port)
        yield
        self._ask("cool")

    @contextmanager
    def server(self, port: int) -> Iterator[int]:
        """The same Hub, served by a process that is killed on leaving."""
        process = self._ask("start", port)
        try:
            yield process
        finally:
            self._ask("kill", process)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[Zygote]:
    zygote = Zygote(tmp_path / "zygote.log", PYTUPLI_SERVER_LFS_PART_SIZE="65536")
    yield zygote
    zygote.close()


def prepare(zygote: Zygote, directory: Path, port: int, token: str) -> Workload:
    """Create repositories, and let the server do what it will be interrupted in."""
    with zygote.warm(directory, port):
        work = Workload(port, token, ["root/one", "root/two"], seed=0)
        work.create()
        work.start(THREADS)
        work.wait_for_answers(60)
        work.stop()
    assert not work.refused
    return work


def inspect(directory: Path, done: list[Acknowledged], *, deep: bool = False) -> int:
    """Check a Hub whose server is gone: nothing damaged, nothing lost, nothing half; return how many commits."""
    hub = Hub.open(Settings.load(directory))
    try:
        findings = check_hub(hub, deep=deep)
        assert findings.damaged == 0, findings.kept[:20]
        return sum(_inspect(hub, name, done) for name in sorted({one.repository for one in done}))
    finally:
        hub.close()


def _inspect(hub: Hub, name: str, done: list[Acknowledged]) -> int:
    with hub.database.read() as session:
        repository = lookup(session, RepoId.parse(RepoType.DATASET, name))
        history = ancestors(session, repository.id, head_of(session, repository.id), count=100_000)
        commits = {commit.oid for commit in history}
        tree = history[0].tree_oid
        for one in done:
            if one.repository == name:
                assert one.commit in commits, f"the acknowledged commit {one} is lost"
                _read(session, hub, tree, one)
        # Each commit brings one folder with two files: a folder with one would be half a commit.
        folders = {key: entry for key, entry in read_tree(session, hub, tree).items() if entry.is_directory}
        for folder, entry in folders.items():
            assert set(read_tree(session, hub, entry.oid)) == {"small", "large"}, folder
        assert len(folders) == len(commits) - 1  # the first has .gitattributes only
        return len(commits)


def _read(session, hub: Hub, tree: str, one: Acknowledged) -> None:
    small = file_of(session, hub, entry_at(session, hub, tree, f"{one.number}/small").oid)
    assert b"".join(read_file(session, hub, small)) == one.small
    large = file_of(session, hub, entry_at(session, hub, tree, f"{one.number}/large").oid)
    assert large.sha256 == one.large
    content = b"".join(hub.objects.read(blob_key(large.sha256)))
    assert hashlib.sha256(content).hexdigest() == one.large
