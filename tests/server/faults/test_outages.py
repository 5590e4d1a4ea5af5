"""Database and object store that go and come back in the middle of uploads and commits."""

from __future__ import annotations

import json
import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.server.faults.conftest import THREADS, Zygote, free_port, inspect, prepare
from tests.server.faults.workload import Workload
from tests.server.support.line import Line
from tests.server.support.process import ServerProcess, init
from tests.server.support.s3 import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OUTAGES = int(os.environ.get("PYTUPLI_FAULT_OUTAGES", "4"))  # `make test-faults` sets more
UNAVAILABLE = {503}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.mark.slow
def test_postgresql_restarts(zygote: Zygote, tmp_path: Path, postgres):
    directory, port = tmp_path / "hub", free_port()
    token = init(directory, "--database-url", postgres.database())
    before = prepare(zygote, directory, port, token)
    work = Workload(port, token, before.repositories, seed=1)
    with zygote.server(port):
        work.start(THREADS)
        for outage in range(OUTAGES):
            work.wait_for_answers(30)
            postgres.crash() if outage % 2 else postgres.restart()
        work.wait_for_answers(30)  # it goes on by itself
        work.stop()
    assert set(work.refused) <= UNAVAILABLE, work.refused
    assert len(work.done) > OUTAGES
    inspect(directory, before.done + work.done, deep=True)


@pytest.mark.slow
def test_the_object_store_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, s3: S3Server, postgres
):
    with Line(s3.port) as line:
        options = s3.options(endpoint=f"http://127.0.0.1:{line.port}", max_retries="0", retry_timeout="1")
        # For `init`, the servers, and the inspection.
        monkeypatch.setenv("PYTUPLI_SERVER_OBJECTS_OPTIONS", json.dumps(options))
        monkeypatch.setenv("PYTUPLI_SERVER_OBJECTS_URL", s3.url())
        monkeypatch.setenv("PYTUPLI_SERVER_DATABASE_URL", postgres.database())
        interrupt(line, tmp_path / "hub", init(tmp_path / "hub"))


def interrupt(line: Line, directory: Path, token: str) -> None:
    """Cut the way to the store at any moment; the server dies in the last outage."""
    random_ = random.Random(1)
    done = []
    for seed in range(2):
        # Not by a fork: obstore has threads.
        with ServerProcess(directory) as server:
            work = Workload(server.port, token, ["root/one"], seed=seed)
            work.create()
            work.start(THREADS)
            for outage in range(OUTAGES):
                work.wait_for_answers(20)
                line.cut()
                time.sleep(random_.uniform(0.05, 0.5))
                if outage + 1 == OUTAGES:
                    server.kill()
                line.mend()
            work.stop()
        assert set(work.refused) <= UNAVAILABLE, work.refused
        assert work.refused, "no upload was interrupted"
        assert len(work.done) > OUTAGES
        done += work.done
        inspect(directory, done, deep=True)
