"""Evaluation: the same figures as a loop by hand, on however many lanes."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import scipy.stats
from gymnasium import spaces

from pytupli_registry.benchmarks.evaluation import BenchmarkIdentity, PolicyIdentity, evaluate
from pytupli_registry.benchmarks.policies import FunctionPolicy, RandomPolicy
from pytupli_registry.benchmarks.specification import EvaluationProtocol, ReferenceScore
from pytupli_registry.errors import AdapterError, EpisodeError, PytupliError

PROTOCOL = EvaluationProtocol(episodes=7, seed=100, discount=0.9)


def balance(observation):
    return int(observation[2] + 0.3 * observation[3] > 0)


def swing(observation):
    return np.array([-2 * np.sign(observation[2]) * observation[0]], dtype=np.float32)


class Reach(gymnasium.Env):
    """A goal-conditioned task: nested observations, episodes of different lengths."""

    observation_space = spaces.Dict(
        {"at": spaces.Box(-np.inf, np.inf, (1,), np.float64), "goal": spaces.Tuple((spaces.Discrete(9),))}
    )
    action_space = spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.goal = 0.0, int(self.np_random.integers(3, 9))
        return self.observation(), {}

    def observation(self):
        return {"at": np.array([self.at]), "goal": (self.goal,)}

    def step(self, action):
        self.at += int(action) - 0.5 + self.np_random.random() / 9
        return self.observation(), -abs(self.goal - self.at), self.at >= self.goal, False, {}


def approach(observation):
    return 2 if observation["at"][0] < observation["goal"][0] - 2 else 1


def test_references_that_cannot_be_normalised_by_are_told_before_anything_runs():
    def refuse():
        raise AssertionError

    same = {"random": ReferenceScore(mean=1.0), "expert": ReferenceScore(mean=1.0)}
    with pytest.raises(PytupliError, match="cannot be normalised"):
        evaluate(refuse, balance, PROTOCOL, reference_scores=same)


CASES = {
    "cartpole": (lambda: gymnasium.make("CartPole-v1", max_episode_steps=120), balance),
    "pendulum": (lambda: gymnasium.make("Pendulum-v1", max_episode_steps=60), swing),
    "frozen-lake": (lambda: gymnasium.make("FrozenLake-v1"), lambda observation: 1 + observation % 2),
    "reach": (Reach, approach),
}


@pytest.fixture(params=CASES, ids=str)
def case(request):
    return CASES[request.param]


def by_hand(make_env, act, seed):
    env = make_env()
    observation, _ = env.reset(seed=seed)
    rewards, done = [], False
    while not done:
        observation, reward, terminated, truncated, _ = env.step(act(observation))
        rewards.append(float(reward))
        done = terminated or truncated
    env.close()
    return rewards, terminated


@pytest.mark.parametrize("lanes", [1, 3, 50])
def test_every_episode_is_that_of_a_loop_by_hand(case, lanes):
    make_env, act = case
    found = evaluate(make_env, act, PROTOCOL, lanes=lanes)
    assert [episode.seed for episode in found.episodes] == [100, 101, 102, 103, 104, 105, 106]
    for episode in found.episodes:
        rewards, terminated = by_hand(make_env, act, episode.seed)
        assert (episode.length, episode.terminated) == (len(rewards), terminated)
        assert episode.total_return == pytest.approx(sum(rewards), rel=1e-12)
        discounted = sum(reward * 0.9**step for step, reward in enumerate(rewards))
        assert episode.discounted_return == pytest.approx(discounted, rel=1e-12)


def test_lanes_change_nothing_but_the_number_of_lanes(case):
    make_env, act = case
    found = [evaluate(make_env, act, PROTOCOL, lanes=lanes) for lanes in (1, 2, 7)]
    assert [one.lanes for one in found] == [1, 2, 7]
    assert len({one.model_copy(update={"lanes": 1}).to_json() for one in found}) == 1


def test_random_policies_do_not_depend_on_lanes(case):
    make_env, _ = case
    policy = RandomPolicy(make_env().action_space)
    one, many = (evaluate(make_env, policy, PROTOCOL, lanes=lanes).episodes for lanes in (1, 4))
    assert one == many
    assert len({episode.total_return for episode in one}) > 1 or make_env is CASES["frozen-lake"][0]


def test_figures_are_those_of_the_episodes():
    make_env, act = CASES["reach"]
    references = {"random": ReferenceScore(mean=-400.0), "expert": ReferenceScore(mean=-20.0)}
    found = evaluate(make_env, act, PROTOCOL, reference_scores=references)
    returns = [episode.total_return for episode in found.episodes]
    lengths = [episode.length for episode in found.episodes]
    assert len(set(lengths)) > 1
    assert found.returns.mean.value == pytest.approx(np.mean(returns))
    assert found.returns.std == pytest.approx(np.std(returns))
    assert found.returns.iqm.value == pytest.approx(scipy.stats.trim_mean(returns, 0.25))
    assert found.lengths.median.value == np.median(lengths)
    assert found.discounted_returns.maximum == max(episode.discounted_return for episode in found.episodes)
    assert found.normalised.mean.value == pytest.approx(100 * (np.mean(returns) + 400) / 380)
    assert found.score == found.normalised.mean.value
    assert found.returns.mean.low < found.returns.mean.value < found.returns.mean.high


def test_without_both_references_there_are_no_normalised_scores():
    make_env, act = CASES["reach"]
    found = evaluate(make_env, act, PROTOCOL, reference_scores={"random": ReferenceScore(mean=1.0)})
    assert found.normalised is None
    assert found.score == found.returns.mean.value


def test_what_is_needed_to_reproduce_it_is_told():
    make_env, act = CASES["cartpole"]
    identity = BenchmarkIdentity(name="cartpole", sha256="a" * 64)
    described = PolicyIdentity(name="controller", run="seed 3", sha256="b" * 64, format="d3")
    found = evaluate(
        make_env, act, PROTOCOL, identity=identity, described=described, distributions=["scipy", "no-such"]
    )
    assert (found.benchmark, found.policy, found.protocol) == (identity, described, PROTOCOL)
    assert found.environment == "CartPole-v1"
    assert found.versions.keys() == {"python", "platform", "gymnasium", "numpy", "pytupli-registry", "scipy"}
    assert found.versions["numpy"] == np.__version__
    assert evaluate(make_env, act, PROTOCOL).policy.name == "balance"


class Remembering:
    """Counts what it is told, per lane, and acts by it."""

    distributions = ("scipy",)

    def __init__(self):
        self.log = []

    def begin(self, seeds):
        self.log.append(("begin", tuple(seeds)))
        self.steps, self.earned = [0] * len(seeds), [0.0] * len(seeds)

    def act(self, observations, lanes):
        assert len(observations) == len(lanes) == len(set(lanes))
        assert list(lanes) == sorted(lanes)
        for lane in lanes:
            self.steps[lane] += 1
        return [int((self.steps[lane] + self.earned[lane]) % 4 < 2) for lane in lanes]

    def reward(self, rewards, lanes):
        for lane, reward in zip(lanes, rewards, strict=True):
            self.earned[lane] += reward
            assert self.earned[lane] == self.steps[lane]  # CartPole gives 1 a step


def test_policies_with_a_memory_are_told_what_begins_and_what_was_earned():
    make_env = CASES["cartpole"][0]
    policy = Remembering()
    one = evaluate(make_env, policy, PROTOCOL, lanes=3)
    assert policy.log == [("begin", (100, 101, 102)), ("begin", (103, 104, 105)), ("begin", (106,))]
    assert one.episodes == evaluate(make_env, Remembering(), PROTOCOL, lanes=1).episodes
    assert "scipy" in one.versions


class Counted(gymnasium.Wrapper):
    open_now = 0
    most = 0

    def __init__(self, env):
        super().__init__(env)
        Counted.open_now += 1
        Counted.most = max(Counted.most, Counted.open_now)

    def close(self):
        Counted.open_now -= 1
        super().close()


@pytest.fixture
def counted():
    Counted.open_now = Counted.most = 0
    return Counted


@pytest.mark.parametrize("fresh", [True, False])
def test_environments_are_closed(counted, fresh):
    made = []

    def make_env():
        made.append(counted(CASES["cartpole"][0]()))
        return made[-1]

    found = evaluate(make_env, balance, PROTOCOL, lanes=3, fresh=fresh)
    assert (counted.open_now, counted.most) == (0, 3)
    assert len(made) == (7 if fresh else 3)
    assert found.episodes == evaluate(CASES["cartpole"][0], balance, PROTOCOL).episodes


def test_environments_are_closed_on_errors_of_anybody(counted):
    def act(observation):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        evaluate(lambda: counted(gymnasium.make("CartPole-v1")), act, PROTOCOL, lanes=3)
    assert (counted.open_now, counted.most) == (0, 3)
    with pytest.raises(AdapterError):
        evaluate(lambda: counted(gymnasium.make("CartPole-v1")), "no policy", PROTOCOL)
    assert counted.open_now == 0


def test_fresh_environments_make_wrappers_that_remember_harmless():
    def make_env():
        return gymnasium.wrappers.NormalizeObservation(gymnasium.make("Pendulum-v1", max_episode_steps=30))

    one, many = (evaluate(make_env, swing, PROTOCOL, lanes=lanes).episodes for lanes in (1, 3))
    assert one == many
    kept = evaluate(make_env, swing, PROTOCOL, lanes=1, fresh=False).episodes
    assert kept[0] == one[0]
    assert kept != one


def test_an_environment_that_never_ends_is_told():
    def make_env():
        return gymnasium.make("Pendulum-v1", max_episode_steps=-1)

    with pytest.raises(
        EpisodeError, match=r"Pendulum-v1, reset with the seed 100, did not end within 50 steps"
    ) as told:
        evaluate(make_env, swing, PROTOCOL, max_steps=50)
    assert "time limit" in told.value.hint
    limited = evaluate(CASES["pendulum"][0], swing, PROTOCOL, max_steps=60)
    assert {episode.length for episode in limited.episodes} == {60}


@pytest.mark.parametrize("reward", [np.nan, np.inf, 1e300])
def test_rewards_without_a_sum_are_told(reward):
    class Odd(Reach):
        def step(self, action):
            observation, _, *rest = super().step(action)
            return observation, reward, *rest

    with pytest.raises(EpisodeError, match=r"Odd, reset with the seed 100, returned the reward .* at step 0"):
        evaluate(Odd, approach, PROTOCOL)


class Broken(Reach):
    def step(self, action):
        if self.at > 1:
            raise RuntimeError("the licence has expired")
        return super().step(action)


def test_what_an_environment_raises_is_told_with_its_seed_and_step():
    with pytest.raises(RuntimeError, match="licence has expired") as caught:
        evaluate(Broken, lambda observation: 2, PROTOCOL, lanes=1)
    assert caught.value.__notes__ == [
        "Broken, reset with the seed 100, raised this at step 1, for the action 2."
    ]


def test_as_many_actions_as_lanes():
    class Short(FunctionPolicy):
        def act(self, observations, lanes):
            return super().act(observations, lanes)[:-1]

    with pytest.raises(EpisodeError, match="chose 2 actions for 3 observations"):
        evaluate(CASES["cartpole"][0], Short(balance), PROTOCOL, lanes=3)


def test_progress_is_told():
    done = []
    evaluate(CASES["cartpole"][0], balance, PROTOCOL, lanes=4, advance=done.append)
    assert done == [1] * 7
