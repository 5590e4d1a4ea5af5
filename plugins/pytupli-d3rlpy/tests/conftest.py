"""Datasets in memory, and the stock d3rlpy buffers that hold the same transitions."""

from __future__ import annotations

from dataclasses import fields

import d3rlpy
import numpy as np
import pytest
from d3rlpy.constants import ActionSpace
from d3rlpy.dataset import Episode as StockEpisode
from d3rlpy.dataset import InfiniteBuffer, ReplayBuffer, Signature
from gymnasium import spaces

from pytupli_registry.dataset.columns import ArrayColumns
from pytupli_registry.dataset.dataset import Dataset
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.dataset.spaces import from_gymnasium
from pytupli_registry.dataset.table import EpisodeTable


def _dataset(observation_space, action_space, episodes):
    metadata = DatasetMetadata(
        dataset_id="test/numbers-v0",
        total_episodes=len(episodes),
        total_steps=sum(map(len, episodes)),
        observation_space=from_gymnasium(observation_space),
        action_space=from_gymnasium(action_space),
    )
    return Dataset.over(metadata, EpisodeTable.from_episodes(episodes), ArrayColumns(episodes), "memory")


def _sample(space, count, rng):
    if isinstance(space, spaces.Dict):
        return {key: _sample(part, count, rng) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_sample(part, count, rng) for part in space.spaces)
    if isinstance(space, spaces.Discrete):
        return rng.integers(space.start, space.start + space.n, size=count)
    if isinstance(space, spaces.MultiDiscrete):
        return rng.integers(space.start, space.start + space.nvec, size=(count, *space.shape))
    if isinstance(space, spaces.MultiBinary):
        return rng.integers(0, 2, size=(count, *space.shape)).astype(np.int8)
    if space.dtype.kind in "iu":
        high = 255 if space.dtype == np.uint8 else 2**60
        return rng.integers(0, high, size=(count, *space.shape)).astype(space.dtype)
    # Magnitudes far apart, so that another order of summation shows.
    spread = 10.0 ** rng.uniform(-3, 3, size=(count, *space.shape))
    return (rng.standard_normal((count, *space.shape)) * spread).astype(space.dtype)


def _random_dataset(observation_space, action_space, lengths, flags, reward_dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    episodes = []
    for length, (terminated, truncated) in zip(lengths, flags, strict=True):
        terminations, truncations = np.zeros((2, length), dtype=bool)
        terminations[-1], truncations[-1] = terminated, truncated
        rewards = rng.standard_normal(length) * 10.0 ** rng.uniform(-3, 3, size=length)
        if np.dtype(reward_dtype).kind == "i":
            rewards = np.round(rewards)
        episodes.append(
            Episode(
                observations=_sample(observation_space, length + 1, rng),
                actions=_sample(action_space, length, rng),
                rewards=rewards.astype(reward_dtype),
                terminations=terminations,
                truncations=truncations,
            )
        )
    return _dataset(observation_space, action_space, episodes)


def _stock_episode(episode, observe, act, keep_tail):
    observations = observe(episode.observations)
    actions = act(episode.actions)
    rewards = episode.rewards.reshape(-1, 1)
    if keep_tail and not episode.terminated:
        actions = np.concatenate([actions, np.zeros_like(actions[:1])])
        rewards = np.concatenate([rewards, np.zeros_like(rewards[:1])])
    elif isinstance(observations, list):
        observations = [part[:-1] for part in observations]
    else:
        observations = observations[:-1]
    return StockEpisode(observations, actions, rewards, episode.terminated)


def _as_column(actions):
    return actions.reshape(len(actions), -1)


def _as_rows(observations):
    return observations.reshape(len(observations), -1) if observations.ndim == 1 else observations


def _stock_buffer(dataset, *, picker=None, slicer=None, keep_tail=False, observe=_as_rows, act=_as_column):
    """Build what d3rlpy itself would hold: its own episodes and one Python tuple a kept transition."""
    episodes = [_stock_episode(episode, observe, act, keep_tail) for episode in dataset.episodes()]
    mask = dataset.step_mask
    kept = np.ones(dataset.step_count, dtype=bool) if mask is None else mask
    space, first = dataset.action_space, episodes[0]
    discrete = isinstance(space, spaces.Discrete)
    buffer = ReplayBuffer(
        InfiniteBuffer(),
        transition_picker=picker,
        trajectory_slicer=slicer,
        observation_signature=first.observation_signature,
        action_signature=first.action_signature,
        reward_signature=first.reward_signature,
        action_space=ActionSpace.DISCRETE if discrete else ActionSpace.CONTINUOUS,
        action_size=int(space.n) if discrete else int(np.prod(space.shape)),
    )
    start = 0
    for episode, original in zip(episodes, dataset.episodes(), strict=True):
        for index in range(episode.transition_count):
            if kept[start + index]:
                buffer.buffer.append(episode, index)
        start += len(original)
    return buffer


def _assert_same(ours, stock):
    """Compare two of d3rlpy's dataclasses bit by bit."""
    for part in fields(stock):
        if part.name == "transitions":
            continue
        _assert_same_values(part.name, getattr(ours, part.name), getattr(stock, part.name))


def _assert_same_values(name, ours, stock):
    if isinstance(stock, (list, tuple)) and len(stock) and isinstance(stock[0], np.ndarray):
        assert isinstance(ours, (list, tuple)), name
        assert len(ours) == len(stock), name
        for mine, theirs in zip(ours, stock, strict=True):
            _assert_same_values(name, mine, theirs)
    elif isinstance(stock, np.ndarray):
        assert (ours.dtype, ours.shape) == (stock.dtype, stock.shape), name
        assert ours.tobytes() == stock.tobytes(), f"{name}:\n{ours}\n{stock}"
    elif isinstance(stock, Signature):
        assert ours == stock, name
    else:
        assert type(ours) is type(stock), name
        assert ours == stock, name


# Fixtures that are functions, so that property tests may use them.


@pytest.fixture(scope="session")
def random_dataset():
    return _random_dataset


@pytest.fixture(scope="session")
def stock_buffer():
    return _stock_buffer


@pytest.fixture(scope="session")
def assert_same():
    return _assert_same


@pytest.fixture(autouse=True)
def _no_logs(tmp_path, monkeypatch):
    """d3rlpy writes logs into the working directory."""
    monkeypatch.chdir(tmp_path)
    d3rlpy.seed(1)
