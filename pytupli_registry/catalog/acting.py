"""The policies of a recipe, ready to act."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pytupli_registry.benchmarks.policies import RandomPolicy
from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import gymnasium

    from pytupli_registry.benchmarks.policies import Policy

__all__ = ["Controller", "ControllerPolicy", "NoisyPolicy", "load_controller"]


class Controller(Protocol):
    """A documented controller, made by a function of the environment."""

    def __call__(self, observation: Any, /) -> Any:  # noqa: ANN401 - elements of the spaces
        """Return the action."""

    def reset(self, seed: int | None = None) -> None:
        """Forget the last episode."""


class ControllerPolicy:
    """A controller on each lane."""

    def __init__(self, make: Callable[[], Controller]) -> None:
        self._make = make
        self._lanes: list[Controller] = []

    def begin(self, seeds: Sequence[int]) -> None:
        """Reset a controller for each lane."""
        while len(self._lanes) < len(seeds):
            self._lanes.append(self._make())
        for controller, seed in zip(self._lanes, seeds, strict=False):
            controller.reset(int(seed))

    def act(self, observations: Sequence[Any], lanes: Sequence[int]) -> list[Any]:
        """Ask each lane's own controller."""
        return [self._lanes[lane](observation) for observation, lane in zip(observations, lanes, strict=True)]


class NoisyPolicy:
    """Another policy, some of whose actions are replaced by random ones."""

    def __init__(self, policy: Policy, epsilon: float, action_space: gymnasium.Space[Any]) -> None:
        self._policy, self._epsilon = policy, epsilon
        self._uniform = RandomPolicy(action_space)
        self._lanes: list[np.random.Generator] = []

    def begin(self, seeds: Sequence[int]) -> None:
        """Begin both, and seed the coin of each lane with something else than they have."""
        self._policy.begin(seeds)
        self._uniform.begin(seeds)
        self._lanes = [np.random.default_rng([int(seed), 1]) for seed in seeds]

    def act(self, observations: Sequence[Any], lanes: Sequence[int]) -> list[Any]:
        """Ask both every time, so that a policy with a memory sees the whole episode, and toss the coin."""
        own, other = self._policy.act(observations, lanes), self._uniform.act(observations, lanes)
        tossed = [self._lanes[lane].random() < self._epsilon for lane in lanes]
        return [
            instead if noisy else action for action, instead, noisy in zip(own, other, tossed, strict=True)
        ]


def load_controller(entry_point: str, place: str) -> Callable[..., Controller]:
    """Import what makes a controller, named by the recipe of an installed catalog.

    Args:
        entry_point: ``package.module:name``.
        place: where it is named, for the message.

    Raises:
        FormatError: there is no such thing.
    """
    module, _, name = entry_point.partition(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise FormatError(place, f"there is no controller {entry_point!r} ({error!s:.120})") from error
    if not callable(found):
        raise FormatError(place, f"{entry_point!r} makes no controller: it cannot be called")
    made: Callable[..., Controller] = found
    return made
