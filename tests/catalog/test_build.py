"""Builds: the same bytes every time, complete or not at all, and what is there stays."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
import pytest

from pytupli_registry import api
from pytupli_registry.benchmarks.benchmark import Benchmark
from pytupli_registry.catalog.building import build
from pytupli_registry.catalog.catalog import entry
from pytupli_registry.catalog.installing import build_all
from pytupli_registry.catalog.installing import install as make
from pytupli_registry.errors import BenchmarkExists, DatasetExists, RequirementsMissing, WriteError
from pytupli_registry.storage.durable import hold_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def steps_of_feedback(seed: int, options: dict[str, float] | None = None) -> int:
    """How long the recipe's expert lasts, by a loop of our own."""
    env = gymnasium.make("CartPole-v1", max_episode_steps=25)
    observation, _ = env.reset(seed=seed, options=options)
    for step in range(1, 26):
        observation, _, terminated, truncated, _ = env.step(int(observation[2] + 0.35 * observation[3] > 0))
        if terminated or truncated:
            return step
    raise AssertionError


def test_what_a_build_makes(install: Callable[..., Path], tiny: str, tmp_path: Path) -> None:
    install({"tiny": tiny})
    built = build(entry("tiny"), tmp_path / "out")
    assert built.directory == tmp_path / "out" / "tiny"
    assert (built.made, built.recorded, built.present) == (True, ("random-v0", "mixed-v0"), ())
    bench = Benchmark.load(built.directory)
    said = bench.specification
    assert (said.title, said.difficulty, said.licence) == ("A few steps of CartPole", "easy", "MIT")
    assert (said.environment.id, said.environment.max_episode_steps) == ("CartPole-v1", 25)
    assert (said.evaluation.episodes, said.evaluation.seed) == (4, 500)
    assert "gymnasium>=1.0.0" in [requirement.requirement for requirement in said.requirements]
    lengths = [steps_of_feedback(seed) for seed in range(500, 504)]
    expert = said.reference_scores["expert"]
    assert (expert.mean, expert.std, expert.episodes, expert.seed) == (
        pytest.approx(np.mean(lengths)),
        pytest.approx(np.std(lengths)),
        4,
        500,
    )
    assert expert.source.startswith("State feedback, controller acme_benchmarks.controllers:feedback")
    assert 5 < said.reference_scores["random"].mean < 25
    assert bench.verify().outcome == "identical"
    for name, episodes in (("random-v0", 6), ("mixed-v0", 7)):
        assert said.datasets[name].episodes == episodes
        assert bench.verify(name).outcome == "identical"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"tiny", ".pytupli-build"}
    assert {path.name for path in (tmp_path / "out" / ".pytupli-build").iterdir()} == {"tiny.lock"}


def test_what_is_recorded(install: Callable[..., Path], tiny: str) -> None:
    install({"tiny": tiny})
    make("tiny")
    dataset = api.load("tiny/mixed-v0")
    episodes = list(dataset.episodes())
    assert [episode.seed for episode in episodes] == list(range(100, 107))
    policies = [episode.metadata["policy"] for episode in episodes]
    assert policies == ["expert", "medium", "expert", "medium", "expert", "medium", "expert"]
    assert {episode.metadata["season"] for episode in episodes} == {"summer"}
    assert not any("recorded_at" in episode.metadata for episode in episodes)
    for turn, episode in enumerate(episodes[::2]):
        options = ({"low": -0.05, "high": 0.0}, {"low": 0.0, "high": 0.05})[turn % 2]
        assert episode.options == options
        assert len(episode) == steps_of_feedback(episode.seed or 0, options)
    extra = dataset.metadata.extra
    assert extra["algorithm_name"] == "expert, medium"
    scores = Benchmark.load("tiny").specification.reference_scores
    assert (extra["ref_min_score"], extra["ref_max_score"]) == (scores["random"].mean, scores["expert"].mean)


def test_a_second_build_makes_the_same_bytes(install: Callable[..., Path], tiny: str, tmp_path: Path) -> None:
    install({"tiny": tiny})
    first = build(entry("tiny"), tmp_path / "first").directory
    second = build(entry("tiny"), tmp_path / "second").directory
    assert contents(first) == contents(second)
    changed = tiny.replace("seed = 100", "seed = 101")
    (entry("tiny").directory / "benchmark.toml").write_text(changed)
    third = build(entry("tiny"), tmp_path / "third").directory
    data = "mixed-v0/data/main_data.hdf5"
    assert contents(third)[data] != contents(first)[data]
    assert (
        contents(third)["random-v0/data/main_data.hdf5"] == contents(first)["random-v0/data/main_data.hdf5"]
    )


def test_what_is_there_stays_and_what_is_missing_comes(
    install: Callable[..., Path], tiny: str, store: Path
) -> None:
    install({"tiny": tiny})
    without = make("tiny", datasets=False)
    assert (without.made, without.recorded, without.present) == (True, (), ())
    assert Benchmark.load("tiny").specification.datasets == {}
    full = make("tiny")
    assert (full.recorded, full.present) == (("random-v0", "mixed-v0"), ())
    before = contents(store / "tiny")
    again = make("tiny")
    assert (again.made, again.recorded, again.present) == (False, (), ("random-v0", "mixed-v0"))
    assert not again.outdated
    assert contents(store / "tiny") == before
    api.delete("tiny/random-v0")
    assert make("tiny").recorded == ("random-v0",)
    assert contents(store / "tiny") == before


def test_a_changed_recipe_is_told_and_replaced_only_on_request(
    install: Callable[..., Path], tiny: str, store: Path
) -> None:
    home = install({"tiny": tiny})
    make("tiny")
    before = contents(store / "tiny")
    (home / "tiny/benchmark.toml").write_text(tiny.replace("seed = 100", "seed = 101"))
    told = make("tiny")
    assert (told.made, told.outdated) == (False, True)
    assert contents(store / "tiny") == before
    assert make("tiny", replace=True).recorded == ("random-v0", "mixed-v0")
    assert [episode.seed for episode in api.load("tiny/mixed-v0").episodes()] == list(range(101, 108))
    assert not any(path.name.endswith(".replaced") for path in (store / "tiny").iterdir())
    assert not make("tiny").outdated


def test_another_benchmark_of_that_name_is_in_the_way(
    install: Callable[..., Path], tiny: str, store: Path
) -> None:
    home = install({"tiny": tiny})
    make("tiny", datasets=False)
    before = contents(store / "tiny")
    (home / "tiny/benchmark.toml").write_text(
        tiny.replace("max_episode_steps = 25", "max_episode_steps = 24")
    )
    with pytest.raises(BenchmarkExists):
        make("tiny")
    assert contents(store / "tiny") == before
    make("tiny", replace=True)
    assert Benchmark.load("tiny").specification.environment.max_episode_steps == 24


def test_datasets_of_ones_own_stay_and_are_not_overwritten(
    install: Callable[..., Path], tiny: str, store: Path
) -> None:
    install({"tiny": tiny})
    make("tiny")
    for name in ("own-v0", "random-v0"):
        api.save(api.load("tiny/mixed-v0"), f"kept/{name}")
    shutil.rmtree(store / "tiny")
    (store / "tiny").mkdir()
    for name in ("own-v0", "random-v0"):
        shutil.copytree(store / "kept" / name, store / "tiny" / name)
    before = contents(store / "tiny")
    with pytest.raises(DatasetExists, match="tiny/random-v0"):
        make("tiny")
    assert contents(store / "tiny").items() >= before.items()
    shutil.rmtree(store / "tiny" / "random-v0")
    make("tiny")
    assert (store / "tiny/own-v0/data/main_data.hdf5").read_bytes() == before["own-v0/data/main_data.hdf5"]
    assert set(Benchmark.load("tiny").specification.datasets) == {"own-v0", "random-v0", "mixed-v0"}


def test_a_build_that_was_cut_off_between_data_and_description_is_finished(
    install: Callable[..., Path], tiny: str, store: Path
) -> None:
    install({"tiny": tiny})
    make("tiny")
    before = contents(store / "tiny")
    (store / "tiny/benchmark.json").unlink()
    shutil.rmtree(store / "tiny/artifacts")
    make("tiny")
    assert contents(store / "tiny") == before


FAILING = """
def feedback(env, gain):
    raise RuntimeError("no such gain")
"""


def test_a_build_that_fails_leaves_nothing(install: Callable[..., Path], tiny: str, store: Path) -> None:
    home = install({"tiny": tiny})
    working = (home / "controllers.py").read_text()
    (home / "controllers.py").write_text(FAILING)
    with pytest.raises(RuntimeError, match="no such gain"):
        make("tiny")
    assert {path.name for path in store.iterdir()} == {".pytupli-build"}
    assert {path.name for path in (store / ".pytupli-build").iterdir()} == {"tiny.lock"}
    (home / "controllers.py").write_text(working)
    for name in [known for known in sys.modules if known.startswith("acme_benchmarks")]:
        del sys.modules[name]
    assert make("tiny").made


KILLED = """
import sys, time
from contextlib import contextmanager
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pytupli_registry.catalog.building import build
from pytupli_registry.catalog.catalog import entry

@contextmanager
def progress(label, total=None):
    if "recording mixed-v0" not in label:
        yield lambda amount: None
        return
    def advance(amount):
        print("half way", flush=True)
        time.sleep(60)
    yield advance

build(entry("tiny"), Path(sys.argv[2]), progress=progress)
"""


def test_a_build_that_is_killed_leaves_nothing_and_can_be_repeated(
    install: Callable[..., Path], tiny: str, tmp_path: Path
) -> None:
    home = install({"tiny": tiny})
    root = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, str(home.parent), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half way\n"
        with pytest.raises(WriteError, match="by another process"):
            build(entry("tiny"), root)
        process.send_signal(signal.SIGKILL)
    assert {path.name for path in root.iterdir()} == {".pytupli-build"}
    assert (root / ".pytupli-build/tiny").is_dir()
    build(entry("tiny"), root)
    assert contents(root / "tiny") == contents(build(entry("tiny"), tmp_path / "other").directory)
    assert not (root / ".pytupli-build/tiny").exists()


def test_one_build_at_a_time(install: Callable[..., Path], tiny: str, tmp_path: Path) -> None:
    install({"tiny": tiny})
    (tmp_path / ".pytupli-build").mkdir()
    with (
        hold_lock(tmp_path / ".pytupli-build/tiny.lock", wait=True),
        pytest.raises(WriteError, match="is being built"),
    ):
        build(entry("tiny"), tmp_path)


def test_files_beside_the_recipe_become_artifacts(install: Callable[..., Path], tmp_path: Path) -> None:
    original = entry("microgrid").directory
    recipe = (original / "benchmark.toml").read_text().replace("episodes = 24", "episodes = 2")
    home = install({"grid": recipe.replace('"microgrid"', '"grid"')})
    shutil.copytree(original / "artifacts", home / "grid" / "artifacts")
    built = build(entry("grid"), tmp_path, datasets=False)
    bench = Benchmark.load(built.directory)
    for name in ("wind", "prices", "load"):
        assert bench.specification.environment.kwargs[name] == {"$artifact": name}
        kept = built.directory / bench.specification.artifacts[name].path
        assert kept.read_bytes() == (original / "artifacts" / f"{name}.csv").read_bytes()
    assert str(home) not in (built.directory / "benchmark.json").read_text()
    assert bench.verify().outcome == "identical"


def test_what_is_not_installed_is_told_with_the_extra_that_brings_it(
    install: Callable[..., Path], tiny: str, tmp_path: Path
) -> None:
    needing = tiny.replace('["gymnasium>=1.0.0"]', '["no-such-simulator>=3"]\nextra = "mujoco"')
    install({"tiny": needing})
    with pytest.raises(RequirementsMissing, match="no-such-simulator") as caught:
        build(entry("tiny"), tmp_path / "out")
    assert caught.value.hint == "pip install 'pytupli-registry[mujoco]'"
    assert not (tmp_path / "out").exists()


def test_one_that_fails_stops_no_other(install: Callable[..., Path], tiny: str, store: Path) -> None:
    missing = tiny.replace('"tiny"', '"first"').replace('["gymnasium>=1.0.0"]', '["no-such-simulator>=3"]')
    install({"first": missing, "tiny": tiny})
    made = dict(build_all(["first", "tiny"], datasets=False))
    assert isinstance(made["first"], RequirementsMissing)
    assert made["tiny"].directory == store / "tiny"


@pytest.mark.slow
def test_several_at_a_time_make_the_same(tmp_path: Path) -> None:
    names = ["mountain-car", "catch"]
    made = dict(build_all(names, tmp_path / "two", datasets=False, jobs=2))
    assert made.keys() == set(names)
    alone = dict(build_all(names, tmp_path / "one", datasets=False))
    for name in names:
        assert contents(made[name].directory) == contents(alone[name].directory)


def test_the_card_keeps_what_was_written_by_hand(
    install: Callable[..., Path], tiny: str, tmp_path: Path
) -> None:
    home = install({"tiny": tiny})
    by_hand = (
        "# Tiny\n\n<!-- generated: facts -->\noutdated\n<!-- end: facts -->\n\n## What it is not\n\nLarge.\n"
    )
    (home / "tiny/README.md").write_text(by_hand)
    card = (build(entry("tiny"), tmp_path).directory / "README.md").read_text()
    assert card.startswith("# Tiny\n\n<!-- generated: facts -->\n| ")
    assert card.endswith("<!-- end: facts -->\n\n## What it is not\n\nLarge.\n")
    assert "outdated" not in card
    assert "| `tiny/mixed-v0` | 7 |" in card
    assert 'pytupli_d3rlpy.load("tiny/mixed-v0")' in card


def test_benchmark_json_tells_where_it_comes_from(
    install: Callable[..., Path], tiny: str, tmp_path: Path
) -> None:
    install({"tiny": tiny})
    text = (build(entry("tiny"), tmp_path, datasets=False).directory / "benchmark.json").read_text()
    assert json.loads(text)["metadata"]["catalog"] == "acme"
    assert str(tmp_path) not in text
