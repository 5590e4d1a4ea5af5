"""PointReach-v0: a proportional-derivative pull to the goal, around the wall or against it.

``expert`` first steers for a way point above the wall's top while the wall is between it and the goal (the visibility
graph of one obstacle, Lozano-Pérez & Wesley, 1979, has no other corner). ``medium`` pulls straight at the goal and
leans against the wall where it is in the way. ``human`` is the expert with a reaction delay and inattention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks_catalog.policies.controller import Controller, StatelessController
from benchmarks_catalog.policies.human import HumanLike

if TYPE_CHECKING:
    import gymnasium
    from numpy.typing import NDArray

    from benchmarks_catalog.policies.controller import Action, Observation

    Array = NDArray[np.float64]

__all__ = ["expert", "human", "medium"]

_PULL, _DAMPING = 4.0, 2.5
_WALL_TOP = 0.4
_CLEARANCE = 0.12
_HALF_THICKNESS = 0.05


def _push(position: Array, velocity: Array, target: Array) -> Action:
    return np.clip(_PULL * (target - position) - _DAMPING * velocity, -1, 1).astype(np.float32)


def _crossing_height(position: Array, goal: Array) -> float:
    """The lowest height at which the straight way passes the wall."""
    heights = [
        position[1] + (goal[1] - position[1]) * (x - position[0]) / (goal[0] - position[0])
        for x in (-_HALF_THICKNESS, _HALF_THICKNESS)
    ]
    return float(min(heights))


def _is_blocked(position: Array, goal: Array) -> bool:
    if position[0] * goal[0] > 0 and abs(position[0]) > _HALF_THICKNESS:
        return False
    if abs(position[0]) <= _HALF_THICKNESS + 0.01:
        return bool(position[1] < _WALL_TOP + _CLEARANCE / 2)
    return _crossing_height(position, goal) < _WALL_TOP + _CLEARANCE / 2


def _way_point(position: Array, goal: Array) -> Array:
    """Above the wall's nearer corner, or further on once it is there."""
    side = -1.0 if position[0] < 0 else 1.0
    corner = np.array([side * (_HALF_THICKNESS + 0.1), _WALL_TOP + _CLEARANCE])
    if position[1] < _WALL_TOP + _CLEARANCE / 2:
        return corner
    return np.array([np.sign(goal[0]) * (_HALF_THICKNESS + 0.1), _WALL_TOP + _CLEARANCE])


def _around(observation: Observation) -> Action:
    state, goal = np.asarray(observation["observation"], np.float64), observation["desired_goal"]
    position, velocity = state[:2], state[2:]
    target = _way_point(position, goal) if _is_blocked(position, goal) else goal
    return _push(position, velocity, target)


def _straight(observation: Observation) -> Action:
    state = np.asarray(observation["observation"], np.float64)
    return _push(state[:2], state[2:], observation["desired_goal"])


def expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001 — every policy takes its environment
    """Around the wall."""
    return StatelessController(_around)


def medium(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001
    """Straight at the goal."""
    return StatelessController(_straight)


def human(env: gymnasium.Env[Any, Any]) -> Controller:
    """Human-like."""
    return HumanLike(expert(env), delay=2, distraction=0.05)
