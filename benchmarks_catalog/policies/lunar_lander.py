"""LunarLander-v3 (discrete): cascaded proportional-derivative control of our own design.

Idea: outside in. The distance to the pad sets a wanted horizontal speed, its error sets a wanted tilt, and a PD
law on the tilt fires the side engines; the height sets a wanted sinking speed and the main engine fires when the
lander sinks faster. The stronger need of the two wins, because only one engine fires at a time; on the ground
only sinking is braked. ``medium`` is the same law with uniform actions mixed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks_catalog.policies.controller import Controller, StatelessController
from benchmarks_catalog.policies.noise import noisy

if TYPE_CHECKING:
    import gymnasium

    from benchmarks_catalog.policies.controller import Observation

__all__ = ["expert", "medium"]

_NOTHING, _LEFT_ENGINE, _MAIN_ENGINE, _RIGHT_ENGINE = 0, 1, 2, 3
_LARGEST_TILT = 0.35  # rad


def _limited(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


def _wanted_turn(x: float, x_speed: float, tilt: float, turning: float) -> float:
    """Positive: turn left (counter-clockwise)."""
    wanted_speed = _limited(-0.6 * x, 0.4)
    wanted_tilt = _limited(1.1 * (x_speed - wanted_speed), _LARGEST_TILT)
    return (wanted_tilt - tilt) - 1.2 * turning


def _wanted_lift(x: float, height: float, sinking: float) -> float:
    """Positive: faster down than wanted; far from the pad the lander stays higher."""
    wanted_sinking = 0.12 + 0.45 * max(height - 0.5 * abs(x), 0.0)
    return sinking - wanted_sinking


def _land(observation: Observation) -> int:
    x, height, x_speed, y_speed, tilt, turning, left_leg, right_leg = (float(value) for value in observation)
    if left_leg or right_leg:
        return _MAIN_ENGINE if y_speed < -0.1 else _NOTHING
    turn = _wanted_turn(x, x_speed, tilt, turning)
    lift = _wanted_lift(x, height, -y_speed)
    if lift > max(abs(turn), 0.05):
        return _MAIN_ENGINE
    if abs(turn) < 0.05:
        return _NOTHING
    return _RIGHT_ENGINE if turn < 0 else _LEFT_ENGINE


def expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001 — every policy takes its environment
    """Lands between the flags."""
    return StatelessController(_land)


def medium(env: gymnasium.Env[Any, Any]) -> Controller:
    """Lands, but three of ten actions are uniform."""
    return noisy(expert(env), 0.3, env.action_space)
