"""kill -9 in the middle of uploads and commits, again and again."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.gc.collection import collect_garbage
from pytupli_registry.server.settings import Settings
from tests.server.faults.conftest import THREADS, Zygote, free_port, inspect, prepare
from tests.server.faults.workload import Workload
from tests.server.support.process import init

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("PYTUPLI_FAULT_KILLS", "20"))  # `make test-faults` sets more
CHECKS = 4


def kill_many_times(zygote: Zygote, directory: Path, token: str, kills: int) -> None:
    port = free_port()
    before = prepare(zygote, directory, port, token)
    random_ = random.Random(1)
    acknowledged = list(before.done)
    for round_ in range(1, CHECKS + 1):
        work = Workload(port, token, before.repositories, seed=round_)
        work.start(THREADS)
        for _ in range(kills // CHECKS):
            with zygote.server(port):
                work.wait_for_answers(random_.randint(1, 20))
                time.sleep(random_.uniform(0, 0.01))
        work.stop()
        assert work.broken, "no request was interrupted"
        assert set(work.refused) <= {429, 503}, work.refused
        acknowledged += work.done
        commits = inspect(directory, acknowledged, deep=round_ == CHECKS)
        assert commits >= len(acknowledged)
        hub = Hub.open(Settings.load(directory))
        collect_garbage(hub, grace_s=0)  # what the killed left; the next check sees whether it took too much
        hub.close()
    assert len(acknowledged) > kills // 3, "hardly anything was committed between the kills"
    inspect(directory, acknowledged)


@pytest.mark.slow
def test_a_hub_on_sqlite_survives(zygote: Zygote, tmp_path: Path):
    directory = tmp_path / "hub"
    kill_many_times(zygote, directory, init(directory), KILLS)


@pytest.mark.slow
def test_a_hub_on_postgresql_survives(zygote: Zygote, tmp_path: Path, postgres):
    directory = tmp_path / "hub"
    kill_many_times(zygote, directory, init(directory, "--database-url", postgres.database()), KILLS)
