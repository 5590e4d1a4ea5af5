"""CartPole-v1: state feedback, pushed to the nearer of the two actions.

Idea: the pole on a cart is linearised about the upright position, u = k · (x, ẋ, θ, θ̇), and only the sign of
u matters because the force is ±10 N (the equations are in Barto, Sutton & Anderson, 1983). ``expert`` feeds
back all four; ``medium`` only damps the pole's rotation, so that pole and cart drift slowly out of bounds.
Gains are our own, found by trying a few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks_catalog.policies.controller import Controller, StatelessController

if TYPE_CHECKING:
    import gymnasium

__all__ = ["expert", "medium"]


def _sign_feedback(*gains: float) -> Controller:
    weights = np.array(gains)
    return StatelessController(lambda observation: int(weights @ observation > 0))


def expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001 — every policy takes its environment
    """Balances the pole and keeps the cart in the middle."""
    return _sign_feedback(0.1, 0.25, 1.0, 0.35)


def medium(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001
    """Damps the pole's rotation, and looks at nothing else."""
    return _sign_feedback(0.0, 0.0, 0.0, 1.0)
