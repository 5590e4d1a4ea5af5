"""Reacher-v5 (MuJoCo): Jacobian-transpose control from the observation.

Idea: a force that pulls the fingertip to the target is turned into joint torques by the transposed Jacobian of
the two-link arm (Craig, "Introduction to Robotics", chapter 5), and the joints' speeds are damped. The
observation gives the angles' cosines and sines, the joint speeds and the vector from target to fingertip.
``medium`` pulls with a seventh of the force and is damped more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks_catalog.policies.controller import Controller, StatelessController

if TYPE_CHECKING:
    import gymnasium
    from numpy.typing import NDArray

    from benchmarks_catalog.policies.controller import Action, Observation

__all__ = ["expert", "medium"]

_UPPER_ARM, _FOREARM = 0.1, 0.11  # m, Gymnasium's reacher.xml


def _jacobian(cosines: NDArray[Any], sines: NDArray[Any]) -> NDArray[np.float64]:
    """Derivative of the fingertip by the joints, (2, 2); the second angle counts from the first link."""
    cosine = cosines[0] * cosines[1] - sines[0] * sines[1]
    sine = sines[0] * cosines[1] + cosines[0] * sines[1]
    forearm = _FOREARM * np.array([-sine, cosine])
    upper_arm = _UPPER_ARM * np.array([-sines[0], cosines[0]])
    return np.stack([upper_arm + forearm, forearm], axis=1)


def _pull(stiffness: float, damping: float) -> Controller:
    def rule(observation: Observation) -> Action:
        to_target = -np.asarray(observation[8:10])
        joint_speeds = observation[6:8]
        torque = stiffness * (_jacobian(observation[0:2], observation[2:4]).T @ to_target)
        return np.clip(torque - damping * joint_speeds, -1, 1).astype(np.float32)

    return StatelessController(rule)


def expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001 — every policy takes its environment
    """Pulls the fingertip to the target and stops there."""
    return _pull(28.0, 0.1)


def medium(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001
    """Pulls with a fraction of the force."""
    return _pull(4.0, 0.2)
