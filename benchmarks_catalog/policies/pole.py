"""InvertedPendulum-v5 (MuJoCo): linear state feedback.

Idea: about the upright position the cart's force is a linear function of (x, θ, ẋ, θ̇), as for every balanced
pole; gains are our own, found by trying a few. ``medium`` is the same law with uniform actions mixed in, until the
pole falls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks_catalog.policies.controller import Controller, StatelessController
from benchmarks_catalog.policies.noise import noisy

if TYPE_CHECKING:
    import gymnasium

    from benchmarks_catalog.policies.controller import Action, Observation

__all__ = ["expert", "medium"]

_LARGEST_FORCE = 3.0


def _feedback(*gains: float) -> Controller:
    weights = np.array(gains)

    def rule(observation: Observation) -> Action:
        force = float(np.clip(weights @ observation, -_LARGEST_FORCE, _LARGEST_FORCE))
        return np.array([force], np.float32)

    return StatelessController(rule)


def expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001 — every policy takes its environment
    """Balances the pole for the whole episode."""
    return _feedback(0.5, 12.0, 0.8, 2.0)


def medium(env: gymnasium.Env[Any, Any]) -> Controller:
    """The expert, but three of twenty actions are uniform."""
    return noisy(expert(env), 0.15, env.action_space)
