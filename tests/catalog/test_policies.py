from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import benchmarks_catalog
from benchmarks_catalog.policies import tabular
from benchmarks_catalog.policies.catch import expert as catch_expert
from benchmarks_catalog.policies.controller import Controller, StatelessController
from benchmarks_catalog.policies.human import HumanLike
from benchmarks_catalog.policies.hvac import Operator, Thermostat
from benchmarks_catalog.policies.measuring import TASKS, load_policy, measure
from benchmarks_catalog.policies.microgrid import Planner
from benchmarks_catalog.policies.noise import noisy
from benchmarks_catalog.policies.uniform import UniformController

EVERY_TASK = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.environment_id)
SEEDS = range(100, 110)  # not those of the README's table
SIMULATED = {
    "LunarLander-v3",
    "InvertedPendulum-v5",
    "Reacher-v5",
}  # Box2D and MuJoCo differ between machines


def played(env, controller, seed, steps=60):
    """The actions of an episode's beginning, as nested lists."""
    observation, _ = env.reset(seed=seed)
    controller.reset(seed)
    actions = []
    for _ in range(steps):
        action = controller(observation)
        assert env.action_space.contains(action), action
        actions.append(np.asarray(action).tolist())
        observation, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            break
    return actions


class TestEveryPolicy:
    @EVERY_TASK
    def test_expert_beats_medium_beats_random(self, task):
        env = task.make()
        returns = [np.array(measure(env, load_policy(name, env), SEEDS).returns) for name in task.ladder]
        for worse, better in pairwise(returns):
            gain = better - worse  # seed by seed: they see the same starts
            assert gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(len(gain)), returns
        random, medium, expert = (values.mean() for values in returns)
        assert 0.05 < (medium - random) / (expert - random) < 0.95

    @pytest.mark.parametrize(
        "task", [task for task in TASKS if task.human], ids=lambda task: task.environment_id
    )
    def test_people_do_better_than_chance_and_worse_than_the_expert(self, task):
        env = task.make()
        names = (task.ladder[0], *task.human, task.ladder[-1])
        random, human, expert = (measure(env, load_policy(name, env), SEEDS).mean for name in names)
        assert random < human < expert

    @EVERY_TASK
    def test_a_seed_repeats_the_actions_and_they_fit_the_space(self, task):
        env, other = task.make(), task.make()
        for name in (*task.ladder, *task.human):
            controller = load_policy(name, env)
            first = played(env, controller, 7)
            played(env, controller, 8)
            assert played(env, controller, 7) == first
            assert played(other, load_policy(name, other), 7) == first

    @EVERY_TASK
    def test_deciding_leaves_the_environment_alone(self, task):
        env = task.make()
        env.action_space.seed(3)
        before = str(env.action_space.np_random.bit_generator.state)
        for name in (*task.ladder, *task.human):
            played(env, load_policy(name, env), 0, steps=5)
        assert str(env.action_space.np_random.bit_generator.state) == before


def readme_rows():
    """Mean and deviation by environment and policy, in the order of the table."""
    text = (Path(benchmarks_catalog.__file__).parent / "policies/README.md").read_text("utf-8")
    rows = re.findall(r"^\| (\S+) \| `(\S+)` \| (\S+) ± (\S+) \|", text, re.MULTILINE)
    return {(environment, policy): (float(mean), float(std)) for environment, policy, mean, std in rows}


class TestReadme:
    def test_every_policy_has_its_row(self):
        expected = [(task.environment_id, name) for task in TASKS for name in (*task.ladder, *task.human)]
        assert list(readme_rows()) == expected

    @pytest.mark.slow
    @pytest.mark.extended
    @EVERY_TASK
    def test_the_numbers_are_what_is_measured(self, task):
        env = task.make()
        for name in (*task.ladder, *task.human):
            mean, deviation = readme_rows()[task.environment_id, name]
            got = measure(env, load_policy(name, env), range(20))
            near = deviation / 2 + 1 if task.environment_id in SIMULATED else 0.0051
            assert got.mean == pytest.approx(mean, abs=near)
            assert got.deviation == pytest.approx(deviation, abs=max(near, 0.0051))


class Always(Controller):
    """Says the same until it is reset."""

    def __init__(self, action):
        self.action, self.resets = action, []

    def __call__(self, observation):
        return self.action

    def reset(self, seed=None):
        self.resets.append(seed)


class TestNoise:
    SPACE = gymnasium.spaces.Discrete(5)

    def test_none_of_it_is_the_policy_and_all_of_it_is_uniform(self):
        assert {noisy(Always(3), 0.0, self.SPACE)(None) for _ in range(100)} == {3}
        everything = noisy(Always(9), 1.0, self.SPACE)
        drawn = np.array([everything(None) for _ in range(2000)])
        assert np.bincount(drawn, minlength=5).tolist() == pytest.approx([400] * 5, abs=80)

    def test_the_share_of_foreign_actions_is_epsilon(self):
        some = noisy(Always(9), 0.3, self.SPACE, seed=4)
        assert np.mean([some(None) != 9 for _ in range(4000)]) == pytest.approx(0.3, abs=0.03)

    def test_without_a_seed_a_reset_goes_on_with_the_stream(self):
        policy = Always(0)
        some = noisy(policy, 0.5, self.SPACE, seed=1)
        first = [some(None) for _ in range(30)]
        some.reset()
        later = [some(None) for _ in range(30)]
        some.reset(1)
        assert [some(None) for _ in range(30)] == first != later
        assert policy.resets == [1, None, 1]

    @pytest.mark.parametrize("epsilon", [-0.1, 1.1, float("nan")])
    def test_what_is_no_probability_is_refused(self, epsilon):
        with pytest.raises(ValueError, match="probability"):
            noisy(Always(0), epsilon, self.SPACE)

    def test_uniform_actions_come_from_any_space(self):
        space = gymnasium.spaces.Dict(a=gymnasium.spaces.Box(-1, 1, (2,)), b=gymnasium.spaces.MultiBinary(3))
        controller = UniformController(space, seed=2)
        drawn = [controller(None) for _ in range(5)]
        assert all(space.contains(action) for action in drawn)
        assert not np.array_equal(drawn[0]["a"], drawn[1]["a"])


class TestHumanLike:
    def test_it_sees_late(self):
        echo = HumanLike(StatelessController(lambda observation: observation), delay=2, distraction=0.0)
        assert [echo(step) for step in range(6)] == [0, 0, 0, 1, 2, 3]
        echo.reset(0)
        assert echo(9) == 9

    def test_distracted_it_repeats_itself(self):
        echo = HumanLike(
            StatelessController(lambda observation: observation),
            delay=0,
            distraction=0.1,
            recovery=0.25,
            seed=3,
        )
        late = np.array([echo(step) != step for step in range(20_000)])
        assert late.mean() == pytest.approx(0.1 / (0.1 + 0.25), abs=0.03)
        spells = np.diff(np.flatnonzero(np.diff(late.astype(int)))[: 2 * (late.sum() // 20)])[::2]
        assert spells.mean() == pytest.approx(4, abs=0.6)


class TestTabular:
    @pytest.mark.parametrize("environment_id", ["FrozenLake8x8-v1", "Taxi-v3"])
    def test_no_single_change_improves_the_table(self, environment_id):
        """The policy improvement theorem: values of the table from a linear system, not from iteration."""
        transitions = gymnasium.make(environment_id).unwrapped.P
        actions = tabular.greedy_table(transitions)
        size = len(transitions)
        onward, reward = np.zeros((size, size)), np.zeros(size)
        for state, action in enumerate(actions):
            for probability, successor, gain, terminated in transitions[state][action]:
                reward[state] += probability * gain
                onward[state, successor] += probability * 0.999 * (not terminated)
        values = np.linalg.solve(np.eye(size) - onward, reward)
        for state, by_action in transitions.items():
            for outcomes in by_action.values():
                other = sum(p * (gain + 0.999 * values[to] * (not over)) for p, to, gain, over in outcomes)
                assert other <= values[state] + 1e-7

    def test_one_sweep_sees_one_step_ahead(self):
        chain = {
            0: {0: [(1.0, 0, 0.0, False)], 1: [(1.0, 1, 0.0, False)]},
            1: {0: [(1.0, 0, 0.0, False)], 1: [(1.0, 2, 1.0, True)]},
            2: {0: [(1.0, 2, 0.0, True)], 1: [(1.0, 2, 0.0, True)]},
        }
        assert tabular.greedy_table(chain, sweeps=0).tolist() == [0, 1, 0]
        assert tabular.greedy_table(chain).tolist() == [1, 1, 0]

    def test_nothing_counts_after_the_end(self):
        ends_or_stays = {
            0: {0: [(1.0, 1, 0.5, True)], 1: [(1.0, 1, 0.0, False)]},
            1: {0: [(1.0, 0, 0.8, True)], 1: [(1.0, 0, 0.0, True)]},
        }
        assert tabular.greedy_table(ends_or_stays).tolist() == [1, 0]


def office(indoor, hour=12.0, occupied=True):
    """An HVAC observation at a mild hour."""
    angle = 2 * np.pi * hour / 24
    seen = [indoor, 15, 0, occupied, 0.2, np.sin(angle), np.cos(angle), occupied, 15, 0, 0.2, 0.2, 0.2, 0.2]
    return np.array(seen, np.float32)


class TestHVAC:
    def test_the_thermostat_has_a_dead_band(self):
        thermostat = Thermostat(heat_below=20.0, cool_above=24.0, dead_band=1.0)
        warming = [float(thermostat(office(indoor))[0]) for indoor in (20.5, 19.9, 20.5, 20.9, 21.1, 20.5)]
        assert warming == [0, 1, 1, 1, 0, 0]
        cooling = [float(thermostat(office(indoor))[0]) for indoor in (24.1, 23.5, 22.9, 23.5)]
        assert cooling == [-1, -1, 0, 0]

    def test_nobody_turns_the_knob_at_night(self):
        operator = Operator(attention=1.0)
        assert float(operator(office(5.0, hour=3.0))[0]) == 0
        assert float(operator(office(5.0, hour=9.0))[0]) == 1
        assert float(operator(office(5.0, hour=19.0))[0]) == 0

    def test_the_knob_has_seven_positions_and_is_left_alone_without_attention(self):
        attentive, absent = Operator(attention=1.0), Operator(attention=0.0)
        positions = {round(3 * float(attentive(office(indoor))[0]), 4) for indoor in np.linspace(15, 30, 200)}
        assert positions <= {-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0}
        assert len(positions) >= 5
        assert {float(absent(office(indoor))[0]) for indoor in (10, 30)} == {0.0}


class TestMicrogrid:
    @staticmethod
    def grid(charge, prices):
        return np.array([charge, 16, 9, 0, 1, *prices], np.float32)

    def test_the_planner_buys_before_dear_hours_and_sells_in_them(self):
        cheap_then_dear, dear_then_cheap = [0.0] + [0.5] * 11, [0.5] + [0.0] * 11
        assert float(Planner()(self.grid(0.2, cheap_then_dear))[0]) > 0.9
        assert float(Planner()(self.grid(0.8, dear_then_cheap))[0]) < -0.9

    def test_the_planner_asks_for_what_the_battery_can_do(self):
        assert float(Planner()(self.grid(1.0, [0.0] + [0.5] * 11))[0]) == 0
        assert float(Planner()(self.grid(0.0, [0.5] + [0.0] * 11))[0]) >= 0


class TestCatch:
    def test_the_expert_reads_the_image(self):
        env = gymnasium.make("pytupli/Catch-v0", balls=50)
        assert set(measure(env, catch_expert(env), range(4)).returns) == {50.0}
