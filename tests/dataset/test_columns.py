from __future__ import annotations

import numpy as np
import pytest

from pytupli_registry.dataset.columns import ArrayColumns
from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.errors import EpisodeError, SpaceError


def test_columns_are_the_episodes_one_after_another(episodes):
    columns = ArrayColumns(episodes)
    for path in ("observations", "actions", "rewards", "terminations", "truncations", "infos/energy"):
        expected = np.concatenate([episode.leaves()[path] for episode in episodes])
        assert columns.array(path).dtype == expected.dtype
        np.testing.assert_array_equal(columns.array(path), expected)


def test_each_episode_comes_back_from_its_place(episodes):
    columns = ArrayColumns(episodes)
    for position, episode in enumerate(episodes):
        for path, values in episode.leaves().items():
            np.testing.assert_array_equal(columns.episode_value(path, position), values)


def test_leaves_say_what_is_in_them(episodes):
    leaves = ArrayColumns(episodes).leaves
    assert leaves["observations"] == Leaf("observations", np.dtype("float32"), (3,), 1)
    assert leaves["actions"] == Leaf("actions", np.dtype("int64"), (), 0)
    assert leaves["infos/energy"].extra_row == 1


def test_arrays_are_read_only(episodes):
    with pytest.raises(ValueError, match="read-only"):
        ArrayColumns(episodes).array("rewards")[0] = 1


def test_texts_are_lists(make_episode):
    first = make_episode(0, 1, observations=["a", "b"])
    second = make_episode(1, 2, observations=["c", "d", "e"])
    columns = ArrayColumns([first, second])
    assert columns.leaves["observations"].encoding == "text"
    assert columns.episode_value("observations", 1) == ["c", "d", "e"]
    with pytest.raises(SpaceError, match="no fixed shape"):
        columns.array("observations")


def test_infos_may_change_or_be_missing(make_episode):
    first = make_episode(0, 1, infos={"x": np.zeros((2, 2)), "only": np.ones(2)})
    second = make_episode(1, 2, infos={"x": np.zeros((3, 4))})
    columns = ArrayColumns([first, second])
    assert {columns.leaves[path].encoding for path in ("infos/x", "infos/only")} == {"irregular"}
    assert columns.episode_value("infos/x", 1).shape == (3, 4)
    assert columns.episode_value("infos/only", 1) is None


@pytest.mark.parametrize("other", [np.zeros((3, 4), np.float32), np.zeros((3, 3), np.float64)])
def test_observations_may_not_change(make_episode, other):
    with pytest.raises(SpaceError, match="observations changes its shape or dtype"):
        ArrayColumns([make_episode(0, 2), make_episode(1, 2, observations=other)])


def test_no_episodes_and_broken_episodes_are_refused(make_episode):
    with pytest.raises(EpisodeError, match="at least one episode"):
        ArrayColumns([])
    with pytest.raises(EpisodeError, match="rows"):
        ArrayColumns([make_episode(0, 2, actions=np.zeros(1))])


def test_an_unknown_leaf_is_a_key_error(episodes):
    with pytest.raises(KeyError):
        ArrayColumns(episodes).array("observations/camera")
