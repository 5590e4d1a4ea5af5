"""The policies that a recipe names, made when somebody asks for them."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytupli_registry.benchmarks.policies import RandomPolicy, as_policy
from pytupli_registry.catalog.acting import ControllerPolicy, NoisyPolicy, load_controller
from pytupli_registry.catalog.recipe import FILE_NAME, RANDOM
from pytupli_registry.catalog.recording import describing_recorder
from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import gymnasium

    from pytupli_registry.benchmarks.policies import Policy
    from pytupli_registry.catalog.catalog import CatalogEntry
    from pytupli_registry.catalog.progress import Progress
    from pytupli_registry.catalog.recipe import DatasetRecipe, PolicyRecipe
    from pytupli_registry.dataset.episode import Episode

__all__ = ["Cast", "catalog_module"]

_BUILTIN = "benchmarks_catalog"


class Cast:
    """The policies of one recipe.

    What a policy experienced in training is kept where a dataset of the recipe wants it.

    Attributes:
        learners: d3rlpy's algorithms that were trained so far, by policy.
    """

    def __init__(
        self, found: CatalogEntry, make_env: Callable[[], gymnasium.Env[Any, Any]], progress: Progress
    ) -> None:
        self._found, self._make_env, self._progress = found, make_env, progress
        self.learners: dict[str, Any] = {}
        self._ready: dict[str, Policy] = {}
        self._experience: dict[str, list[Episode]] = {}

    def policy(self, name: str) -> Policy:
        """Return a policy; a trained one is trained the first time.

        Raises:
            FormatError: its controller does not exist.
            AdapterError: it has to be trained, and d3rlpy is not installed.
        """
        if name not in self._ready:
            self._ready[name] = self._make(name)
        return self._ready[name]

    def policies(self, shares: Mapping[str, float]) -> dict[str, Policy]:
        """Return those that a dataset names."""
        return {name: self.policy(name) for name in shares}

    def experience(self, name: str) -> list[Episode]:
        """Return the finished episodes of a policy's training."""
        self.policy(name)
        return self._experience[name]

    def describe(self, name: str) -> str:
        """Say in a sentence what a policy is."""
        if name == RANDOM:
            return "uniformly random actions"
        recipe = self._found.recipe.policies[name]
        return ", ".join(filter(None, (recipe.description.strip().rstrip("."), _origin(recipe))))

    def _make(self, name: str) -> Policy:
        env = self._make_env()
        if name == RANDOM:
            return RandomPolicy(env.action_space)
        recipe = self._found.recipe.policies[name]
        if recipe.like is not None:
            policy = self.policy(recipe.like)
        elif recipe.controller is not None:
            policy = self._controller(name, recipe, env)
        else:
            policy = as_policy(self._learner(name, recipe), env.observation_space, env.action_space)
        return NoisyPolicy(policy, recipe.epsilon, env.action_space) if recipe.epsilon else policy

    def _controller(self, name: str, recipe: PolicyRecipe, env: gymnasium.Env[Any, Any]) -> Policy:
        place = f"{self._found.directory / FILE_NAME}, at policies.{name}.controller"
        make = load_controller(recipe.controller or "", place)
        return ControllerPolicy(partial(make, env, **recipe.arguments))

    def _learner(self, name: str, recipe: PolicyRecipe) -> Any:  # noqa: ANN401 - d3rlpy's algorithm
        if name not in self.learners:
            self._train(name if recipe.checkpoint is None else recipe.checkpoint.of)
        return self.learners[name]

    def _train(self, name: str) -> None:
        """Train a policy, and keep it and its checkpoints."""
        training, replay = self._found.recipe.policies[name].train, self._replay_of(name)
        if training is None:
            raise FormatError(self._found.directory / FILE_NAME, f"the policy {name!r} is not trained")
        env = self._make_env()
        if replay is not None:
            kept = _Kept()
            self._experience[name] = kept.episodes
            env = describing_recorder(env, replay, kept, name)
        wanted = {name: training.steps} | self._checkpoints_of(name)
        train_policy = catalog_module(self._found, "training").train_policy
        label = f"{self._found.name}: training {name} ({training.algorithm})"
        with env, self._progress(label, training.steps) as advance:
            learners = train_policy(env, training, sorted(set(wanted.values())), advance)
        self.learners |= {policy: learners[step] for policy, step in wanted.items()}

    def _checkpoints_of(self, name: str) -> dict[str, int]:
        policies = self._found.recipe.policies.items()
        return {
            other: recipe.checkpoint.step
            for other, recipe in policies
            if recipe.checkpoint is not None and recipe.checkpoint.of == name
        }

    def _replay_of(self, name: str) -> DatasetRecipe | None:
        datasets = self._found.recipe.datasets.values()
        return next((dataset for dataset in datasets if dataset.replay == name), None)


class _Kept:
    """Episodes in memory, where d3rlpy's buffer has them as well."""

    def __init__(self) -> None:
        self.episodes: list[Episode] = []

    def add(self, episode: Episode) -> int:
        self.episodes.append(episode)
        return len(self.episodes) - 1


def catalog_module(found: CatalogEntry, name: str) -> Any:  # noqa: ANN401 - a module
    """Return the ``training`` or ``baselines`` of a catalog: its own, or the built-in catalog's where it has none."""
    own = f"{found.catalog.package}.{name}"
    return import_module(own if find_spec(own) is not None else f"{_BUILTIN}.{name}")


def _origin(recipe: PolicyRecipe) -> str:
    noise = f"{recipe.epsilon:.0%} of the actions random" if recipe.epsilon else ""
    if recipe.checkpoint is not None:
        made = f"the policy {recipe.checkpoint.of!r} after {recipe.checkpoint.step:,} steps of its training"
    elif recipe.train is not None:
        made = f"{recipe.train.algorithm} trained online for {recipe.train.steps:,} steps with d3rlpy"
    else:
        made = f"the policy {recipe.like!r}" if recipe.like is not None else f"controller {recipe.controller}"
    return ", ".join(filter(None, (made, noise)))
