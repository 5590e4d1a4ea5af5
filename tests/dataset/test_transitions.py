from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.dataset.columns import ArrayColumns
from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.dataset.table import EpisodeTable
from pytupli_registry.dataset.transitions import gather_transitions, step_rows


def naive(episodes, chosen):
    """Transitions by the obvious loop: [(position, step, transition as a tuple of values)]."""
    return [
        (
            position,
            step,
            episodes[position].observations[step],
            episodes[position].actions[step],
            episodes[position].rewards[step],
            episodes[position].observations[step + 1],
            episodes[position].terminations[step],
            episodes[position].truncations[step],
        )
        for position in chosen
        for step in range(len(episodes[position]))
    ]


@pytest.mark.parametrize("chosen", [[0, 1, 2, 3], [1, 3], [3, 0], [2], []])
def test_every_transition_has_its_true_successor(episodes, chosen):
    table, columns = EpisodeTable.from_episodes(episodes), ArrayColumns(episodes)
    found = gather_transitions(table, columns, *step_rows(table, np.array(chosen, dtype=np.int64)))
    expected = naive(episodes, chosen)
    assert len(found) == len(expected)
    for index, (position, step, before, action, reward, after, terminated, truncated) in enumerate(expected):
        assert (found.positions[index], found.steps[index]) == (position, step)
        np.testing.assert_array_equal(found.observations[index], before)
        np.testing.assert_array_equal(found.next_observations[index], after)
        transition = found[index]
        np.testing.assert_array_equal(transition.observation, before)
        np.testing.assert_array_equal(transition.next_observation, after)
        assert (transition.action, transition.reward) == (action, reward)
        assert (transition.terminated, transition.truncated) == (terminated, truncated)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.data())
def test_step_rows_are_what_a_loop_gives(lengths, data):
    table = EpisodeTable(np.array(lengths), {})
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=8))
    rows, owners = step_rows(table, np.array(chosen, dtype=np.int64))
    expected = [(sum(lengths[:p]) + step, p) for p in chosen for step in range(lengths[p])]
    assert list(zip(rows.tolist(), owners.tolist(), strict=True)) == expected


def test_nested_observations_and_actions(make_episode):
    def nested(number, length):
        rows = np.arange(length + 1) + 100 * number
        return make_episode(
            number,
            length,
            observations={"a": rows, "b": (rows * 2.0, rows[:, None] * 3)},
            actions=(rows[:length] + 0.5, {"x": rows[:length]}),
        )

    episodes = [nested(0, 2), nested(1, 3)]
    table, columns = EpisodeTable.from_episodes(episodes), ArrayColumns(episodes)
    found = gather_transitions(table, columns, *step_rows(table, np.array([1, 0])))
    assert found.observations["a"].tolist() == [100, 101, 102, 0, 1]
    assert found.next_observations["b"][0].tolist() == [202, 204, 206, 2, 4]
    assert found.next_observations["b"][1].tolist() == [[303], [306], [309], [3], [6]]
    assert found.actions[0].tolist() == [100.5, 101.5, 102.5, 0.5, 1.5]
    assert found[0].action[1]["x"] == 100
    assert found[4].observation == {"a": 1, "b": (2.0, np.array([3]))}


@given(st.permutations(range(5)))
def test_texts_in_any_order(order):
    texts = [["a", "b", "c"], ["d", "e", "f", "g"]]
    columns, table, rows, owners = text_columns(texts)
    found = gather_transitions(table, columns, rows[list(order)], owners[list(order)])
    before, after = ["a", "b", "d", "e", "f"], ["b", "c", "e", "f", "g"]
    assert found.observations == [before[place] for place in order]
    assert found.next_observations == [after[place] for place in order]


def text_columns(texts):
    from pytupli_registry.dataset.episode import Episode

    episodes = [
        Episode(
            observations=text,
            actions=np.arange(len(text) - 1),
            rewards=np.zeros(len(text) - 1),
            terminations=np.zeros(len(text) - 1, bool),
            truncations=np.zeros(len(text) - 1, bool),
        )
        for text in texts
    ]
    table = EpisodeTable.from_episodes(episodes)
    return ArrayColumns(episodes), table, *step_rows(table, np.arange(len(texts)))


class DecodedImages:
    """Columns whose observations and actions are decoded an episode at a time, as JPEG ones are."""

    def __init__(self, episodes):
        self._arrays = ArrayColumns(episodes)
        self._episodes = episodes
        self.reads = []
        image = {"dtype": np.dtype("uint8"), "row_shape": (2, 2), "encoding": "jpeg"}
        self.leaves = {
            **self._arrays.leaves,
            "observations": Leaf("observations", extra_row=1, **image),
            "actions": Leaf("actions", extra_row=0, **image),
        }

    def require(self, paths, positions):
        pass

    def array(self, path, positions=None):
        return self._arrays.array(path)

    def episode_value(self, path, position):
        self.reads.append((path, position))
        return getattr(self._episodes[position], path)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 0, 3, 1], [2, 1], [1, 4], []])
def test_images_are_decoded_once_an_episode(make_episode, order):
    pixels = np.arange(100, dtype=np.uint8).reshape(-1, 2, 2)
    episodes = [
        make_episode(0, 2, observations=pixels[:3], actions=pixels[10:12]),
        make_episode(1, 3, observations=pixels[4:8], actions=pixels[12:15]),
    ]
    columns, table = DecodedImages(episodes), EpisodeTable.from_episodes(episodes)
    rows, owners = step_rows(table, np.array([0, 1]))
    found = gather_transitions(table, columns, rows[order], owners[order])
    assert found.observations.shape == (len(order), 2, 2)
    assert found.observations.dtype == np.uint8
    np.testing.assert_array_equal(found.observations, pixels[[0, 1, 4, 5, 6]][order])
    np.testing.assert_array_equal(found.next_observations, pixels[[1, 2, 5, 6, 7]][order])
    np.testing.assert_array_equal(found.actions, pixels[[10, 11, 12, 13, 14]][order])
    assert len(columns.reads) == len(set(columns.reads))


def test_iterating_gives_every_transition(dataset):
    found = dataset.transitions()
    assert [transition.reward for transition in found] == found.rewards.tolist()
