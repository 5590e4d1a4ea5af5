"""Catalogs are found in installed distributions, and looking at them runs nothing."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytupli_registry.catalog.baseline_results import baseline_table, read_baselines
from pytupli_registry.catalog.catalog import catalogs, entry, list_catalog
from pytupli_registry.errors import BenchmarkNotFound, FormatError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUILTIN = {
    "acrobot", "cartpole", "catch", "frozen-lake", "hvac", "inverted-pendulum", "lunar-lander", "microgrid",
    "mountain-car", "mountain-car-continuous", "pendulum", "point-reach", "reacher", "taxi",
}  # fmt: skip


def test_the_built_in_catalog() -> None:
    found = list_catalog()
    assert {each.name for each in found} == BUILTIN
    for each in found:
        recipe = each.recipe
        assert each.problem is None
        assert 3 <= len(recipe.datasets) <= 5, each.name
        assert recipe.baselines is not None
        assert len(recipe.baselines.algorithms) >= 3
        assert len(recipe.baselines.seeds) >= 3
        assert recipe.licence
        assert recipe.citation
        assert (recipe.source or "").startswith(("https://", "pytupli-registry: "))
        assert (each.directory / "README.md").is_file()
    trained = {
        each.name: {
            name for name, policy in each.recipe.policies.items() if policy.train or policy.checkpoint
        }
        for each in found
        if each.recipe.needs_training
    }
    assert sum("medium" in policies for policies in trained.values()) >= 3
    assert sum("expert" in policies for policies in trained.values()) >= 1


def test_the_scores_in_the_cards_are_those_of_the_recipes() -> None:
    for found in catalogs():
        for each in found.entries():
            recipe, results = each.recipe.baselines, read_baselines(each.directory / "baselines.json")
            assert recipe is not None
            assert results is not None, each.name
            measured = [(result.dataset, result.algorithm, result.settings) for result in results.results]
            assert measured == [
                (dataset, algorithm, settings)
                for dataset in recipe.datasets
                for algorithm, settings in recipe.algorithms.items()
            ], each.name
            runs = {str(seed) for seed in recipe.seeds}
            assert all(result.scores.keys() == runs for result in results.results)
            assert (results.steps, results.batch_size) == (recipe.steps, recipe.batch_size)
            assert results.protocol == each.recipe.evaluation
            card = (each.directory / "README.md").read_text()
            assert baseline_table(results) in card
            assert all(f"| `{each.name}/{dataset}` |" in card for dataset in each.recipe.datasets)


def test_seeds_of_datasets_do_not_meet_those_of_the_evaluation() -> None:
    for each in list_catalog():
        recipe = each.recipe
        used = set(recipe.evaluation.seeds)
        for name, dataset in recipe.datasets.items():
            seeds = set(range(dataset.seed, dataset.seed + (dataset.episodes or 0)))
            assert not used & seeds, (each.name, name)
            used |= seeds


def test_looking_imports_no_environment_and_no_learning_library() -> None:
    code = (
        "import json, sys\n"
        "from pytupli_registry.catalog.catalog import entry, list_catalog\n"
        "names = [found.recipe.name for found in list_catalog()]; entry('hvac')\n"
        "heavy = ('gymnasium', 'torch', 'd3rlpy', 'pandas', 'benchmarks_catalog', 'h5py', 'pyarrow')\n"
        "print(json.dumps([name for name in heavy if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_a_catalog_of_ones_own(install: Callable[..., Path], tiny: str) -> None:
    home = install({"tiny": tiny}, initial="raise RuntimeError('nothing imports this to look')")
    found = {catalog.name: catalog for catalog in catalogs()}
    assert found.keys() == {"acme", "builtin"}
    assert (found["acme"].package, found["acme"].directory) == ("acme_benchmarks", home)
    assert [each.name for each in found["acme"].entries()] == ["tiny"]
    assert entry("tiny").recipe.title == "A few steps of CartPole"
    assert entry("acme/tiny") == entry("tiny")
    assert "acme_benchmarks" not in sys.modules


def test_a_recipe_that_cannot_be_read_does_not_hide_the_others(
    install: Callable[..., Path], tiny: str
) -> None:
    install({"tiny": tiny, "broken": "name = 3"})
    every = {each.name: each for each in list_catalog()}
    assert every["tiny"].problem is None
    assert every["broken"].readable is None
    assert "broken/benchmark.toml" in str(every["broken"].problem)
    with pytest.raises(FormatError, match=r"broken/benchmark\.toml"):
        entry("broken")


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(BenchmarkNotFound, match="Did you mean 'cartpole'") as caught:
        entry("cartpol")
    assert caught.value.reference == "cartpol"


def test_a_name_in_two_catalogs_needs_the_catalogs_name(install: Callable[..., Path], tiny: str) -> None:
    install({"cartpole": tiny.replace('"tiny"', '"cartpole"')})
    with pytest.raises(BenchmarkNotFound, match=r"'acme/cartpole', 'builtin/cartpole'"):
        entry("cartpole")
    assert entry("acme/cartpole").recipe.title == "A few steps of CartPole"
    assert entry("builtin/cartpole").recipe.title.startswith("CartPole")


def test_a_catalog_without_its_package_is_left_out(
    install: Callable[..., Path], caplog: pytest.LogCaptureFixture, tiny: str
) -> None:
    home = install({"tiny": tiny})
    home.rename(home.with_name("elsewhere"))
    with caplog.at_level(logging.WARNING):
        assert [catalog.name for catalog in catalogs()] == ["builtin"]
    assert "acme_benchmarks" in caplog.text
