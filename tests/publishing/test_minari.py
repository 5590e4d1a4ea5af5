"""Stock Minari, which knows nothing of us, lists and downloads what was published."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pytupli_registry.publishing.appending import append_remote
from pytupli_registry.publishing.publish import publish
from tests.publishing.conftest import User, episodes, write
from tests.server.support.live import LiveHub

READER = """
import minari, sys
dataset = minari.load_dataset(sys.argv[1])
for episode in dataset.iterate_episodes():
    print(episode.id, float(episode.rewards.sum()), episode.observations.tobytes().hex(), episode.actions.tolist())
"""


def minari(live: LiveHub, home: Path, *words: str) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home / "reader"),
        "HF_HOME": str(home / "reader" / "hf"),
        "HF_TOKEN": live.person("alice").token,
        "HF_ENDPOINT": live.endpoint,
        "MINARI_REMOTE": "hf://acme",
        "MINARI_DATASETS_PATH": str(home / "reader" / "datasets"),
        "COLUMNS": "200",
    }
    done = subprocess.run(words, env=environment, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_minari_reads_what_was_published(alice: User, live: LiveHub, home: Path) -> None:
    write("stock/summer-v0", count=3, seed=1)
    publish("stock/summer-v0", "acme", hub=alice.hub)
    append_remote("acme/stock/summer-v0", episodes(2, 2), hub=alice.hub)
    program = str(Path(sys.executable).with_name("minari"))
    assert "stock/summer-v0" in minari(live, home, program, "list", "remote")
    minari(live, home, program, "download", "stock/summer-v0")
    read = minari(live, home, sys.executable, "-W", "ignore", "-c", READER, "stock/summer-v0").splitlines()
    wanted = [*episodes(3, 1), *episodes(2, 2)]
    assert read == [
        f"{number} {float(one.rewards.sum())} {np.asarray(one.observations).tobytes().hex()} {one.actions.tolist()}"
        for number, one in enumerate(wanted)
    ]
