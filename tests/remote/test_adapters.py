"""What the adapters bring of a remote dataset, compared with what they make of the same one on this machine."""

from __future__ import annotations

import d3rlpy
import numpy as np
import pytest

import pytupli_d3rlpy
import pytupli_minari
from pytupli_registry import api

pytestmark = pytest.mark.usefixtures("home")

DATA = "main_data.hdf5"
FIELDS = ("observations", "actions", "rewards", "next_observations", "returns_to_go", "terminals")


def data_bytes(world):
    return sum(exchange.received for exchange in world.network.log if DATA in exchange.asked.target)


def test_d3rlpy_samples_the_same_and_begins_before_everything_is_here(world):
    remote, local = world.open().to("d3rlpy"), world.local.to("d3rlpy")
    assert data_bytes(world) == 0
    size = world.open().reader.fetcher.mirror.size
    for number in range(6):
        np.random.seed(number)
        found = remote.sample_transition_batch(4)
        if number == 0:
            assert 0 < data_bytes(world) < size / 5
        np.random.seed(number)
        expected = local.sample_transition_batch(4)
        for name in FIELDS[:4]:
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    np.random.seed(1)
    found = remote.sample_trajectory_batch(3, 20)
    np.random.seed(1)
    expected = local.sample_trajectory_batch(3, 20)
    np.testing.assert_array_equal(found.returns_to_go, expected.returns_to_go)
    np.testing.assert_array_equal(found.observations, expected.observations)
    assert isinstance(remote, d3rlpy.dataset.ReplayBufferBase)


def test_d3rlpy_under_filters_reads_what_they_keep(world):
    text = {"episodes": "month == 'July'", "steps": "reward > 0"}
    remote, local = world.open().where(**text).to("d3rlpy"), world.local.where(**text).to("d3rlpy")
    assert remote.transition_count == local.transition_count
    for found, expected in zip(remote.episodes, local.episodes, strict=True):
        np.testing.assert_array_equal(found.observations, expected.observations)
        np.testing.assert_array_equal(found.actions, expected.actions)
        np.testing.assert_array_equal(found.rewards, expected.rewards)
    assert data_bytes(world) < world.open().reader.fetcher.mirror.size / 5


@pytest.mark.parametrize("steps", [None, "reward > 0"])
def test_minari_gets_the_same_episodes(world, steps):
    remote = world.open().where("episode_id in [3, 4, 50]", steps).to("minari")
    local = world.local.where("episode_id in [3, 4, 50]", steps).to("minari")
    assert remote.total_episodes == local.total_episodes
    for found, expected in zip(remote.iterate_episodes(), local.iterate_episodes(), strict=True):
        for name in ("observations", "actions", "rewards", "terminations", "truncations"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        np.testing.assert_array_equal(found.infos["energy"], expected.infos["energy"])
    assert data_bytes(world) < world.open().reader.fetcher.mirror.size / 5


def test_torch_gets_the_same_batches(world):
    remote, local = world.open().to("torch"), world.local.to("torch")
    first = remote[[5, 4000, 12]]
    assert 0 < data_bytes(world) < world.open().reader.fetcher.mirror.size / 5
    assert first.keys() == local[[5, 4000, 12]].keys()
    for indices in ([5, 4000, 12], list(range(3000, 3064)), list(range(0, 5000, 100))):
        found, expected = remote[indices], local[indices]
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name].numpy(), values.numpy(), err_msg=name)


def test_numpy_gets_the_same_arrays(world):
    found = world.open().where("month == 'July'").to("numpy")
    expected = world.local.where("month == 'July'").to("numpy")
    for name in ("observations", "actions", "rewards", "next_observations", "terminations", "truncations"):
        np.testing.assert_array_equal(found[name], expected[name])


def test_the_plugins_load_by_reference(world, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", world.network.endpoint)
    monkeypatch.setenv("HF_TOKEN", world.hub.person("bob").token)
    text = {"episodes": "month == 'July'", "steps": "reward > 0"}
    mapped, env = pytupli_d3rlpy.load("acme/hvac@main/summer-v0", **text)
    assert env is None  # the dataset names no environment, and nobody has published a benchmark with it
    assert mapped.transition_count == world.local.where(**text).to("d3rlpy").transition_count
    assert len(pytupli_minari.load("acme/hvac/summer-v0", "month == 'July'")) == 6
    assert api.load("acme/hvac@main/summer-v0").origin.revision == "main"
