"""Pendulum-v1: energy swing-up, then proportional-derivative balancing.

Idea: the torque pumps energy, u ∝ (E* - E)·sign(ω), until the pole has the energy of the upright position
(Åström & Furuta, 2000, "Swinging up a pendulum by energy control"); near the top a PD law catches it. The
task's constants (Gymnasium's documentation: m = l = 1, g = 10, inertia 1/3) give E = ω²/6 + 5 cos θ, E* = 5.
``medium`` is the same law limited to three tenths of the torque: it swings up late.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks_catalog.policies.controller import Controller, StatelessController

if TYPE_CHECKING:
    import gymnasium

    from benchmarks_catalog.policies.controller import Action, Observation

__all__ = ["expert", "medium"]

_UPRIGHT_ENERGY = 5.0  # J
_PUMPING = 5.0  # N m / J
_NEAR_UPRIGHT = 0.8  # cos θ
_CATCHABLE_SPEED = 4.5  # rad/s
_PROPORTIONAL, _DERIVATIVE = 12.0, 3.0


def _torque(cosine: float, sine: float, speed: float) -> float:
    if cosine > _NEAR_UPRIGHT and abs(speed) < _CATCHABLE_SPEED:
        return -_PROPORTIONAL * math.atan2(sine, cosine) - _DERIVATIVE * speed
    energy = speed**2 / 6 + 5 * cosine
    return _PUMPING * (_UPRIGHT_ENERGY - energy) * math.copysign(1.0, speed)


def _limited_to(torque_limit: float) -> Controller:
    def rule(observation: Observation) -> Action:
        torque = _torque(*(float(value) for value in observation))
        return np.array([min(max(torque, -torque_limit), torque_limit)], np.float32)

    return StatelessController(rule)


def expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001 — every policy takes its environment
    """Swings up and balances with the full torque."""
    return _limited_to(2.0)


def medium(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001
    """Swings up with three tenths of the torque."""
    return _limited_to(0.6)
