"""Environments that data names, built by the rules of :mod:`pytupli_registry.environments.planning`."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from pytupli_registry.environments.entry_points import parse_entry_point
from pytupli_registry.environments.loading import load_environment, load_wrapper
from pytupli_registry.environments.own_wrappers import accepted_arguments
from pytupli_registry.environments.plan import BuildPlan, Ground, PlannedRun, Refusal
from pytupli_registry.environments.planning import plan_build
from pytupli_registry.errors import EnvironmentRefused, RequirementsMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import gymnasium
    from gymnasium.envs.registration import EnvSpec

    from pytupli_registry.environments.permissions import Permissions
    from pytupli_registry.environments.shipped_code import ShippedCode
    from pytupli_registry.environments.specification import EnvironmentSpecification, WrapperSpecification

__all__ = ["BuildPlan", "PlannedRun", "Refusal", "build", "plan_build"]

_SHOWS_PICTURES = "AddRenderObservation"


def build(
    specification: EnvironmentSpecification, permissions: Permissions, code: Sequence[ShippedCode] = ()
) -> gymnasium.Env[Any, Any]:
    """Build an environment as ``gymnasium.make`` would: itself, order enforcing, time limit, then the wrappers.

    Gymnasium's passive checker is left out, since it only warns, and so is ``render_mode``, unless a wrapper shows the
    agent what is rendered.

    Args:
        specification: from a file that is not trusted.
        permissions: what the user allows beside what is registered.
        code: what came with the specification.

    Raises:
        ConsentRequired: code would run that the user could allow and did not.
        EnvironmentRefused: it may not be built, or its constructor failed.
        RequirementsMissing: a module that it needs is not installed.
    """
    plan = plan_build(specification, permissions, code)
    plan.check()
    runs = [run for run in plan.runs if run.is_call]
    if any(run.ground is Ground.CONSENTED for run in plan.runs):
        for piece in code:
            piece.mount()
    # All classes are found and checked before the first is called.
    create = load_environment(runs[0], permissions)
    wrappers = [load_wrapper(run, permissions) for run in runs[1:]]
    return _wrapped(_created(specification, create), specification, wrappers)


def _created(specification: EnvironmentSpecification, create: Callable[..., Any]) -> gymnasium.Env[Any, Any]:
    """Call the constructor and say in ``spec`` what was called, as Gymnasium does."""
    import gymnasium  # noqa: PLC0415 - loading data must not cost Gymnasium's import

    kwargs = _kwargs(specification)
    # A copy: what the environment does to its arguments shows neither in its spec nor at the caller's.
    env = _foreign(specification.environment_id, lambda **given: create(**copy.deepcopy(given)), kwargs)
    if not isinstance(env, gymnasium.Env):
        raise EnvironmentRefused(
            f"{specification.entry_point!r} made {type(env).__name__!r}, which is no environment."
        )
    env.unwrapped.spec = _bare_spec(specification, kwargs)
    return env


def _wrapped(
    env: gymnasium.Env[Any, Any], specification: EnvironmentSpecification, wrappers: list[Callable[..., Any]]
) -> gymnasium.Env[Any, Any]:
    from gymnasium.wrappers import OrderEnforcing, TimeLimit  # noqa: PLC0415

    try:
        there = _already_there(env, specification)
        if specification.order_enforce:
            env = OrderEnforcing(env)
        if specification.max_episode_steps is not None:
            env = TimeLimit(env, specification.max_episode_steps)
        for wrapper, wrap in list(zip(specification.wrappers, wrappers, strict=True))[there:]:
            env = _foreign(wrapper.entry_point, wrap, {"env": env, **_wrapper_kwargs(wrapper)})
    except EnvironmentRefused:
        env.close()  # type: ignore[no-untyped-call]
        raise
    return env


def _already_there(env: gymnasium.Env[Any, Any], specification: EnvironmentSpecification) -> int:
    """How many of the wrappers a function has put around its environment itself."""
    found = () if env.spec is None else env.spec.additional_wrappers
    wanted = [wrapper.entry_point for wrapper in specification.wrappers]
    if [wrapper.entry_point for wrapper in found] != wanted[: len(found)]:
        raise EnvironmentRefused(
            f"{specification.entry_point!r} wraps its environment in something else than the data says.",
            hint="It may be another version of it; build the environment yourself.",
        )
    return len(found)


def _kwargs(specification: EnvironmentSpecification) -> dict[str, Any]:
    kwargs = {name: value for name, value in specification.kwargs.items() if name != "render_mode"}
    if any(_is_pictures(wrapper) for wrapper in specification.wrappers):
        kwargs["render_mode"] = "rgb_array"  # off screen; the wrapper needs the pictures
    return kwargs


def _is_pictures(wrapper: WrapperSpecification) -> bool:
    return wrapper.entry_point.endswith(f":{_SHOWS_PICTURES}")


def _wrapper_kwargs(wrapper: WrapperSpecification) -> dict[str, Any]:
    if parse_entry_point(wrapper.entry_point).top_level == "gymnasium":
        return accepted_arguments(wrapper.entry_point, wrapper.kwargs)
    return dict(wrapper.kwargs)


def _bare_spec(specification: EnvironmentSpecification, kwargs: dict[str, Any]) -> EnvSpec:
    from gymnasium import registry  # noqa: PLC0415
    from gymnasium.envs.registration import EnvSpec  # noqa: PLC0415

    registered = registry.get(specification.environment_id)
    same = registered is not None and registered.entry_point == specification.entry_point
    return EnvSpec(
        id=specification.environment_id,
        entry_point=specification.entry_point,
        reward_threshold=specification.reward_threshold,
        nondeterministic=specification.nondeterministic,
        max_episode_steps=None,
        order_enforce=False,
        disable_env_checker=True,
        kwargs=kwargs,
        additional_wrappers=(),
        vector_entry_point=registered.vector_entry_point if registered is not None and same else None,
    )


def _foreign(name: str, call: Callable[..., Any], kwargs: Mapping[str, Any]) -> Any:  # noqa: ANN401
    from gymnasium.error import DependencyNotInstalled  # noqa: PLC0415

    try:
        return call(**kwargs)
    except (DependencyNotInstalled, ModuleNotFoundError) as error:
        raise RequirementsMissing(
            f"{name!r} needs what is not installed here: {error!s:.300}",
            hint="Install it, then try again; the data can be used without it.",
        ) from error
    except (Exception, SystemExit) as error:
        # A constructor is foreign code with arguments from a file: whatever it raises means no.
        raise EnvironmentRefused(
            f"{name!r} may be built here but could not be built: {error!s:.300}.",
            hint="Its arguments may be meant for another version of it; the data can be used without it.",
        ) from error
