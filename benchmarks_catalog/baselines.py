"""Offline training of the catalog's baselines: d3rlpy through the one line that users load with."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from gymnasium.spaces import Box, Discrete

from benchmarks_catalog.learning import algorithm, import_d3rlpy, reproducible
from pytupli_registry.errors import AdapterError

if TYPE_CHECKING:
    import gymnasium

    from pytupli_registry.benchmarks.benchmark import Benchmark
    from pytupli_registry.benchmarks.results import Evaluation
    from pytupli_registry.catalog.recipe import BaselineRecipe

__all__ = ["run_baseline"]

_IMAGE_DIMENSIONS = 3


def run_baseline(bench: Benchmark, dataset: str, recipe: BaselineRecipe, name: str, seed: int) -> Evaluation:
    """Train an algorithm on a dataset and score it by the benchmark's protocol.

    Args:
        bench: in the local store, with the dataset.
        dataset: ``mixed-v0``.
        recipe: how long and on what.
        name: of the algorithm in d3rlpy.
        seed: of the weights and the batches.

    Raises:
        AdapterError: d3rlpy or its plugin is not installed, or knows no such algorithm.
    """
    d3rlpy, space = import_d3rlpy(), bench.observation_space
    with reproducible(seed):
        loaded, _ = _load(f"{bench.name}/{dataset}", space)
        settings = {"batch_size": recipe.batch_size, **recipe.algorithms[name]}
        learner = algorithm(name, settings, recipe.hidden_units, observations=_kind(space))
        learner.fit(
            loaded,
            n_steps=recipe.steps,
            n_steps_per_epoch=recipe.steps,
            save_interval=recipe.steps,
            logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
            show_progress=False,
        )
        return bench.evaluate(learner, lanes=bench.specification.evaluation.episodes, run=str(seed))


def _load(reference: str, space: gymnasium.Space[Any]) -> Any:  # noqa: ANN401 - the pair that users get
    try:
        plugin = import_module("pytupli_d3rlpy")
    except ImportError as error:
        raise AdapterError(
            f"Baselines need pytupli-d3rlpy, which cannot be imported: {error!s:.120}.",
            hint="pip install pytupli-d3rlpy",
        ) from error
    options = {"discrete_observation": "one_hot"} if isinstance(space, Discrete) else {}
    return plugin.load(reference, **options)


def _kind(space: gymnasium.Space[Any]) -> Literal["plain", "standardised", "pixels"]:
    """Return how observations reach the networks: numbers of one kind each, unlike one-hot fields, are scaled."""
    if isinstance(space, Discrete):
        return "plain"
    is_image = isinstance(space, Box) and len(space.shape) == _IMAGE_DIMENSIONS
    return "pixels" if is_image else "standardised"
