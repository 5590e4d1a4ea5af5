"""Online training of the catalog's policies with d3rlpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium

from benchmarks_catalog.learning import algorithm, import_d3rlpy, is_discrete, reproducible

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytupli_registry.catalog.recipe import TrainingRecipe

__all__ = ["train_policy"]


class _SeededResets(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Seeds each reset with the next number, since d3rlpy resets without one."""

    def __init__(self, env: gymnasium.Env[Any, Any], seed: int) -> None:
        super().__init__(env)
        self._next = seed

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset with the next seed, whatever is asked for."""
        del seed
        self._next += 1
        return self.env.reset(seed=self._next - 1, options=options)


def train_policy(env: gymnasium.Env[Any, Any], recipe: TrainingRecipe, advance: Callable[[int], None]) -> Any:  # noqa: ANN401
    """Train a policy in an environment: with the same versions, the same one every time.

    Args:
        env: to train in; its action space is seeded.
        recipe: how.
        advance: called with 1 for each step.

    Returns:
        d3rlpy's algorithm.

    Raises:
        AdapterError: d3rlpy is not installed, or knows no such algorithm or setting.
    """
    d3rlpy = import_d3rlpy()
    with reproducible(recipe.seed):
        learner = algorithm(recipe.algorithm, recipe.settings, recipe.hidden_units)
        env.action_space.seed(recipe.seed)
        seeded = _SeededResets(env, recipe.seed)
        learner.fit_online(
            seeded,
            d3rlpy.dataset.create_fifo_replay_buffer(recipe.steps, env=seeded),
            _explorer(recipe),
            n_steps=recipe.steps,
            n_steps_per_epoch=recipe.steps,
            update_interval=recipe.update_interval,
            n_updates=recipe.updates,
            update_start_step=recipe.update_start,
            random_steps=recipe.random_steps,
            save_interval=recipe.steps,
            logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
            show_progress=False,
            callback=lambda *_: advance(1),
        )
    return learner


def _explorer(recipe: TrainingRecipe) -> Any:  # noqa: ANN401 - d3rlpy's, or None where the policy itself explores
    explorers = import_d3rlpy().algos
    chosen = recipe.exploration
    if is_discrete(recipe.algorithm):
        return explorers.LinearDecayEpsilonGreedy(
            chosen.get("start", 1.0), chosen.get("end", 0.05), int(chosen.get("steps", recipe.steps // 2))
        )
    return explorers.NormalNoise(std=chosen["std"]) if "std" in chosen else None
