"""Actions drawn uniformly from the action space: the ``random`` policy of every benchmark."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from benchmarks_catalog.policies.controller import Controller

if TYPE_CHECKING:
    import gymnasium

    from benchmarks_catalog.policies.controller import Action, Observation

__all__ = ["UniformController", "policy"]


class UniformController(Controller):
    """Samples a copy of the action space, so that the environment's own random state never moves.

    Args:
        action_space: any Gymnasium space.
        seed: where the stream starts.
    """

    def __init__(self, action_space: gymnasium.Space[Any], seed: int = 0) -> None:
        self._space = deepcopy(action_space)
        self._space.seed(seed)

    def __call__(self, observation: Observation) -> Action:  # noqa: ARG002 — it looks at nothing
        """A sample of the action space."""
        return self._space.sample()

    def reset(self, seed: int | None = None) -> None:
        """A seed restarts the stream."""
        if seed is not None:
            self._space.seed(seed)


def policy(env: gymnasium.Env[Any, Any]) -> Controller:
    """Uniform random actions."""
    return UniformController(env.action_space)
