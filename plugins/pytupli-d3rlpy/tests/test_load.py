"""The one line of the README, on real files, with real filters and a real environment."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

import d3rlpy
import gymnasium
import numpy as np
import pytest
from d3rlpy.logging import NoopAdapterFactory
from d3rlpy.metrics import EnvironmentEvaluator
from d3rlpy.models import VectorEncoderFactory
from gymnasium import spaces

import pytupli_d3rlpy
import pytupli_registry
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.errors import AdapterError
from pytupli_registry.storage.local import LocalStore


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    return LocalStore.from_environment()


def cartpole_episodes(count):
    env = gymnasium.make("CartPole-v1", max_episode_steps=25)
    for seed in range(count):
        rng = np.random.default_rng(seed)
        observations, actions, rewards, flags = [env.reset(seed=seed)[0]], [], [], []
        while not flags or not any(flags[-1]):
            actions.append(int(rng.integers(2)))
            observation, reward, terminated, truncated, _ = env.step(actions[-1])
            observations.append(observation)
            rewards.append(reward)
            flags.append((terminated, truncated))
        terminations, truncations = np.array(flags).T
        yield Episode(
            np.array(observations), np.array(actions), np.array(rewards), terminations, truncations, seed=seed
        )


@pytest.fixture
def recorded(store):
    env = gymnasium.make("CartPole-v1")
    episodes = list(cartpole_episodes(12))
    with store.writer(
        "cartpole/random-v0",
        observation_space=env.observation_space,
        action_space=env.action_space,
        env_spec=env.spec.to_json(),
    ) as writer:
        for episode in episodes:
            writer.add(episode)
    return episodes


def test_load_trains_and_evaluates(recorded):
    dataset, env = pytupli_d3rlpy.load(
        "cartpole/random-v0", episodes="total_return >= 15", steps="abs(observation[2]) < 0.1"
    )
    assert isinstance(dataset, d3rlpy.dataset.MDPDataset)
    chosen = [episode for episode in recorded if episode.total_return >= 15]
    assert 0 < len(chosen) < len(recorded)
    assert {bool(episode.terminated) for episode in chosen} == {True, False}
    kept = [
        (
            episode.observations[step],
            episode.observations[step + 1],
            episode.terminated and step == len(episode) - 1,
        )
        for episode in chosen
        for step in range(len(episode) - (not episode.terminated))
        if abs(episode.observations[step, 2]) < 0.1
    ]
    assert dataset.transition_count == len(kept)
    numbers = range(dataset.transition_count)
    for (before, after, terminal), number in zip(kept, numbers, strict=True):
        transition = dataset.transition_picker(*dataset.buffer[number])
        np.testing.assert_array_equal(transition.observation, before)
        np.testing.assert_array_equal(transition.next_observation, np.zeros(4) if terminal else after)
    learner = d3rlpy.algos.DiscreteCQLConfig(
        batch_size=16, encoder_factory=VectorEncoderFactory([8])
    ).create()
    learner.fit(
        dataset,
        n_steps=4,
        n_steps_per_epoch=2,
        show_progress=False,
        logger_adapter=NoopAdapterFactory(),
        evaluators={"return": EnvironmentEvaluator(env, n_trials=1)},
    )
    assert learner.impl.action_size == 2


def test_the_registry_finds_the_adapter(recorded):
    dataset = pytupli_registry.load("cartpole/random-v0").to("d3rlpy", truncated_tail="keep")
    assert isinstance(dataset, pytupli_d3rlpy.MappedDataset)
    assert dataset.transition_count == sum(map(len, recorded))


def test_episodes_are_views_of_the_file(recorded):
    dataset, _ = pytupli_d3rlpy.load("cartpole/random-v0")
    for mine, original in zip(dataset.episodes, recorded, strict=True):
        np.testing.assert_array_equal(mine.observations, original.observations[:-1])
        base = mine.observations
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base, (mmap.mmap, memoryview))


def test_there_may_be_no_environment(store):
    box = spaces.Box(-1, 1, (2,), np.float32)
    with store.writer("plain/numbers-v0", observation_space=box, action_space=spaces.Discrete(2)) as writer:
        for length in (3, 4):
            flags = np.arange(length) == length - 1
            writer.add(
                Episode(
                    np.ones((length + 1, 2), np.float32),
                    np.ones(length, np.int64),
                    np.ones(length),
                    flags,
                    ~flags & False,
                )
            )
    dataset, env = pytupli_d3rlpy.load("plain/numbers-v0")
    assert env is None
    assert dataset.transition_count == 7


def test_a_filter_that_keeps_nothing_says_so(recorded):
    with pytest.raises(AdapterError, match="no transition"):
        pytupli_d3rlpy.load("cartpole/random-v0", steps="reward > 5")


def test_discrete_observations_are_one_hot_in_data_and_environment(store):
    env = gymnasium.make("FrozenLake-v1", is_slippery=False)
    walks = [[2, 2, 1, 1], [1, 1, 2, 1, 2, 2], [0, 0, 1]]
    with store.writer(
        "lake/walks-v0",
        observation_space=env.observation_space,
        action_space=env.action_space,
        env_spec=env.spec.to_json(),
    ) as writer:
        for seed, walk in enumerate(walks):
            seen, flags = [env.reset(seed=seed)[0]], []
            for number, action in enumerate(walk):
                observation, _, terminated, _, _ = env.step(action)
                seen.append(observation)
                flags.append((terminated, number == len(walk) - 1 and not terminated))
            terminations, truncations = np.array(flags).T
            rewards = np.zeros(len(walk))
            writer.add(Episode(np.array(seen), np.array(walk), rewards, terminations, truncations))
    places = [[0, 1, 2, 6, 10], [0, 4, 8, 9, 13, 14, 15], [0, 0, 0, 4]]
    dataset, shown = pytupli_d3rlpy.load("lake/walks-v0", discrete_observation="one_hot")
    for episode, expected in zip(dataset.episodes, places, strict=True):
        assert (episode.observations.dtype, episode.observations.shape[1]) == (np.float32, 16)
        assert episode.observations.argmax(axis=1).tolist() == expected[:-1]
        assert episode.observations.sum() == len(expected) - 1
    np.testing.assert_array_equal(shown.reset(seed=0)[0], np.eye(16)[0])
    np.testing.assert_array_equal(shown.step(2)[0], np.eye(16)[1])
    learner = d3rlpy.algos.DQNConfig(batch_size=4, encoder_factory=VectorEncoderFactory([8])).create()
    evaluators = {"return": EnvironmentEvaluator(shown, n_trials=1)}
    options = {"n_steps_per_epoch": 2, "show_progress": False, "logger_adapter": NoopAdapterFactory()}
    learner.fit(dataset, n_steps=2, evaluators=evaluators, **options)
    policy = pytupli_d3rlpy.policy_of(learner, env.observation_space, env.action_space)
    assert policy.act([3, 7], [0, 1]) == learner.predict(np.eye(16, dtype=np.float32)[[3, 7]]).tolist()


def test_the_policies_of_the_readme_run(recorded, tmp_path):
    readme = Path(__file__).parents[1].joinpath("README.md").read_text()
    section = readme.partition("## Policies\n")[2].partition("## Traps\n")[0]
    blocks = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    code = "\n".join(blocks).replace("mixed-v0", "random-v0").replace("1_000", "4")
    said = {}
    exec(code, said)
    assert len(blocks) == 2
    assert said["action"] in said["raw"].action_space
    assert isinstance(said["algo"], d3rlpy.algos.DiscreteCQL)
    assert (tmp_path / "cql.d3").exists()
