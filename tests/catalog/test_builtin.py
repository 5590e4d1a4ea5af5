"""Every benchmark of the built-in catalog, with fewer episodes and less training than its recipe says."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from benchmarks_catalog.baselines import run_baseline
from pytupli_registry import api
from pytupli_registry.benchmarks.benchmark import Benchmark
from pytupli_registry.catalog.building import build
from pytupli_registry.catalog.catalog import CatalogEntry, catalogs, entry
from pytupli_registry.catalog.recipe import CheckpointRecipe

if TYPE_CHECKING:
    from pathlib import Path

    from pytupli_registry.catalog.recipe import DatasetRecipe, PolicyRecipe

NAMES = [found.name for catalog in catalogs() if catalog.name == "builtin" for found in catalog.entries()]
EPISODES, STEPS = 4, 520  # Acrobot's first episodes take 500 steps, and a replay needs one


def shrunk_policy(policy: PolicyRecipe) -> PolicyRecipe:
    if policy.checkpoint is not None:
        checkpoint = CheckpointRecipe(of=policy.checkpoint.of, step=STEPS // 2)
        return policy.model_copy(update={"checkpoint": checkpoint})
    if policy.train is None:
        return policy
    changes = {"steps": STEPS, "update_start": 100, "random_steps": 100, "update_interval": 20}
    return policy.model_copy(update={"train": policy.train.model_copy(update=changes)})


def shrunk_dataset(dataset: DatasetRecipe) -> DatasetRecipe:
    return dataset if dataset.replay else dataset.model_copy(update={"episodes": EPISODES})


def shrunk(name: str) -> CatalogEntry:
    found = entry(name)
    recipe = found.recipe
    assert recipe.baselines is not None
    changes = {
        "evaluation": recipe.evaluation.model_copy(update={"episodes": 2}),
        "policies": {key: shrunk_policy(policy) for key, policy in recipe.policies.items()},
        "datasets": {key: shrunk_dataset(dataset) for key, dataset in recipe.datasets.items()},
        "baselines": recipe.baselines.model_copy(update={"steps": 5, "batch_size": 8}),
    }
    return dataclasses.replace(found, readable=recipe.model_copy(update=changes))


@pytest.mark.slow
@pytest.mark.extended
@pytest.mark.parametrize("name", NAMES)
def test_it_builds_the_same_twice_validates_verifies_and_trains(
    name: str, tmp_path: Path, store: Path
) -> None:
    found = shrunk(name)
    recipe = found.recipe
    first = build(found, store).directory
    second = build(found, tmp_path / "second").directory
    bench = Benchmark.load(name)
    assert set(bench.dataset_names) == set(recipe.datasets)
    assert bench.verify().outcome == "identical"
    for dataset in recipe.datasets:
        data = f"{dataset}/data/main_data.hdf5"
        assert (first / data).read_bytes() == (second / data).read_bytes()
        assert bench.verify(dataset).outcome == "identical"
        report = api.validate(f"{name}/{dataset}", adapters=False)
        assert report.ok, [str(problem) for problem in report.problems]
    scores = bench.specification.reference_scores
    assert scores.keys() >= {"random", "expert"}
    assert recipe.baselines is not None
    for algorithm in recipe.baselines.algorithms:
        result = run_baseline(bench, recipe.baselines.datasets[0], recipe.baselines, algorithm, 0)
        assert result.protocol.episodes == 2
        assert result.reference_scores == scores
