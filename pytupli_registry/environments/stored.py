"""Gymnasium environments that datasets name; the only caller of ``gymnasium.make``.

A dataset carries its environment as Gymnasium's ``EnvSpec`` JSON, and such a specification can name any module to
import and any arguments to call it with. So it is read as data, and an environment is built from it only if the
local Gymnasium registry holds the same id with the same entry point already: then the code that runs is code that
the user installed and registered, whatever the file says. The rules are those for benchmarks, without any permission:
see :mod:`pytupli_registry.environments.planning`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytupli_registry.environments.building import build, plan_build
from pytupli_registry.environments.permissions import Permissions
from pytupli_registry.environments.registering import register_installed
from pytupli_registry.environments.specification import EnvironmentSpecification, WrapperSpecification
from pytupli_registry.errors import EnvironmentRefused, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import gymnasium

__all__ = [
    "build_environment",
    "describe_environment",
    "explain_refusal",
    "make_environment",
    "require_environment",
]

_MAX_CHARACTERS = 1 << 20


def make_environment(env_spec: str | None) -> gymnasium.Env[Any, Any] | None:
    """Build the environment that a dataset names, or return None where that may not be done.

    Args:
        env_spec: Gymnasium's ``EnvSpec`` as JSON text, from a file that is not trusted.
    """
    try:
        return require_environment(env_spec)
    except EnvironmentRefused:
        return None


def require_environment(env_spec: str | None) -> gymnasium.Env[Any, Any]:
    """Build the environment that a dataset names.

    The time limit is the stored one; ``render_mode`` is left out, since it changes what is shown and not what
    happens; Gymnasium's passive checker is left out, since it only warns.

    Raises:
        EnvironmentRefused: see :func:`explain_refusal`, or the registered environment cannot be built.
    """
    return build(_read(env_spec), Permissions())


def explain_refusal(env_spec: str | None) -> str | None:
    """Say why :func:`make_environment` would not even try to build this, or return None if it would."""
    try:
        plan_build(_read(env_spec), Permissions()).check()
    except EnvironmentRefused as refusal:
        return str(refusal)
    return None


def build_environment(
    environment_id: str,
    *,
    max_episode_steps: int | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> gymnasium.Env[Any, Any]:
    """Build the environment that the user, not a file, named.

    Args:
        environment_id: as ``gymnasium.make`` takes it; ``module:Name-v0`` imports the module. Ids that installed
            packages register under ``pytupli_registry.environments`` are known, too.
        max_episode_steps: a time limit other than the registered one.
        kwargs: arguments of the constructor.

    Raises:
        EnvironmentRefused: Gymnasium knows no such environment, cannot import what it needs, or its constructor failed.
    """
    import gymnasium  # noqa: PLC0415

    if environment_id not in gymnasium.registry:
        register_installed()
    try:
        return gymnasium.make(environment_id, max_episode_steps=max_episode_steps, **(kwargs or {}))
    except (gymnasium.error.Error, ImportError) as error:
        raise EnvironmentRefused(
            f"The environment {environment_id!r} cannot be built: {error!s:.300}",
            hint=did_you_mean(environment_id, gymnasium.registry)
            or "`module:Name-v0` imports a module first, which has to be installed or on PYTHONPATH.",
        ) from error
    except Exception as error:
        # A constructor is foreign code: what it raises says what it does not like.
        raise EnvironmentRefused(
            f"The environment {environment_id!r} cannot be built: {type(error).__name__}: {error!s:.300}",
            hint="See what arguments its constructor takes.",
        ) from error


def describe_environment(env: gymnasium.Env[Any, Any]) -> str | None:
    """Return the environment's ``EnvSpec`` as JSON text.

    None if it has none that JSON can keep, or one that names a file of this machine: nobody else has that, and where
    somebody keeps files is not for others to know. A benchmark tells such an environment, see ``docs/benchmarks.md``.
    """
    spec = env.spec
    if spec is None or _names_file(spec.kwargs):
        return None
    try:
        return spec.to_json()
    except (TypeError, ValueError):  # a callable, or an argument that is no JSON value
        return None


def _names_file(value: object) -> bool:
    if isinstance(value, dict | list | tuple):
        return any(map(_names_file, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and Path(value).is_absolute()


def _read(env_spec: str | None) -> EnvironmentSpecification:
    loaded = _load(env_spec)
    environment_id, entry_point = loaded.get("id"), loaded.get("entry_point")
    kwargs, wrappers = loaded.get("kwargs", {}), loaded.get("additional_wrappers") or []
    if not isinstance(environment_id, str) or not isinstance(kwargs, dict) or not isinstance(wrappers, list):
        raise EnvironmentRefused("The environment in the data is no Gymnasium specification.")
    if not isinstance(entry_point, str):
        raise EnvironmentRefused(
            f"The data does not say what {environment_id!r:.120} is: it has no entry point."
        )
    return EnvironmentSpecification(
        environment_id,
        entry_point,
        kwargs,
        loaded.get("max_episode_steps"),
        _number(loaded.get("reward_threshold")),
        loaded.get("nondeterministic") is True,
        loaded.get("order_enforce", True) is True,
        tuple(_wrapper(found) for found in wrappers),
    )


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _wrapper(found: object) -> WrapperSpecification:
    name, entry_point, kwargs = (
        (found.get("name"), found.get("entry_point"), found.get("kwargs"))
        if isinstance(found, dict)
        else (None, None, None)
    )
    if not isinstance(name, str) or not isinstance(entry_point, str) or not isinstance(kwargs, dict):
        raise EnvironmentRefused(
            "The data wraps the environment in wrappers whose class or arguments it does not say.",
            hint="Build the environment and wrap it yourself.",
        )
    return WrapperSpecification(name, entry_point, kwargs)


def _load(env_spec: str | None) -> dict[str, Any]:
    if env_spec is None:
        raise EnvironmentRefused("The data names no environment.", hint="Build the environment yourself.")
    if len(env_spec) > _MAX_CHARACTERS:
        raise EnvironmentRefused("The environment in the data is longer than a specification can be.")
    try:
        loaded = json.loads(env_spec)
    except (ValueError, RecursionError) as error:
        raise EnvironmentRefused("The environment in the data is not JSON.") from error
    if not isinstance(loaded, dict):
        raise EnvironmentRefused("The environment in the data is no Gymnasium specification.")
    return loaded
