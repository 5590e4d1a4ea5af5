"""Catch-v0: find ball and paddle in the image and walk under the ball.

``expert`` walks at once and catches every ball. ``medium`` mixes in uniform actions. ``human`` reacts two steps
late and looks away at times (:mod:`benchmarks_catalog.policies.human`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks_catalog.environments.catch import CELLS, PIXELS
from benchmarks_catalog.policies.controller import Controller, StatelessController
from benchmarks_catalog.policies.human import HumanLike
from benchmarks_catalog.policies.noise import noisy

if TYPE_CHECKING:
    import gymnasium

    from benchmarks_catalog.policies.controller import Observation

__all__ = ["expert", "human", "medium"]

_LEFT, _STAY, _RIGHT = 0, 1, 2


def _follow(image: Observation) -> int:
    """Towards the ball; the brightest cell is the ball, the lit ones of the bottom row are the paddle."""
    cells = np.asarray(image)[0, ::PIXELS, ::PIXELS]
    ball = int(cells.argmax()) % CELLS
    paddle = int(np.flatnonzero(cells[-1]).mean())
    return _LEFT if ball < paddle else _RIGHT if ball > paddle else _STAY


def expert(env: gymnasium.Env[Any, Any]) -> Controller:  # noqa: ARG001 — every policy takes its environment
    """Catches every ball."""
    return StatelessController(_follow)


def medium(env: gymnasium.Env[Any, Any]) -> Controller:
    """Follows the ball, but six of ten actions are uniform."""
    return noisy(expert(env), 0.6, env.action_space)


def human(env: gymnasium.Env[Any, Any]) -> Controller:
    """Human-like."""
    return HumanLike(expert(env), delay=2, distraction=0.08)
