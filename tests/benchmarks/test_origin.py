"""The environment of a dataset: its benchmark's, the registered one, or none."""

from __future__ import annotations

import itertools
import json
import sys
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
import pytest

from pytupli_registry import Benchmark, Recorder, environment_of, load, open_dataset

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
import gymnasium, numpy as np

class Plant(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 9, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, table, power=1.0):
        self.table, self.power = table, power

    def reset(self, *, seed=None, options=None):
        return np.array([self.table[0]], np.float32), {}

    def step(self, action):
        return np.array([self.table[1]], np.float32), self.power * action, bool(action), False, {}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTUPLI_CONFIG_PATH", str(tmp_path / "config"))
    monkeypatch.delenv("PYTUPLI_ALLOWED_MODULES", raising=False)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "acme_plant.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    monkeypatch.delitem(sys.modules, "acme_plant", raising=False)
    return tmp_path


def record(env: gymnasium.Env, dataset_id: str) -> None:
    with Recorder(env, dataset_id, autoseed=True) as recorder:
        for actions in ((0, 0, 1), (1,)):
            recorder.reset(seed=len(actions))
            for action in itertools.cycle(actions):
                if any(recorder.step(action)[2:4]):
                    break


def plant() -> gymnasium.Env:
    import acme_plant

    return acme_plant.Plant(table=np.arange(4.0), power=2.0)


def saved_plant(**options: object) -> Benchmark:
    record(plant(), "plant/mixed-v0")
    arguments = {"table": np.arange(4.0), "power": 2.0}
    bench = Benchmark.from_env(plant(), name="plant", arguments=arguments, **options)
    bench.save()
    return bench


def test_a_benchmarks_environment_is_built_with_its_artifacts_if_that_is_allowed() -> None:
    saved_plant()
    dataset = load("plant/mixed-v0", "length > 1")
    assert environment_of(dataset) is None
    with environment_of(dataset, allow="acme_plant") as env:
        np.testing.assert_array_equal(env.unwrapped.table, [0.0, 1.0, 2.0, 3.0])
        assert (env.reset()[0].tolist(), env.step(1)[:2]) == ([0.0], (np.array([1.0], np.float32), 2.0))


def test_a_benchmark_moved_elsewhere_still_is_the_datasets(home: Path) -> None:
    saved_plant()
    (home / "datasets" / "plant").rename(home / "elsewhere")
    dataset = open_dataset(home / "elsewhere" / "mixed-v0")
    with environment_of(dataset, allow=["acme_plant"]) as env:
        assert env.unwrapped.power == 2.0


def test_an_interface_alone_gives_none() -> None:
    saved_plant(private=True)
    assert environment_of(load("plant/mixed-v0"), allow=["acme_plant"]) is None


def test_without_a_benchmark_the_registered_environment_is_built() -> None:
    record(gymnasium.make("CartPole-v1", max_episode_steps=7), "cart/mixed-v0")
    with environment_of(load("cart/mixed-v0")) as env:
        assert (env.spec.id, env.spec.max_episode_steps) == ("CartPole-v1", 7)
    record(plant(), "plant/mixed-v0")
    assert (
        environment_of(load("plant/mixed-v0"), allow=["acme_plant"]) is None
    )  # nothing says how it was made


def test_a_benchmark_of_other_spaces_is_not_the_datasets(home: Path) -> None:
    saved_plant()
    record(gymnasium.make("CartPole-v1"), "plant/cart-v0")
    with environment_of(load("plant/cart-v0"), allow=["acme_plant"]) as env:
        assert env.spec.id == "CartPole-v1"


@pytest.mark.parametrize("text", ["{", '{"format": "pytupli-benchmark", "format_version": 9}'])
def test_a_broken_benchmark_does_not_keep_the_data_from_use(
    home: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    saved_plant()
    (home / "datasets" / "plant" / "benchmark.json").write_text(text)
    assert environment_of(load("plant/mixed-v0"), allow=["acme_plant"]) is None
    assert "cannot be used" in caplog.text


def test_an_artifact_that_was_changed_gives_none(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    saved_plant()
    path = home / "datasets" / "plant" / "benchmark.json"
    entry = json.loads(path.read_text())["artifacts"]["table"]
    file = path.parent / "artifacts" / entry["sha256"][:16] / entry["file_name"]
    file.write_bytes(file.read_bytes()[:-1] + b"\x41")
    assert environment_of(load("plant/mixed-v0"), allow=["acme_plant"]) is None
    assert "SHA-256" in caplog.text
