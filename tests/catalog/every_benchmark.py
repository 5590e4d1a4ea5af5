"""Every benchmark of the catalog in full size: built twice it is the same, it validates, verifies, and trains.

`make test-catalog` runs it, in about five minutes; CI runs test_builtin.py, which does the same with fewer episodes.
"""

import subprocess
import sys

import numpy as np
import pytest

import pytupli_registry
from pytupli_registry import Benchmark
from pytupli_registry.catalog.baseline_results import read_baselines
from pytupli_registry.catalog.building import build
from pytupli_registry.catalog.catalog import entry, list_catalog
from pytupli_registry.validation.benchmark import validate_benchmark

NAMES = [found.name for found in list_catalog()]

REBUILT = """
import sys
from pathlib import Path
from pytupli_registry.catalog.building import build
from pytupli_registry.catalog.catalog import entry
build(entry(sys.argv[1]), Path(sys.argv[2]))
"""


def test_there_are_at_least_ten_of_every_kind_that_was_asked_for():
    assert len(NAMES) >= 12
    assert set(NAMES) >= {
        *("cartpole", "acrobot", "mountain-car", "mountain-car-continuous", "pendulum", "lunar-lander"),
        *("frozen-lake", "taxi", "point-reach", "catch", "hvac", "microgrid", "inverted-pendulum", "reacher"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_benchmark_is_whole(name, tmp_path, monkeypatch):
    for variable in ("DATASETS", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"PYTUPLI_{variable}_PATH", str(tmp_path / variable))
    again = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", REBUILT, name, tmp_path / "again"],
        stderr=subprocess.PIPE,
        text=True,
    )
    build(entry(name), tmp_path / "DATASETS")
    _, errors = again.communicate(timeout=600)
    assert again.returncode == 0, errors[-3000:]

    first, second = Benchmark.load(name), Benchmark.load(tmp_path / "again" / name)
    assert 3 <= len(first.specification.datasets) <= 5
    assert first.identity == second.identity
    assert first.specification.datasets == second.specification.datasets  # SHA-256 of each file among it
    assert first.specification.artifacts == second.specification.artifacts
    assert first.specification.reference_scores == second.specification.reference_scores
    for built in (first, second):
        report = validate_benchmark(built.directory)
        assert report.problems == (), report.problems
        assert built.verify().outcome == "identical"
        for dataset in built.dataset_names[:2]:
            assert built.verify(dataset, episodes=3).outcome == "identical"

    scores = first.specification.reference_scores
    assert scores["expert"].mean > scores["random"].mean
    means = {
        dataset: first.dataset(dataset).describe().returns.mean
        for dataset in first.dataset_names
        if dataset in {"random-v0", "medium-v0", "expert-v0"}
    }
    assert means["random-v0"] < means["medium-v0"] < means["expert-v0"]
    baselines = read_baselines(entry(name).directory / "baselines.json")
    assert baselines is not None
    assert baselines.identity == first.identity
    assert {
        dataset: first.specification.datasets[dataset].sha256 for dataset in baselines.datasets
    } == baselines.datasets  # on the versions that constraints.txt pins
    train(name)


def train(name):
    """The one line that loads, and a few steps of behaviour cloning."""
    import d3rlpy
    import torch

    import pytupli_d3rlpy

    torch.set_num_threads(1)
    first = Benchmark.load(name)
    discrete = first.specification.environment.observation_space["type"] == "Discrete"
    how = {"discrete_observation": "one_hot"} if discrete else {}
    dataset, env = pytupli_d3rlpy.load(f"{name}/mixed-v0", episodes="total_return > -1e9", **how)
    assert env is not None
    continuous = first.specification.environment.action_space["type"] == "Box"
    config = d3rlpy.algos.BCConfig if continuous else d3rlpy.algos.DiscreteBCConfig
    algo = config(batch_size=32).create()
    losses = [
        metrics["loss"]
        for _, metrics in algo.fit(
            dataset,
            n_steps=60,
            n_steps_per_epoch=20,
            show_progress=False,
            logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
        )
    ]
    assert len(losses) == 3
    assert np.isfinite(losses).all()
    result = first.evaluate(algo, episodes=2)
    assert np.isfinite(result.normalised.mean.value)
    assert len(pytupli_registry.load(f"{name}/mixed-v0")) == first.specification.datasets["mixed-v0"].episodes
