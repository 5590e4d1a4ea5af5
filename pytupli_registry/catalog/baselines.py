"""The scores in the cards: offline algorithms on a benchmark's datasets, trained and evaluated on this machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytupli_registry.benchmarks.benchmark import Benchmark
from pytupli_registry.benchmarks.evaluation import installed_versions
from pytupli_registry.catalog.baseline_results import BASELINES, BaselineResults, read_baselines, result_of
from pytupli_registry.catalog.card import CARD, card_of
from pytupli_registry.catalog.cast import catalog_module
from pytupli_registry.catalog.installing import install
from pytupli_registry.catalog.progress import silent
from pytupli_registry.errors import BenchmarkNotFound, WriteError
from pytupli_registry.storage.durable import make_directories, write_durably

if TYPE_CHECKING:
    from pathlib import Path

    from pytupli_registry.catalog.baseline_results import BaselineResult
    from pytupli_registry.catalog.catalog import CatalogEntry
    from pytupli_registry.catalog.progress import Progress
    from pytupli_registry.catalog.recipe import BaselineRecipe

__all__ = ["run_baselines", "write_card"]

_DISTRIBUTIONS = ("d3rlpy", "torch", "pytupli-d3rlpy")


def run_baselines(found: CatalogEntry, *, progress: Progress = silent) -> BaselineResults:
    """Train and evaluate what a recipe names; the benchmark is installed first where it is missing.

    The same recipe and datasets give the same scores on the same versions.

    Args:
        found: the benchmark.
        progress: shows how far it is.

    Raises:
        BenchmarkNotFound: the recipe names no baselines.
        AdapterError: pytupli-d3rlpy is not installed.
        PytupliError: the benchmark cannot be installed.
    """
    recipe = found.recipe.baselines
    if recipe is None:
        raise BenchmarkNotFound(found.name, "the catalog's baselines", hint="Its recipe has no [baselines].")
    bench = Benchmark.load(install(found.name, progress=progress).directory)
    started, results = time.monotonic(), []
    for dataset in recipe.datasets:
        results += [_run(found, bench, recipe, dataset, name, progress) for name in recipe.algorithms]
    return BaselineResults(
        benchmark=found.recipe.name,
        identity=bench.identity,
        datasets={name: bench.specification.datasets[name].sha256 for name in recipe.datasets},
        protocol=bench.specification.evaluation,
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        hidden_units=recipe.hidden_units,
        results=tuple(results),
        versions=installed_versions(_DISTRIBUTIONS),
        seconds=round(time.monotonic() - started, 1),
    )


def _run(
    found: CatalogEntry,
    bench: Benchmark,
    recipe: BaselineRecipe,
    dataset: str,
    algorithm: str,
    progress: Progress,
) -> BaselineResult:
    run_baseline = catalog_module(found, "baselines").run_baseline
    label = f"{found.name}: {algorithm} on {dataset}"
    with progress(label, len(recipe.seeds)) as advance:
        evaluations = {}
        for seed in recipe.seeds:
            evaluations[seed] = run_baseline(bench, dataset, recipe, algorithm, seed)
            advance(1)
    return result_of(dataset, algorithm, dict(recipe.algorithms[algorithm]), evaluations)


def write_card(found: CatalogEntry, results: BaselineResults | None = None) -> Path:
    """Write ``baselines.json``, where there are results, and the generated parts of the card into the catalog itself.

    Args:
        found: the benchmark; it has to be in the local store.
        results: of :func:`run_baselines`; None leaves the file as it is.

    Raises:
        WriteError: the catalog cannot be written.
    """
    bench = Benchmark.load(found.recipe.name)
    try:
        make_directories(found.directory)
        if results is not None:
            write_durably(found.directory / BASELINES, results.to_json())
        write_durably(found.directory / CARD, card_of(bench, found))
    except OSError as error:
        raise WriteError(
            f"The card in {found.directory} cannot be written: {error.strerror or error}.",
            hint="Run it from a clone of the catalog that you may write to.",
        ) from error
    read_baselines(found.directory / BASELINES)
    return found.directory / CARD
