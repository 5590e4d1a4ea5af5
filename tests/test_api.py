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
import torch
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
    WriteError,
)
from pytupli_registry.storage.local import LocalStore

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


def written(dataset_id: str = "ab/b-v0", lengths: tuple[int, ...] = (3, 5, 4)) -> list[Episode]:
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
    dataset = pytupli_registry.load("local://ab/b-v0")
    assert dataset.episode_count == 3
    for found, wanted in zip(dataset, episodes, strict=True):
        assert_same(found, wanted)
    stock = minari.load_dataset("ab/b-v0")
    with h5py.File(Path(dataset.source) / "main_data.hdf5") as file:
        for number, wanted in enumerate(episodes):
            np.testing.assert_array_equal(file[f"episode_{number}/observations"][()], wanted.observations)
            np.testing.assert_array_equal(stock[number].observations, wanted.observations)
            np.testing.assert_array_equal(stock[number].rewards, wanted.rewards)
    assert stock.observation_space == OBSERVATIONS


def test_filters_are_given_on_loading() -> None:
    episodes = written()
    dataset = api.load("ab/b-v0", episodes="month == 'June'", steps="reward > 0")
    assert [found.seed for found in dataset] == [0, 2]
    rewards = np.concatenate([episodes[number].rewards for number in (0, 2)])
    np.testing.assert_array_equal(dataset.transitions().rewards, rewards[rewards > 0])


@pytest.mark.parametrize("reference", ["hf://ab/b-v0", "ab@main/b-v0", "ab@v3/b-v0"])
def test_what_only_a_hub_has_is_refused_with_a_way_out(reference: str) -> None:
    with pytest.raises(InvalidReference, match="names no repository") as refusal:
        api.load(reference)
    assert "'acme/hvac/summer-v0'" in (refusal.value.hint or "")


def test_a_misspelt_dataset_is_suggested() -> None:
    written()
    with pytest.raises(DatasetNotFound, match=r"Did you mean 'ab/b-v0'\?"):
        api.load("ab/bb-v0")


def test_listing_and_deleting() -> None:
    written("ab/b-v0")
    written("c-v1")
    assert [stored.dataset_id for stored in api.list_datasets()] == ["ab/b-v0", "c-v1"]
    api.delete("ab/b-v0")
    assert [stored.dataset_id for stored in api.list_datasets()] == ["c-v1"]
    with pytest.raises(DatasetNotFound):
        api.delete("ab/b-v0")


def test_a_directory_is_opened_wherever_it_lies(root: Path, tmp_path: Path) -> None:
    episodes = written()
    moved = (root / "ab" / "b-v0").rename(tmp_path / "elsewhere")
    for path in (moved, str(moved / "data")):
        assert_same(api.open_dataset(path)[1], episodes[1])
    with pytest.raises(DatasetNotFound):
        api.open_dataset(tmp_path)


def test_appended_episodes_follow() -> None:
    episodes = written()
    added = [episode(2, 7), episode(6, 8)]
    dataset = api.append("ab/b-v0", added)
    for found, wanted in zip(dataset, [*episodes, *added], strict=True):
        assert_same(found, wanted)


def test_repacking_keeps_the_values_and_joins_the_columns() -> None:
    episodes = written()
    added = [episode(2, 7), episode(6, 8)]
    assert not api.append("ab/b-v0", added).reader.is_mapped("observations")
    dataset = api.repack("ab/b-v0")
    assert dataset.reader.is_mapped("observations")
    for found, wanted in zip(dataset, [*episodes, *added], strict=True):
        assert_same(found, wanted)


def test_nothing_is_overwritten() -> None:
    episodes = written()
    with pytest.raises(DatasetExists):
        written(lengths=(1, 1))
    assert_same(api.load("ab/b-v0")[2], episodes[2])


def test_what_filters_keep_is_saved_with_where_it_came_from() -> None:
    episodes = written()
    ticks: list[int] = []
    saved = api.save(api.load("ab/b-v0", episodes="length >= 4"), "ab/long-v0", advance=ticks.append)
    assert ticks == [1, 1]
    for found, wanted in zip(saved, episodes[1:], strict=True):
        assert_same(found, wanted)
    extra = saved.metadata.extra
    assert (extra["filtered_from"], extra["episode_filter"], extra["author"]) == (
        "ab/b-v0",
        "length >= 4",
        "x",
    )
    assert "step_filter" not in extra
    runs = api.save(api.load("ab/b-v0", steps="reward > 0"), "ab/runs-v0")
    assert runs.step_count == sum(int((found.rewards > 0).sum()) for found in episodes)
    assert (runs.fields["min_reward"].values > 0).all()
    assert runs.metadata.extra["step_filter"] == "reward > 0"


def test_what_is_saved_or_appended_keeps_dtypes_and_facts_that_are_arrays() -> None:
    options = {"low": -0.5, "goal": {"place": np.array([1, 2]), "names": np.array(["ä", "b"])}}
    store = LocalStore.from_environment()
    wide = {"observations": np.dtype(np.float64), "rewards": np.dtype(np.float32)}
    given = episode(
        3, 0, observations=np.full((4, 2), 0.1), rewards=np.full(3, 0.5, np.float32), options=options
    )
    with store.writer(
        "ab/wide-v0", observation_space=OBSERVATIONS, action_space=ACTIONS, dtypes=wide
    ) as writer:
        writer.add(given)
    saved = api.save(api.load("ab/wide-v0"), "ab/copy-v0")
    twice = api.append("ab/copy-v0", saved.episodes())
    for dataset in (saved, twice):
        for path, dtype in wide.items():
            assert dataset.leaves[path].dtype == dtype
        for found in dataset:
            np.testing.assert_array_equal(found.observations, given.observations)
            assert found.seed == 0
            assert found.options is not None
            assert found.options["low"] == -0.5
            assert found.options["goal"]["place"].tolist() == [1, 2]
            assert found.options["goal"]["names"].tolist() == ["ä", "b"]


@pytest.mark.parametrize("extra", [{"total_episodes": 9}, {"dataset_id": "x-v0"}, {"author": {"a"}}])
def test_extra_facts_cannot_contradict_the_dataset(extra: dict[str, object]) -> None:
    with pytest.raises(WriteError, match="extra cannot"):
        api.write("ab/b-v0", [], observation_space=OBSERVATIONS, action_space=ACTIONS, extra=extra)
    assert api.unfinished() == []


@pytest.mark.parametrize("value", [np.float64(1.0), np.zeros(())])
def test_an_info_without_rows_is_an_error_that_says_so(value: object) -> None:
    with pytest.raises(EpisodeError, match="infos/k is one value"):
        api.write(
            "ab/b-v0",
            [episode(3, 0, infos={"k": value})],
            observation_space=OBSERVATIONS,
            action_space=ACTIONS,
        )


def test_only_local_ids_are_written() -> None:
    episodes = written()
    spaces_of = {"observation_space": OBSERVATIONS, "action_space": ACTIONS}
    for write in (
        lambda: api.write("hf://ab/c-v0", episodes, **spaces_of),
        lambda: api.save(api.load("ab/b-v0"), "hf://ab/c-v0"),
        lambda: api.import_dataset("ab/b-v0", "ab@main/c-v0"),
    ):
        with pytest.raises(InvalidReference, match="of the local store"):
            write()
    assert len(api.write("local://ab/c-v0", episodes, **spaces_of)) == 3


def test_keeping_nothing_saves_nothing() -> None:
    written()
    with pytest.raises(EpisodeError, match="keep nothing"):
        api.save(api.load("ab/b-v0", episodes="length > 100"), "ab/none-v0")
    with pytest.raises(EpisodeError, match="keep nothing"):
        api.save(api.load("ab/b-v0", steps="reward > 100"), "ab/none-v0")
    assert [stored.dataset_id for stored in api.list_datasets()] == ["ab/b-v0"]
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
        assert copy.reader.is_mapped("observations")
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

    for dataset_id in ("ab/b-v0", "ab/c-v0"):
        with pytest.raises(KeyboardInterrupt):
            api.write(dataset_id, failing(), observation_space=OBSERVATIONS, action_space=ACTIONS)
    spools = {left.dataset_id: left.spool for left in api.unfinished()}
    assert api.recover(spools["ab/b-v0"].name).episode_count == 2
    api.discard(spools["ab/c-v0"])
    assert api.unfinished() == []
    assert [stored.dataset_id for stored in api.list_datasets()] == ["ab/b-v0"]
    with pytest.raises(FormatError, match="no such spool"):
        api.recover("nothing")


def test_validation_takes_a_reference_or_a_directory(root: Path) -> None:
    written()
    for given in ("ab/b-v0", root / "ab" / "b-v0", root / "ab" / "b-v0" / "data"):
        report = api.validate(given, adapters=False)
        assert report.ok
        assert (report.episodes_checked, report.transitions_checked) == (3, 12)


def test_loading_an_indexed_dataset_needs_numpy_and_pyarrow_only() -> None:
    written()
    program = (
        "import sys, pytupli_registry\n"
        "dataset = pytupli_registry.load('ab/b-v0', episodes='total_return >= 0')\n"
        "dataset.transitions()\n"
        "print(sorted({'h5py','gymnasium','pydantic','torch','pandas','PIL','click','rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_environment_of_the_data_is_kept() -> None:
    spec = gymnasium.spec("CartPole-v1").to_json()
    dataset = api.write(
        "ab/env-v0", [episode(2, 0)], observation_space=OBSERVATIONS, action_space=ACTIONS, env_spec=spec
    )
    assert dataset.metadata.environment_id == "CartPole-v1"


def test_worker_processes_read_what_the_parent_has_open() -> None:
    episodes = [
        episode(
            length,
            length,
            observations={"x": np.arange(length + 1) + 0.5, "word": list("abcdef"[: length + 1])},
        )
        for length in (3, 5, 2)
    ]
    space = spaces.Dict({"x": spaces.Box(0, 9, (), np.float64), "word": spaces.Text(3)})
    dataset = api.write("ab/words-v0", episodes, observation_space=space, action_space=ACTIONS)
    dataset = api.append("ab/words-v0", dataset.episodes())
    transitions = dataset.to("torch")
    assert transitions[0]["observations"]["word"] == "a"  # read through HDF5, so the parent's file is open
    for context in ("fork", "spawn"):
        loader = torch.utils.data.DataLoader(
            transitions, batch_size=4, num_workers=2, multiprocessing_context=context
        )
        batches = list(loader)
        assert torch.cat([batch["observations"]["x"] for batch in batches]).tolist() == [
            value for length in (3, 5, 2) * 2 for value in (np.arange(length) + 0.5).tolist()
        ]
        words = "".join(word for batch in batches for word in batch["observations"]["word"])
        assert words == "".join("abcdef"[:length] for length in (3, 5, 2) * 2)
