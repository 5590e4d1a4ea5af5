"""Runs of kept steps against a loop over steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.dataset.columns import ArrayColumns
from pytupli_registry.dataset.dataset import Dataset
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.dataset.runs import kept_episodes, run_bounds
from pytupli_registry.dataset.table import EpisodeTable

_BOX = {"type": "Box", "dtype": "float64", "shape": [2], "low": [-1, -1], "high": [1, 1]}


def _episode(number: int, rewards: list[int], *, terminated: bool) -> Episode:
    length = len(rewards)
    last = np.arange(length) == length - 1
    at = np.arange(length + 1)
    return Episode(
        observations={
            "x": np.stack([np.full(length + 1, number), at], 1).astype(float),
            "t": [f"{i}" for i in at],
        },
        actions=(at[:-1],),
        rewards=np.array(rewards, dtype=float),
        terminations=last & terminated,
        truncations=last & (not terminated),
        infos={"deep": {"at": at}},
        episode_id=number,
        seed=number,
        options={"mass": 1.5},
        metadata={"month": "June", "policy": "random"},
    )


def _dataset(episodes: list[Episode]) -> Dataset:
    space = {"type": "Dict", "subspaces": {"x": _BOX}}
    metadata = DatasetMetadata("a/b-v0", len(episodes), sum(map(len, episodes)), space, _BOX)
    return Dataset.over(metadata, EpisodeTable.from_episodes(episodes), ArrayColumns(episodes), "memory")


@given(st.lists(st.booleans(), max_size=12))
def test_runs_are_maximal(mask: list[bool]) -> None:
    runs, start = [], None
    for step, kept in enumerate([*mask, False]):
        if kept and start is None:
            start = step
        elif not kept and start is not None:
            runs.append([start, step])
            start = None
    assert run_bounds(np.array(mask, dtype=np.bool_)).tolist() == runs


@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 1), min_size=1, max_size=6), st.booleans()), min_size=1, max_size=4
    )
)
def test_each_run_keeps_its_steps_and_its_successor(given_episodes: list[tuple[list[int], bool]]) -> None:
    episodes = [_episode(n, rewards, terminated=end) for n, (rewards, end) in enumerate(given_episodes)]
    kept = list(kept_episodes(_dataset(episodes).where(steps="reward > 0")))
    seen = []
    for run in kept:
        run.check()
        number, first = (int(value) for value in run.observations["x"][0])
        source = episodes[number]
        last = first + len(run)
        seen += [(number, step) for step in range(first, last)]
        np.testing.assert_array_equal(run.observations["x"], source.observations["x"][first : last + 1])
        assert run.observations["t"] == source.observations["t"][first : last + 1]
        np.testing.assert_array_equal(run.actions[0], source.actions[0][first:last])
        np.testing.assert_array_equal(run.infos["deep"]["at"], np.arange(first, last + 1))
        np.testing.assert_array_equal(run.terminations, source.terminations[first:last])
        assert bool(run.truncations[-1]) is not bool(run.terminations[-1])
        assert not run.truncations[:-1].any()
        assert run.seed == (number if first == 0 else None)
        assert run.metadata == {"month": "June", "policy": "random"}
    assert seen == [
        (n, s) for n, (rewards, _) in enumerate(given_episodes) for s, r in enumerate(rewards) if r
    ]


def test_without_a_step_filter_episodes_stay_as_they_are() -> None:
    both = replace(_episode(0, [1, 1], terminated=True), truncations=np.array([False, True]))
    (kept,) = kept_episodes(
        _dataset([both, _episode(1, [0], terminated=True)]).where(episodes="total_return > 1")
    )
    assert (kept.terminated, kept.truncated, kept.seed) == (True, True, 0)
    assert kept.options == {"mass": 1.5}
