"""What lies in the store is listed, whatever state it is in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import gymnasium
import pytest

from pytupli_registry import Benchmark, Recorder, list_benchmarks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTUPLI_CONFIG_PATH", str(tmp_path / "config"))
    return tmp_path / "datasets"


def test_an_empty_store() -> None:
    assert list_benchmarks() == []


def test_every_benchmark_is_listed_and_the_broken_say_why(root: Path) -> None:
    env = gymnasium.make("CartPole-v1")
    with Recorder(env, "cart/random-v0") as recorder:
        recorder.reset(seed=1)
        while not any(recorder.step(0)[2:4]):
            pass
    bench = Benchmark.from_env(env, name="cart", title="Cart", rollouts=1)
    bench.save()
    bench.save(root / "acme" / "wagon")
    (root / "broken").mkdir()
    (root / "broken" / "benchmark.json").write_text("{")
    later = json.loads((root / "cart" / "benchmark.json").read_text()) | {"format_version": 2}
    (root / "later").mkdir()
    (root / "later" / "benchmark.json").write_text(json.dumps(later))
    wagon, broken, cart, late = list_benchmarks()
    assert [one.name for one in (wagon, broken, cart, late)] == ["acme/wagon", "broken", "cart", "later"]
    assert (cart.datasets, cart.identity, cart.problem) == (("random-v0",), bench.identity, None)
    assert cart.specification is not None
    assert cart.specification.title == "Cart"
    assert (wagon.problem, wagon.datasets) == ("It calls itself 'cart'.", ())
    assert (broken.specification, broken.identity, late.specification) == (None, None, None)
    assert "it is not JSON" in str(broken.problem)
    assert "format version 2" in str(late.problem)
