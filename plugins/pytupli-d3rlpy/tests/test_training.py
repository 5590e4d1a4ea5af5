"""d3rlpy's own code runs on the dataset and comes to the same results as on its own buffer."""

from __future__ import annotations

import io

import d3rlpy
import gymnasium
import numpy as np
import pytest
from d3rlpy.dataset import (
    Episode,
    FrameStackTrajectorySlicer,
    FrameStackTransitionPicker,
    InfiniteBuffer,
    MDPDataset,
    MixedReplayBuffer,
    ReplayBuffer,
    create_fifo_replay_buffer,
)
from d3rlpy.logging import NoopAdapterFactory
from d3rlpy.models import VectorEncoderFactory
from d3rlpy.preprocessing import (
    MinMaxActionScaler,
    MinMaxObservationScaler,
    MinMaxRewardScaler,
    ReturnBasedRewardScaler,
    StandardObservationScaler,
    StandardRewardScaler,
)
from gymnasium import spaces

from pytupli_d3rlpy import MappedDataset, to_d3rlpy

LENGTHS = [30, 7, 1, 45, 20]
FLAGS = [(True, False), (False, True), (False, True), (True, True), (False, False)]
VECTOR = spaces.Box(-1, 1, (4,), np.float32)
CONTINUOUS = spaces.Box(-1, 1, (2,), np.float32)
SMALL = VectorEncoderFactory([8])


@pytest.fixture
def continuous(random_dataset):
    return random_dataset(VECTOR, CONTINUOUS, LENGTHS, FLAGS, np.float32)


@pytest.fixture
def discrete(random_dataset):
    return random_dataset(VECTOR, spaces.Discrete(3), LENGTHS, FLAGS, np.float32)


def losses(algorithm, dataset):
    d3rlpy.seed(11)
    learner = algorithm.create()
    metrics = learner.fit(
        dataset,
        n_steps=4,
        n_steps_per_epoch=2,
        show_progress=False,
        logger_adapter=NoopAdapterFactory(),
    )
    if metrics is None:  # transformers return nothing
        return learner.config
    return [{name: value for name, value in found.items() if "time" not in name} for _, found in metrics]


ACTOR = {"actor_encoder_factory": SMALL, "critic_encoder_factory": SMALL, "batch_size": 8}


@pytest.mark.parametrize(
    "algorithm",
    [
        d3rlpy.algos.BCConfig(encoder_factory=SMALL, batch_size=8),
        d3rlpy.algos.TD3PlusBCConfig(**ACTOR),
        d3rlpy.algos.IQLConfig(**ACTOR, value_encoder_factory=SMALL),
        d3rlpy.algos.CalQLConfig(**ACTOR),
        d3rlpy.algos.ReBRACConfig(**ACTOR),
        d3rlpy.algos.TD3PlusBCConfig(
            **ACTOR,
            observation_scaler=StandardObservationScaler(),
            action_scaler=MinMaxActionScaler(),
            reward_scaler=StandardRewardScaler(),
        ),
    ],
    ids=["BC", "TD3+BC", "IQL", "CalQL", "ReBRAC", "scalers"],
)
def test_losses_are_those_of_the_stock_buffer(continuous, stock_buffer, algorithm):
    import copy

    mine = losses(copy.deepcopy(algorithm), to_d3rlpy(continuous))
    assert mine == losses(algorithm, stock_buffer(continuous))
    assert len(mine) == 2
    assert all(np.isfinite(list(found.values())).all() for found in mine)


def test_losses_of_discrete_cql(discrete, stock_buffer):
    algorithm = d3rlpy.algos.DiscreteCQLConfig(encoder_factory=SMALL, batch_size=8)
    assert losses(algorithm, to_d3rlpy(discrete)) == losses(algorithm, stock_buffer(discrete))


@pytest.mark.parametrize("kind", ["continuous", "discrete"])
def test_decision_transformers(request, stock_buffer, kind):
    dataset = request.getfixturevalue(kind)
    config = (
        d3rlpy.algos.DecisionTransformerConfig
        if kind == "continuous"
        else d3rlpy.algos.DiscreteDecisionTransformerConfig
    )
    found = []
    for data in (to_d3rlpy(dataset), stock_buffer(dataset)):
        d3rlpy.seed(3)
        learner = config(
            encoder_factory=SMALL, context_size=6, batch_size=8, num_heads=1, num_layers=1, max_timestep=100
        ).create()
        learner.fit(
            data, n_steps=2, n_steps_per_epoch=2, show_progress=False, logger_adapter=NoopAdapterFactory()
        )
        batch = data.sample_trajectory_batch(8, 6)
        found.append(learner.update(batch))
    assert found[0] == found[1]
    assert np.isfinite(list(found[0].values())).all()


ANY_WAY = [StandardObservationScaler, MinMaxObservationScaler, MinMaxActionScaler, ReturnBasedRewardScaler]
# Fitted to trajectories, d3rlpy's own need episodes of one length.
BY_TRANSITIONS = [MinMaxRewardScaler, StandardRewardScaler]


@pytest.mark.parametrize(
    ("scaler", "way"),
    [
        *((scaler, way) for scaler in ANY_WAY for way in ("picker", "slicer")),
        *((scaler, "picker") for scaler in BY_TRANSITIONS),
    ],
)
def test_scalers_fit(continuous, stock_buffer, scaler, way):
    fitted = []
    for data in (to_d3rlpy(continuous), stock_buffer(continuous)):
        found = scaler()
        if way == "picker":
            found.fit_with_transition_picker(data.episodes, data.transition_picker)
        else:
            found.fit_with_trajectory_slicer(data.episodes, data.trajectory_slicer)
        assert found.built
        fitted.append({name: value for name, value in vars(found).items() if not name.startswith("_")})
    assert fitted[0].keys() == fitted[1].keys()
    for name, value in fitted[1].items():
        np.testing.assert_array_equal(fitted[0][name], value)


def test_evaluators(continuous, discrete, stock_buffer):
    metrics = d3rlpy.metrics
    evaluators = [
        metrics.TDErrorEvaluator(),
        metrics.InitialStateValueEstimationEvaluator(),
        metrics.AverageValueEstimationEvaluator(),
        metrics.DiscountedSumOfAdvantageEvaluator(),
        metrics.SoftOPCEvaluator(return_threshold=0),
    ]
    for dataset, config, own in (
        (continuous, d3rlpy.algos.TD3PlusBCConfig(**ACTOR), metrics.ContinuousActionDiffEvaluator()),
        (
            discrete,
            d3rlpy.algos.DiscreteCQLConfig(encoder_factory=SMALL),
            metrics.DiscreteActionMatchEvaluator(),
        ),
    ):
        ours, stock = to_d3rlpy(dataset), stock_buffer(dataset)
        learner = config.create()
        learner.build_with_dataset(ours)
        for evaluator in [*evaluators, own]:
            assert evaluator(learner, ours) == evaluator(learner, stock)


def test_evaluators_take_episodes_with_a_kept_tail(random_dataset):
    # d3rlpy cuts len(episode) into windows of 1024 and fails on an empty one.
    dataset = random_dataset(VECTOR, spaces.Discrete(2), [1024, 3], [(False, True), (True, False)])
    ours = to_d3rlpy(dataset, truncated_tail="keep")
    learner = d3rlpy.algos.DiscreteCQLConfig(encoder_factory=SMALL).create()
    learner.build_with_dataset(ours)
    assert np.isfinite(d3rlpy.metrics.TDErrorEvaluator()(learner, ours))


@pytest.mark.parametrize("tail", ["drop", "keep"])
def test_a_dump_loads_into_a_stock_buffer(continuous, assert_same, tail):
    ours = to_d3rlpy(continuous, truncated_tail=tail)
    file = io.BytesIO()
    ours.dump(file)
    loaded = ReplayBuffer.load(file, InfiniteBuffer())
    assert loaded.transition_count == ours.transition_count
    np.random.seed(2)
    mine = ours.sample_transition_batch(32)
    np.random.seed(2)
    assert_same(mine, loaded.sample_transition_batch(32))


def test_it_is_an_mdp_dataset(continuous):
    ours = to_d3rlpy(continuous)
    assert isinstance(ours, MDPDataset)
    assert isinstance(ours, MappedDataset)
    assert all(isinstance(episode, Episode) for episode in ours.episodes)
    assert ours.episodes[-1] is ours.episodes[len(ours.episodes) - 1]
    assert [len(episode) for episode in ours.episodes[1:3]] == [7, 45]
    with pytest.raises(IndexError):
        ours.episodes[4]
    with pytest.raises(IndexError):
        ours.buffer[ours.transition_count]


def test_arrays_of_episodes_are_views(continuous):
    ours = to_d3rlpy(continuous)
    episode = ours.episodes[0]
    assert np.shares_memory(episode.observations, continuous.array("observations"))
    assert np.shares_memory(episode.actions, continuous.array("actions"))
    assert np.shares_memory(episode.rewards, continuous.array("rewards"))
    assert not episode.observations.flags.writeable


def test_transitions_can_be_copied_into_another_buffer(continuous):
    ours, other = to_d3rlpy(continuous), InfiniteBuffer()
    for number in range(ours.transition_count):
        other.append(*ours.buffer[number])
    assert len(other.episodes) == ours.size()


def test_it_mixes_with_a_buffer_of_online_experience(discrete):
    ours = to_d3rlpy(discrete)
    online = create_fifo_replay_buffer(100, env=gymnasium.make("CartPole-v1"))
    for _ in range(20):
        online.append(np.zeros(4, dtype=np.float32), 1, 1.0)
    online.clip_episode(True)
    mixed = MixedReplayBuffer(online, ours, 0.25)
    batch = mixed.sample_transition_batch(32)
    assert np.count_nonzero(np.any(batch.observations != 0, axis=1)) == 8
    assert len(mixed.sample_trajectory_batch(8, 4)) == 8


@pytest.mark.parametrize("tail", ["drop", "keep"])
def test_appended_experience_is_sampled(discrete, stock_buffer, assert_same, tail):
    ours, stock = to_d3rlpy(discrete, truncated_tail=tail), stock_buffer(discrete, keep_tail=tail == "keep")
    rng = np.random.default_rng(0)
    whole = Episode(
        rng.random((9, 4)).astype(np.float32),
        rng.integers(0, 3, (9, 1)),
        rng.random((9, 1)).astype(np.float32),
        True,
    )
    steps = [(rng.random(4).astype(np.float32), int(rng.integers(3)), float(rng.random())) for _ in range(60)]
    before = ours.transition_count
    for buffer in (ours, stock):
        buffer.append_episode(whole)
        for number, step in enumerate(steps):
            buffer.append(*step)
            if number == 40:
                buffer.clip_episode(terminated=True)
        buffer.clip_episode(terminated=False)
    assert ours.transition_count == stock.transition_count == before + 9 + 41 + 18
    assert ours.size() == stock.size()
    for seed in range(5):
        np.random.seed(seed)
        mine = ours.sample_transition_batch(64), ours.sample_trajectory_batch(16, 5)
        np.random.seed(seed)
        theirs = stock.sample_transition_batch(64), stock.sample_trajectory_batch(16, 5)
        assert_same(mine[0], theirs[0])
        assert_same(mine[1], theirs[1])
        for one, other in zip(mine[0].transitions, theirs[0].transitions, strict=True):
            assert_same(one, other)
    for mine, theirs in zip(ours.episodes, stock.episodes, strict=True):
        assert_same(mine.observation_signature, theirs.observation_signature)
        np.testing.assert_array_equal(mine.observations, theirs.observations)


def test_the_writer_leaves_the_generator_alone(discrete):
    ours = to_d3rlpy(discrete)
    np.random.seed(0)
    expected = np.random.random()
    np.random.seed(0)
    ours.append(np.zeros(4, dtype=np.float32), 0, 0.0)
    assert np.random.random() == expected


def test_training_online_after_offline(discrete, random_dataset):
    ours = to_d3rlpy(
        random_dataset(
            gymnasium.make("CartPole-v1").observation_space, spaces.Discrete(2), [20, 30], [(True, False)] * 2
        )
    )
    learner = d3rlpy.algos.DQNConfig(encoder_factory=SMALL, batch_size=8).create()
    learner.build_with_dataset(ours)
    before = ours.transition_count
    learner.fit_online(
        gymnasium.make("CartPole-v1"),
        buffer=ours,
        n_steps=40,
        n_steps_per_epoch=40,
        show_progress=False,
        logger_adapter=NoopAdapterFactory(),
    )
    assert ours.transition_count > before + 20


def test_frames_of_images(random_dataset, stock_buffer, assert_same):
    dataset = random_dataset(
        spaces.Box(0, 255, (1, 8, 8), np.uint8), spaces.Discrete(4), [9, 5], [(True, False), (False, True)]
    )
    options = {"picker": FrameStackTransitionPicker(4), "slicer": FrameStackTrajectorySlicer(4)}
    ours = to_d3rlpy(dataset, transition_picker=options["picker"], trajectory_slicer=options["slicer"])
    stock = stock_buffer(dataset, **options)
    np.random.seed(0)
    mine = ours.sample_transition_batch(16), ours.sample_trajectory_batch(16, 3)
    np.random.seed(0)
    assert_same(mine[0], stock.sample_transition_batch(16))
    assert_same(mine[1], stock.sample_trajectory_batch(16, 3))
    assert mine[0].observations.shape == (16, 4, 8, 8)
