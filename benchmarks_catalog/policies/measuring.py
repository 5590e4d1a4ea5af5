"""Measures the catalog's controllers: which task each is for, and what it earns there."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

import benchmarks_catalog.environments  # noqa: F401 — makes the catalog's own ids known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks_catalog.policies.controller import Controller

__all__ = ["TASKS", "Measured", "Task", "load_policy", "measure", "table"]

_CATALOG = Path(__file__).parent.parent
_RANDOM = "uniform:policy"


@dataclass(frozen=True, slots=True)
class Task:
    """An environment and its controllers from worst to best; `series` are CSV paths inside the catalog."""

    environment_id: str
    ladder: tuple[str, ...]
    human: tuple[str, ...] = ()
    series: Mapping[str, str] | None = None

    def make(self) -> gymnasium.Env[Any, Any]:
        """The environment, built as the benchmark builds it."""
        paths: dict[str, Any] = {name: _CATALOG / path for name, path in (self.series or {}).items()}
        return gymnasium.make(self.environment_id, **paths)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one controller earned, one number an episode."""

    returns: tuple[float, ...]
    lengths: tuple[int, ...]

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(np.mean(self.returns))

    @property
    def deviation(self) -> float:
        """The standard deviation of the returns over the seeds."""
        return float(np.std(self.returns))


TASKS = (
    Task("CartPole-v1", (_RANDOM, "cartpole:medium", "cartpole:expert")),
    Task("Acrobot-v1", (_RANDOM, "acrobot:medium", "acrobot:expert")),
    Task("MountainCar-v0", (_RANDOM, "mountain_car:medium", "mountain_car:expert")),
    Task(
        "MountainCarContinuous-v0",
        (_RANDOM, "mountain_car:continuous_medium", "mountain_car:continuous_expert"),
    ),
    Task("Pendulum-v1", (_RANDOM, "pendulum:medium", "pendulum:expert")),
    Task("LunarLander-v3", (_RANDOM, "lunar_lander:medium", "lunar_lander:expert")),
    Task("FrozenLake8x8-v1", (_RANDOM, "tabular:frozen_lake_medium", "tabular:expert")),
    Task("Taxi-v3", (_RANDOM, "tabular:taxi_medium", "tabular:expert")),
    Task(
        "pytupli/PointReach-v0",
        (_RANDOM, "point_reach:medium", "point_reach:expert"),
        human=("point_reach:human",),
    ),
    Task("pytupli/Catch-v0", (_RANDOM, "catch:medium", "catch:expert"), human=("catch:human",)),
    Task(
        "pytupli/HVAC-v0",
        (_RANDOM, "hvac:medium", "hvac:expert"),
        human=("hvac:operator",),
        series={"weather": "hvac/artifacts/weather.csv", "prices": "hvac/artifacts/prices.csv"},
    ),
    Task(
        "pytupli/Microgrid-v0",
        (_RANDOM, "microgrid:medium", "microgrid:expert"),
        series={
            "wind": "microgrid/artifacts/wind.csv",
            "prices": "microgrid/artifacts/prices.csv",
            "load": "microgrid/artifacts/load.csv",
        },
    ),
    Task("InvertedPendulum-v5", (_RANDOM, "pole:medium", "pole:expert")),
    Task("Reacher-v5", (_RANDOM, "reacher:medium", "reacher:expert")),
)


def load_policy(name: str, env: gymnasium.Env[Any, Any]) -> Controller:
    """The controller `name`, "module:function" below this package, for `env`."""
    module, function = name.split(":")
    make = getattr(importlib.import_module(f"benchmarks_catalog.policies.{module}"), function)
    controller: Controller = make(env)
    return controller


def _episode(env: gymnasium.Env[Any, Any], controller: Controller, seed: int) -> tuple[float, int]:
    observation, _ = env.reset(seed=seed)
    controller.reset(seed)
    total, steps, over = 0.0, 0, False
    while not over:
        observation, reward, terminated, truncated, _ = env.step(controller(observation))
        total, steps, over = total + float(reward), steps + 1, terminated or truncated
    return total, steps


def measure(env: gymnasium.Env[Any, Any], controller: Controller, seeds: Iterable[int]) -> Measured:
    """One episode a seed, which seeds the environment and the controller."""
    returns, lengths = zip(*(_episode(env, controller, seed) for seed in seeds), strict=True)
    return Measured(returns, lengths)


def table(seeds: range, tasks: Iterable[Task] = TASKS) -> str:
    """A Markdown table of every controller on its task."""
    rows = ["| environment | policy | mean return ± std | mean length |", "| --- | --- | ---: | ---: |"]
    for task in tasks:
        env = task.make()
        for name in (*task.ladder, *task.human):
            got = measure(env, load_policy(name, env), seeds)
            spread = f"{got.mean:.2f} ± {got.deviation:.2f}"
            rows.append(f"| {task.environment_id} | `{name}` | {spread} | {np.mean(got.lengths):.1f} |")
        env.close()  # type: ignore[no-untyped-call]  # Gymnasium's has no annotations
    return "\n".join(rows) + "\n"
