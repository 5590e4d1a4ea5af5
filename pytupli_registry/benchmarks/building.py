"""Builds the environment of a benchmark that is on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytupli_registry.benchmarks.arguments import decode_arguments
from pytupli_registry.benchmarks.artifacts.files import open_verified
from pytupli_registry.benchmarks.artifacts.reader import ArtifactReader
from pytupli_registry.benchmarks.spaces import space_of
from pytupli_registry.environments.building import BuildPlan, build, plan_build
from pytupli_registry.environments.requirements import check_requirements, parse_requirement
from pytupli_registry.environments.shipped_code import ShippedCode
from pytupli_registry.environments.specification import EnvironmentSpecification, WrapperSpecification
from pytupli_registry.errors import EnvironmentRefused

if TYPE_CHECKING:
    from pathlib import Path

    import gymnasium

    from pytupli_registry.benchmarks.artifacts.files import FileStamp
    from pytupli_registry.benchmarks.specification import ArtifactEntry, BenchmarkSpecification
    from pytupli_registry.environments.permissions import Permissions

__all__ = ["CODE", "Building"]

CODE = "code"


class Building:
    """How the environment of one benchmark is built, once or for every episode of an evaluation.

    Args:
        specification: what ``benchmark.json`` says.
        directory: holds the artifacts.
        own: whether it was made from an environment of this very process, whose modules are the user's own; code that
            is shipped for others is not mounted then.
    """

    def __init__(self, specification: BenchmarkSpecification, directory: Path, *, own: bool) -> None:
        self._specification = specification
        self._directory = directory
        self._own = own
        self._hashed: dict[str, FileStamp] = {}
        self._is_ready = own  # what was built here already needs nothing more

    @property
    def distributions(self) -> tuple[str, ...]:
        """The names of the distributions that the benchmark requires.

        Raises:
            FormatError: one is no requirement.
        """
        return tuple(parse_requirement(entry.requirement).name for entry in self._specification.requirements)

    def plan(self, permissions: Permissions) -> BuildPlan:
        """Say what building would run; nothing is imported or built."""
        return plan_build(self._environment(), permissions, self._code())

    def make(self, permissions: Permissions) -> gymnasium.Env[Any, Any]:
        """Check the requirements, then build the environment, whose spaces must be the ones that were told."""
        if not self._is_ready:
            check_requirements(
                [(entry.requirement, entry.recorded) for entry in self._specification.requirements]
            )
            self._is_ready = True
        return self._checked(build(self._environment(), permissions, self._code()))

    def _environment(self) -> EnvironmentSpecification:
        told = self._specification.environment
        reader = ArtifactReader(self._directory, self._specification.artifacts, self._hashed)
        kwargs = decode_arguments(told.kwargs, reader)
        wrappers = tuple(
            WrapperSpecification(wrapper.name, wrapper.entry_point, decode_arguments(wrapper.kwargs, reader))
            for wrapper in told.wrappers
        )
        return EnvironmentSpecification(
            environment_id=told.id,
            entry_point=str(told.entry_point),
            kwargs=kwargs,
            max_episode_steps=told.max_episode_steps,
            reward_threshold=told.reward_threshold,
            nondeterministic=told.nondeterministic,
            order_enforce=told.order_enforce,
            wrappers=wrappers,
            files=frozenset(reader.hashes),
        )

    def _code(self) -> tuple[ShippedCode, ...]:
        if self._own:
            return ()
        return tuple(
            ShippedCode.from_bytes(_content(self._directory, entry), entry.sha256)
            for entry in self._specification.artifacts.values()
            if entry.codec == CODE
        )

    def _checked(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        told = self._specification.environment
        for name, space, wanted in (
            ("observation", env.observation_space, told.observation_space),
            ("action", env.action_space, told.action_space),
        ):
            if space != space_of(wanted):
                env.close()  # type: ignore[no-untyped-call]  # Gymnasium's, which has no annotation
                raise EnvironmentRefused(
                    f"The environment {told.id!r} built here has the {name} space {space!s:.160}, and the benchmark "
                    f"says {space_of(wanted)!s:.160}.",
                    hint="It is another version of the environment than the benchmark was made with.",
                )
        return env


def _content(directory: Path, entry: ArtifactEntry) -> bytes:
    with open_verified(entry, directory) as file:
        return file.read()
