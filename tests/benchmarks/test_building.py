"""Environments that are built again and again from the same artifacts, as an evaluation does."""

import gymnasium
import numpy as np
import pytest

from pytupli_registry.benchmarks.arguments import encode_arguments
from pytupli_registry.benchmarks.artifacts import reader as reading
from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
from pytupli_registry.benchmarks.building import Building
from pytupli_registry.benchmarks.spaces import describe_space
from pytupli_registry.benchmarks.specification import BenchmarkSpecification, EnvironmentEntry
from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.errors import FormatError

SPACE = gymnasium.spaces.Discrete(2)
MODULE = """
import gymnasium

class Given(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, values):
        self.values = values
"""


@pytest.fixture
def building(tmp_path, monkeypatch):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "acme_given.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    with ArtifactSpool() as spool:
        kwargs = encode_arguments({"values": np.arange(3.0)}, spool)
        spool.store(tmp_path / "bench")
        specification = BenchmarkSpecification(
            name="given",
            environment=EnvironmentEntry(
                id="given-v0",
                entry_point="acme_given:Given",
                kwargs=kwargs,
                observation_space=describe_space(SPACE),
                action_space=describe_space(SPACE),
            ),
            artifacts=spool.entries,
        )
    return Building(specification, tmp_path / "bench", own=False)


def test_each_environment_gets_its_own_values_however_many_there_are(building, monkeypatch):
    monkeypatch.setattr(reading, "_MAX_READS", 3)  # of one environment, and not of all of them
    environments = [building.make(Permissions(allowed_modules=("acme_given",))) for _ in range(5)]
    environments[0].unwrapped.values[0] = 7
    assert [env.unwrapped.values.tolist() for env in environments[1:]] == [[0.0, 1.0, 2.0]] * 4


def test_what_was_touched_between_two_environments_is_checked_again(building, tmp_path):
    permissions = Permissions(allowed_modules=("acme_given",))
    building.make(permissions)
    (stored,) = (tmp_path / "bench" / "artifacts").glob("*/*")
    stored.write_bytes(bytes(stored.stat().st_size))
    with pytest.raises(FormatError, match="SHA-256"):
        building.make(permissions)
