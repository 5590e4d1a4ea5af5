"""ε-noise: with probability ε a controller's action gives way to a uniform one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks_catalog.policies.controller import Controller
from benchmarks_catalog.policies.uniform import UniformController

if TYPE_CHECKING:
    import gymnasium

    from benchmarks_catalog.policies.controller import Action, Observation

__all__ = ["NoisyController", "noisy"]


class NoisyController(Controller):
    """See :func:`noisy`."""

    def __init__(
        self, policy: Controller, epsilon: float, action_space: gymnasium.Space[Any], seed: int = 0
    ) -> None:
        if not 0 <= epsilon <= 1:
            raise ValueError(f"epsilon is a probability, not {epsilon}.")
        self._policy = policy
        self._epsilon = epsilon
        self._uniform = UniformController(action_space)
        self.reset(seed)

    def __call__(self, observation: Observation) -> Action:
        """The policy is asked at every step, so that one with a memory sees the whole episode."""
        action = self._policy(observation)
        return self._uniform(observation) if self._random.random() < self._epsilon else action

    def reset(self, seed: int | None = None) -> None:
        """The policy and its noise begin anew."""
        self._policy.reset(seed)
        self._uniform.reset(seed)
        if seed is not None:
            self._random = np.random.default_rng([seed, 1])


def noisy(
    policy: Controller, epsilon: float, action_space: gymnasium.Space[Any], seed: int = 0
) -> NoisyController:
    """`policy`, but every action is replaced by a uniform one with probability `epsilon`.

    Raises:
        ValueError: `epsilon` is outside of [0, 1].
    """
    return NoisyController(policy, epsilon, action_space, seed)
