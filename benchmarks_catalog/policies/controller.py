"""What every controller of the catalog is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Action", "Controller", "Observation", "StatelessController"]

Observation = Any  # a value of the environment's observation space
Action = Any  # a value of its action space


class Controller(ABC):
    """Answers an observation with an action; nothing but the observation, its memory and its seed decides."""

    @abstractmethod
    def __call__(self, observation: Observation) -> Action:
        """The action, as a value of the environment's action space."""

    def reset(self, seed: int | None = None) -> None:  # noqa: B027 — most controllers remember nothing
        """Forget the last episode; a seed makes the next one reproducible, None goes on with the old stream."""


class StatelessController(Controller):
    """A controller that is a plain function of the observation."""

    def __init__(self, rule: Callable[[Observation], Action]) -> None:
        self._rule = rule

    def __call__(self, observation: Observation) -> Action:
        """What the rule says."""
        return self._rule(observation)
