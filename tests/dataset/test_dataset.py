from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytupli_registry.dataset.dataset import Summary
from pytupli_registry.errors import AdapterError, SpaceError, UnknownField

if TYPE_CHECKING:
    from pytupli_registry.dataset.episode import Episode


def same_episode(found: Episode, expected: Episode) -> bool:
    leaves, wanted = found.leaves(), expected.leaves()
    return (
        set(leaves) == set(wanted)
        and all(np.array_equal(leaves[path], wanted[path]) for path in wanted)
        and all(np.asarray(leaves[path]).dtype == np.asarray(wanted[path]).dtype for path in wanted)
        and (found.episode_id, found.seed, found.options)
        == (expected.episode_id, expected.seed, expected.options)
        and dict(found.metadata) == dict(expected.metadata)
    )


def chosen(dataset, positions):
    return replace(dataset, positions=np.array(positions, dtype=np.int64))


def test_episodes_come_back(dataset, episodes):
    assert len(dataset) == dataset.episode_count == 4
    for found, expected in zip(dataset, episodes, strict=True):
        assert same_episode(found, expected)
    assert same_episode(dataset[-1], episodes[-1])
    with pytest.raises(IndexError):
        _ = dataset[4]


def test_texts_nested_values_options_and_gaps_come_back(make_episode, make_dataset):
    episodes = [
        make_episode(0, 2, observations={"t": ["a", "b", "c"], "n": (np.arange(3),)}, options={"mass": 2.0}),
        make_episode(
            1, 1, observations={"t": ["d", "e"], "n": (np.arange(2),)}, seed=None, metadata={}, infos={}
        ),
    ]
    for found, expected in zip(make_dataset(episodes), episodes, strict=True):
        assert same_episode(found, expected)


def test_counts_follow_the_choice(dataset, masked):
    part = chosen(dataset, [1, 3])
    assert (part.episode_count, part.step_count, part.transition_count) == (2, 9, 9)
    assert [episode.episode_id for episode in part.episodes()] == [1, 3]
    kept = masked(part, [1, 0, 0, 1, 1, 0, 1, 0, 0])
    assert (kept.episode_count, kept.step_count, kept.transition_count) == (2, 9, 4)
    assert len(kept[0]) == 5, "a step filter does not change episodes"


@pytest.mark.parametrize("positions", [[0, 1, 2, 3], [1, 2], [1, 3], [3, 0], [2], []])
@pytest.mark.parametrize("path", ["observations", "actions", "rewards", "infos/energy", "terminations"])
def test_a_column_is_the_kept_episodes_concatenated(dataset, episodes, positions, path):
    parts = [episodes[position].leaves()[path] for position in positions]
    found = chosen(dataset, positions).column(path)
    expected = np.concatenate(parts) if parts else dataset.array(path)[:0]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@pytest.mark.parametrize("positions", [[0, 1, 2, 3], [1, 2], [2]])
def test_neighbouring_episodes_are_not_copied(dataset, positions):
    part = chosen(dataset, positions)
    for path, values in part.columns().items():
        assert np.shares_memory(values, dataset.array(path))


def test_columns_of_texts_are_refused(make_episode, make_dataset):
    dataset = make_dataset([make_episode(0, 1, observations=["a", "b"])])
    assert "observations" not in dataset.columns()
    with pytest.raises(SpaceError, match="no fixed shape"):
        dataset.column("observations")
    with pytest.raises(KeyError):
        dataset.column("infos/none")


MASK = [1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1]


def test_rows_and_transitions_under_a_mask(dataset, episodes, masked):
    kept = masked(dataset, MASK)
    every = [(p, s) for p, episode in enumerate(episodes) for s in range(len(episode))]
    wanted = [place for place, keep in zip(every, MASK, strict=True) if keep]
    found = kept.transitions()
    assert list(zip(found.positions.tolist(), found.steps.tolist(), strict=True)) == wanted
    for index, (position, step) in enumerate(wanted):
        episode = episodes[position]
        np.testing.assert_array_equal(found.observations[index], episode.observations[step])
        np.testing.assert_array_equal(found.next_observations[index], episode.observations[step + 1])
        assert found.actions[index] == episode.actions[step]
        assert found.terminated[index] == episode.terminations[step]


@pytest.mark.parametrize("batch_size", [1, 4, 13, 100])
def test_batches_hold_every_transition_once(dataset, masked, batch_size):
    kept = masked(dataset, MASK)
    in_order = np.concatenate([batch.rewards for batch in kept.batches(batch_size)])
    np.testing.assert_array_equal(in_order, kept.transitions().rewards)
    shuffled = [batch.rewards for batch in kept.batches(batch_size, seed=5)]
    assert sorted(np.concatenate(shuffled)) == sorted(in_order)
    assert [len(batch) for batch in shuffled[:-1]] == [batch_size] * (len(shuffled) - 1)
    again = [batch.rewards for batch in kept.batches(batch_size, seed=5)]
    np.testing.assert_array_equal(np.concatenate(again), np.concatenate(shuffled))


def test_shuffled_batches_keep_successors(dataset):
    for batch in dataset.batches(3, seed=1):
        np.testing.assert_array_equal(batch.next_observations, batch.observations + 10)


def test_sampled_episodes(dataset):
    drawn = dataset.sample_episodes(3, seed=2)
    ids = [episode.episode_id for episode in drawn]
    assert len(set(ids)) == 3
    assert ids == [episode.episode_id for episode in dataset.sample_episodes(3, seed=2)]
    assert len({tuple(dataset.sample_episodes(3, seed=seed).positions) for seed in range(9)}) > 1
    with pytest.raises(ValueError, match="larger"):
        dataset.sample_episodes(5)


def test_the_description(dataset, masked):
    found = masked(chosen(dataset, [1, 3]), [1] * 4 + [0] * 5).describe()
    assert (found.dataset_id, found.source) == ("tests/walk-v0", "memory")
    assert (found.episodes, found.total_episodes, found.steps, found.transitions) == (2, 4, 9, 4)
    assert found.lengths == Summary(4, 4.5, 4.5, 5)
    assert (found.terminated, found.truncated) == (1, 1)
    assert found.leaves == {
        "observations": "float32 3",
        "actions": "int64 scalar",
        "infos/energy": "float64 scalar",
        "rewards": "float64 scalar",
        "terminations": "bool scalar",
        "truncations": "bool scalar",
    }
    assert {"total_return", "seed", "metadata.month"} <= set(found.fields)
    assert (found.environment_id, found.lossy, found.episode_filter, found.step_filter) == (
        None,
        False,
        None,
        None,
    )


def test_no_episodes_are_a_dataset_too(dataset):
    nothing = chosen(dataset, [])
    assert (len(nothing), nothing.step_count, nothing.transition_count) == (0, 0, 0)
    assert len(nothing.transitions()) == 0
    assert list(nothing.batches(4)) == []
    assert np.isnan(nothing.describe().returns.mean)


def test_spaces_are_built_when_asked_for(dataset):
    from gymnasium import spaces

    assert dataset.observation_space == spaces.Box(0, 1e6, (3,), np.float32)
    assert dataset.action_space == spaces.Discrete(100000)


def test_a_dataset_does_not_change(dataset):
    with pytest.raises(FrozenInstanceError):
        dataset.positions = np.arange(2)
    with pytest.raises(ValueError, match="read-only"):
        dataset.array("rewards")[0] = 1


def test_datasets_are_compared_by_identity(dataset):
    other = replace(dataset)
    assert dataset == dataset
    assert dataset != other
    assert len({dataset, other}) == 2


def test_a_dataset_survives_pickling(dataset, episodes):
    back = pickle.loads(pickle.dumps(chosen(dataset, [3, 1])))
    assert same_episode(back[0], episodes[3])
    assert same_episode(back[1], episodes[1])


def test_unknown_adapters_are_told(dataset):
    with pytest.raises(AdapterError, match="Did you mean 'numpy'"):
        dataset.to("nump")


# With the filters.


def test_where_keeps_episodes(dataset):
    kept = dataset.where("length >= 4 and terminated")
    assert kept.positions.tolist() == [3]
    assert kept.reader is dataset.reader
    assert dataset.positions.tolist() == [0, 1, 2, 3]
    assert dataset.where("metadata.month == 'July'").positions.tolist() == [1, 3]


def test_wheres_add_up(dataset):
    kept = dataset.where("length >= 3").where("terminated")
    assert kept.positions.tolist() == [0, 3]
    both = dataset.where("length >= 3 and terminated")
    assert both.positions.tolist() == kept.positions.tolist()
    assert dataset.where(str(kept.episode_filter)).positions.tolist() == [0, 3]


def test_where_keeps_steps(dataset, episodes):
    kept = dataset.where(steps="reward > 1.6")
    expected = np.concatenate([episode.rewards for episode in episodes]) > 1.6
    np.testing.assert_array_equal(kept.step_mask, expected)
    assert kept.transition_count == int(expected.sum())
    assert kept.describe().step_filter == str(kept.step_filter)


def test_episode_and_step_filters_in_either_order(dataset):
    first = dataset.where("length >= 4").where(steps="reward > 101")
    second = dataset.where(steps="reward > 101").where("length >= 4")
    together = dataset.where("length >= 4", steps="reward > 101")
    for other in (second, together):
        np.testing.assert_array_equal(first.step_mask, other.step_mask)
        np.testing.assert_array_equal(first.rows()[0], other.rows()[0])
    assert len(first.step_mask) == first.step_count == 9


def test_wrong_filters_are_told_at_once(dataset):
    with pytest.raises(UnknownField, match="Did you mean 'length'"):
        dataset.where("lenght > 3")
    with pytest.raises(UnknownField):
        dataset.where(steps="rewrad > 3")
