"""What travels to the Hub, counted on the wire: new bytes, once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces

from pytupli_registry import api
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.publishing.appending import append_remote
from pytupli_registry.publishing.publish import publish
from tests.publishing.conftest import User
from tests.server.support.live import LiveHub
from tests.support.network import Network

PACK = 68_000_000  # what Xet sends at once, with its heads


def wide_episodes(count: int, seed: int) -> Iterator[Episode]:
    """Yield episodes of 1,000 steps and half a megabyte of noise."""
    rng = np.random.default_rng(seed)
    ends = np.arange(1_000) == 999
    for number in range(count):
        yield Episode(
            observations=rng.standard_normal((1_001, 128)).astype(np.float32),
            actions=rng.integers(0, 2, 1_000),
            rewards=rng.standard_normal(1_000),
            terminations=ends,
            truncations=np.zeros(1_000, bool),
            seed=number,
        )


def write(dataset_id: str, count: int, seed: int) -> int:
    """Write a local dataset and return the size of its data."""
    observations = spaces.Box(-np.inf, np.inf, (128,), np.float32)
    made = api.write(
        dataset_id,
        wide_episodes(count, seed),
        observation_space=observations,
        action_space=spaces.Discrete(2),
    )
    return (Path(made.source) / "main_data.hdf5").stat().st_size


def test_appending_sends_the_new_episodes_alone(alice: User, live: LiveHub) -> None:
    size, new = write("counted/summer-v0", 40, 1), write("counted/more-v0", 1, 2)
    with Network(live.port) as network:
        hub = Hub(network.endpoint, live.person("alice").token)
        publish("counted/summer-v0", "acme", hub=hub)
        first = network.totals().up
        network.forget()
        append_remote("acme/counted/summer-v0", "counted/more-v0", hub=hub)
        second = network.totals().up
    assert first > 0.8 * size  # noise is not compressed away
    assert alice.snapshot("acme/counted").file("summer-v0/data/main_data.hdf5").size > size
    assert second < new + 0.02 * size


def test_appending_from_elsewhere_brings_the_file_once(
    live: LiveHub, home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    size = write("elsewhere/summer-v0", 40, 1)
    publish("elsewhere/summer-v0", "acme", hub=Hub(live.endpoint, live.person("alice").token))
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(home / "other"))
    came = []
    with Network(live.port) as network:
        hub = Hub(network.endpoint, live.person("alice").token)
        for seed in (2, 3, 4):
            network.forget()
            append_remote("acme/elsewhere/summer-v0", wide_episodes(1, seed), bars=seed == 2, hub=hub)
            assert ("main_data.hdf5" in capfd.readouterr().err) == (seed == 2)
            came.append(network.totals().down)
    assert came[0] > 0.9 * size
    assert max(came[1:]) < 0.1 * size


@pytest.mark.extended
def test_a_killed_publisher_does_not_send_again_what_has_arrived(
    alice: User, live: LiveHub, home: Path
) -> None:
    alice.stock.create_repo("acme/halfway", repo_type="dataset")
    size = write("halfway/large-v0", 400, 3)
    pytupli = str(Path(sys.executable).with_name("pytupli"))
    with Network(live.port, bits_per_s=400e6) as network:
        environment = {
            **os.environ,
            "HF_ENDPOINT": network.endpoint,
            "HF_TOKEN": live.person("alice").token,
            "HF_HOME": str(home / "hf-home"),
        }
        command = [pytupli, "publish", "halfway/large-v0", "--to", "acme"]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and network.totals().up < 0.75 * size:
            time.sleep(0.01)
        process.kill()
        assert process.wait() < 0
        before = network.totals().up
        network.forget()
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
        assert before + network.totals().up < size + PACK
    assert alice.snapshot("acme/halfway").file("large-v0/data/main_data.hdf5").size == size
