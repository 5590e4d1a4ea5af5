"""Real datasets: recorded with Gymnasium, written by stock Minari, indexed by our own store."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import gymnasium
import minari
import numpy as np
from minari.data_collector.episode_buffer import EpisodeBuffer

from pytupli_registry.storage.local import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["files_below", "record", "with_index"]


def record(dataset_id: str, root: Path, *, episodes: int = 3, data_format: str = "hdf5") -> Path:
    """Write a Minari dataset of CartPole below ``root`` (as ``MINARI_DATASETS_PATH``) and return its folder."""
    with gymnasium.make("CartPole-v1") as env, warnings.catch_warnings(), _minari_in(root):
        warnings.simplefilter("ignore")  # Minari misses an evaluation environment
        minari.create_dataset_from_buffers(
            dataset_id,
            buffer=[_episode(env, seed) for seed in range(episodes)],
            env=env,
            algorithm_name="random",
            author="Ada",
            author_email="ada@example.org",
            description="Random actions.",
            code_permalink="https://example.org/code",
            requirements=["gymnasium"],
            data_format=data_format,
        )
    return root / dataset_id


class _minari_in:  # noqa: N801 - reads as a function
    def __init__(self, root: Path) -> None:
        import os

        self._environment, self._root = os.environ, root

    def __enter__(self) -> None:
        self._before = self._environment.get("MINARI_DATASETS_PATH")
        self._environment["MINARI_DATASETS_PATH"] = str(self._root)

    def __exit__(self, *_: object) -> None:
        del self._environment["MINARI_DATASETS_PATH"]
        if self._before is not None:
            self._environment["MINARI_DATASETS_PATH"] = self._before


def _episode(env: gymnasium.Env, seed: int) -> EpisodeBuffer:
    observation, _ = env.reset(seed=seed)
    env.action_space.seed(seed)
    observations, actions, rewards, terminations, truncations = [observation], [], [], [], []
    while not (terminations and (terminations[-1] or truncations[-1])):
        actions.append(env.action_space.sample())
        observation, reward, terminated, truncated, _ = env.step(actions[-1])
        observations.append(observation)
        rewards.append(reward)
        terminations.append(terminated)
        truncations.append(truncated)
    return EpisodeBuffer(
        id=seed,
        seed=seed,
        observations=np.array(observations),
        actions=np.array(actions),
        rewards=rewards,
        terminations=terminations,
        truncations=truncations,
        infos={},
    )


def with_index(folder: Path, root: Path, cache: Path) -> Path:
    """Bring a Minari dataset into a store of ours, which gives it an ``episodes.parquet``; return its folder."""
    dataset_id = folder.parent.name + "/" + folder.name
    LocalStore(root, cache=cache).adopt(folder)
    return root / dataset_id


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the files of a dataset or namespace, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
