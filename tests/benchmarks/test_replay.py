"""Replays: what is the same, what is close, what is different and from where on."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.benchmarks.replay import Tolerance, replay
from pytupli_registry.benchmarks.rollouts import record_rollouts
from pytupli_registry.dataset.episode import Episode


class Ball(gymnasium.Env):
    """A ball that falls and bounces, and what can go wrong with it on another machine."""

    def __init__(
        self,
        gravity=9.81,
        reward_off=0.0,
        reward_from=0,
        limit=20,
        cut=None,
        extra=False,
        place_dtype=np.float32,
        place_shape=(2,),
        actions=3,
        count_off=0,
        nan_at=None,
        fan=0.0,
    ):
        self.gravity, self.reward_off, self.reward_from = gravity, reward_off, reward_from
        self.limit, self.cut, self.extra, self.count_off, self.nan_at = limit, cut, extra, count_off, nan_at
        self.fan = fan
        kept = {
            "place": spaces.Box(-np.inf, np.inf, place_shape, place_dtype),
            "count": spaces.Discrete(1000),
            "said": spaces.Text(8, min_length=0),
        }
        self.observation_space = spaces.Dict(kept | ({"more": spaces.Discrete(2)} if extra else {}))
        self.action_space = spaces.Tuple((spaces.Discrete(actions), spaces.Box(-1, 1, (1,), np.float32)))
        self.seen_actions = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.options = options
        self.count = 0
        self.height, self.speed = 1 + self.np_random.random() + (options or {}).get("higher", 0), 0.0
        return self.observation(), {}

    def observation(self):
        place = np.array([self.height, self.speed + self.fan])  # float64, as many environments return
        if self.nan_at == self.count:
            place[1] = np.nan
        place = np.resize(place, self.observation_space["place"].shape)
        seen = {"place": place, "count": self.count + self.count_off, "said": "x" * (self.count % 3)}
        return seen | ({"more": 1} if self.extra else {})

    def step(self, action):
        self.seen_actions.append(action)
        self.speed += 0.05 * (float(action[1][0]) + int(action[0]) - self.gravity)
        self.height += 0.05 * self.speed
        if self.height < 0:
            self.height, self.speed = -self.height, -0.8 * self.speed
        self.count += 1
        reward = self.height + (self.reward_off if self.count > self.reward_from else 0)
        return self.observation(), reward, self.count >= self.limit, self.count == self.cut, {}


@pytest.fixture(scope="module")
def episodes():
    return record_rollouts(Ball, seeds=(0, 7), max_steps=50)


def test_the_same_environment_is_identical(episodes):
    for episode in episodes:
        drift = replay(Ball(), episode)
        assert (drift.outcome, drift.steps, drift.first, drift.largest) == ("identical", 20, None, None)


def test_actions_come_back_as_the_environment_takes_them(episodes):
    env = Ball()
    replay(env, episodes[0])
    assert len(env.seen_actions) == 20
    for step, action in enumerate(env.seen_actions):
        assert env.action_space.contains(action)
        assert isinstance(action[0], np.int64)
        assert action[0] == episodes[0].actions[0][step]
        assert action[1].tolist() == episodes[0].actions[1][step].tolist()


@pytest.mark.parametrize(
    "name", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "Taxi-v3", "Blackjack-v1", "Acrobot-v1"]
)
def test_gymnasiums_own_are_identical(name):
    for episode in record_rollouts(lambda: gymnasium.make(name), seeds=(2, 3), max_steps=60):
        assert replay(gymnasium.make(name), episode).outcome == "identical"


def compared_by_hand(episode, env):
    """The largest difference of all floats, in the recorded dtype, with where it is."""
    found = []
    observation, _ = env.reset(seed=episode.seed)
    for step in range(len(episode) + 1):
        here = observation["place"].astype(np.float32)
        for component in range(2):
            recorded = episode.observations["place"][step][component]
            distance = abs(float(recorded) - float(here[component]))
            found.append((distance, "observations/place", step - 1, component))
        if step < len(episode):
            action = (int(episode.actions[0][step]), episode.actions[1][step])
            observation, reward, *_ = env.step(action)
            found.append((abs(reward - episode.rewards[step]), "rewards", step, None))
    return max(found, key=lambda entry: entry[0])


@pytest.mark.parametrize("change", [1e-9, 1e-7, 3e-6])
def test_small_changes_of_physics_are_within_tolerance(episodes, change):
    for episode in episodes:
        drift = replay(Ball(gravity=9.81 + change), episode)
        assert drift.outcome == "within tolerance"
        distance, leaf, step, component = compared_by_hand(episode, Ball(gravity=9.81 + change))
        assert drift.largest.absolute == distance > 0
        assert (drift.largest.leaf, drift.largest.step) == (leaf, step)
        assert drift.largest.component == (() if component is None else (component,))
        assert drift.largest_relative >= drift.largest.relative > 0


def test_larger_ones_are_different_from_a_step_on(episodes):
    env = Ball(gravity=9.811)
    drift = replay(env, episodes[0])
    assert drift.outcome == "different"
    assert drift.steps == 20
    step = drift.first.step
    good, bad = (
        replay(Ball(gravity=9.811), cut(episodes[0], length)).outcome if length else "identical"
        for length in (step, step + 1)
    )
    assert (good, bad) != ("different", "different")
    assert bad == "different"
    assert drift.reason.startswith(f"from step {step} (")


def cut(episode, length):
    return replace(
        episode,
        observations={key: values[: length + 1] for key, values in episode.observations.items()},
        actions=tuple(values[:length] for values in episode.actions),
        rewards=episode.rewards[:length],
        terminations=episode.terminations[:length],
        truncations=episode.truncations[:length],
    )


def test_a_reward_that_is_off_from_step_7(episodes):
    drift = replay(Ball(reward_off=-0.1, reward_from=7), episodes[1])
    assert (drift.outcome, drift.first.leaf, drift.first.step) == ("different", "rewards", 7)
    recorded = float(episodes[1].rewards[7])
    assert (drift.first.recorded, drift.first.replayed) == (recorded, pytest.approx(recorded - 0.1))
    assert drift.first.absolute == pytest.approx(0.1)
    assert drift.first.relative == pytest.approx(0.1 / recorded)
    assert drift.reason == f"from step 7 (rewards: {recorded} recorded, {drift.first.replayed} here)"


def test_the_tolerance_is_that_of_numpy(episodes):
    for off in (3e-5, 5e-5):
        for tolerance in (Tolerance(1e-5, 1e-6), Tolerance(0, 4e-5), Tolerance(1e-4, 0)):
            rewards = episodes[0].rewards
            close = np.isclose(rewards + off, rewards, rtol=tolerance.relative, atol=tolerance.absolute).all()
            drift = replay(Ball(reward_off=off), episodes[0], tolerance)
            assert (drift.outcome == "within tolerance") == close


def test_an_episode_that_ends_early_is_different_there(episodes):
    drift = replay(Ball(limit=11), episodes[0])
    assert (drift.outcome, drift.steps) == ("different", 11)
    assert (drift.first.leaf, drift.first.step) == ("terminations", 10)
    assert (drift.first.recorded, drift.first.replayed) == (False, True)
    assert drift.reason.endswith("the episode ends here after 11 steps, recorded are 20")


def test_one_that_does_not_end_is_different_at_the_end(episodes):
    drift = replay(Ball(limit=21), episodes[0])
    assert (drift.outcome, drift.first.leaf, drift.first.step) == ("different", "terminations", 19)


def test_a_recording_that_was_cut_from_outside_is_no_drift(episodes):
    short = cut(episodes[0], 5)
    truncated = replace(short, truncations=np.arange(5) == 4)
    assert replay(Ball(), truncated).outcome == "identical"
    drift = replay(Ball(), truncated, cut_outside=False)
    assert (drift.outcome, drift.first.leaf, drift.first.step) == ("different", "truncations", 4)
    assert replay(Ball(cut=5), truncated, cut_outside=False).outcome == "identical"
    assert replay(Ball(cut=5), short).first.leaf == "truncations"
    assert replay(Ball(cut=3), truncated).first.step == 2


def test_without_a_seed_there_is_nothing_to_replay(episodes):
    env = Ball()
    drift = replay(env, replace(episodes[0], seed=None))
    assert (drift.outcome, drift.reason) == ("not replayable", "it was recorded without a seed")
    assert env.seen_actions == []


def test_what_no_recorder_writes_is_not_replayed(episodes):
    """Options are arguments that data brings: what may name a file or code is not handed to the environment."""
    env = Ball()
    endless = replace(episodes[0], rewards=np.zeros(0))
    for episode, reason in (
        (replace(episodes[0], seed=-1), "its seed is -1"),
        (endless, "it has no steps"),
        (
            replace(episodes[0], options={"map": "/etc/passwd"}),
            "an option of its reset is the text '/etc/passwd'",
        ),
        (replace(episodes[0], options={"deep": [{"a": object()}]}), "an option of its reset is a object"),
    ):
        drift = replay(env, episode)
        assert (drift.outcome, drift.steps) == ("not replayable", 0)
        assert drift.reason.startswith(reason)
    assert not hasattr(env, "options")


def test_options_are_given_to_the_reset(episodes):
    env = Ball()
    drift = replay(env, replace(episodes[0], options={"higher": 1.0}))
    assert env.options == {"higher": 1.0}
    assert (drift.outcome, drift.first.leaf, drift.first.step) == ("different", "observations/place", None)
    assert drift.reason.startswith("from the reset (observations/place[0]: ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"extra": True}, "here is observations/more, which was not recorded"),
        ({"place_shape": (3,)}, "observations/place has the shape (3,) here; (2,) was recorded"),
        ({"place_dtype": np.int32}, "observations/place has the dtype int32 here; float32 was recorded"),
    ],
)
def test_other_spaces_are_told_before_a_step_is_taken(episodes, changes, said):
    env = Ball(**changes)
    drift = replay(env, episodes[0])
    assert (drift.outcome, drift.steps, env.seen_actions) == ("different", 0, [])
    assert said in drift.reason


def test_what_was_recorded_and_is_missing_here_is_told():
    (episode,) = record_rollouts(lambda: Ball(extra=True), seeds=(0,))
    assert "recorded was observations/more, which is not here" in replay(Ball(), episode).reason


def test_actions_that_do_not_exist_here_are_told(episodes):
    step = int(np.argmax(episodes[0].actions[0] == 2))
    drift = replay(Ball(actions=2), episodes[0])
    assert drift.outcome == "different"
    assert drift.reason == f"the action of step {step}, 2, is not in the action space here"


def test_a_wider_float_is_compared_in_the_recorded_dtype(episodes):
    assert replay(Ball(place_dtype=np.float64), episodes[0]).outcome == "identical"
    (wide,) = record_rollouts(lambda: Ball(place_dtype=np.float64), seeds=(0,))
    assert wide.observations["place"].dtype == np.float64
    assert (
        replay(Ball(), wide).outcome == "identical"
    )  # the space says float32, the values are float64 as recorded


def test_integers_and_texts_have_no_tolerance(episodes):
    drift = replay(Ball(count_off=1), episodes[0], Tolerance(10, 10))
    assert (drift.outcome, drift.first.leaf, drift.first.step) == ("different", "observations/count", None)
    said = {**episodes[0].observations, "said": ["x" * (row % 3) + "y" * (row > 3) for row in range(21)]}
    drift = replay(Ball(), replace(episodes[0], observations=said))
    assert (drift.first.leaf, drift.first.step) == ("observations/said", 3)
    assert (drift.first.recorded, drift.first.replayed) == ("xy", "x")


def test_nan_is_nan_and_nothing_else(episodes):
    (recorded,) = record_rollouts(lambda: Ball(nan_at=4), seeds=(0,))
    assert replay(Ball(nan_at=4), recorded).outcome == "identical"
    for env, episode in ((Ball(), recorded), (Ball(nan_at=4), episodes[0])):
        drift = replay(env, episode, Tolerance(np.inf, np.inf))
        assert (drift.outcome, drift.first.step, drift.first.absolute) == ("different", 3, None)
        assert "nan" in {drift.first.recorded, drift.first.replayed}


def test_infinities_are_only_equal_to_themselves():
    (recorded,) = record_rollouts(lambda: Ball(fan=np.inf), seeds=(0,))
    assert replay(Ball(fan=np.inf), recorded).outcome == "identical"
    assert replay(Ball(fan=-np.inf), recorded).outcome == "different"
    assert replay(Ball(), recorded).outcome == "different"
    assert replay(Ball(fan=1e39), recorded).outcome == "identical"  # what float32 makes of it


def test_left_out_leaves_are_not_compared(episodes):
    said = {**episodes[0].observations, "said": [""] * 21}
    drift = replay(Ball(), replace(episodes[0], observations=said), skip={"observations/said"})
    assert drift.outcome == "identical"


class Odd(Ball):
    """Returns, from a step on, what is not of its space."""

    def __init__(self, odd, since=4, **changes):
        super().__init__(**changes)
        self.odd, self.since = odd, since

    def observation(self):
        seen = super().observation()
        return seen | self.odd if self.count >= self.since else seen


@pytest.mark.parametrize(
    ("odd", "leaf", "here"),
    [
        ({"place": np.zeros(3)}, "observations/place", "shape (3,)"),
        ({"place": np.array(["a", "b"])}, "observations/place", "dtype <U1"),
        ({"place": np.array([1j, 0])}, "observations/place", "dtype complex128"),
        ({"count": 2.5}, "observations/count", "2.5"),
        ({"count": float("nan")}, "observations/count", "nan"),
        ({"other": 1}, "observations", "count, observations/other"),
    ],
)
def test_values_that_have_no_place_are_different_there(episodes, odd, leaf, here):
    drift = replay(Odd(odd), episodes[0])
    assert (drift.outcome, drift.first.leaf, drift.first.step) == ("different", leaf, 3)
    assert here in str(drift.first.replayed)
    earlier = replay(Odd(odd, reward_off=1.0, reward_from=1), episodes[0])
    assert (earlier.first.leaf, earlier.first.step) == ("rewards", 1)
    at_once = replay(Odd(odd, since=0), episodes[0])
    assert (at_once.first.leaf, at_once.first.step) == (leaf, None)


def test_values_of_another_number_type_are_compared_as_numbers(episodes):
    drift = replay(Odd({"count": np.float64(4.0)}, since=4, limit=5), cut(episodes[0], 4))
    assert drift.outcome == "identical"


def test_environments_may_write_into_what_they_returned_and_got():
    class Careless(gymnasium.Env):
        observation_space = spaces.Box(-9, 9, (2,), np.float64)
        action_space = spaces.Box(-1, 1, (2,), np.float64)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.place = self.np_random.normal(size=2)
            return self.place, {}

        def step(self, action):
            self.place += 0.1 * action
            action[:] = 0
            return self.place, float(self.place.sum()), False, False, {}

    (episode,) = record_rollouts(Careless, seeds=(3,), max_steps=9)
    assert len({values.tobytes() for values in episode.observations}) == 10
    assert replay(Careless(), episode).outcome == "identical"
    assert replay(Careless(), episode).outcome == "identical"  # the recorded actions are as they were


def test_a_wrapper_that_remembers_needs_a_fresh_environment():
    def make():
        return gymnasium.wrappers.NormalizeObservation(gymnasium.make("Pendulum-v1"))

    first, second = record_rollouts(make, seeds=(1, 2), max_steps=30)
    assert replay(make(), second).outcome == "identical"
    used = make()
    assert replay(used, first).outcome == "identical"
    assert replay(used, second).outcome == "different"


def test_spaces_without_leaves_are_no_difference():
    class Blind(gymnasium.Env):
        observation_space = spaces.Dict({"none": spaces.Tuple(()), "seen": spaces.Discrete(2)})
        action_space = spaces.Dict({})

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return {"none": (), "seen": 0}, {}

        def step(self, action):
            assert action == {}
            return {"none": (), "seen": 1}, 1.0, False, False, {}

    (episode,) = record_rollouts(Blind, seeds=(3,), max_steps=3)
    assert replay(Blind(), episode).outcome == "identical"
    as_stored = replace(episode, observations={"seen": episode.observations["seen"]}, actions=None)
    assert replay(Blind(), as_stored).outcome == "identical"


def test_a_space_that_cannot_be_kept_is_told(episodes):
    class Unkept(Ball):
        def __init__(self):
            super().__init__()
            self.observation_space = spaces.Sequence(spaces.Discrete(2))

    assert "cannot be compared" in replay(Unkept(), episodes[0]).reason


def test_errors_of_the_environment_are_its_own(episodes):
    class Broken(Ball):
        def step(self, action):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        replay(Broken(), episodes[0])


def test_a_drift_is_strict_json(episodes):
    for env in (
        Ball(),
        Ball(gravity=9.81 + 1e-7),
        Ball(nan_at=4),
        Ball(fan=np.inf),
        Odd({"place": np.zeros(3)}),
        Ball(limit=3),
    ):
        drift = replay(env, episodes[0])
        assert json.loads(json.dumps(asdict(drift), allow_nan=False))["outcome"] == drift.outcome


@given(
    st.lists(st.floats(width=64), min_size=1, max_size=5),
    st.floats(0, 1e-3),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_outcomes_agree_with_numpy(recorded, tolerance, data):
    here = [
        data.draw(st.sampled_from([value, value * (1 + 1e-7), value + 1e-9]) | st.floats(), label="here")
        for value in recorded
    ]

    class Told(gymnasium.Env):
        observation_space = spaces.Discrete(1)
        action_space = spaces.Discrete(1)

        def reset(self, *, seed=None, options=None):
            self.step_number = 0
            return 0, {}

        def step(self, action):
            self.step_number += 1
            return 0, here[self.step_number - 1], False, False, {}

    length = len(recorded)
    flags = np.zeros(length, dtype=bool)
    zeros = np.zeros(length + 1, dtype=np.int64)
    episode = Episode(zeros, zeros[1:], np.array(recorded), flags, flags, seed=1)
    drift = replay(Told(), episode, Tolerance(tolerance, tolerance))
    with np.errstate(all="ignore"):
        close = np.isclose(here, recorded, rtol=tolerance, atol=tolerance, equal_nan=True)
    if np.array_equal(recorded, here, equal_nan=True):
        assert drift.outcome == "identical"
    elif close.all():
        assert drift.outcome == "within tolerance"
    else:
        assert (drift.outcome, drift.first.step) == ("different", int(np.argmin(close)))
    json.dumps(asdict(drift), allow_nan=False)
