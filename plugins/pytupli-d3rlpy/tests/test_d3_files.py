"""``.d3`` files: ours equal d3rlpy's, bit by bit."""

from __future__ import annotations

import io
import pickle

import d3rlpy
import numpy as np
import pytest
import torch
from d3rlpy.algos import StatefulTransformerWrapper
from d3rlpy.models import PixelEncoderFactory, QRQFunctionFactory, VectorEncoderFactory
from d3rlpy.optimizers import AdamFactory, CosineAnnealingLRFactory
from d3rlpy.preprocessing import (
    MinMaxActionScaler,
    PixelObservationScaler,
    StandardObservationScaler,
    StandardRewardScaler,
)
from gymnasium import spaces

from pytupli_d3rlpy import read_d3, save_policy, to_d3rlpy
from pytupli_d3rlpy.d3_files import write_d3
from pytupli_d3rlpy.weights import read_weights
from pytupli_registry.errors import (
    AdapterError,
    ArtifactError,
)

VECTOR = spaces.Box(-10, 10, (3,), np.float32)
IMAGE = spaces.Box(0, 255, (12, 12, 2), np.uint8)
GO, PUSH = spaces.Discrete(3), spaces.Box(-2, 2, (2,), np.float32)
TINY = VectorEncoderFactory([8])
ACTOR_CRITIC = {"actor_encoder_factory": TINY, "critic_encoder_factory": TINY, "batch_size": 4}
SCALED = StandardObservationScaler(), MinMaxActionScaler(), StandardRewardScaler()
CASES = {
    "BC": (d3rlpy.algos.BCConfig(encoder_factory=TINY, batch_size=4), VECTOR, PUSH),
    "DiscreteBC": (d3rlpy.algos.DiscreteBCConfig(encoder_factory=TINY, batch_size=4), VECTOR, GO),
    "IQL": (d3rlpy.algos.IQLConfig(**ACTOR_CRITIC, value_encoder_factory=TINY), VECTOR, PUSH),
    "TD3+BC, scaled": (
        d3rlpy.algos.TD3PlusBCConfig(
            **ACTOR_CRITIC, observation_scaler=SCALED[0], action_scaler=SCALED[1], reward_scaler=SCALED[2]
        ),
        VECTOR,
        PUSH,
    ),
    "DiscreteCQL, quantiles": (
        d3rlpy.algos.DiscreteCQLConfig(
            encoder_factory=TINY, batch_size=4, q_func_factory=QRQFunctionFactory(n_quantiles=5)
        ),
        VECTOR,
        GO,
    ),
    "DQN of images": (
        d3rlpy.algos.DQNConfig(
            encoder_factory=PixelEncoderFactory([[4, 3, 2]], feature_size=8, use_batch_norm=True),
            observation_scaler=PixelObservationScaler(),
            batch_size=4,
        ),
        IMAGE,
        GO,
    ),
    "SAC, scheduled": (
        d3rlpy.algos.SACConfig(
            **ACTOR_CRITIC,
            actor_optim_factory=AdamFactory(lr_scheduler_factory=CosineAnnealingLRFactory(T_max=100)),
        ),
        VECTOR,
        PUSH,
    ),
    "DiscreteBCQ, shared encoder": (
        d3rlpy.algos.DiscreteBCQConfig(encoder_factory=TINY, batch_size=4),
        VECTOR,
        GO,
    ),
    "DecisionTransformer": (
        d3rlpy.algos.DecisionTransformerConfig(
            encoder_factory=TINY, batch_size=2, context_size=4, num_heads=1, num_layers=1
        ),
        VECTOR,
        PUSH,
    ),
}


@pytest.fixture
def trained(random_dataset):
    torch.set_num_threads(1)

    def train(case):
        config, observations, actions = CASES[case]
        dataset = to_d3rlpy(random_dataset(observations, actions, [9, 14], [(False, True), (True, False)]))
        algo = config.create()
        options = {"n_steps": 3, "n_steps_per_epoch": 3, "show_progress": False}
        algo.fit(dataset, logger_adapter=d3rlpy.logging.NoopAdapterFactory(), **options)
        return algo

    return train


def observations_of(case, count=5):
    rng = np.random.default_rng(4)
    if CASES[case][1] is IMAGE:
        return rng.integers(0, 255, (count, 2, 12, 12), dtype=np.uint8)
    return rng.normal(size=(count, 3)).astype(np.float32)


def assert_same_states(mine, theirs):
    if isinstance(theirs, torch.Tensor):
        assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
        assert mine.numpy().tobytes() == theirs.numpy().tobytes()
    elif isinstance(theirs, dict):
        assert list(mine) == list(theirs)
        for name in theirs:
            assert_same_states(mine[name], theirs[name])
    elif isinstance(theirs, (list, tuple)):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs, strict=True):
            assert_same_states(one, other)
    else:
        assert type(mine) is type(theirs)
        assert mine == theirs


def states(algo):
    checkpoint = io.BytesIO()
    algo.impl.save_model(checkpoint)
    checkpoint.seek(0)
    return torch.load(checkpoint, weights_only=True)


@pytest.mark.parametrize("case", CASES)
def test_what_d3rlpy_saved_is_read_as_d3rlpy_reads_it(trained, tmp_path, case):
    trained(case).save(str(tmp_path / "policy.d3"))
    mine, theirs = read_d3(tmp_path / "policy.d3"), d3rlpy.load_learnable(str(tmp_path / "policy.d3"))
    assert type(mine) is type(theirs)
    assert mine.config.serialize() == theirs.config.serialize()
    assert (mine.observation_shape, mine.action_size) == (theirs.observation_shape, theirs.action_size)
    saved = states(theirs)
    assert_same_states(states(mine), saved)
    stored = pickle.loads((tmp_path / "policy.d3").read_bytes())["torch"]
    assert_same_states(read_weights(stored), torch.load(io.BytesIO(stored), weights_only=True))
    if case != "DecisionTransformer":
        seen = observations_of(case)
        assert mine.predict(seen).tobytes() == theirs.predict(seen).tobytes()


def test_a_policy_goes_on_learning_where_it_was(trained, tmp_path, random_dataset):
    trained("BC").save(str(tmp_path / "policy.d3"))
    dataset = to_d3rlpy(random_dataset(VECTOR, PUSH, [9, 14], [(False, True), (True, False)]))
    learnt = []
    for read in (read_d3, lambda path: d3rlpy.load_learnable(str(path))):
        algo = read(tmp_path / "policy.d3")
        d3rlpy.seed(3)
        for _ in range(3):
            algo.update(dataset.sample_transition_batch(4))
        learnt.append(states(algo))
    assert_same_states(*learnt)


def test_a_transformer_keeps_what_it_aims_at(trained, tmp_path):
    path = tmp_path / "policy.d3"
    wrapper = trained("DecisionTransformer").as_stateful_wrapper(target_return=12.5)
    save_policy(wrapper, path)
    mine = read_d3(path)
    assert isinstance(mine, StatefulTransformerWrapper)
    theirs = d3rlpy.load_learnable(str(path)).as_stateful_wrapper(target_return=12.5)
    for number, seen in enumerate(observations_of("DecisionTransformer", 7)):
        np.testing.assert_array_equal(mine.predict(seen, number), theirs.predict(seen, number))


def test_an_untrained_algorithm_is_not_written(tmp_path):
    with pytest.raises(AdapterError, match="no network yet"):
        write_d3(d3rlpy.algos.BCConfig().create(), tmp_path / "policy.d3")
    algo = d3rlpy.algos.BCConfig(encoder_factory=TINY).create()
    algo.create_impl((3,), 2)
    with pytest.raises(ArtifactError, match="cannot be written"):
        write_d3(algo, tmp_path / "nowhere" / "policy.d3")
    assert list(tmp_path.iterdir()) == []
