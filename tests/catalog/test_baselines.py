"""Training and baselines with the real d3rlpy, on very little data."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
import pytest
import torch

from benchmarks_catalog.learning import algorithm, import_d3rlpy, reproducible
from benchmarks_catalog.training import train_policy
from pytupli_registry import api
from pytupli_registry.benchmarks.benchmark import Benchmark
from pytupli_registry.catalog.baseline_results import read_baselines
from pytupli_registry.catalog.baselines import run_baselines, write_card
from pytupli_registry.catalog.catalog import entry
from pytupli_registry.catalog.installing import install as make
from pytupli_registry.catalog.recipe import TrainingRecipe
from pytupli_registry.errors import AdapterError, BenchmarkNotFound, FormatError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRAINED = """
[policies.learner.train]
algorithm = "DQN"
steps = 150
seed = 3
settings = { learning_rate = 0.001, batch_size = 16, target_update_interval = 20 }
exploration = { start = 1.0, end = 0.2, steps = 100 }
hidden_units = [8]

[policies.novice.checkpoint]
of = "learner"
step = 40

[datasets.replay-v0]
description = "What the learner saw."
replay = "learner"

[datasets.learnt-v0]
description = "What came of it."
episodes = 4
seed = 200
policies = { learner = 0.5, novice = 0.5 }

[baselines]
datasets = ["mixed-v0", "replay-v0"]
steps = 30
seeds = [4, 5]
batch_size = 8
hidden_units = [8]
algorithms = { DiscreteBC = { learning_rate = 0.01 }, DiscreteBCQ = {} }
"""


def test_trained_policies_their_checkpoints_and_their_experience(
    install: Callable[..., Path], tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install({"tiny": tiny + TRAINED})
    built = make("tiny")
    bench = Benchmark.load("tiny")
    assert bench.verify("replay-v0").outcome == "identical"
    replay = list(api.load("tiny/replay-v0").episodes())
    assert [episode.seed for episode in replay] == list(range(3, 3 + len(replay)))
    assert {episode.metadata["policy"] for episode in replay} == {"learner"}
    # The last episode is cut by the end of the training, and is not kept.
    assert 150 - 25 <= sum(map(len, replay)) <= 150
    policies = {name: bench.policy(name) for name in ("learner", "novice")}
    assert bench.specification.policies["learner"].algorithm == "DQN"
    assert "after 40 steps" in bench.specification.policies["novice"].description
    for episode in api.load("tiny/learnt-v0").episodes():
        acted = policies[str(episode.metadata["policy"])].act(
            list(episode.observations[:-1]), range(len(episode))
        )
        assert np.array_equal(acted, episode.actions)
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "again"))
    again = make("tiny")
    for name in ("replay-v0", "learnt-v0"):
        data = f"{name}/data/main_data.hdf5"
        assert (built.directory / data).read_bytes() == (again.directory / data).read_bytes()


def test_baselines_are_measured_and_written_into_the_card(install: Callable[..., Path], tiny: str) -> None:
    home = install({"tiny": tiny + TRAINED})
    (home / "tiny/README.md").write_text(
        "# Tiny\n\n<!-- generated: baselines -->\n<!-- end: baselines -->\n\nBy hand.\n"
    )
    results = run_baselines(entry("tiny"))
    bench = Benchmark.load("tiny")
    assert (results.benchmark, results.identity) == ("tiny", bench.identity)
    assert results.datasets == {
        name: bench.specification.datasets[name].sha256 for name in ("mixed-v0", "replay-v0")
    }
    assert [(each.dataset, each.algorithm) for each in results.results] == [
        ("mixed-v0", "DiscreteBC"),
        ("mixed-v0", "DiscreteBCQ"),
        ("replay-v0", "DiscreteBC"),
        ("replay-v0", "DiscreteBCQ"),
    ]
    scores = bench.specification.reference_scores
    span = scores["expert"].mean - scores["random"].mean
    for each in results.results:
        assert each.scores.keys() == each.returns.keys() == {"4", "5"}
        for seed, value in each.returns.items():
            assert each.scores[seed] == pytest.approx(100 * (value - scores["random"].mean) / span)
        assert each.iqm.value == pytest.approx(np.mean(list(each.scores.values())))
        assert each.iqm.low <= each.iqm.value <= each.iqm.high
    assert results.versions.keys() >= {"d3rlpy", "torch", "gymnasium", "python"}
    card = write_card(entry("tiny"), results)
    assert read_baselines(home / "tiny/baselines.json") == results
    text = card.read_text()
    row = re.search(r"^\| `tiny/mixed-v0` \| (\S+) \[(\S+), (\S+)\] \| (\S+) \[", text, re.MULTILINE)
    assert row is not None
    assert float(row[1]) == pytest.approx(results.results[0].iqm.value, abs=0.05)
    assert float(row[4]) == pytest.approx(results.results[1].iqm.value, abs=0.05)
    assert text.index("<!-- end: baselines -->\n\nBy hand.\n") < text.index("<!-- generated: facts -->")
    assert write_card(entry("tiny")).read_text() == text
    again = run_baselines(entry("tiny"))
    assert again.results == results.results


def test_a_checkpoint_is_what_a_shorter_training_ends_with() -> None:
    env = gymnasium.make("Pendulum-v1")
    settings = {"batch_size": 8}
    recipe = TrainingRecipe(algorithm="SAC", steps=40, seed=2, hidden_units=(8,), settings=settings)
    advanced: list[int] = []
    learners = train_policy(env, recipe, [25, 40], advanced.append)
    assert advanced == [1] * 40
    shorter = train_policy(env, recipe.model_copy(update={"steps": 25}), [25], advanced.append)
    observations = np.array([[1, 0, 0], [0, 1, 2], [-1, 0, -8]], dtype=np.float32)
    actions = [made.predict(observations) for made in (learners[25], shorter[25], learners[40])]
    assert np.array_equal(actions[0], actions[1])
    assert not np.array_equal(actions[0], actions[2])
    assert np.abs(actions[2]).max() <= 2


def test_training_leaves_the_process_as_it_was() -> None:
    import_d3rlpy()
    states = (
        random.getstate(),
        np.random.get_state()[1].copy(),
        torch.get_rng_state(),
        torch.get_num_threads(),
    )
    drawn = []
    for _ in range(2):
        with reproducible(7):
            assert torch.get_num_threads() == 1
            drawn.append((random.random(), np.random.random(), torch.rand(1).item()))
    assert drawn[0] == drawn[1]
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.get_rng_state(), states[2])
    assert torch.get_num_threads() == states[3]


def test_a_recipe_without_baselines_says_so(install: Callable[..., Path], tiny: str) -> None:
    install({"tiny": tiny})
    with pytest.raises(BenchmarkNotFound, match=r"no \[baselines\]"):
        run_baselines(entry("tiny"))


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("DQM", {}, "no algorithm 'DQM'. Did you mean 'DQN'"),
        ("DQN", {"learning_rat": 1}, "no setting 'learning_rat'. Did you mean 'learning_rate'"),
    ],
)
def test_what_d3rlpy_does_not_know(name: str, settings: dict[str, int], said: str) -> None:
    with pytest.raises(AdapterError, match=re.escape(said)):
        algorithm(name, settings, [8])


def test_every_algorithm_of_the_catalog_is_d3rlpys() -> None:
    for name in ("cartpole", "pendulum", "catch", "hvac"):
        recipe = entry(name).recipe
        assert recipe.baselines is not None
        for found, settings in recipe.baselines.algorithms.items():
            made = algorithm(found, settings, recipe.baselines.hidden_units)
            assert type(made).__name__ == found
            assert {key: getattr(made.config, key) for key in settings} == settings


def test_results_that_are_none(tmp_path: Path) -> None:
    assert read_baselines(tmp_path / "baselines.json") is None
    (tmp_path / "baselines.json").write_text(json.dumps({"format": "pytupli-baselines", "results": []}))
    with pytest.raises(FormatError, match=r"baselines\.json, at "):
        read_baselines(tmp_path / "baselines.json")


WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"d3rlpy", "pytupli_d3rlpy", "torch"}:
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Absent())
from pathlib import Path
from pytupli_registry.catalog.building import build
from pytupli_registry.catalog.catalog import entry
from pytupli_registry.catalog.recipe import TrainingRecipe
from pytupli_registry.errors import AdapterError
print(build(entry("catch"), Path(sys.argv[1]), datasets=False).name)
try:
    build(entry("cartpole"), Path(sys.argv[1]))
except AdapterError as error:
    print(error.hint)
"""


def test_without_d3rlpy_what_needs_no_training_builds_and_the_rest_says_what_to_install(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["catch", "pip install pytupli-d3rlpy"]
    assert not (tmp_path / "cartpole").exists()
