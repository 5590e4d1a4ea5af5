"""Spaces become d3rlpy's by rule, in the data and in the environment alike."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from d3rlpy.constants import ActionSpace
from d3rlpy.dataset import (
    BasicTrajectorySlicer,
    BasicTransitionPicker,
    FrameStackTransitionPicker,
    MultiStepTransitionPicker,
)
from d3rlpy.envs import GoalConcatWrapper
from gymnasium import spaces

from pytupli_d3rlpy import to_d3rlpy
from pytupli_d3rlpy.actions import ActionRule
from pytupli_d3rlpy.observations import ObservationOptions, ObservationRule
from pytupli_d3rlpy.one_hot import OneHot
from pytupli_registry.errors import AdapterError

LENGTHS = [4, 7]
FLAGS = [(False, True), (True, True)]


def vector(size, dtype=np.float32):
    return spaces.Box(-10, 10, (size,), dtype)


GOAL = spaces.Dict(
    observation=vector(3, np.float64),
    achieved_goal=vector(2, np.float64),
    desired_goal=vector(2, np.float32),
)
NESTED_GOAL = spaces.Dict(
    observation=vector(3), achieved_goal=vector(1), desired_goal=spaces.Dict(z=vector(2), a=vector(1))
)
MIXED = spaces.Dict(
    zebra=vector(2),
    camera=spaces.Box(0, 255, (6, 5, 3), np.uint8),
    gear=spaces.Tuple([spaces.Discrete(4), vector(1)]),
)


class Still(gymnasium.Env):
    """Gives samples of its observation space and remembers the actions it took."""

    def __init__(self, observation_space, action_space=None):
        self.observation_space = observation_space
        self.action_space = action_space or spaces.Discrete(2)
        self.taken = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        self.taken.append(action)
        return self.observation_space.sample(), 0.0, False, False, {}


def goal(observations):
    return np.concatenate([observations["observation"], observations["desired_goal"]], axis=-1)


def nested_goal(observations):
    wanted = observations["desired_goal"]
    return np.concatenate([observations["observation"], wanted["a"], wanted["z"]], axis=-1)


def mixed(observations):
    return [
        observations["camera"].transpose(0, 3, 1, 2),
        observations["gear"][0][:, None],
        observations["gear"][1],
        observations["zebra"],
    ]


ONE_HOT = {"discrete_observation": "one_hot"}


def eye(size, numbers):
    """Write one-hot vectors as a textbook does."""
    return np.array(
        [[float(place == number) for place in range(size)] for number in numbers], dtype=np.float32
    )


def channels_last(observations):
    return np.ascontiguousarray(observations.transpose(0, 3, 1, 2))


CASES = {
    "goal": (GOAL, goal, {}),
    "goal as tuple": (
        GOAL,
        lambda observations: [observations["observation"], observations["desired_goal"]],
        {"tuple_observation": True},
    ),
    "nested goal": (NESTED_GOAL, nested_goal, {}),
    "mixed": (MIXED, mixed, {}),
    "tuple": (spaces.Tuple([vector(2), vector(3, np.float64)]), list, {}),
    "one key": (spaces.Dict(only=vector(4)), lambda observations: observations["only"], {}),
    "image, channels last": (spaces.Box(0, 255, (8, 9, 4), np.uint8), channels_last, {}),
    "image, channels first": (spaces.Box(0, 255, (4, 8, 9), np.uint8), lambda observations: observations, {}),
    "image, grey": (spaces.Box(0, 255, (8, 9), np.uint8), lambda observations: observations[:, None], {}),
    "image, as told": (
        spaces.Box(0, 255, (4, 8, 9), np.uint8),
        channels_last,
        {"image_layout": "channels_last"},
    ),
    "image, left alone": (
        spaces.Box(0, 255, (8, 9, 4), np.uint8),
        lambda observations: observations,
        {"image_layout": "channels_first"},
    ),
    "multi-discrete": (spaces.MultiDiscrete([3, 4]), lambda observations: observations, {}),
    "discrete": (spaces.Discrete(5, start=-2), lambda observations: observations[:, None], {}),
    "discrete, one-hot": (
        spaces.Discrete(5, start=-2),
        lambda observations: np.eye(5, dtype=np.float32)[observations + 2],
        ONE_HOT,
    ),
    "multi-discrete, one-hot": (
        spaces.MultiDiscrete([3, 4], start=[0, -1]),
        lambda observations: np.concatenate(
            [eye(3, observations[:, 0]), eye(4, observations[:, 1] + 1)], axis=1
        ),
        ONE_HOT,
    ),
    "grid of numbers, one-hot": (
        spaces.MultiDiscrete([[2, 3], [4, 2]]),
        lambda observations: np.concatenate(
            [eye(n, observations[:, a, b]) for a, b, n in ((0, 0, 2), (0, 1, 3), (1, 0, 4), (1, 1, 2))],
            axis=1,
        ),
        ONE_HOT,
    ),
    "goal, one-hot": (
        spaces.Dict(observation=vector(2), achieved_goal=spaces.Discrete(3), desired_goal=spaces.Discrete(3)),
        lambda observations: np.concatenate(
            [observations["observation"], eye(3, observations["desired_goal"])], axis=1
        ),
        ONE_HOT,
    ),
    "mixed, one-hot": (
        MIXED,
        lambda observations: [
            part if number != 1 else eye(4, part[:, 0]) for number, part in enumerate(mixed(observations))
        ],
        ONE_HOT,
    ),
    "scalar": (spaces.Box(-1, 1, (), np.float32), lambda observations: observations[:, None], {}),
}


@pytest.mark.parametrize(
    "picker", [BasicTransitionPicker(), FrameStackTransitionPicker(3), MultiStepTransitionPicker(3, 0.9)]
)
@pytest.mark.parametrize("tail", ["drop", "keep"])
@pytest.mark.parametrize("case", CASES)
def test_observations_follow_the_rule(random_dataset, stock_buffer, assert_same, case, tail, picker):
    space, observe, options = CASES[case]
    dataset = random_dataset(space, spaces.Discrete(3), LENGTHS, FLAGS)
    ours = to_d3rlpy(dataset, truncated_tail=tail, transition_picker=picker, **options)
    stock = stock_buffer(
        dataset, observe=observe, keep_tail=tail == "keep", picker=picker, slicer=BasicTrajectorySlicer()
    )
    assert_same(ours.dataset_info, stock.dataset_info)
    for mine, theirs in zip(ours.episodes, stock.episodes, strict=True):
        assert_same(mine, theirs)
    np.random.seed(3)
    mine = ours.sample_transition_batch(20), ours.sample_trajectory_batch(8, 5)
    np.random.seed(3)
    theirs = stock.sample_transition_batch(20), stock.sample_trajectory_batch(8, 5)
    assert_same(mine[0], theirs[0])
    assert_same(mine[1], theirs[1])


@pytest.mark.parametrize("case", CASES)
def test_the_environment_shows_what_the_data_shows(random_dataset, case):
    space, observe, options = CASES[case]
    rule = ObservationRule.of(space, ObservationOptions(**options))
    seen, _ = rule.wrap(Still(space)).reset(seed=7)
    raw, _ = Still(space).reset(seed=7)
    expected = observe(batch_of_one(raw))
    if isinstance(expected, list):
        assert isinstance(seen, tuple)
        for mine, theirs in zip(seen, expected, strict=True):
            np.testing.assert_array_equal(mine, theirs[0])
            assert mine.dtype == theirs.dtype
    else:
        np.testing.assert_array_equal(seen, expected[0])
        assert seen.dtype == expected.dtype
    wrapped = rule.wrap(Still(space))
    observation, _ = wrapped.reset(seed=1)
    assert wrapped.observation_space.contains(observation)
    info = to_d3rlpy(random_dataset(space, spaces.Discrete(3), LENGTHS, FLAGS), **options).dataset_info
    parts = observation if isinstance(observation, tuple) else [observation]
    assert [part.shape for part in parts] == list(info.observation_signature.shape)
    assert [part.dtype for part in parts] == list(info.observation_signature.dtype)


def batch_of_one(value):
    if isinstance(value, dict):
        return {key: batch_of_one(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple(batch_of_one(part) for part in value)
    return np.asarray(value)[None]


@pytest.mark.parametrize("space", [GOAL, NESTED_GOAL])
def test_goals_are_joined_as_d3rlpy_joins_them(space):
    rule = ObservationRule.of(space, ObservationOptions())
    mine, theirs = rule.wrap(Still(space)), GoalConcatWrapper(Still(space))
    seen = [[env.reset(seed=3)[0], env.step(0)[0]] for env in (mine, theirs)]
    np.testing.assert_array_equal(seen[0], seen[1])


def test_a_plain_environment_is_not_wrapped():
    env = Still(vector(3), vector(2))
    rule = ObservationRule.of(env.observation_space, ObservationOptions())
    assert ActionRule.of(env.action_space).wrap(rule.wrap(env)) is env


def test_action_size_comes_from_the_space(random_dataset):
    dataset = random_dataset(vector(2), spaces.Discrete(50), LENGTHS, FLAGS)
    assert int(dataset.array("actions").max()) < 49, "this seed must not show the highest action"
    info = to_d3rlpy(dataset).dataset_info
    assert (info.action_space, info.action_size) == (ActionSpace.DISCRETE, 50)


def test_whole_numbers_do_not_make_a_box_discrete(random_dataset):
    dataset = random_dataset(vector(2), spaces.Box(-1, 1, (3,), np.int64), LENGTHS, FLAGS)
    info = to_d3rlpy(dataset).dataset_info
    assert (info.action_space, info.action_size) == (ActionSpace.CONTINUOUS, 3)


def test_discrete_actions_are_counted_from_zero(random_dataset, stock_buffer, assert_same):
    space = spaces.Discrete(3, start=-1)
    dataset = random_dataset(vector(2), space, LENGTHS, FLAGS)
    ours = to_d3rlpy(dataset)
    stock = stock_buffer(dataset, act=lambda actions: actions[:, None] + 1)
    np.random.seed(0)
    mine = ours.sample_transition_batch(40)
    np.random.seed(0)
    assert_same(mine, stock.sample_transition_batch(40))
    assert set(np.unique(mine.actions)) == {0, 1, 2}
    env = Still(vector(2), space)
    wrapped = ActionRule.of(space).wrap(env)
    assert wrapped.action_space == spaces.Discrete(3)
    wrapped.reset()
    wrapped.step(0)
    assert env.taken == [-1]


def test_actions_of_many_axes_are_flattened(random_dataset):
    space = spaces.Box(-1, 1, (2, 3), np.float32)
    dataset = random_dataset(vector(2), space, LENGTHS, FLAGS)
    np.testing.assert_array_equal(to_d3rlpy(dataset).episodes[1].actions, dataset[1].actions.reshape(-1, 6))
    env = Still(vector(2), space)
    ActionRule.of(space).wrap(env).step(np.arange(6.0))
    np.testing.assert_array_equal(env.taken[0], np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    "space",
    [
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(3),
        spaces.Tuple([spaces.Discrete(2)]),
        spaces.Dict(a=vector(1)),
    ],
)
def test_other_actions_are_refused(space):
    with pytest.raises(AdapterError, match=type(space).__name__):
        ActionRule.of(space)


def test_text_is_refused():
    with pytest.raises(AdapterError, match="words is of the space Text"):
        ObservationRule.of(spaces.Dict(words=spaces.Text(5)), ObservationOptions())


def test_a_number_out_of_its_space_has_no_one_hot_code(random_dataset):
    dataset = random_dataset(spaces.Discrete(9), spaces.Discrete(2), LENGTHS, FLAGS)
    code = OneHot.of(spaces.Discrete(4, start=1))
    with pytest.raises(AdapterError, match="no one-hot code"):
        code.encode(dataset.array("observations")[:, None])
    with pytest.raises(AdapterError, match="no one-hot code"):
        code.encode(np.array([[0]]))
    np.testing.assert_array_equal(code.encode(np.array([[1], [4]])), [[1, 0, 0, 0], [0, 0, 0, 1]])
    assert code.encode(np.empty((0, 1), np.int64)).shape == (0, 4)


def test_wrong_options_are_refused(random_dataset):
    dataset = random_dataset(vector(2), spaces.Discrete(2), LENGTHS, FLAGS)
    with pytest.raises(AdapterError, match="discrete_observation='binary'"):
        to_d3rlpy(dataset, discrete_observation="binary")
    with pytest.raises(AdapterError, match="truncated_tail='sometimes'"):
        to_d3rlpy(dataset, truncated_tail="sometimes")
    with pytest.raises(AdapterError, match="image_layout='HWC'"):
        to_d3rlpy(dataset, image_layout="HWC")


def test_nothing_to_sample_is_an_error(random_dataset):
    dataset = random_dataset(vector(2), spaces.Discrete(2), [1, 1], [(False, True), (False, False)])
    with pytest.raises(AdapterError, match="no transition"):
        to_d3rlpy(dataset)
    assert to_d3rlpy(dataset, truncated_tail="keep").transition_count == 2
