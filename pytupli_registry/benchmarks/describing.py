"""A live environment as ``benchmark.json``: plain data, and artifacts for what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Named

from pytupli_registry.benchmarks.arguments import encode_arguments
from pytupli_registry.benchmarks.building import CODE
from pytupli_registry.benchmarks.capture import capture
from pytupli_registry.benchmarks.facts import checked, names_of
from pytupli_registry.benchmarks.spaces import describe_space
from pytupli_registry.benchmarks.specification import (
    BenchmarkSpecification,
    EnvironmentEntry,
    Requirement,
    WrapperEntry,
)
from pytupli_registry.environments.requirements import requirements_of
from pytupli_registry.environments.shipped_code import pack_code
from pytupli_registry.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    import gymnasium

    from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
    from pytupli_registry.environments.specification import EnvironmentSpecification

__all__ = ["describe", "describe_interface", "specify"]


def describe(
    env: gymnasium.Env[Any, Any],
    spool: ArtifactSpool,
    *,
    name: str,
    arguments: Mapping[str, Any] | None,
    requirements: Iterable[str],
    code: Sequence[ModuleType | Path],
) -> dict[str, Any]:
    """Return what ``benchmark.json`` says of an environment; what is no JSON goes into the spool.

    Raises:
        ArtifactError: an argument cannot be kept, or nobody recorded it.
        SpaceError: a space cannot be kept in a dataset.
    """
    captured = capture(env, name, arguments)
    environment = EnvironmentEntry(
        id=captured.environment_id,
        entry_point=captured.entry_point,
        kwargs=encode_arguments(captured.kwargs, spool),
        max_episode_steps=captured.max_episode_steps,
        reward_threshold=captured.reward_threshold,
        nondeterministic=captured.nondeterministic,
        order_enforce=captured.order_enforce,
        wrappers=tuple(
            WrapperEntry(
                name=wrapper.name,
                entry_point=wrapper.entry_point,
                kwargs=encode_arguments(wrapper.kwargs, spool, wrapper.name),
            )
            for wrapper in captured.wrappers
        ),
        observation_space=describe_space(env.observation_space),
        action_space=describe_space(env.action_space),
    )
    modules = _modules(captured)
    shipped = _ship(code, spool) if code else ()
    needed = [module for module in modules if module.split(".")[0] not in shipped]
    return {
        "environment": environment,
        "requirements": _requirements(needed, requirements),
        "modules": modules,
    }


def describe_interface(
    env: gymnasium.Env[Any, Any],
    spool: ArtifactSpool,
    *,
    name: str,
    arguments: Mapping[str, Any] | None,
    share: Iterable[str],
) -> dict[str, Any]:
    """Return what ``benchmark.json`` says of an environment whose implementation stays with its owner.

    Args:
        env: the environment; its spaces and time limit are told, its id, entry point, arguments and wrappers are not.
        spool: takes the shared artifacts.
        name: of the benchmark, and of the id that stands for the environment.
        arguments: as in :func:`describe`.
        share: the arguments that are shared, as artifacts.

    Raises:
        ArtifactError: a shared argument does not exist or cannot be kept.
    """
    spec = env.spec
    wanted = names_of(share)
    if wanted:
        given = capture(env, name, arguments).kwargs if arguments is None else arguments
        for argument in wanted:
            if argument not in given:
                raise ArtifactError(
                    f"There is no argument {argument!r} to share.",
                    hint=f"There are: {', '.join(given) or 'none'}.",
                )
            spool.add(given[argument], argument)
    environment = EnvironmentEntry(
        id=f"{name}-v0",
        entry_point=None,
        max_episode_steps=None if spec is None else spec.max_episode_steps,
        observation_space=describe_space(env.observation_space),
        action_space=describe_space(env.action_space),
    )
    return {"environment": environment, "requirements": ()}


def specify(facts: Mapping[str, Any]) -> BenchmarkSpecification:
    """Return the specification of these facts, or say which of them cannot be.

    Raises:
        ArtifactError: there is no such fact, or it is not what ``benchmark.json`` can hold.
    """
    return checked(BenchmarkSpecification, facts, "a benchmark")


def _ship(code: Sequence[ModuleType | Path], spool: ArtifactSpool) -> tuple[str, ...]:
    """Put source code into the spool and return its top-level modules."""
    packed = pack_code(code)
    path = spool.scratch("code.zip")
    path.write_bytes(packed.content)
    spool.add_file(path, CODE, CODE, description=f"Python source of {', '.join(packed.module_names)}.")
    return packed.module_names


def _modules(captured: EnvironmentSpecification) -> tuple[str, ...]:
    """Return the modules that the environment and its wrappers come from."""
    points = (captured.entry_point, *(wrapper.entry_point for wrapper in captured.wrappers))
    return tuple(dict.fromkeys(point.split(":")[0] for point in points))


def _requirements(modules: Iterable[str], written: Iterable[str]) -> tuple[Requirement, ...]:
    """Join what the owner wrote down with what the modules come from; what is written wins."""
    found = {Named(text).name.lower(): (text, recorded) for text, recorded in requirements_of(modules)}
    for text in names_of(written):
        try:
            name = Named(text).name.lower()
        except InvalidRequirement as error:
            raise ArtifactError(
                f"{text!r:.120} is no requirement as pip takes it.",
                hint="Write it as 'gymnasium[box2d]>=1.0'.",
            ) from error
        found[name] = (text, found.get(name, (text, None))[1])
    return tuple(Requirement(requirement=text, recorded=recorded) for text, recorded in found.values())
