from __future__ import annotations

import pickle
from pathlib import Path

import minari
import numpy as np
import pytest
from minari import MinariDataset
from minari.dataset.minari_storage import MinariStorage

import pytupli_minari
from pytupli_minari import PytupliDataset, compact
from pytupli_registry.dataset.conversion import find_adapter
from pytupli_registry.errors import AdapterError, DatasetNotFound, UnknownField
from pytupli_registry.storage.local import open_directory


def ids(dataset):
    return [int(episode.id) for episode in dataset]


def returns(dataset):
    return [float(episode.rewards.sum()) for episode in dataset]


def test_it_is_a_minari_dataset_with_the_same_facts(pair_of_any_kind):
    stock, ours = pair_of_any_kind
    assert isinstance(ours, MinariDataset)
    assert ours.spec == stock.spec
    for name in ("id", "total_steps", "total_episodes", "observation_space", "action_space", "env_spec",
                 "combined_datasets", "minari_version"):  # fmt: skip
        assert getattr(ours, name) == getattr(stock, name)
    np.testing.assert_array_equal(ours.episode_indices, stock.episode_indices)


def test_items_slices_of_indices_and_iteration(pair, assert_same_episode):
    stock, ours = pair("nested")
    assert_same_episode(ours[-1], stock[-1])
    for found, expected in zip(ours.iterate_episodes([2, 0]), stock.iterate_episodes([2, 0]), strict=True):
        assert_same_episode(found, expected)
    with pytest.raises(IndexError):
        _ = ours[4]


def test_the_same_seed_samples_the_same_episodes(pair, assert_same_episode):
    stock, ours = pair()
    for dataset in (stock, ours):
        dataset.set_seed(11)
    for _ in range(3):
        for found, expected in zip(ours.sample_episodes(3), stock.sample_episodes(3), strict=True):
            assert_same_episode(found, expected)


def test_minaris_own_filter(pair, assert_same_episode):
    stock, ours = pair("jpeg")
    for _ in range(2):  # a filter on a filter
        stock, ours = (found.filter_episodes(lambda episode: len(episode) != 5) for found in (stock, ours))
        assert type(ours) is PytupliDataset
        assert ours.episode_indices.tolist() == stock.episode_indices.tolist() == [0, 2, 3]
        assert ours.total_steps == stock.total_steps == 9
        for found, expected in zip(ours, stock, strict=True):
            assert_same_episode(found, expected)


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"episodes": "length >= 3"},
        {"steps": "step != 1"},
        {"episodes": "length >= 3", "steps": "step > 0"},
    ],
)
def test_split_parts_hold_the_right_episodes(pair, assert_same_episode, chosen):
    _, ours = pair("nested", **chosen)
    everything = list(ours)
    parts = minari.split_dataset(ours, [2, len(ours) - 2], seed=4)
    assert [len(part) for part in parts] == [2, len(ours) - 2]
    assert sorted(number for part in parts for number in ids(part)) == list(range(len(ours)))
    for part in parts:
        assert part.total_steps == sum(len(episode) for episode in part)
        for episode in part:
            assert_same_episode(episode, everything[episode.id])


def test_splits_are_stock_minaris(pair, assert_same_episode):
    for found, expected in zip(
        *(minari.split_dataset(dataset, [1, 3], seed=9) for dataset in pair()), strict=True
    ):
        for episode, wanted in zip(found, expected, strict=True):
            assert_same_episode(episode, wanted)


def test_a_part_can_be_split_filtered_and_sampled_again(pair, assert_same_episode):
    _, ours = pair(steps="step != 1")
    everything = list(ours)
    (part,) = minari.split_dataset(ours, [6], seed=1)
    halves = minari.split_dataset(part, [3, 3], seed=2)
    assert sorted(ids(halves[0]) + ids(halves[1])) == sorted(ids(part))
    for episode in (*halves[0], *halves[1], *halves[1].sample_episodes(2)):
        assert_same_episode(episode, everything[episode.id])
    long = part.filter_episodes(lambda episode: len(episode) > 1)
    assert ids(long) == [number for number in ids(part) if len(everything[number]) > 1]


def test_paths_of_the_specification_are_ordinary_ones(pair):
    stock, ours = pair(episodes="length >= 4")
    path = ours.spec.data_path
    assert path == stock.spec.data_path
    assert isinstance(path, str)
    assert Path(path, "metadata.json").is_file()
    assert (ours.storage.data_path / "metadata.json").is_file()
    assert type(str(ours.storage.data_path / "metadata.json")) is str
    assert f"{path}" == repr(path)[1:-1]


@pytest.mark.parametrize("kind", ["box", "nested", "infos-nested", "text"])
def test_combining_copies_what_the_filters_keep(pair, assert_same_episode, kind):
    stock, ours = pair(kind, episodes="length >= 4")
    combined = minari.combine_datasets([ours, stock], "joined-v0")
    assert combined.spec.combined_datasets == ["robots/walk-v0", "robots/walk-v0"]
    again = minari.load_dataset("joined-v0")
    assert len(again) == 6
    for found, expected in zip(again, (stock[1], stock[3], *stock), strict=True):
        assert_same_episode(expected, found, ids=False)


def test_combining_runs_of_steps(pair, assert_same_episode):
    _, ours = pair("nested", steps="step != 1")
    combined = minari.combine_datasets([ours, ours], "joined-v0")
    assert combined.total_steps == 20
    for found, expected in zip(combined, [*ours, *ours], strict=True):
        assert_same_episode(expected, found, ids=False)


def test_what_minari_combined_is_a_dataset_of_ours(pair):
    _, ours = pair(steps="step != 1")
    minari.combine_datasets([ours], "joined-v0")
    assert returns(pytupli_minari.load("joined-v0")) == returns(ours)
    assert returns(pytupli_minari.load("joined-v0", episodes="length == 3")) == [returns(ours)[3]]


def test_minaris_own_choice_is_compacted_before_combining(pair):
    _, ours = pair()
    chosen = ours.filter_episodes(lambda episode: len(episode) >= 4)
    assert len(minari.combine_datasets([chosen], "whole-v0")) == 4, (
        "Minari combines storages, whatever was chosen"
    )
    narrowed = compact(chosen)
    assert ids(narrowed) == [0, 1]
    assert returns(minari.combine_datasets([narrowed], "chosen-v0")) == returns(chosen)
    part = minari.split_dataset(chosen, [1], seed=0)[0]
    assert returns(compact(part)) == returns(part)
    facts = list(compact(part).storage.get_episode_metadata([0]))
    assert facts[0]["source_episode"] == ids(part)[0]


def test_only_our_datasets_are_compacted(pair):
    with pytest.raises(AdapterError, match="does not lie over PyTupli's columns"):
        compact(pair()[0])


def test_saving_into_a_storage_of_minaris(pair, tmp_path, assert_same_episode):
    _, ours = pair("nested", episodes="length <= 3")
    storage = MinariStorage.new(
        tmp_path / "copy", ours.observation_space, ours.action_space, ours.env_spec, jpeg_encoding=False
    )
    storage.update_metadata({"dataset_id": "copy-v0", "minari_version": "0.5.4"})
    storage.update_from_storage(ours.storage)
    copy = MinariDataset(tmp_path / "copy")
    assert storage.metadata["author"] == {"A", "B"}
    for found, expected in zip(copy, ours, strict=True):
        assert_same_episode(expected, found, ids=False)


def test_datasets_and_their_parts_survive_pickling(pair):
    _, ours = pair(steps="step != 1")
    (part,) = minari.split_dataset(ours, [3], seed=0)
    for dataset in (ours, part, minari.split_dataset(part, [2], seed=0)[0]):
        back = pickle.loads(pickle.dumps(dataset))
        assert (ids(back), returns(back)) == (ids(dataset), returns(dataset))
        (again,) = minari.split_dataset(back, [2], seed=5)
        (expected,) = minari.split_dataset(dataset, [2], seed=5)
        assert (ids(again), returns(again)) == (ids(expected), returns(expected))


def test_loading_by_reference(write):
    stock = write("robots/arm/walk-v3")
    assert returns(pytupli_minari.load("robots/arm/walk-v3")) == returns(stock)
    kept = pytupli_minari.load("local://robots/arm/walk-v3", episodes="length >= 4", steps="step >= 2")
    assert [len(episode) for episode in kept] == [3, 2]
    with pytest.raises(DatasetNotFound, match="Did you mean 'robots/arm/walk-v3'"):
        pytupli_minari.load("robots/arm/walk-v4")
    with pytest.raises(UnknownField):
        pytupli_minari.load("robots/arm/walk-v3", episodes="lenght > 3")


def test_it_is_the_adapter_named_minari(pair):
    stock, _ = pair()
    assert find_adapter("minari") is pytupli_minari.to_minari
    dataset = open_directory(Path(stock.spec.data_path)).where("length == 5")
    assert returns(dataset.to("minari")) == [returns(stock)[1]]


def test_normalized_scores_are_minaris(write):
    stock = write(eval_env="CartPole-v1", ref_min_score=10.0, ref_max_score=110.0)
    ours = pytupli_minari.load("robots/walk-v0")
    scores = np.array([10.0, 60.0])
    np.testing.assert_array_equal(
        minari.get_normalized_score(ours, scores), minari.get_normalized_score(stock, scores)
    )
    assert minari.get_normalized_score(ours, scores).tolist() == [0.0, 0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"minari_version": "9.0.0"}, "does not support"), ({"dataset_id": "a/b-v0"}, "Malformed dataset ID")],
)
def test_what_minari_refuses_is_an_adapter_error(pair, change, message):
    from dataclasses import replace

    stock, _ = pair()
    dataset = open_directory(Path(stock.spec.data_path))
    with pytest.raises(AdapterError, match=message):
        pytupli_minari.to_minari(replace(dataset, metadata=replace(dataset.metadata, **change)))
