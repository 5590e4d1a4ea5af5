from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytupli_registry.errors import EpisodeError


def test_what_follows_from_the_steps(make_episode):
    episode = make_episode(1, 4, terminated=False)
    assert len(episode) == 4
    assert episode.total_return == sum(100.5 + step for step in range(4))
    assert (episode.terminated, episode.truncated) == (False, True)
    assert make_episode(1, 4).terminated


def test_the_return_is_summed_in_double_precision(make_episode):
    episode = replace(make_episode(0, 3), rewards=np.array([16777216, 1, 1], dtype=np.float32))
    assert episode.total_return == 16777218.0


def test_leaves_by_path(make_episode):
    episode = make_episode(
        0, 2, observations={"a": np.arange(3), "b": (np.arange(3),)}, infos={"x": {"y": np.ones(3)}}
    )
    assert list(episode.leaves()) == [
        "observations/a",
        "observations/b/_index_0",
        "actions",
        "infos/x/y",
        "rewards",
        "terminations",
        "truncations",
    ]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("observations", 3),
        ("observations", 5),
        ("actions", 4),
        ("terminations", 2),
        ("truncations", 4),
        ("infos", 3),
    ],
)
def test_a_leaf_of_another_number_of_rows_is_refused(make_episode, name, rows):
    value = {"energy": np.zeros(rows)} if name == "infos" else np.zeros(rows)
    episode = make_episode(0, 3, **{name: value})
    with pytest.raises(EpisodeError, match=f"{name}.* has {rows} rows"):
        episode.check()


def test_a_nested_leaf_is_named_in_the_error(make_episode):
    episode = make_episode(0, 3, observations={"a": np.zeros(4), "b": (np.zeros(4), np.zeros(3))})
    with pytest.raises(EpisodeError, match=r"observations/b/_index_1 has 3 rows .* needs 4"):
        episode.check()


def test_an_episode_without_steps_is_refused(make_episode):
    with pytest.raises(EpisodeError, match="at least one step"):
        make_episode(0, 0).check()


def test_a_good_episode_passes(make_episode):
    make_episode(0, 1).check()
    make_episode(0, 3, observations={"t": ["a", "b", "c", "d"]}).check()
