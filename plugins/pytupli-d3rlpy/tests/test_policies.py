"""d3rlpy's algorithms as policies: what they do in a raw environment is what they do in d3rlpy's hands."""

from __future__ import annotations

import dataclasses
import hashlib
import sys

import d3rlpy
import gymnasium
import numpy as np
import pytest
import torch
from d3rlpy.algos import GreedyTransformerActionSampler
from d3rlpy.models import EncoderFactory, PixelEncoderFactory, VectorEncoderFactory, register_encoder_factory
from d3rlpy.preprocessing import MinMaxActionScaler, StandardObservationScaler
from gymnasium import spaces

import pytupli_registry.benchmarks.policies as core
from pytupli_d3rlpy import load_policy, policies, policy_of, save_policy, to_d3rlpy
from pytupli_d3rlpy.acting import GreedyPolicy, SamplingPolicy
from pytupli_registry.benchmarks.evaluation import evaluate
from pytupli_registry.benchmarks.specification import EvaluationProtocol
from pytupli_registry.errors import AdapterError, ConsentRequired, FormatError, UnsafeFile

TINY = VectorEncoderFactory([8])
PIXELS = PixelEncoderFactory([[4, 3, 2]], feature_size=8)
LENGTHS, FLAGS = [9, 14], [(False, True), (True, False)]
GO = spaces.Discrete(3)


def vector(size, dtype=np.float32):
    return spaces.Box(-10, 10, (size,), dtype)


class PairEncoder(torch.nn.Module):
    def __init__(self, shapes):
        super().__init__()
        self.layer = torch.nn.Linear(sum(int(np.prod(shape)) for shape in shapes), 6)

    def forward(self, parts):
        return torch.relu(self.layer(torch.cat([part.flatten(1) for part in parts], dim=1)))


@dataclasses.dataclass
class PairEncoderFactory(EncoderFactory):
    """An encoder for tuples, as d3rlpy leaves it to its users."""

    def create(self, observation_shape):
        return PairEncoder(observation_shape)

    @staticmethod
    def get_type():
        return "pytupli_test_pair"


register_encoder_factory(PairEncoderFactory)

GOAL = spaces.Dict(observation=vector(3, np.float64), achieved_goal=vector(2), desired_goal=vector(2))
MIXED = spaces.Dict(zebra=vector(2), gear=spaces.Discrete(4, start=1))


def eye(size, number):
    return np.array([float(place == number) for place in range(size)], np.float32)


# space, encoder, options, and how a person would write the observation that the network gets
SPACES = {
    "vector": (vector(3), TINY, {}, lambda o: o),
    "float64": (vector(3, np.float64), TINY, {}, lambda o: o),
    "scalar": (spaces.Box(-1, 1, (), np.float32), TINY, {}, lambda o: np.reshape(o, (1,))),
    "goal": (GOAL, TINY, {}, lambda o: np.concatenate([o["observation"], o["desired_goal"]])),
    "goal as tuple": (
        GOAL,
        PairEncoderFactory(),
        {"tuple_observation": True},
        lambda o: (o["observation"], o["desired_goal"]),
    ),
    "tuple of leaves": (MIXED, PairEncoderFactory(), {}, lambda o: (np.array([o["gear"]]), o["zebra"])),
    "tuple with one-hot": (
        MIXED,
        PairEncoderFactory(),
        {"discrete_observation": "one_hot"},
        lambda o: (eye(4, o["gear"] - 1), o["zebra"]),
    ),
    "image, channels last": (
        spaces.Box(0, 255, (12, 10, 2), np.uint8),
        PIXELS,
        {},
        lambda o: o.transpose(2, 0, 1),
    ),
    "image, channels first": (spaces.Box(0, 255, (2, 12, 10), np.uint8), PIXELS, {}, lambda o: o),
    "image, as told": (
        spaces.Box(0, 255, (11, 12, 13), np.uint8),
        PIXELS,
        {"image_layout": "channels_last"},
        lambda o: o.transpose(2, 0, 1),
    ),
    "discrete": (spaces.Discrete(6, start=-2), TINY, {}, lambda o: np.array([o])),
    "discrete, one-hot": (
        spaces.Discrete(6, start=-2),
        TINY,
        {"discrete_observation": "one_hot"},
        lambda o: eye(6, o + 2),
    ),
    "multi-discrete, one-hot": (
        spaces.MultiDiscrete([3, 4], start=[1, 0]),
        TINY,
        {"discrete_observation": "one_hot"},
        lambda o: np.concatenate([eye(3, o[0] - 1), eye(4, o[1])]),
    ),
}
ACTIONS = {
    "discrete": (GO, lambda a: a),
    "discrete from 5": (spaces.Discrete(3, start=5), lambda a: a + 5),
    "vector": (spaces.Box(-1, 1, (2,), np.float32), lambda a: a),
    "float64": (spaces.Box(-1, 1, (2,), np.float64), lambda a: a),
    "matrix": (spaces.Box(-1, 1, (2, 3), np.float32), lambda a: a.reshape(2, 3)),
    "scalar": (spaces.Box(-1, 1, (), np.float32), lambda a: a.reshape(())),
}


@pytest.fixture
def train(random_dataset):
    torch.set_num_threads(1)

    def fit(observation_space, action_space, encoder=TINY, config=None, **options):
        dataset = to_d3rlpy(random_dataset(observation_space, action_space, LENGTHS, FLAGS), **options)
        if config is None:
            discrete = isinstance(action_space, spaces.Discrete)
            kind = d3rlpy.algos.DiscreteBCConfig if discrete else d3rlpy.algos.BCConfig
            config = kind(encoder_factory=encoder, batch_size=4)
        algo = config.create()
        quiet = {"logger_adapter": d3rlpy.logging.NoopAdapterFactory(), "show_progress": False}
        algo.fit(dataset, n_steps=5, n_steps_per_epoch=5, **quiet)
        return algo

    return fit


def samples(space, count=5):
    space.seed(11)
    return [space.sample() for _ in range(count)]


def predict(algo, seen):
    """Predict for one observation that is converted already."""
    batch = tuple(part[None] for part in seen) if isinstance(seen, tuple) else seen[None]
    return algo.predict(batch)[0]


@pytest.mark.parametrize("case", SPACES)
def test_raw_observations_are_seen_as_the_data_was(train, case):
    space, encoder, options, see = SPACES[case]
    algo = train(space, GO, encoder, **options)
    policy = policies.wrap(algo, space, GO)
    policy.begin([1, 2, 3, 4, 5])
    observations = samples(space)
    actions = policy.act(observations, range(5))
    assert actions == [predict(algo, see(observation)) for observation in observations]
    assert all(action in GO for action in actions)


@pytest.mark.parametrize("case", ACTIONS)
def test_actions_are_elements_of_the_raw_space(train, case):
    space, give = ACTIONS[case]
    algo = train(vector(3), space)
    policy = policies.wrap(algo, vector(3), space)
    policy.begin(range(5))
    observations = samples(vector(3))
    for action, observation in zip(policy.act(observations, range(5)), observations, strict=True):
        assert action in space
        np.testing.assert_allclose(action, give(predict(algo, observation)), rtol=0, atol=1e-6)
        if isinstance(space, spaces.Box):
            assert np.asarray(action).dtype == space.dtype


def test_one_batch_a_tick_is_predicted(train):
    """Bit by bit what d3rlpy predicts for the batch."""
    algo = train(vector(3), ACTIONS["vector"][0])
    calls = []

    def count(batch):
        calls.append(len(batch))
        return algo.predict(batch)

    policy = dataclasses.replace(policy_of(algo, vector(3), ACTIONS["vector"][0]), predict=count)
    observations = samples(vector(3), 7)
    actions = policy.act(observations, range(7))
    assert np.stack(actions).tobytes() == algo.predict(np.stack(observations)).tobytes()
    assert calls == [7]


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1"])
def test_an_episode_is_the_one_that_d3rlpy_plays(random_dataset, train, name):
    """In the environment that `load` would give, predicting one observation at a time as d3rlpy's evaluators do."""
    env = gymnasium.make(name)
    options = {"discrete_observation": "one_hot"} if name == "FrozenLake-v1" else {}
    algo = train(env.observation_space, env.action_space, **options)
    stock = gymnasium.make(name)
    if options:
        stock = gymnasium.wrappers.TransformObservation(stock, lambda o: eye(16, o), vector(16))
    theirs, mine = [], []
    observation, _ = stock.reset(seed=5)
    for _ in range(30):
        action = algo.predict(np.asarray(observation)[None])[0]
        observation, reward, terminated, truncated, _ = stock.step(action)
        theirs.append(float(reward))
        if terminated or truncated:
            break
    policy = core.as_policy(algo, env.observation_space, env.action_space)
    policy.begin([5])
    observation, _ = env.reset(seed=5)
    for _ in theirs:
        observation, reward, terminated, truncated, _ = env.step(policy.act([observation], [0])[0])
        mine.append(float(reward))
    assert mine == theirs
    assert len(theirs) > 1


def returns_by_hand(name, seeds, act):
    """Play one episode after the other; ``act`` takes (observation, reward, is it the first)."""
    env, returns = gymnasium.make(name), []
    for seed in seeds:
        observation, _ = env.reset(seed=seed)
        rewards, over = [], False
        while not over:
            action = act(observation, rewards[-1] if rewards else 0.0, not rewards)
            observation, reward, terminated, truncated, _ = env.step(action)
            rewards.append(float(reward))
            over = terminated or truncated
        returns.append(sum(rewards))
    return returns


@pytest.mark.parametrize("lanes", [1, 3])
def test_the_core_evaluates_an_algorithm_by_the_protocol(train, lanes):
    env = gymnasium.make("CartPole-v1")
    algo = train(env.observation_space, env.action_space)
    protocol = EvaluationProtocol(episodes=5, seed=3)
    found = evaluate(lambda: gymnasium.make("CartPole-v1"), algo, protocol, lanes=lanes)
    expected = returns_by_hand("CartPole-v1", range(3, 8), lambda o, _, __: algo.predict(o[None])[0])
    assert [episode.total_return for episode in found.episodes] == expected
    assert len(set(expected)) > 1
    assert found.versions["d3rlpy"] == d3rlpy.__version__


@pytest.mark.parametrize("lanes", [1, 3])
def test_the_core_tells_a_transformer_its_rewards(train, lanes):
    env = gymnasium.make("CartPole-v1")
    options = {"encoder_factory": TINY, "batch_size": 2, "context_size": 3, "num_heads": 1, "num_layers": 1}
    config = d3rlpy.algos.DiscreteDecisionTransformerConfig(**options)
    algo = train(env.observation_space, env.action_space, config=config)
    wrapper = algo.as_stateful_wrapper(30, GreedyTransformerActionSampler())
    protocol = EvaluationProtocol(episodes=4, seed=3)
    found = evaluate(lambda: gymnasium.make("CartPole-v1"), wrapper, protocol, lanes=lanes)

    def act(observation, reward, is_first):
        if is_first:
            wrapper.reset()
        return wrapper.predict(observation, reward)

    expected = returns_by_hand("CartPole-v1", range(3, 7), act)
    assert [episode.total_return for episode in found.episodes] == expected


def test_actions_out_of_bounds_are_moved_to_them(train):
    class Wild:
        def __call__(self, batch):
            return np.full((len(batch), 2), 3.7, np.float32)

    def policy(space):
        algo = train(vector(3), space)
        return dataclasses.replace(policy_of(algo, vector(3), space), predict=Wild())

    box = spaces.Box(np.float32([-1, -1]), np.float32([1, 10]))
    np.testing.assert_array_equal(policy(box).act(samples(vector(3), 1), [0])[0], np.float32([1, 3.7]))
    whole = spaces.Box(0, 20, (2,), np.int64)
    assert policy(whole).act(samples(vector(3), 1), [0])[0].tolist() == [4, 4]


def test_scalers_belong_to_the_policy(train):
    actions = spaces.Box(-3, 3, (2,), np.float32)
    config = d3rlpy.algos.TD3PlusBCConfig(
        actor_encoder_factory=TINY,
        critic_encoder_factory=TINY,
        batch_size=4,
        observation_scaler=StandardObservationScaler(),
        action_scaler=MinMaxActionScaler(),
    )
    algo = train(vector(3), actions, config=config)
    observations = samples(vector(3))
    acted = policy_of(algo, vector(3), actions).act(observations, range(5))
    np.testing.assert_array_equal(acted, np.clip(algo.predict(np.stack(observations)), -3, 3))


def test_policies_for_other_spaces_are_refused(train):
    algo = train(vector(3), GO)
    with pytest.raises(AdapterError, match=r"takes the shape \(3,\)"):
        policy_of(algo, vector(4), GO)
    with pytest.raises(AdapterError, match="3 discrete actions"):
        policy_of(algo, vector(3), spaces.Discrete(4))
    with pytest.raises(AdapterError, match="that are continuous"):
        policy_of(algo, vector(3), spaces.Box(-1, 1, (3,)))
    with pytest.raises(AdapterError, match="no algorithm for MultiBinary"):
        policy_of(algo, vector(3), spaces.MultiBinary(3))
    with pytest.raises(AdapterError, match="no network yet"):
        policy_of(d3rlpy.algos.DQNConfig().create(), vector(3), GO)


def test_one_hot_is_found_and_may_be_said(train):
    lake = spaces.Discrete(16)
    coded, plain = train(lake, GO, discrete_observation="one_hot"), train(lake, GO)
    assert (coded.observation_shape, plain.observation_shape) == ((16,), (1,))
    assert policy_of(coded, lake, GO).observations.shape == (16,)
    assert policy_of(plain, lake, GO).observations.shape == (1,)
    assert policy_of(coded, lake, GO, discrete_observation="one_hot").observations.shape == (16,)
    with pytest.raises(AdapterError, match="number"):
        policy_of(coded, lake, GO, discrete_observation="number")
    with pytest.raises(AdapterError, match="no option"):
        policy_of(coded, lake, GO, discrete_observation="two_hot")
    with pytest.raises(AdapterError, match="There is no option colour"):
        policy_of(coded, lake, GO, colour="red")


def test_where_several_ways_fit_one_has_to_be_said(train):
    cube = spaces.Box(0, 255, (12, 12, 12), np.uint8)
    algo = train(cube, GO, PIXELS, image_layout="channels_last")
    with pytest.raises(AdapterError, match="There are 2 ways") as caught:
        policy_of(algo, cube, GO)
    assert "image_layout" in caught.value.hint
    observations = samples(cube)
    acted = policy_of(algo, cube, GO, image_layout="channels_last").act(observations, range(5))
    assert acted == [predict(algo, observation.transpose(2, 0, 1)) for observation in observations]


def test_a_policy_that_cannot_predict_is_refused(train):
    config = d3rlpy.algos.DiscreteBCConfig(
        encoder_factory=TINY, observation_scaler=StandardObservationScaler(np.zeros(7), np.ones(7))
    )
    algo = config.create()
    algo.create_impl((3,), 3)
    with pytest.raises(AdapterError, match="cannot predict"):
        policy_of(algo, vector(3), GO)


def test_algorithms_that_sample_have_a_stream_a_lane(train):
    actions = spaces.Box(-1, 1, (2,), np.float32)
    config = d3rlpy.algos.BCQConfig(
        actor_encoder_factory=TINY, critic_encoder_factory=TINY, imitator_encoder_factory=TINY, batch_size=4
    )
    algo = train(vector(3), actions, config=config)
    policy = policy_of(algo, vector(3), actions)
    assert isinstance(policy, SamplingPolicy)
    observations = samples(vector(3), 4)

    def play(seeds, lanes):
        policy.begin(seeds)
        return {lane: [policy.act([o], [lane])[0].tolist() for o in observations] for lane in lanes}

    def play_together(seeds):
        policy.begin(seeds)
        ticks = [policy.act([o] * len(seeds), range(len(seeds))) for o in observations]
        return {lane: [tick[lane].tolist() for tick in ticks] for lane in range(len(seeds))}

    before = torch.get_rng_state()
    together = play_together([7, 8, 7])
    assert torch.equal(before, torch.get_rng_state())
    assert together == play([7, 8, 7], [2, 0, 1])
    assert together[0] == together[2] != together[1]
    torch.manual_seed(7)
    assert together[0] == [predict(algo, observation).tolist() for observation in observations]


def test_algorithms_that_do_not_sample_are_predicted_together(train):
    config = d3rlpy.algos.SACConfig(actor_encoder_factory=TINY, critic_encoder_factory=TINY, batch_size=4)
    actions = spaces.Box(-1, 1, (2,), np.float32)
    assert isinstance(policy_of(train(vector(3), actions, config=config), vector(3), actions), GreedyPolicy)


@pytest.mark.parametrize("discrete", [True, False])
def test_a_transformer_remembers_by_lane(train, discrete):
    actions = spaces.Discrete(3, start=2) if discrete else spaces.Box(-1, 1, (2, 1), np.float32)
    options = {"encoder_factory": TINY, "batch_size": 2, "context_size": 3, "num_heads": 1, "num_layers": 1}
    kind = (
        d3rlpy.algos.DiscreteDecisionTransformerConfig if discrete else d3rlpy.algos.DecisionTransformerConfig
    )
    algo = train(vector(3), actions, config=kind(**options))
    with pytest.raises(AdapterError, match="which") as caught:
        policy_of(algo, vector(3), actions)
    assert "as_stateful_wrapper" in caught.value.hint
    policy = policy_of(algo.as_stateful_wrapper(target_return=20), vector(3), actions)
    assert isinstance(policy, core.RewardedPolicy)
    observations = [samples(vector(3), 6), samples(vector(3), 12)[6:]]
    greedy = {"action_sampler": GreedyTransformerActionSampler()} if discrete else {}
    wrappers = [algo.as_stateful_wrapper(target_return=20, **greedy) for _ in range(2)]
    for _ in range(2):  # the second time, what was remembered is over
        policy.begin([1, 2])
        earned = [0.0, 0.0]
        for wrapper in wrappers:
            wrapper.reset()
        for tick in range(6):
            lanes = [0, 1] if tick < 3 else [1]
            acted = policy.act([observations[lane][tick] for lane in lanes], lanes)
            for lane, action in zip(lanes, acted, strict=True):
                expected = wrappers[lane].predict(observations[lane][tick], earned[lane])
                np.testing.assert_array_equal(action, expected + 2 if discrete else expected.reshape(2, 1))
                earned[lane] = tick + 10.0 * lane
            policy.reward([earned[lane] for lane in lanes], lanes)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("case", SPACES)
def test_a_saved_policy_acts_alike(train, tmp_path, case):
    space, encoder, options, _ = SPACES[case]
    algo = train(space, GO, encoder, **options)
    observations = samples(space, 20)
    expected = policy_of(algo, space, GO).act(observations, range(20))
    path = tmp_path / "policy.d3"
    assert core.save_policy(algo, path) == "d3"
    loaded = core.load_policy(path, sha256(path), "d3", space, GO)
    assert loaded.act(observations, range(20)) == expected


@pytest.mark.parametrize("case", SPACES)
def test_an_exported_policy_acts_alike(train, tmp_path, case):
    space, encoder, options, _ = SPACES[case]
    algo = train(space, GO, encoder, **options)
    path = tmp_path / "policy.pt"
    assert core.save_policy(algo, path) == "torchscript"
    said = {name: value for name, value in options.items() if name == "image_layout"}
    loaded = load_policy(path, space, GO, trusted=True, **said)
    observations = samples(space, 20)
    assert loaded.act(observations, range(20)) == policy_of(algo, space, GO).act(observations, range(20))


@pytest.mark.parametrize("case", ACTIONS)
def test_exported_actions_are_elements_of_the_space(train, tmp_path, case):
    space = ACTIONS[case][0]
    algo = train(vector(3), space)
    save_policy(algo, tmp_path / "policy.pt")
    loaded = load_policy(tmp_path / "policy.pt", vector(3), space, trusted=True)
    observations = samples(vector(3))
    acted, expected = (
        loaded.act(observations, range(5)),
        policy_of(algo, vector(3), space).act(observations, range(5)),
    )
    assert all(action in space for action in acted)
    np.testing.assert_allclose(acted, expected, rtol=0, atol=1e-6)


def test_code_needs_consent_and_d3_does_not(train, tmp_path):
    algo = train(vector(3), GO)
    path = tmp_path / "policy.pt"
    save_policy(algo, path)
    with pytest.raises(ConsentRequired) as caught:
        core.load_policy(path, sha256(path), "torchscript", vector(3), GO)
    assert caught.value.hashes == (sha256(path),)
    core.load_policy(path, sha256(path), "torchscript", vector(3), GO, consents={sha256(path)})
    with pytest.raises(ConsentRequired, match="runs what is in it"):
        load_policy(path, vector(3), GO)
    assert [policies.needs_consent(name) for name in policies.formats] == [False, True, True]


def test_files_of_another_kind_are_refused(train, tmp_path):
    (tmp_path / "policy.pt").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="no TorchScript archive"):
        load_policy(tmp_path / "policy.pt", vector(3), GO, trusted=True)
    (tmp_path / "policy.d3").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(UnsafeFile, match="asks for"):
        load_policy(tmp_path / "policy.d3", vector(3), GO, trusted=True)
    for name in ("policy.zip", "policy"):
        with pytest.raises(AdapterError, match="no format"):
            load_policy(tmp_path / name, vector(3), GO)
        with pytest.raises(AdapterError, match="which format"):
            save_policy(train(vector(3), GO), tmp_path / name)


def test_exported_policies_for_other_spaces_are_refused(train, tmp_path):
    path = tmp_path / "policy.pt"
    save_policy(train(vector(3), GO), path)
    for observation_space, action_space in ((vector(4), GO), (vector(3), spaces.Box(-1, 1, (3,)))):
        with pytest.raises(AdapterError, match="takes what it was exported with"):
            load_policy(path, observation_space, action_space, trusted=True)


def test_what_cannot_be_exported_says_so(train, tmp_path, monkeypatch):
    untrained = d3rlpy.algos.DecisionTransformerConfig().create()
    with pytest.raises(AdapterError, match="acts by its history"):
        save_policy(untrained, tmp_path / "policy.pt")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(AdapterError, match="need onnx") as caught:
        save_policy(train(vector(3), GO), tmp_path / "policy.onnx")
    assert caught.value.hint == "pip install 'pytupli-d3rlpy[onnx]'"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(AdapterError, match="need onnxruntime"):
        load_policy(tmp_path / "policy.onnx", vector(3), GO, trusted=True)
    assert list(tmp_path.iterdir()) == []


def test_the_plugin_is_registered():
    assert core.policy_format("d3") is policies
    assert policies.accepts(d3rlpy.algos.DQNConfig().create())
    assert not policies.accepts(lambda observation: 0)
    assert not policies.accepts(d3rlpy.algos.DQN)
