"""The recorder against a loop written by hand, in environments that are easy to get wrong."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import gymnasium
import h5py
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.leaves import flatten
from pytupli_registry.errors import DatasetExists, EpisodeError, SpaceError, WriteError
from pytupli_registry.recorder import Recorder, StepRecord
from pytupli_registry.storage.commit import recover, unfinished
from pytupli_registry.storage.local import LocalStore

if TYPE_CHECKING:
    from pathlib import Path


class Kept(list[Episode]):
    """Episodes in memory."""

    def add(self, episode: Episode) -> int:
        episode.check()
        self.append(episode)
        return len(self) - 1


class Scripted(gymnasium.Env):
    """Says what it is told: one tuple (reward, terminated, truncated, info) a step; one observation buffer for all."""

    observation_space = spaces.Dict(
        {
            "position": spaces.Box(-np.inf, np.inf, (2,), np.float64),
            "pair": spaces.Tuple((spaces.Discrete(100), spaces.Text(8))),
        }
    )
    action_space = spaces.Box(-1, 1, (2,), np.float32)

    def __init__(
        self, script: list[tuple[float, bool, bool, dict[str, Any]]], reset_info: dict[str, Any]
    ) -> None:
        self.script, self.reset_info = script, reset_info
        self.buffer = {"position": np.zeros(2), "pair": (0, "")}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = 0
        return self._see(), self.reset_info

    def step(self, action):
        action[:] = 9.0  # an environment may write into what it is given
        reward, terminated, truncated, info = self.script[self.at]
        self.at += 1
        return self._see(), reward, terminated, truncated, info

    def _see(self):
        self.buffer["position"][:] = (self.at, -self.at)
        self.buffer["pair"] = (self.at, f"t{self.at}")
        return self.buffer


def run(env, *, seed=None, steps=1000, options=None, rng=None) -> int:
    """Act at random until the episode ends; return how long that took."""
    env.reset(seed=seed, options=options)
    for step in range(steps):
        action = env.action_space.sample() if rng is None else rng(step)
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            return step + 1
    return steps


def by_hand(environment_id: str, seeds: list[int], act) -> list[dict[str, list[Any]]]:
    """Record with nothing but Gymnasium and lists."""
    env = gymnasium.make(environment_id, max_episode_steps=40)
    env.action_space.seed(0)
    episodes = []
    for seed in seeds:
        observation, _ = env.reset(seed=seed)
        kept: dict[str, list[Any]] = {"o": [np.array(observation)], "a": [], "r": [], "te": [], "tr": []}
        done = False
        while not done:
            action = act(env)
            observation, reward, terminated, truncated, _ = env.step(action)
            for name, value in zip(
                ("o", "a", "r", "te", "tr"), (observation, action, reward, terminated, truncated), strict=True
            ):
                kept[name].append(np.array(value))
            done = terminated or truncated
        episodes.append(kept)
    return episodes


@pytest.mark.parametrize("environment_id", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1"])
def test_records_what_a_loop_by_hand_records(environment_id: str) -> None:
    seeds, kept = [4, 5, 6], Kept()
    expected = by_hand(environment_id, seeds, lambda env: env.action_space.sample())
    env = Recorder(gymnasium.make(environment_id, max_episode_steps=40), kept)
    env.action_space.seed(0)
    for seed in seeds:
        run(env, seed=seed)
    assert [episode.seed for episode in kept] == seeds
    for episode, wanted in zip(kept, expected, strict=True):
        np.testing.assert_array_equal(episode.observations, np.array(wanted["o"]))
        np.testing.assert_array_equal(episode.actions, np.array(wanted["a"]))
        np.testing.assert_array_equal(episode.rewards, np.array(wanted["r"], dtype=np.float64))
        np.testing.assert_array_equal(episode.terminations, np.array(wanted["te"]))
        np.testing.assert_array_equal(episode.truncations, np.array(wanted["tr"]))
        assert episode.observations.dtype == env.observation_space.dtype
        assert episode.actions.dtype == env.action_space.dtype


@pytest.mark.parametrize("environment_id", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1"])
def test_a_recorded_seed_replays_the_episode(environment_id: str) -> None:
    kept = Kept()
    env = Recorder(gymnasium.make(environment_id, max_episode_steps=40), kept, autoseed=True)
    env.action_space.seed(1)
    for _ in range(3):
        run(env)
    seeds = [episode.seed for episode in kept]
    assert len(set(seeds)) == 3
    fresh = gymnasium.make(environment_id, max_episode_steps=40)
    for episode in kept:
        seen = [fresh.reset(seed=episode.seed)[0]]
        seen += [fresh.step(action)[0] for action in episode.actions]
        np.testing.assert_array_equal(np.array(seen), episode.observations)


def test_buffers_that_environments_use_again_are_copied() -> None:
    script = [(1.0, False, False, {}), (2.0, False, False, {}), (3.0, True, False, {})]
    kept = Kept()
    env = Recorder(Scripted(script, {}), kept)
    for _ in range(2):
        run(env, rng=lambda step: np.full(2, step / 10, dtype=np.float32))
    for episode in kept:
        np.testing.assert_array_equal(episode.observations["position"], [[0, 0], [1, -1], [2, -2], [3, -3]])
        np.testing.assert_array_equal(episode.observations["pair"][0], [0, 1, 2, 3])
        assert episode.observations["pair"][1] == ["t0", "t1", "t2", "t3"]
        np.testing.assert_array_equal(
            episode.actions, np.array([[0, 0], [0.1, 0.1], [0.2, 0.2]], dtype=np.float32)
        )
        np.testing.assert_array_equal(episode.rewards, [1, 2, 3])
        assert episode.seed is None
    assert not np.shares_memory(kept[0].rewards, kept[1].rewards)
    assert not np.shares_memory(kept[0].actions, kept[1].actions)


@given(
    lengths=st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=6), keep=st.booleans()
)
@settings(max_examples=40, deadline=None)
def test_aborted_episodes_never_leak(lengths: list[tuple[int, bool]], keep: bool) -> None:
    """Each run is `length` steps long and finishes or not; the observation says which step of which run it is."""

    class Counting(gymnasium.Env):
        observation_space = spaces.Box(0, np.inf, (2,), np.float64)
        action_space = spaces.Discrete(2)
        episode = -1

        def reset(self, *, seed=None, options=None):
            self.episode, self.at = self.episode + 1, 0
            return np.array([self.episode, 0.0]), {}

        def step(self, action):
            self.at += 1
            length, finishes = lengths[self.episode]
            return (
                np.array([self.episode, self.at]),
                1.0,
                finishes and self.at == length,
                False,
                {"at": self.at},
            )

    kept = Kept()
    with Recorder(Counting(), kept, keep_aborted=keep) as env:
        for length, _ in lengths:
            run(env, steps=length)
    expected = [number for number, (_, finishes) in enumerate(lengths) if finishes or keep]
    assert [int(episode.observations[0, 0]) for episode in kept] == expected
    assert env.episodes_recorded == len(expected)
    for number, episode in zip(expected, kept, strict=True):
        length, finishes = lengths[number]
        np.testing.assert_array_equal(episode.observations[:, 0], number)
        np.testing.assert_array_equal(episode.observations[:, 1], np.arange(length + 1))
        assert (episode.terminated, episode.truncated) == (finishes, not finishes)
        assert not episode.terminations[:-1].any()
        assert not episode.truncations[:-1].any()


def test_both_flags_at_once_stay_both() -> None:
    kept = Kept()
    run(Recorder(Scripted([(0.0, True, True, {})], {}), kept), rng=lambda _: np.zeros(2, np.float32))
    assert (kept[0].terminated, kept[0].truncated) == (True, True)


def test_steps_after_the_end_and_before_a_reset_are_not_recorded() -> None:
    kept = Kept()
    env = Recorder(
        Scripted([(0.0, True, False, {}), (7.0, False, False, {}), (8.0, True, False, {})], {}), kept
    )
    run(env, rng=lambda _: np.zeros(2, np.float32))
    env.step(np.zeros(2, np.float32))
    env.step(np.zeros(2, np.float32))
    assert [episode.total_return for episode in kept] == [0.0]


def test_pausing_drops_the_episode_that_runs_and_resuming_waits_for_a_reset() -> None:
    kept = Kept()
    env = Recorder(gymnasium.make("Pendulum-v1", max_episode_steps=5), kept)
    run(env, seed=1)
    env.reset(seed=2)
    env.step(np.zeros(1, np.float32))
    env.pause()
    assert not env.recording
    env.resume()
    for _ in range(4):
        env.step(np.zeros(1, np.float32))
    env.pause()
    run(env, seed=3)
    env.resume()
    run(env, seed=4)
    assert [episode.seed for episode in kept] == [1, 4]


def test_a_step_that_raises_ends_the_episode_unrecorded() -> None:
    class Breaking(gymnasium.Env):
        observation_space = action_space = spaces.Discrete(5)
        steps = 0

        def reset(self, *, seed=None, options=None):
            return 0, {}

        def step(self, action):
            self.steps += 1
            if self.steps == 2:
                raise RuntimeError("the simulator broke")
            return 1, 1.0, self.steps in {3, 5}, False, {}

    kept = Kept()
    env = Recorder(Breaking(), kept)
    env.reset()
    env.step(1)
    with pytest.raises(RuntimeError, match="broke"):
        env.step(2)
    env.step(3)  # ends the broken episode
    env.reset()
    env.step(4)
    env.step(0)
    assert [episode.actions.tolist() for episode in kept] == [[4, 0]]


def test_facts_of_an_episode() -> None:
    kept = Kept()
    env = Recorder(
        gymnasium.make("Pendulum-v1", max_episode_steps=3),
        kept,
        policy="random",
        recorded_by="ada",
        metadata=lambda episode: {
            "long": len(episode) > 2,
            "sum": np.float32(2.5),
            "last": float(episode.rewards[-1]),
        },
    )
    options = {"x_init": 0.5, "y_init": 0.25}
    run(env, seed=8, options=options)
    env.policy = "expert"
    options["x_init"] = 0.0
    run(env)
    first, second = kept
    recorded_at = datetime.fromisoformat(first.metadata["recorded_at"])
    assert recorded_at.utcoffset() == timedelta(0)
    assert {**first.metadata, "recorded_at": None} == {
        "long": True,
        "sum": 2.5,
        "last": float(first.rewards[-1]),
        "recorded_by": "ada",
        "policy": "random",
        "recorded_at": None,
    }
    assert type(first.metadata["sum"]) is float
    assert first.options == {"x_init": 0.5, "y_init": 0.25}
    assert (first.seed, second.seed) == (8, None)
    assert second.options is None
    assert second.metadata["policy"] == "expert"


def test_without_the_time_the_same_episodes_make_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for name in ("first", "second"):
        monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / name))
        env = gymnasium.make("Pendulum-v1", max_episode_steps=3)
        with Recorder(env, "pendulum/some-v0", policy="still", recorded_at=False) as recorder:
            for seed in (4, 5):
                run(recorder, seed=seed, rng=lambda _: np.zeros(1, np.float32))
        written.append((tmp_path / name / "pendulum/some-v0/data/main_data.hdf5").read_bytes())
        time.sleep(1.1)  # a clock of whole seconds would show too
    assert written[0] == written[1]
    assert b"recorded_at" not in written[0]


@pytest.mark.parametrize("facts", [{"a": [1]}, {"a": None}, {1: "a"}, {"a": np.zeros(2)}])
def test_metadata_that_cannot_be_kept_is_refused(facts: dict[Any, Any]) -> None:
    env = Recorder(gymnasium.make("Pendulum-v1", max_episode_steps=1), Kept(), metadata=lambda _: facts)
    with pytest.raises(EpisodeError, match="metadata"):
        run(env)


def test_a_step_record_may_be_changed_but_the_flags_may_not() -> None:
    kept = Kept()
    seen: list[StepRecord] = []

    def record(step: StepRecord) -> StepRecord:
        seen.append(step)
        action = None if step.action is None else step.action * 2
        reward = None if step.reward is None else step.reward + 1
        position = np.float32(step.observation["position"][0])
        return replace(step, observation=position, action=action, reward=reward, info={"t": 1})

    env = Recorder(
        Scripted([(1.0, False, False, {}), (2.0, False, True, {})], {"r": 0}),
        kept,
        record_step=record,
        observation_space=spaces.Box(-1, 100, (), np.float32),
    )
    run(env, rng=lambda step: np.full(2, (step + 1) / 4, dtype=np.float32))
    assert [step.action is None for step in seen] == [True, False, False]
    (episode,) = kept
    np.testing.assert_array_equal(episode.observations, np.array([0, 1, 2], dtype=np.float32))
    np.testing.assert_array_equal(
        episode.actions, [[0.5, 0.5], [1, 1]]
    )  # as given, not as the environment left it
    np.testing.assert_array_equal(episode.rewards, [2, 3])
    np.testing.assert_array_equal(episode.infos["t"], [1, 1, 1])
    assert (episode.terminated, episode.truncated) == (False, True)


def test_infos_are_columns_with_one_row_more_than_there_are_steps(caplog: pytest.LogCaptureFixture) -> None:
    shared = np.zeros(2)

    def info(step: int) -> dict[str, Any]:
        shared[:] = step
        return {
            "i": step,
            "f": step / 2,
            "late": step,
            "vector": shared,
            "name": f"n{step}",
            "object": object(),
        }

    class Talking(gymnasium.Env):
        observation_space = action_space = spaces.Discrete(9)

        def reset(self, *, seed=None, options=None):
            self.at = 0
            return 0, {**info(0), "late": None, "deep": {"x": True, "y": {"z": 1.5}}, "ragged": [[1], [1, 2]]}

        def step(self, action):
            self.at += 1
            extra = (
                {"deep": {"x": False, "y": {"z": 2.5}}, "end": 3} if self.at == 2 else {"deep": {"x": True}}
            )
            return (
                self.at,
                0.0,
                self.at == 2,
                False,
                {**info(self.at), **extra, "mixed": "a" if self.at == 2 else 1},
            )

    kept = Kept()
    env = Recorder(Talking(), kept)
    with caplog.at_level(logging.WARNING):
        run(env)
        run(env)
    for episode in kept:
        leaves = flatten(episode.infos, "infos")
        np.testing.assert_array_equal(leaves.pop("infos/i"), [0, 1, 2])
        np.testing.assert_array_equal(leaves.pop("infos/f"), [0, 0.5, 1])
        np.testing.assert_array_equal(leaves.pop("infos/late"), [np.nan, 1, 2])
        np.testing.assert_array_equal(leaves.pop("infos/vector"), [[0, 0], [1, 1], [2, 2]])
        assert leaves.pop("infos/name") == ["n0", "n1", "n2"]
        deep = leaves.pop("infos/deep/x")
        np.testing.assert_array_equal(deep, [True, True, False])
        assert deep.dtype == np.bool_
        np.testing.assert_array_equal(leaves.pop("infos/deep/y/z"), [1.5, np.nan, 2.5])
        np.testing.assert_array_equal(leaves.pop("infos/end"), [np.nan, np.nan, 3])
        assert leaves == {}
    told = [record.message for record in caplog.records]
    assert len(told) == len(set(told)) == 3
    assert {message.split()[0] for message in told} == {"infos/object", "infos/ragged", "infos/mixed"}


def test_what_an_info_was_before_keeps_its_column_one() -> None:
    infos = iter([[{}, {"n": 1}, {"n": 2}], [{"n": 5}, {"n": 6}, {"n": 7}], [{}, {}, {}]])

    class Changing(gymnasium.Env):
        observation_space = action_space = spaces.Discrete(9)

        def reset(self, *, seed=None, options=None):
            self.infos = iter(next(infos))
            self.at = 0
            return 0, next(self.infos)

        def step(self, action):
            self.at += 1
            return self.at, 0.0, self.at == 2, False, next(self.infos)

    kept = Kept()
    env = Recorder(Changing(), kept)
    for _ in range(3):
        run(env)
    columns = [episode.infos["n"] for episode in kept]
    assert {column.dtype for column in columns} == {np.dtype(np.float64)}
    np.testing.assert_array_equal(columns, [[np.nan, 1, 2], [5, 6, 7], [np.nan] * 3])


def test_episode_statistics_of_gymnasium_are_kept() -> None:
    kept = Kept()
    env = Recorder(gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make("CartPole-v1")), kept)
    for seed in range(2):
        run(env, seed=seed)
    for episode in kept:
        assert episode.infos["episode"]["r"][-1] == episode.total_return
        assert episode.infos["episode"]["l"][-1] == len(episode)
        assert np.isnan(episode.infos["episode"]["r"][:-1]).all()


def test_infos_may_be_left_out() -> None:
    kept = Kept()
    run(Recorder(gymnasium.make("FrozenLake-v1"), kept, infos=False))
    assert kept[0].infos == {}


@pytest.mark.parametrize(
    ("space", "value", "matches"),
    [
        (spaces.Box(-1, 1, (2,), np.float32), np.float32(0.5), "shape"),
        (spaces.Box(-1, 1, (2,), np.float32), np.zeros((1, 2), np.float32), "shape"),
        (spaces.Box(0, 255, (2,), np.uint8), np.array([1, 300]), "dtype uint8"),
        (spaces.Box(0, 255, (2,), np.uint8), np.array([1.5, 2.0]), "dtype uint8"),
        (spaces.Discrete(3), np.nan, "dtype int64"),
        (spaces.Box(-1, 1, (), np.float32), 1e300, "dtype float32"),
        (spaces.Box(-1, 1, (), np.float32), "x", "no number"),
        (spaces.Dict({"a": spaces.Discrete(2)}), {"b": 1}, "keys"),
        (spaces.Tuple((spaces.Discrete(2),)), (1, 1), "parts"),
    ],
)
def test_observations_that_are_not_of_their_space_are_told(
    space: spaces.Space, value: Any, matches: str
) -> None:
    class Wrong(gymnasium.Env):
        observation_space = space
        action_space = spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            return value, {}

    with pytest.raises(EpisodeError, match=matches):
        Recorder(Wrong(), Kept()).reset()


def test_values_of_another_dtype_are_kept_if_they_fit() -> None:
    class Wide(gymnasium.Env):
        observation_space = spaces.Dict(
            {"image": spaces.Box(0, 255, (2,), np.uint8), "x": spaces.Box(-9, 9, (), np.float32)}
        )
        action_space = spaces.MultiBinary(2)

        def reset(self, *, seed=None, options=None):
            return {"image": [7, 255], "x": 0.1}, {}

        def step(self, action):
            return {"image": np.array([1, 2]), "x": 3}, 1, True, False, {}

    kept = Kept()
    env = Recorder(Wide(), kept)
    env.reset()
    env.step([1, 0])
    observations = kept[0].observations
    np.testing.assert_array_equal(observations["image"], np.array([[7, 255], [1, 2]], dtype=np.uint8))
    np.testing.assert_array_equal(observations["x"], np.array([0.1, 3], dtype=np.float32))
    assert (observations["image"].dtype, observations["x"].dtype) == (np.uint8, np.float32)
    assert kept[0].actions.dtype == np.int8


def test_environments_that_hide_their_resets_are_refused() -> None:
    with pytest.raises(WriteError, match="cannot be recorded as one"):
        Recorder(gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")]), Kept())
    with pytest.raises(WriteError, match="resets itself"):
        Recorder(gymnasium.wrappers.Autoreset(gymnasium.make("CartPole-v1")), Kept())


def test_each_environment_of_a_vector_may_have_its_own_recorder() -> None:
    kept = Kept()
    vector = gymnasium.vector.SyncVectorEnv(
        [lambda: Recorder(gymnasium.make("CartPole-v1"), kept) for _ in range(3)]
    )
    vector.action_space.seed(0)
    vector.reset(seed=0)
    for _ in range(120):
        vector.step(vector.action_space.sample())
    vector.close()
    assert len(kept) > 3
    for episode in kept:
        assert episode.terminated
        angles = np.abs(episode.observations[:, 2])
        assert (angles[:-1] <= 12 * 2 * np.pi / 360).all()


def test_a_space_that_datasets_cannot_keep_is_refused() -> None:
    class Graphic(gymnasium.Env):
        observation_space = spaces.Graph(spaces.Discrete(2), None)
        action_space = spaces.Discrete(2)

    with pytest.raises(SpaceError, match="Graph"):
        Recorder(Graphic(), Kept())


@pytest.fixture
def store(tmp_path, monkeypatch) -> LocalStore:
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    return LocalStore.from_environment()


def short() -> gymnasium.Env:
    return gymnasium.make("Pendulum-v1", max_episode_steps=4)


def test_a_dataset_given_by_id_appears_on_closing_with_everything_in_it(store: LocalStore) -> None:
    with Recorder(
        short(), "pendulum/a-v0", policy="p", metadata=lambda _: {"month": "June"}, extra={"author": "me"}
    ) as env:
        assert store.list() == []
        for seed in (3, 4):
            run(env, seed=seed, options={"x_init": 0.5})
        env.reset(seed=5)
        env.step(env.action_space.sample())
    expected = by_hand(
        "Pendulum-v1", [3], lambda env: env.action_space.sample()
    )  # only for the shape of things
    with h5py.File(store.data_path("pendulum/a-v0") / "main_data.hdf5") as file:
        assert sorted(file) == ["episode_0", "episode_1"]
        for number in range(2):
            group = file[f"episode_{number}"]
            assert group["observations"].shape == (5, *expected[0]["o"][0].shape)
            assert group["truncations"][()].tolist() == [False, False, False, True]
            assert group.attrs["seed"] == number + 3
            assert group.attrs["options/x_init"] == 0.5
            assert group.attrs["month"] == "June"
            assert group.attrs["policy"] == "p"
    dataset = store.open("pendulum/a-v0")
    assert dataset.metadata.environment_id == "Pendulum-v1"
    assert dataset.metadata.extra["author"] == "me"
    assert dataset.fields["policy"].values.tolist() == ["p", "p"]
    assert dataset.fields["metadata.month"].values.tolist() == ["June", "June"]
    assert dataset.fields["recorded_at"].missing is None


def test_values_on_disk_are_those_that_were_seen(store: LocalStore) -> None:
    kept = Kept()

    class Both:
        def __init__(self, writer) -> None:
            self.writer = writer

        def add(self, episode: Episode) -> int:
            kept.add(episode)
            return self.writer.add(episode)

    with store.writer(
        "blackjack/a-v0",
        observation_space=gymnasium.make("Blackjack-v1").observation_space,
        action_space=gymnasium.make("Blackjack-v1").action_space,
    ) as writer:
        env = Recorder(gymnasium.make("Blackjack-v1"), Both(writer))
        for seed in range(6):
            run(env, seed=seed)
        env.close()
        run(
            Recorder(gymnasium.make("Blackjack-v1"), writer), seed=0
        )  # closing a recorder leaves the writer open
    with h5py.File(store.data_path("blackjack/a-v0") / "main_data.hdf5") as file:
        assert len(file) == 7
        for number, episode in enumerate(kept):
            group = file[f"episode_{number}"]
            for path, values in episode.leaves().items():
                np.testing.assert_array_equal(group[path][()], values)


def test_appending_goes_on_where_the_dataset_ends(store: LocalStore) -> None:
    for number, append in enumerate((False, True)):
        with Recorder(short(), "pendulum/a-v0", append=append) as env:
            run(env, seed=number)
    assert store.open("pendulum/a-v0").fields["seed"].values.tolist() == [0, 1]
    with pytest.raises(DatasetExists):
        Recorder(short(), "pendulum/a-v0")


def test_only_the_same_spaces_are_appended(store: LocalStore) -> None:
    with Recorder(short(), "pendulum/a-v0") as env:
        run(env, seed=0)
    with pytest.raises(SpaceError, match="observation space of 'pendulum/a-v0'"):
        Recorder(gymnasium.make("CartPole-v1"), "pendulum/a-v0", append=True)
    with pytest.raises(SpaceError, match="action space of 'pendulum/a-v0'"):
        Recorder(short(), "pendulum/a-v0", append=True, action_space=gymnasium.spaces.Box(-1, 1, (1,)))
    assert unfinished(store.root) == []


def test_an_exception_leaves_what_was_recorded_to_be_recovered(store: LocalStore) -> None:
    def fail() -> None:
        with Recorder(short(), "pendulum/a-v0") as env:
            run(env, seed=1)
            env.reset(seed=2)
            raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError) as error:
        fail()
    assert store.list() == []
    (left,) = unfinished(store.root)
    assert left.spool.name in error.value.__notes__[0]
    assert (left.dataset_id, left.episodes, left.live) == ("pendulum/a-v0", 1, False)
    recover(left.spool)
    assert store.open("pendulum/a-v0").fields["seed"].values.tolist() == [1]


@pytest.mark.parametrize("fails", [False, True])
def test_recording_nothing_leaves_nothing(
    store: LocalStore, fails: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def record() -> None:
        with Recorder(short(), "pendulum/a-v0") as env:
            env.reset()
            if fails:
                raise RuntimeError("at once")

    if fails:
        with pytest.raises(RuntimeError, match="at once"):
            record()
    else:
        record()
    assert store.list() == []
    assert unfinished(store.root) == []
    assert "no dataset pendulum/a-v0" in caplog.text


def test_closing_twice_is_closing_once(store: LocalStore) -> None:
    env = Recorder(short(), "pendulum/a-v0")
    run(env)
    env.close()
    env.close()
    assert store.open("pendulum/a-v0").episode_count == 1
