"""Benchmarks as they are kept: saved, found, listed, changed and deleted."""

import os
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from pytupli_registry import Benchmark, Recorder, load
from pytupli_registry.errors import BenchmarkExists, BenchmarkNotFound, DatasetNotFound, InvalidReference

pytestmark = pytest.mark.usefixtures("home")


def record_two(dataset_id):
    with Recorder(gymnasium.make("CartPole-v1"), dataset_id) as env:
        for seed in range(2):
            env.reset(seed=seed)
            while not any(env.step(seed)[2:4]):
                pass


def test_datasets_are_listed_copied_opened_and_replayed():
    record_two("pole/first-v0")
    bench = Benchmark.from_env(gymnasium.make("CartPole-v1"), name="pole")
    bench.save()
    listed = Benchmark.load("pole").specification.datasets["first-v0"]
    assert (listed.episodes, listed.steps) == (2, load("pole/first-v0").describe().steps)

    bench.save("elsewhere", datasets=["first-v0"])
    there = Benchmark.load("./elsewhere")
    assert there.dataset_names == ("first-v0",)
    assert there.dataset("first-v0").metadata.dataset_id == "pole/first-v0"
    for mine, copied in zip(load("pole/first-v0"), there.dataset("first-v0"), strict=True):
        np.testing.assert_array_equal(mine.observations, copied.observations)
    assert there.verify("first-v0").outcome == "identical"
    with pytest.raises(DatasetNotFound, match="second-v0"):
        there.dataset("second-v0")
    with pytest.raises(DatasetNotFound):
        bench.save("elsewhere", datasets=["second-v0"])


def test_saving_again_and_another_benchmark_in_the_way():
    bench = Benchmark.from_env(gymnasium.make("CartPole-v1"), name="pole")
    bench.save()
    bench.with_facts(description="Better words").save()
    assert Benchmark.load("pole").specification.description == "Better words"
    other = Benchmark.from_env(gymnasium.make("Acrobot-v1"), name="pole")
    with pytest.raises(BenchmarkExists):
        other.save()
    assert Benchmark.load("pole").identity == bench.identity
    other.save(replace=True)
    assert Benchmark.load("pole").verify().outcome == "identical"
    artifacts = list(Path(Benchmark.load("pole").directory).glob("artifacts/*/*"))
    assert len(artifacts) == len(other.specification.artifacts)


def test_policies_never_take_the_place_of_other_artifacts():
    Path("first.d3").write_bytes(b"first")
    Path("second.d3").write_bytes(b"second")
    Benchmark.from_env(gymnasium.make("CartPole-v1"), name="pole").save()
    bench = Benchmark.load("pole").with_policy("rollouts", "first.d3").with_policy("other", "first.d3")
    bench.save()
    bench = Benchmark.load("pole")
    assert bench.verify().outcome == "identical"
    assert bench.policy_path("rollouts").read_bytes() == bench.policy_path("other").read_bytes() == b"first"
    bench.with_policy("rollouts", "second.d3").save()
    bench = Benchmark.load("pole")
    assert bench.policy_path("rollouts").read_bytes() == b"second"
    assert bench.policy_path("other").read_bytes() == b"first"
    bench.with_policy("other", "second.d3").save()
    assert len(list(bench.directory.glob("artifacts/*/*.d3"))) == 1  # what nothing needs any more is gone


def test_deleting_leaves_the_data_unless_told_otherwise():
    record_two("pole/first-v0")
    Benchmark.from_env(gymnasium.make("CartPole-v1"), name="pole").save()
    Benchmark.load("pole").delete()
    with pytest.raises(BenchmarkNotFound):
        Benchmark.load("pole")
    assert len(load("pole/first-v0")) == 2
    Benchmark.from_env(gymnasium.make("CartPole-v1"), name="pole").save()
    bench = Benchmark.load("pole")
    bench.delete(datasets=True)
    assert not bench.directory.exists()


def test_names_are_found_in_the_store_then_here_then_in_benchmarks():
    bench = Benchmark.from_env(gymnasium.make("CartPole-v1"), name="pole")
    bench.save("benchmarks/pole")
    assert Benchmark.load("pole").directory == Path.cwd() / "benchmarks" / "pole"
    bench.save()
    assert Benchmark.load("pole").directory == Path.cwd() / "datasets" / "pole"
    assert Benchmark.load(Path("benchmarks/pole")).identity == bench.identity
    with pytest.raises(BenchmarkNotFound, match="Did you mean 'pole'"):
        Benchmark.load("poll")
    with pytest.raises(InvalidReference):
        Benchmark.load("hf://pole")


def test_differences_say_where():
    first = Benchmark.from_env(gymnasium.make("Pendulum-v1", g=9.0), name="pendulum")
    second = Benchmark.from_env(gymnasium.make("Pendulum-v1", g=9.5), name="pendulum", description="x")
    found = {
        difference.where: (difference.first, difference.second) for difference in first.differences(second)
    }
    assert found["environment.kwargs.g"] == (9.0, 9.5)
    assert found["description"] == ("", "x")
    assert first.differences(first) == ()


def saved_but_killed(bench, at):
    """Save in a child that dies at its n-th change on disk; return how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    made = 0

    def dying(change):
        def changed(*arguments, **named):
            nonlocal made
            made += 1
            if made == at:
                os._exit(9)
            return change(*arguments, **named)

        return changed

    for name in ("replace", "rename", "fsync", "mkdir", "unlink", "rmdir"):
        setattr(os, name, dying(getattr(os, name)))
    try:
        bench.save("there")
    finally:
        os._exit(0 if Path("there/benchmark.json").read_text().count("second") else 1)


@pytest.mark.slow
def test_a_save_that_is_killed_leaves_the_old_or_the_new():
    first = Benchmark.from_env(gymnasium.make("CartPole-v1"), name="pole", description="first")
    Path("policy.d3").write_bytes(b"any bytes")
    second = first.with_facts(description="second").with_policy("p", "policy.d3")
    outcomes = set()
    for at in range(1, 100):
        first.save("there")
        code = saved_but_killed(second, at)
        loaded = Benchmark.load("./there")
        outcomes.add((code, loaded.specification.description))
        assert loaded.verify().outcome == "identical"
        if loaded.specification.description == "second":
            assert loaded.policy_path("p").read_bytes() == b"any bytes"
        if code == 0:
            break
        assert code == 9
    assert at > 4
    assert outcomes >= {(9, "first"), (0, "second")}
