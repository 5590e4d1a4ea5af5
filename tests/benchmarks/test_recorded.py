"""What benchmark.json says of the rollouts, and of what they need, is held against what is there."""

import gymnasium
import pytest

from pytupli_registry import Benchmark
from pytupli_registry.errors import FormatError


@pytest.fixture
def change(tmp_path, monkeypatch):
    """Return what saves a benchmark with another specification, and loads it."""
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setenv("PYTUPLI_CONFIG_PATH", str(tmp_path / "config"))
    bench = Benchmark.from_env(gymnasium.make("CartPole-v1"), name="pole", rollouts=2)

    def changed(**facts):
        return Benchmark.load(bench.with_facts(**facts).save(tmp_path / "pole", replace=True))

    return changed


@pytest.mark.parametrize("told", [0, 1, 3])
def test_fewer_rollouts_than_told_are_not_identical(change, told):
    rollouts = change().specification.rollouts
    assert change().verify().summary.startswith("identical: 2 rollouts")
    bench = change(rollouts=rollouts.model_copy(update={"episodes": told}))
    with pytest.raises(FormatError, match=f"it holds 2 rollouts, and not {told}"):
        bench.verify()


@pytest.mark.parametrize("requirement", ["numpy>=1..0", "a==*", "numpy>=1,,2", "numpy[a,,b]"])
def test_requirements_that_are_none_are_refused(change, requirement):
    bench = change(requirements=[{"requirement": requirement}])
    for use in (bench.make, lambda: bench.evaluate("random", episodes=1)):
        with pytest.raises(FormatError, match="is no requirement"):
            use()
