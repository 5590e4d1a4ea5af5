"""Human-like behaviour: a reaction delay and spells of inattention around any controller.

People see late and look away. The delay follows the 150 to 250 ms of simple visual reaction (Luce, 1986, "Response
times"), in steps of the task; a spell of inattention begins by chance, lasts a geometrically distributed number of
steps, and the hand does what it did before.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from benchmarks_catalog.policies.controller import Action, Controller, Observation

__all__ = ["HumanLike"]


class HumanLike(Controller):
    """`policy` as a person would play it.

    Args:
        policy: decides on what was seen `delay` steps ago.
        delay: steps between seeing and acting; until so many have passed the first observation is all that is known.
        distraction: the chance of a spell of inattention to begin, a step.
        recovery: the chance of such a spell to end, a step.
        seed: where the stream of distractions begins.
    """

    def __init__(
        self, policy: Controller, delay: int, distraction: float, recovery: float = 0.25, seed: int = 0
    ) -> None:
        self._policy = policy
        self._distraction, self._recovery = distraction, recovery
        self._seen: deque[Any] = deque(maxlen=delay + 1)
        self.reset(seed)

    def reset(self, seed: int | None = None) -> None:
        """Attentive again, with nothing seen; a seed restarts the distractions too."""
        self._policy.reset(seed)
        self._seen.clear()
        self._attentive, self._last = True, None
        if seed is not None:
            self._random = np.random.default_rng([seed, 2])

    def __call__(self, observation: Observation) -> Action:
        """What the policy decides on what was seen `delay` steps ago, or the last action while inattentive."""
        self._seen.append(observation)
        decided = self._policy(self._seen[0])
        chance = self._distraction if self._attentive else self._recovery
        if self._random.random() < chance:
            self._attentive = not self._attentive
        if self._attentive or self._last is None:
            self._last = decided
        return self._last
