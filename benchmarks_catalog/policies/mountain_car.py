"""MountainCar-v0 and MountainCarContinuous-v0: push with the velocity.

Idea: work is force times velocity, so a push in the direction of motion always adds energy, and the car leaves
the valley after few swings (Moore, 1990, poses the task). The medium ones are the same rule with a share of
uniform actions, which need more swings. The continuous task charges 0.1 a² a step: its expert pushes with
little force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks_catalog.policies.controller import Controller, StatelessController
from benchmarks_catalog.policies.noise import noisy

if TYPE_CHECKING:
    import gymnasium

    from benchmarks_catalog.policies.controller import Observation

__all__ = ["continuous_expert", "continuous_medium", "expert", "medium"]

_LEFT, _RIGHT = 0, 2


def _with_velocity(observation: Observation) -> int:
    return _RIGHT if observation[1] > 0 else _LEFT


def expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001 — every policy takes its environment
    """Always pushes with the velocity."""
    return StatelessController(_with_velocity)


def medium(env: gymnasium.Env[Any, Any]) -> Controller:
    """Pushes with the velocity, but three of ten actions are uniform."""
    return noisy(expert(env), 0.3, env.action_space)


def _force_with_velocity(force: float) -> Controller:
    return StatelessController(
        lambda observation: np.array([force if observation[1] > 0 else -force], np.float32)
    )


def continuous_expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001
    """Pushes gently with the velocity."""
    return _force_with_velocity(0.4)


def continuous_medium(env: gymnasium.Env[Any, Any]) -> Controller:
    """Pushes at full force, but 17 of 20 actions are uniform."""
    return noisy(_force_with_velocity(1.0), 0.85, env.action_space)
