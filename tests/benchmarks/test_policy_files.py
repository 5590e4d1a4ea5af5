"""Policies that benchmarks keep: only those that can act in them."""

import d3rlpy
import gymnasium
import pytest

from pytupli_registry import Benchmark
from pytupli_registry.benchmarks.policy_files import policy_entry
from pytupli_registry.errors import AdapterError, ArtifactError


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    return Benchmark.from_env(gymnasium.make("CartPole-v1"), name="cart", rollouts=0)


def test_an_algorithm_that_cannot_act_here_is_not_kept(bench):
    """A DecisionTransformer without a target was kept, and evaluating it was an error ever after."""
    with pytest.raises(AdapterError, match="has no network yet"):
        bench.with_policy("untrained", d3rlpy.algos.DiscreteBCConfig().create())
    other = d3rlpy.algos.DiscreteBCConfig().create()
    other.create_impl((7,), 2)
    with pytest.raises(AdapterError, match="7"):
        bench.with_policy("other", other)
    fitting = d3rlpy.algos.DiscreteBCConfig().create()
    fitting.create_impl((4,), 2)
    assert set(bench.with_policy("fitting", fitting).specification.policies) == {"fitting"}


def test_a_policy_that_is_not_there_is_told_with_those_that_are(bench, tmp_path):
    (tmp_path / "p.d3").write_bytes(b"x")
    bench = bench.with_policy("expert", tmp_path / "p.d3")
    assert policy_entry(bench.specification, "expert").format == "d3"
    for name, hint in (
        ("expret", "Did you mean 'expert'?"),
        ("rnadom", "Did you mean 'random'?"),
        ("x", "It has: expert."),
    ):
        with pytest.raises(ArtifactError, match=f"has no policy '{name}'") as caught:
            bench.evaluate(name)
        assert caught.value.hint == hint
