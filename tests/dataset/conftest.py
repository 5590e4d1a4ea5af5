"""Episodes and datasets in memory, of different lengths and flags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytupli_registry.dataset.columns import ArrayColumns
from pytupli_registry.dataset.dataset import Dataset
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.dataset.table import EpisodeTable


def _episode(episode_id: int, length: int, *, terminated: bool = True, **changes) -> Episode:
    """An episode whose every number says where it comes from: 1000 · episode + 10 · row + component."""
    rows = 1000 * episode_id + 10 * np.arange(length + 1)
    flags = np.zeros(length, dtype=bool)
    last = np.arange(length) == length - 1
    return replace(
        Episode(
            observations=(rows[:, None] + np.arange(3)).astype(np.float32),
            actions=rows[:length] + 5,
            rewards=rows[:length] / 10 + 0.5,
            terminations=last if terminated else flags,
            truncations=flags if terminated else last,
            infos={"energy": rows * 2.0},
            episode_id=episode_id,
            seed=40 + episode_id,
            metadata={"month": ["June", "July"][episode_id % 2]},
        ),
        **changes,
    )


BOX = {"type": "Box", "dtype": "float32", "shape": [3], "low": [0.0] * 3, "high": [1e6] * 3}
DISCRETE = {"type": "Discrete", "dtype": "int64", "start": 0, "n": 100000}


def _dataset(episodes, observation_space=BOX, action_space=DISCRETE) -> Dataset:
    metadata = DatasetMetadata(
        "tests/walk-v0", len(episodes), sum(map(len, episodes)), observation_space, action_space
    )
    return Dataset.over(metadata, EpisodeTable.from_episodes(episodes), ArrayColumns(episodes), "memory")


@pytest.fixture
def make_episode():
    return _episode


@pytest.fixture
def make_dataset():
    return _dataset


@pytest.fixture
def episodes():
    return [_episode(0, 3), _episode(1, 5, terminated=False), _episode(2, 1), _episode(3, 4)]


@pytest.fixture
def dataset(episodes):
    return _dataset(episodes)


@pytest.fixture
def masked():
    """Give a dataset a step mask of our own choosing, as a step filter would."""

    def with_mask(dataset: Dataset, mask) -> Dataset:
        copy = replace(dataset)
        vars(copy)["step_mask"] = np.asarray(mask, dtype=bool)
        return copy

    return with_mask
