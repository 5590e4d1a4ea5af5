"""Acrobot-v1: energy pumping.

Idea: the lower link is driven so that the actuated joint always does positive work on the swing (Spong, 1995,
"The swing up control problem for the acrobot"). ``expert`` pumps at every step; ``medium`` is the same rule
with many of its actions replaced by uniform ones, which pumps more slowly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks_catalog.policies.controller import Controller, StatelessController
from benchmarks_catalog.policies.noise import noisy

if TYPE_CHECKING:
    import gymnasium

    from benchmarks_catalog.policies.controller import Observation

__all__ = ["expert", "medium"]

_NEGATIVE, _POSITIVE = 0, 2  # torque on the joint between the links


def _pump(observation: Observation) -> int:
    """Torque against the first link's rotation: the reaction accelerates that link."""
    first_link_speed = float(observation[4])
    return _NEGATIVE if first_link_speed > 0 else _POSITIVE


def expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001 — every policy takes its environment
    """Pumps energy at every step."""
    return StatelessController(_pump)


def medium(env: gymnasium.Env[Any, Any]) -> Controller:
    """Pumps, but seven of ten actions are uniform."""
    return noisy(expert(env), 0.7, env.action_space)
