"""The seeded rollouts that a benchmark keeps as an artifact."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

from pytupli_registry.benchmarks.rollouts import read_rollouts, record_rollouts, write_rollouts
from pytupli_registry.benchmarks.spaces import expanded
from pytupli_registry.benchmarks.specification import Rollouts
from pytupli_registry.dataset.spaces import leaf_spaces
from pytupli_registry.errors import ArtifactError, FormatError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import gymnasium

    from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
    from pytupli_registry.benchmarks.specification import ArtifactEntry, BenchmarkSpecification
    from pytupli_registry.dataset.episode import Episode

__all__ = ["ROLLOUTS", "read_recorded", "record"]

ROLLOUTS = "rollouts"

# A benchmark is text and small files; what tells simulators apart shows in few steps.
_MAX_STEPS = 200
_MIN_STEPS = 10
_MAX_BYTES = 8 << 20


def record(
    make_env: Callable[[], gymnasium.Env[Any, Any]],
    count: int,
    specification: BenchmarkSpecification,
    spool: ArtifactSpool,
) -> Rollouts:
    """Record rollouts with the seeds 0, 1, 2, … and put them into the spool.

    Each is at most 200 steps long, or as long as keeps them all within 8 MiB, but not below 10 steps.
    """
    steps = _MAX_BYTES // (max(count, 1) * _bytes_per_step(specification))
    episodes = record_rollouts(
        make_env, seeds=range(count), max_steps=min(_MAX_STEPS, max(_MIN_STEPS, steps))
    )
    path = spool.scratch("rollouts.zip")
    with path.open("wb") as file:
        write_rollouts(episodes, file)
    name = spool.add_file(path, ROLLOUTS, ROLLOUTS, description="Seeded rollouts, for verification.")
    return Rollouts(artifact=name, episodes=count, recorded_with=_versions(specification))


def read_recorded(
    specification: BenchmarkSpecification, locate: Callable[[ArtifactEntry], Path], *, complete: bool = True
) -> tuple[Episode, ...]:
    """Read the rollouts of a benchmark.

    Args:
        specification: what ``benchmark.json`` says.
        locate: tells where the content of an artifact is.
        complete: whether there have to be as many as it says.

    Raises:
        ArtifactError: it has none.
        FormatError: their file is not what ``benchmark.json`` says.
    """
    if specification.rollouts is None:
        raise ArtifactError(
            f"The benchmark {specification.name!r} has no recorded rollouts to compare with.",
            hint="Verify one of its datasets, or ask its owner to record some.",
        )
    environment, told = specification.environment, specification.rollouts
    path = locate(specification.artifacts[told.artifact])
    found = read_rollouts(path, expanded(environment.observation_space), expanded(environment.action_space))
    if complete and len(found) != told.episodes:
        raise FormatError(path, f"it holds {len(found)} rollouts, and not {told.episodes}")
    return found


def _bytes_per_step(specification: BenchmarkSpecification) -> int:
    leaves = leaf_spaces(expanded(specification.environment.observation_space), "observations").values()
    size = 1
    for leaf in leaves:
        values = 1
        for extent in leaf.shape:
            values *= extent
        size += values * (leaf.dtype.itemsize if leaf.dtype is not None else 64)
    return size


def _versions(specification: BenchmarkSpecification) -> dict[str, str]:
    names = [
        "numpy",
        "gymnasium",
        *(Requirement(entry.requirement).name for entry in specification.requirements),
    ]
    versions = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # checked before building; a rollout needs none of it
            continue
    return versions
