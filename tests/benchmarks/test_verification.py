"""Verification: rollouts and recorded episodes against the same environment, and against ones that drift."""

from __future__ import annotations

import json
from dataclasses import asdict

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.classic_control import PendulumEnv

from pytupli_registry.benchmarks.replay import Tolerance
from pytupli_registry.benchmarks.rollouts import record_rollouts
from pytupli_registry.benchmarks.verification import verify_dataset, verify_rollouts
from pytupli_registry.recorder import Recorder
from pytupli_registry.storage.local import LocalStore


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    return LocalStore.from_environment()


def pendulum(**changes):
    env = PendulumEnv()
    for name, value in changes.items():
        setattr(env, name, value)
    return gymnasium.wrappers.TimeLimit(env, 50)


class Late(gymnasium.Wrapper):
    """Rewards are off from a step of the whole life of the environment on."""

    def __init__(self, env, since):
        super().__init__(env)
        self.since, self.count = since, 0

    def reset(self, **options):
        self.count = 0
        return self.env.reset(**options)

    def step(self, action):
        observation, reward, *rest = self.env.step(action)
        self.count += 1
        return observation, reward - 0.5 * (self.count > self.since), *rest


@pytest.fixture(scope="module")
def rollouts():
    return record_rollouts(pendulum, seeds=(0, 1, 2), max_steps=40)


def test_the_same_machine_is_identical(rollouts):
    found = verify_rollouts(pendulum, rollouts)
    assert (found.outcome, found.passed, found.steps) == ("identical", True, 120)
    assert found.summary == "identical: 3 rollouts, 120 steps"
    assert [drift.outcome for drift in found.drifts] == ["identical"] * 3


def test_a_slightly_other_constant_is_within_tolerance(rollouts):
    found = verify_rollouts(lambda: pendulum(g=10 + 1e-7), rollouts)
    assert (found.outcome, found.passed) == ("within tolerance", True)
    worst = max(found.drifts, key=lambda drift: drift.largest.absolute if drift.largest else 0)
    assert found.summary == (
        f"within tolerance: at most {worst.largest.absolute:.1e} "
        f"(rollout {worst.episode}, {worst.largest.leaf}, step {worst.largest.step})"
    )


def test_another_constant_is_different(rollouts):
    found = verify_rollouts(lambda: pendulum(g=10 + 1e-2), rollouts)
    assert (found.outcome, found.passed) == ("different", False)
    first = found.drifts[0].first
    assert found.summary.startswith(f"different: rollout 0 from step {first.step} ({first.leaf}")
    assert found.summary.endswith("; and 2 other rollouts")


def test_the_tolerance_is_the_callers(rollouts):
    assert (
        verify_rollouts(lambda: pendulum(g=10 + 1e-2), rollouts, Tolerance(1, 1)).outcome
        == "within tolerance"
    )
    strict = verify_rollouts(lambda: pendulum(g=10 + 1e-7), rollouts, Tolerance(0, 0))
    assert (strict.outcome, strict.tolerance) == ("different", Tolerance(0, 0))


def test_the_step_that_differs_first_is_told(rollouts):
    found = verify_rollouts(lambda: Late(pendulum(), 7), rollouts[1:])
    recorded = float(rollouts[1].rewards[7])
    assert found.summary == (
        f"different: rollout 1 from step 7 (rewards: {recorded} recorded, {recorded - 0.5} here); and 1 other rollout"
    )


def test_a_time_limit_that_went_away_is_different():
    limited = record_rollouts(lambda: gymnasium.make("Pendulum-v1", max_episode_steps=9), seeds=(0,))
    found = verify_rollouts(lambda: gymnasium.make("Pendulum-v1"), limited)
    assert found.summary == "different: rollout 0 from step 8 (truncations: True recorded, False here)"


def test_other_spaces_are_told_in_the_summary(rollouts):
    found = verify_rollouts(lambda: gymnasium.make("CartPole-v1"), rollouts[:1])
    assert found.summary == ("different: rollout 0 – observations has the shape (4,) here; (3,) was recorded")


def test_nothing_to_replay_is_no_success():
    found = verify_rollouts(pendulum, [])
    assert (found.outcome, found.passed, found.summary) == (
        "not replayable",
        False,
        "not replayable: there is no rollout",
    )


def test_every_rollout_has_an_environment_of_its_own_which_is_closed():
    made, closed = [], []

    class Counted(gymnasium.Wrapper):
        def close(self):
            closed.append(self)

    def make_env():
        made.append(Counted(gymnasium.wrappers.NormalizeObservation(pendulum())))
        return made[-1]

    episodes = record_rollouts(make_env, seeds=(3, 4), max_steps=20)
    assert verify_rollouts(make_env, episodes).outcome == "identical"
    assert len(made) == 4
    assert closed == made


def test_a_verification_is_strict_json(rollouts):
    for constant in (10, 10 + 1e-7, 11):
        found = verify_rollouts(lambda g=constant: pendulum(g=g), rollouts)
        told = json.loads(json.dumps(asdict(found), allow_nan=False))
        assert (told["outcome"], told["summary"], len(told["drifts"])) == (found.outcome, found.summary, 3)


# Datasets.


def record(make_env, dataset_id, seeds, steps=None):
    with Recorder(make_env(), dataset_id, keep_aborted=True) as env:
        for seed in seeds:
            env.action_space.seed(seed)
            env.reset(seed=seed)
            done, count = False, 0
            while not done and count != steps:
                *_, terminated, truncated, _ = env.step(env.action_space.sample())
                done, count = terminated or truncated, count + 1
    return LocalStore.from_environment().open(dataset_id)


def cartpole():
    return gymnasium.make("CartPole-v1")


def test_recorded_episodes_are_identical():
    dataset = record(cartpole, "cartpole/random-v0", range(6))
    done = []
    found = verify_dataset(cartpole, dataset, advance=done.append)
    lengths = [len(episode) for episode in dataset]
    assert len(set(lengths)) > 1
    assert found.summary == f"identical: 6 episodes, {sum(lengths)} steps"
    assert [drift.steps for drift in found.drifts] == lengths
    assert done == [1] * 6


def test_some_episodes_spread_over_the_dataset():
    dataset = record(cartpole, "cartpole/random-v0", range(9))
    for count, expected in ((1, [0]), (3, [0, 4, 8]), (9, [*range(9)]), (50, [*range(9)]), (0, [])):
        found = verify_dataset(cartpole, dataset, episodes=count)
        assert [drift.episode for drift in found.drifts] == expected


def test_filters_choose_the_episodes_and_step_filters_nothing():
    dataset = record(cartpole, "cartpole/random-v0", range(6)).where("episode_id >= 3", "reward > 5")
    found = verify_dataset(cartpole, dataset)
    assert ([drift.episode for drift in found.drifts], found.outcome) == ([3, 4, 5], "identical")


def test_episodes_cut_by_the_recorder_and_without_seed():
    dataset = record(cartpole, "cartpole/cut-v0", [1, None, 2], steps=5)
    found = verify_dataset(cartpole, dataset)
    assert all(episode.truncated and len(episode) == 5 for episode in dataset)
    assert found.summary == "identical: 2 episodes, 10 steps; 1 episode without a seed"
    assert [drift.outcome for drift in found.drifts] == ["identical", "not replayable", "identical"]
    unseeded = verify_dataset(cartpole, dataset.where("episode_id == 1"))
    assert unseeded.summary == "not replayable: 1 episode without a seed"


def test_drift_is_told_by_episode():
    dataset = record(pendulum, "pendulum/random-v0", range(3))
    found = verify_dataset(lambda: pendulum(g=10.01), dataset)
    assert found.outcome == "different"
    assert [drift.outcome for drift in found.drifts] == ["different"] * 3
    assert found.summary.startswith("different: episode 0 from step ")


def test_wrappers_that_remember_are_replayed_in_order_or_fresh():
    def make_env():
        return gymnasium.wrappers.NormalizeObservation(pendulum())

    together = record(make_env, "pendulum/together-v0", (1, 2))
    assert verify_dataset(make_env, together).outcome == "identical"
    assert verify_dataset(make_env, together, fresh=True).drifts[1].outcome == "different"
    for seed in (1, 2):
        alone = record(make_env, f"pendulum/alone{seed}-v0", (seed,))
        assert verify_dataset(make_env, alone, fresh=True).outcome == "identical"


def test_environments_are_closed_once_each():
    closed = []

    class Counted(gymnasium.Wrapper):
        def close(self):
            closed.append(self)

    dataset = record(cartpole, "cartpole/random-v0", range(3))
    verify_dataset(lambda: Counted(cartpole()), dataset)
    assert len(closed) == 1
    verify_dataset(lambda: Counted(cartpole()), dataset, fresh=True)
    assert len(set(map(id, closed))) == len(closed) == 4


class Camera(gymnasium.Env):
    """Noise, which JPEG does not keep, and a number that anything keeps."""

    observation_space = spaces.Dict(
        {"image": spaces.Box(0, 255, (32, 32, 3), np.uint8), "count": spaces.Discrete(100)}
    )
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return self.observation(), {}

    def observation(self):
        return {"image": self.np_random.integers(0, 256, (32, 32, 3), np.uint8), "count": self.count}

    def step(self, action):
        self.count += 1
        return self.observation(), float(action), self.count == 6, False, {}


@pytest.mark.parametrize("lossy", [False, True])
def test_images_are_compared_unless_they_were_stored_with_losses(store, lossy):
    from pytupli_registry.dataset.spaces import from_gymnasium

    with store.writer(
        "camera/noise-v0",
        observation_space=from_gymnasium(Camera.observation_space),
        action_space=from_gymnasium(Camera.action_space),
        jpeg_encoding=lossy,
    ) as writer:
        for episode in record_rollouts(Camera, seeds=(4, 5)):
            writer.add(episode)
    found = verify_dataset(Camera, store.open("camera/noise-v0"))
    said = "; not compared, since stored with losses: observations/image" if lossy else ""
    assert found.summary == f"identical: 2 episodes, 12 steps{said}"
    assert found.left_out == (("observations/image",) if lossy else ())
