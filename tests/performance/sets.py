"""The data the measurements run on: the same numbers written by us and by stock Minari."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces

from pytupli_registry import Episode
from pytupli_registry.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """Size of one set: steps vary by a fifth around ``steps`` where ``varied``."""

    name: str
    episodes: int
    steps: int
    observation: tuple[int, ...]
    action: int
    dtype: str = "float64"
    varied: bool = True
    discrete: bool = False
    seed: int = 0
    namespace: str = "bench"

    @property
    def dataset_id(self) -> str:
        return f"{self.namespace}/{self.name.lower()}-v0"

    @property
    def observation_space(self) -> spaces.Box:
        if self.dtype == "uint8":
            return spaces.Box(0, 255, self.observation, np.uint8)
        return spaces.Box(-np.inf, np.inf, self.observation, np.dtype(self.dtype).type)

    @property
    def action_space(self) -> spaces.Space:
        if self.discrete:
            return spaces.Discrete(self.action)
        return spaces.Box(-1, 1, (self.action,), np.float64)


M = Shape("M", 1_000, 1_000, (17,), 6, varied=False)
L = Shape("L", 20_000, 50, (4,), 1)
XL = Shape("XL", 200_000, 50, (4,), 1)
IMAGE = Shape("image", 50, 100, (84, 84, 4), 4, dtype="uint8", discrete=True)
CARTPOLE = Shape("cartpole", 2_000, 100, (4,), 2, dtype="float32", discrete=True)
BIG = Shape("big", 6_000, 1_000, (17,), 6, varied=False)


def episodes(shape: Shape) -> Iterator[Episode]:
    """Make the episodes of a set, one after the other; every second one terminates, the others are truncated."""
    numbers = np.random.default_rng(shape.seed)
    for position in range(shape.episodes):
        spread = shape.steps // 5
        steps = (
            int(numbers.integers(shape.steps - spread, shape.steps + spread + 1))
            if shape.varied
            else shape.steps
        )
        terminations = np.zeros(steps, dtype=np.bool_)
        truncations = np.zeros(steps, dtype=np.bool_)
        (terminations if position % 2 else truncations)[-1] = True
        if shape.dtype == "uint8":
            observations = numbers.integers(0, 256, (steps + 1, *shape.observation), dtype=np.uint8)
        else:
            observations = numbers.standard_normal((steps + 1, *shape.observation)).astype(shape.dtype)
        if shape.discrete:
            actions = numbers.integers(0, shape.action, steps)
        else:
            actions = np.tanh(numbers.standard_normal((steps, shape.action)))
        yield Episode(
            observations=observations,
            actions=actions,
            rewards=numbers.standard_normal(steps),
            terminations=terminations,
            truncations=truncations,
            episode_id=position,
            seed=position,
        )


def store(root: Path) -> LocalStore:
    """Return the store of our datasets below a folder."""
    return LocalStore(root / "ours", root / "cache")


def write_ours(shape: Shape, root: Path) -> None:
    """Write a set through our writer."""
    with store(root).writer(
        shape.dataset_id, observation_space=shape.observation_space, action_space=shape.action_space
    ) as writer:
        for episode in episodes(shape):
            writer.add(episode)


def write_minari(shape: Shape) -> None:
    """Write a set through stock Minari, below ``MINARI_DATASETS_PATH``; episodes are handed over one by one."""
    import minari
    from minari.data_collector import EpisodeBuffer

    dataset = minari.create_dataset_from_buffers(
        shape.dataset_id,
        buffer=[],
        observation_space=shape.observation_space,
        action_space=shape.action_space,
        jpeg_encoding=False,
    )
    dataset.storage.update_episodes(
        EpisodeBuffer(
            id=episode.episode_id,
            seed=episode.seed,
            observations=episode.observations,
            actions=episode.actions,
            rewards=episode.rewards,
            terminations=episode.terminations,
            truncations=episode.truncations,
            infos={},
        )
        for episode in episodes(shape)
    )
