"""Online training of the catalog's policies with d3rlpy."""

from __future__ import annotations

from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import gymnasium

from benchmarks_catalog.learning import algorithm, import_d3rlpy, is_discrete, reproducible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


def train_policy(
    env: gymnasium.Env[Any, Any],
    recipe: TrainingRecipe,
    steps: Sequence[int],
    advance: Callable[[int], None],
) -> dict[int, Any]:
    """Train a policy in an environment: with the same versions, the same one every time.

    Args:
        env: to train in; its action space is seeded.
        recipe: how.
        steps: after which the policy is kept.
        advance: called with 1 for each step.

    Returns:
        d3rlpy's algorithm as it was after each of the steps.

    Raises:
        AdapterError: d3rlpy is not installed, or knows no such algorithm or setting.
    """
    d3rlpy = import_d3rlpy()
    kept: dict[int, BytesIO] = {step: BytesIO() for step in steps}

    def keep(learner: Any, _: int, step: int) -> None:  # noqa: ANN401 - d3rlpy's callback
        advance(1)
        if step in kept:
            learner.impl.save_model(kept[step])

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
            callback=keep,
        )
        return {step: _restored(recipe, content, env) for step, content in kept.items()}


def _restored(recipe: TrainingRecipe, content: BytesIO, env: gymnasium.Env[Any, Any]) -> Any:  # noqa: ANN401
    learner = algorithm(recipe.algorithm, recipe.settings, recipe.hidden_units)
    import_module("d3rlpy.algos.utility").build_scalers_with_env(
        learner, env
    )  # build_with_env alone does not
    learner.build_with_env(env)
    content.seek(0)
    learner.impl.load_model(content)
    return learner


def _explorer(recipe: TrainingRecipe) -> Any:  # noqa: ANN401 - d3rlpy's, or None where the policy itself explores
    explorers = import_d3rlpy().algos
    chosen = recipe.exploration
    if is_discrete(recipe.algorithm):
        return explorers.LinearDecayEpsilonGreedy(
            chosen.get("start", 1.0), chosen.get("end", 0.05), int(chosen.get("steps", recipe.steps // 2))
        )
    return explorers.NormalNoise(std=chosen["std"]) if "std" in chosen else None
