"""Datasets that come as a whole: uploaded by stock Minari, with leaves that only HDF5 can read, or a wrong index."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import gymnasium
import minari
import numpy as np
import pytest

from pytupli_registry import Episode
from pytupli_registry.errors import StaleIndex
from pytupli_registry.filters.source import FieldValues
from pytupli_registry.storage.index import read_index, write_index
from pytupli_registry.storage.local import LocalStore

pytestmark = pytest.mark.usefixtures("home")

SPACE = gymnasium.spaces.Box(-1, 1, (3,), np.float32)


def publish(world, name, folder):
    alice = world.hub.api("alice")
    alice.create_repo(f"acme/{name}", repo_type="dataset", exist_ok=True)
    alice.upload_folder(
        folder_path=folder, path_in_repo=f"{name}-v0", repo_id=f"acme/{name}", repo_type="dataset"
    )


def minari_episodes(count=3):
    numbers = np.random.default_rng(1)
    for _ in range(count):
        steps = int(numbers.integers(2, 9))
        yield {
            "observations": numbers.random((steps + 1, 3), dtype=np.float32),
            "actions": numbers.random((steps, 3), dtype=np.float32),
            "rewards": numbers.random(steps),
            "terminations": np.arange(steps) == steps - 1,
            "truncations": np.zeros(steps, dtype=bool),
        }


def test_what_stock_minari_has_written(world, tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    buffers = [
        minari.data_collector.EpisodeBuffer(id=n, **found) for n, found in enumerate(minari_episodes())
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about facts that a real dataset should have
        minari.create_dataset_from_buffers(
            "plain/plain-v0", buffers, observation_space=SPACE, action_space=SPACE
        )
    publish(world, "plain", tmp_path / "minari" / "plain" / "plain-v0")
    remote = world.open("acme/plain/plain-v0")
    for found, expected in zip(remote, minari_episodes(), strict=True):
        for name, values in expected.items():
            np.testing.assert_array_equal(getattr(found, name), values)
    assert len(remote.where("total_return > 0").columns()["rewards"]) == len(remote.column("rewards"))
    again = world.open("acme/plain/plain-v0")
    world.network.forget()
    np.testing.assert_array_equal(again.column("actions"), remote.column("actions"))
    assert not world.network.log


def written(root, observations):
    store = LocalStore(root / "datasets", root / "cache")
    with store.writer("made/made-v0", observation_space=observations, action_space=SPACE) as writer:
        for number, found in enumerate(minari_episodes(20)):
            said = [f"step {number}.{step}" for step in range(len(found["rewards"]) + 1)]
            values = (
                {"said": said, "seen": found["observations"]}
                if observations != SPACE
                else found["observations"]
            )
            writer.add(Episode(**{**found, "observations": values}))
    return store.open("made/made-v0")


def test_texts_bring_the_whole_file_and_numbers_do_not(world, tmp_path):
    text = gymnasium.spaces.Text(20, charset="step .0123456789")
    local = written(tmp_path / "text", gymnasium.spaces.Dict({"said": text, "seen": SPACE}))
    publish(world, "texts", Path(local.source).parent)
    remote = world.open("acme/texts/texts-v0")
    np.testing.assert_array_equal(
        remote.where("episode_id in [2, 9]").column("rewards"),
        local.where("episode_id in [2, 9]").column("rewards"),
    )
    assert not remote.reader.fetcher.mirror.is_whole
    for found, expected in zip(remote, local, strict=True):
        assert found.observations["said"] == expected.observations["said"]
        np.testing.assert_array_equal(found.observations["seen"], expected.observations["seen"])
    assert remote.reader.fetcher.mirror.is_whole


def test_an_index_of_another_file_is_not_used(world, tmp_path):
    local = written(tmp_path / "one", SPACE)
    folder = Path(local.source).parent
    other = LocalStore(tmp_path / "two" / "datasets", tmp_path / "two" / "cache")
    with other.writer("made/made-v0", observation_space=SPACE, action_space=SPACE) as writer:
        for found in minari_episodes(4):
            writer.add(Episode(**found))
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shutil.copy(other.data_path("made/made-v0") / "episodes.parquet", copy / "data" / "episodes.parquet")
    publish(world, "stale", copy)
    remote = world.open("acme/stale/stale-v0")
    assert len(remote) == 20
    np.testing.assert_array_equal(remote.column("rewards"), local.column("rewards"))


def test_a_damaged_index_is_not_used(world, tmp_path):
    local = written(tmp_path / "one", SPACE)
    copy = tmp_path / "copy"
    shutil.copytree(Path(local.source).parent, copy)
    index = copy / "data" / "episodes.parquet"
    index.write_bytes(index.read_bytes()[:-20] + b"\0" * 20)
    publish(world, "broken", copy)
    np.testing.assert_array_equal(
        world.open("acme/broken/broken-v0").column("rewards"), local.column("rewards")
    )


def test_an_index_that_lies_about_what_hdf5_reads_is_found_out(world, tmp_path):
    text = gymnasium.spaces.Text(20, charset="step .0123456789")
    local = written(tmp_path / "lie", gymnasium.spaces.Dict({"said": text, "seen": SPACE}))
    copy = tmp_path / "copy"
    shutil.copytree(Path(local.source).parent, copy)
    index = read_index(copy / "data" / "episodes.parquet")
    returns = FieldValues(index.table.fields["total_return"].values + 1000)
    table = replace(index.table, fields={**index.table.fields, "total_return": returns})
    write_index(replace(index, table=table), copy / "data" / "episodes.parquet")
    publish(world, "lies", copy)
    with pytest.raises(StaleIndex, match="does not describe"):
        list(world.open("acme/lies/lies-v0"))
