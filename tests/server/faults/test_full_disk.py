"""A disk without space. It is a limit on the size of every file of the process: of new objects, and of the database."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from tests.server.faults.conftest import THREADS, inspect
from tests.server.faults.workload import Workload
from tests.server.support.process import ServerProcess, init

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.parametrize(
    "room", [100_000, 1_500_000]
)  # less than large files need; soon less than the database
def test_what_does_not_fit_is_refused_and_the_rest_stays(tmp_path: Path, room: int):
    directory = tmp_path / "hub"
    token = init(directory)
    with ServerProcess(directory) as server:
        before = Workload(server.port, token, ["root/one"], seed=0)
        before.create()
        before.start(THREADS)
        before.wait_for_answers(60)
        before.stop()
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        full = Workload(server.port, token, ["root/one"], seed=1)
        full.start(THREADS)
        full.wait_for_answers(200)
        full.stop()
        resource.prlimit(
            server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )
        after = Workload(server.port, token, ["root/one"], seed=2)
        after.start(THREADS)
        after.wait_for_answers(60)
        after.stop()
    assert not before.refused
    assert full.refused
    assert set(full.refused) <= {503, 507}, full.refused
    assert not after.refused, "with space again, everything works again"
    assert after.done
    inspect(directory, before.done + full.done + after.done, deep=True)
