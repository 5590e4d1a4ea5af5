"""The public functions over a real store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gymnasium
import h5py
import minari
import numpy as np
import pytest
from gymnasium import spaces
from minari.data_collector.episode_buffer import EpisodeBuffer

import pytupli_registry
from pytupli_registry import api
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.errors import (
    DatasetExists,
    DatasetNotFound,
    EpisodeError,
    FormatError,
    InvalidReference,
)

OBSERVATIONS = spaces.Box(-10, 10, (2,), np.float32)
ACTIONS = spaces.Discrete(3)


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    return tmp_path / "datasets"


def episode(length: int, seed: int, **changes: object) -> Episode:
    rng = np.random.default_rng(seed)
    last = np.arange(length) == length - 1
    values = {
        "observations": rng.uniform(-1, 1, (length + 1, 2)).astype(np.float32),
        "actions": rng.integers(0, 3, length),
        "rewards": rng.integers(0, 3, length).astype(np.float64),
        "terminations": last,
        "truncations": np.zeros(length, dtype=np.bool_),
        "seed": seed,
        "metadata": {"month": ("June", "July")[seed % 2], "policy": "p"},
    }
    return Episode(**{**values, **changes})


def written(dataset_id: str = "a/b-v0", lengths: tuple[int, ...] = (3, 5, 4)) -> list[Episode]:
    episodes = [episode(length, seed) for seed, length in enumerate(lengths)]
    api.write(
        dataset_id,
        iter(episodes),
        observation_space=OBSERVATIONS,
        action_space=ACTIONS,
        extra={"author": "x"},
    )
    return episodes


def assert_same(found: Episode, wanted: Episode) -> None:
    for path, values in wanted.leaves().items():
        np.testing.assert_array_equal(found.leaves()[path], values)
    assert (found.seed, dict(found.metadata)) == (wanted.seed, dict(wanted.metadata))


def test_what_is_written_is_loaded_and_what_h5py_and_minari_read() -> None:
    episodes = written()
    dataset = pytupli_registry.load("local://a/b-v0")
    assert dataset.episode_count == 3
    for found, wanted in zip(dataset, episodes, strict=True):
        assert_same(found, wanted)
    stock = minari.load_dataset("a/b-v0")
    with h5py.File(Path(dataset.source) / "main_data.hdf5") as file:
        for number, wanted in enumerate(episodes):
            np.testing.assert_array_equal(file[f"episode_{number}/observations"][()], wanted.observations)
            np.testing.assert_array_equal(stock[number].observations, wanted.observations)
            np.testing.assert_array_equal(stock[number].rewards, wanted.rewards)
    assert stock.observation_space == OBSERVATIONS


def test_filters_are_given_on_loading() -> None:
    episodes = written()
    dataset = api.load("a/b-v0", episodes="month == 'June'", steps="reward > 0")
    assert [found.seed for found in dataset] == [0, 2]
    rewards = np.concatenate([episodes[number].rewards for number in (0, 2)])
    np.testing.assert_array_equal(dataset.transitions().rewards, rewards[rewards > 0])


@pytest.mark.parametrize("reference", ["hf://a/b-v0", "a@main/b-v0", "a@v3/b-v0"])
def test_what_only_a_hub_has_is_refused_with_a_way_out(reference: str) -> None:
    with pytest.raises(InvalidReference, match="local store only") as refusal:
        api.load(reference)
    assert refusal.value.hint == "Use 'a/b-v0'."


def test_a_misspelt_dataset_is_suggested() -> None:
    written()
    with pytest.raises(DatasetNotFound, match=r"Did you mean 'a/b-v0'\?"):
        api.load("a/bb-v0")


def test_listing_and_deleting() -> None:
    written("a/b-v0")
    written("c-v1")
    assert [stored.dataset_id for stored in api.list_datasets()] == ["a/b-v0", "c-v1"]
    api.delete("a/b-v0")
    assert [stored.dataset_id for stored in api.list_datasets()] == ["c-v1"]
    with pytest.raises(DatasetNotFound):
        api.delete("a/b-v0")


def test_a_directory_is_opened_wherever_it_lies(root: Path, tmp_path: Path) -> None:
    episodes = written()
    moved = (root / "a" / "b-v0").rename(tmp_path / "elsewhere")
    for path in (moved, str(moved / "data")):
        assert_same(api.open_dataset(path)[1], episodes[1])
    with pytest.raises(DatasetNotFound):
        api.open_dataset(tmp_path)


def test_appended_episodes_follow() -> None:
    episodes = written()
    added = [episode(2, 7), episode(6, 8)]
    dataset = api.append("a/b-v0", added)
    for found, wanted in zip(dataset, [*episodes, *added], strict=True):
        assert_same(found, wanted)


def test_repacking_keeps_the_values_and_joins_the_columns() -> None:
    episodes = written()
    added = [episode(2, 7), episode(6, 8)]
    assert not api.append("a/b-v0", added).columns.is_mapped("observations")
    dataset = api.repack("a/b-v0")
    assert dataset.columns.is_mapped("observations")
    for found, wanted in zip(dataset, [*episodes, *added], strict=True):
        assert_same(found, wanted)


def test_nothing_is_overwritten() -> None:
    episodes = written()
    with pytest.raises(DatasetExists):
        written(lengths=(1, 1))
    assert_same(api.load("a/b-v0")[2], episodes[2])


def test_what_filters_keep_is_saved_with_where_it_came_from() -> None:
    episodes = written()
    ticks: list[int] = []
    saved = api.save(api.load("a/b-v0", episodes="length >= 4"), "a/long-v0", advance=ticks.append)
    assert ticks == [1, 1]
    for found, wanted in zip(saved, episodes[1:], strict=True):
        assert_same(found, wanted)
    extra = saved.metadata.extra
    assert (extra["filtered_from"], extra["episode_filter"], extra["author"]) == (
        "a/b-v0",
        "length >= 4",
        "x",
    )
    assert "step_filter" not in extra
    runs = api.save(api.load("a/b-v0", steps="reward > 0"), "a/runs-v0")
    assert runs.step_count == sum(int((found.rewards > 0).sum()) for found in episodes)
    assert (runs.fields["min_reward"].values > 0).all()
    assert runs.metadata.extra["step_filter"] == "reward > 0"


def test_keeping_nothing_saves_nothing() -> None:
    written()
    with pytest.raises(EpisodeError, match="keep nothing"):
        api.save(api.load("a/b-v0", episodes="length > 100"), "a/none-v0")
    with pytest.raises(EpisodeError, match="keep nothing"):
        api.save(api.load("a/b-v0", steps="reward > 100"), "a/none-v0")
    assert [stored.dataset_id for stored in api.list_datasets()] == ["a/b-v0"]
    assert api.unfinished() == []


def _minari_dataset(dataset_id: str) -> list[Episode]:
    episodes = [episode(length, seed) for seed, length in enumerate((4, 2))]
    buffers = [
        EpisodeBuffer(
            id=number,
            seed=found.seed,
            observations=found.observations,
            actions=found.actions,
            rewards=list(found.rewards),
            terminations=list(found.terminations),
            truncations=list(found.truncations),
        )
        for number, found in enumerate(episodes)
    ]
    minari.create_dataset_from_buffers(
        dataset_id,
        buffers,
        observation_space=OBSERVATIONS,
        action_space=ACTIONS,
        author="m",
        author_email="m@example.org",
        code_permalink="https://example.org",
        algorithm_name="a",
        description="d",
        data_format="hdf5",
        env="CartPole-v1",
        eval_env="CartPole-v1",
    )
    return episodes


def test_a_dataset_of_minari_is_imported_by_id_or_directory(root: Path, tmp_path: Path) -> None:
    episodes = _minari_dataset("minari/first-v0")
    copies = [
        api.import_dataset("minari/first-v0", "minari/second-v0"),
        api.import_dataset(root / "minari" / "first-v0", "minari/third-v0"),
        api.import_dataset("minari/first-v0"),
    ]
    for copy in copies:
        assert copy.columns.is_mapped("observations")
        for found, wanted in zip(copy, episodes, strict=True):
            np.testing.assert_array_equal(found.observations, wanted.observations)
            np.testing.assert_array_equal(found.actions, wanted.actions)
            assert found.seed == wanted.seed
        assert copy.metadata.extra["author"] == ["m"] or copy.metadata.extra["author"] == "m"
    with pytest.raises(DatasetExists):
        api.import_dataset("minari/first-v0", "minari/second-v0")
    with pytest.raises(DatasetNotFound):
        api.import_dataset(tmp_path)


def test_a_write_that_fails_is_recovered_or_discarded() -> None:
    def failing():
        yield episode(3, 0)
        yield episode(2, 1)
        raise KeyboardInterrupt

    for dataset_id in ("a/b-v0", "a/c-v0"):
        with pytest.raises(KeyboardInterrupt):
            api.write(dataset_id, failing(), observation_space=OBSERVATIONS, action_space=ACTIONS)
    spools = {left.dataset_id: left.spool for left in api.unfinished()}
    assert api.recover(spools["a/b-v0"].name).episode_count == 2
    api.discard(spools["a/c-v0"])
    assert api.unfinished() == []
    assert [stored.dataset_id for stored in api.list_datasets()] == ["a/b-v0"]
    with pytest.raises(FormatError, match="no such spool"):
        api.recover("nothing")


def test_validation_takes_a_reference_or_a_directory(root: Path) -> None:
    written()
    for given in ("a/b-v0", root / "a" / "b-v0", root / "a" / "b-v0" / "data"):
        report = api.validate(given, adapters=False)
        assert report.ok
        assert (report.episodes_checked, report.transitions_checked) == (3, 12)


def test_loading_an_indexed_dataset_needs_numpy_and_pyarrow_only() -> None:
    written()
    program = (
        "import sys, pytupli_registry\n"
        "dataset = pytupli_registry.load('a/b-v0', episodes='total_return >= 0')\n"
        "dataset.transitions()\n"
        "print(sorted({'h5py','gymnasium','pydantic','torch','pandas','PIL','click','rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_environment_of_the_data_is_kept() -> None:
    spec = gymnasium.spec("CartPole-v1").to_json()
    dataset = api.write(
        "a/env-v0", [episode(2, 0)], observation_space=OBSERVATIONS, action_space=ACTIONS, env_spec=spec
    )
    assert dataset.metadata.environment_id == "CartPole-v1"
