"""Publishers that are killed: the repository is as before or complete, and the next try finishes."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytupli_registry.storage.index import read_index
from pytupli_registry.storage.stamps import sha256_of
from tests.publishing.conftest import User, write
from tests.server.support.live import LiveHub

ROUNDS = int(os.environ.get("PYTUPLI_PUBLISHER_KILLS", "16"))


def started(live: LiveHub, *arguments: str) -> subprocess.Popen[str]:
    token = live.person("alice").token
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("pytupli")), *arguments],
        env={
            **os.environ,
            "HF_ENDPOINT": live.endpoint,
            "HF_TOKEN": token,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        },
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finished(process: subprocess.Popen[str]) -> None:
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told


def check(alice: User, repo: str) -> dict[str, int]:
    """Check that every dataset of the repository is whole, and return how many episodes each has."""
    snapshot = alice.snapshot(repo)
    listed = snapshot.look(["namespace_metadata.json"])
    names = json.loads(snapshot.read("namespace_metadata.json"))["datasets"] if listed else []
    paths = {name.partition("/")[2] for name in names}
    assert {path.partition("/")[0] for path in snapshot.below() if path.endswith("hdf5")} == paths
    steps = json.loads(snapshot.read("provenance.json"))["steps"] if listed else []
    found = {}
    for path in paths:
        index = read_index(snapshot.local(f"{path}/data/episodes.parquet"))
        metadata = json.loads(snapshot.read(f"{path}/data/metadata.json"))
        assert index.data_sha256 == snapshot.file(f"{path}/data/main_data.hdf5").sha256
        assert metadata["total_episodes"] == len(index.table)
        assert [step for step in steps if step["dataset"] == path][-1]["data"]["sha256"] == index.data_sha256
        assert f"| episodes | {len(index.table)} |" in snapshot.read("README.md").decode()
        found[path] = len(index.table)
    return found


@pytest.mark.extended
def test_a_killed_publisher_leaves_nothing_half_done(
    alice: User, live: LiveHub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(home / "hf-home"))
    alice.stock.create_repo("acme/killed", repo_type="dataset")
    write("killed/whole-v0", count=2)
    begun = time.monotonic()
    finished(started(live, "publish", "killed/whole-v0", "--to", "acme"))
    usual, drawn = time.monotonic() - begun, random.Random(5)
    expected, killed = {"whole-v0": 2}, 0
    for number in range(ROUNDS):
        appends = number % 2
        name = "whole-v0" if appends else f"new{number}-v0"
        write(f"source/new{number}-v0" if appends else f"killed/{name}", count=2, seed=number + 1)
        words = (
            ("append", "acme/killed/whole-v0", f"source/new{number}-v0")
            if appends
            else ("publish", f"killed/{name}", "--to", "acme")
        )
        process = started(live, *words)
        time.sleep(drawn.uniform(0.3, 1.1) * usual)
        process.kill()
        process.communicate()
        killed += process.returncode < 0
        after = {**expected, name: expected.get(name, 0) + 2}
        assert check(alice, "acme/killed") in (expected, after)
        finished(started(live, *words))
        assert check(alice, "acme/killed") == after
        expected = after
    assert killed > ROUNDS / 4
    data = alice.snapshot("acme/killed").download("whole-v0/data/main_data.hdf5")
    assert sha256_of(data) == alice.snapshot("acme/killed").file("whole-v0/data/main_data.hdf5").sha256
