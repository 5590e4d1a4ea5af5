"""Gymnasium environments that data names; the only caller of ``gymnasium.make``.

A dataset carries its environment as Gymnasium's ``EnvSpec`` JSON, and such a specification can name any module to
import and any arguments to call it with. So it is read as data, and an environment is built from it only if the
local Gymnasium registry holds the same id with the same entry point already: then the code that runs is code that
the user installed and registered, whatever the file says.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytupli_registry.errors import EnvironmentRefused, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import gymnasium
    from gymnasium.envs.registration import EnvSpec

__all__ = [
    "build_environment",
    "describe_environment",
    "explain_refusal",
    "make_environment",
    "require_environment",
]

_MAX_CHARACTERS = 1 << 20
_MAX_DEPTH = 16
_MAX_NUMBER = 1 << 63


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a stored specification asks for, as plain JSON values."""

    environment_id: str
    entry_point: str
    kwargs: Mapping[str, Any]
    max_episode_steps: int | None
    additional_wrappers: list[Any]


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
    import gymnasium  # noqa: PLC0415 - loading data must not cost Gymnasium's import

    spec = _permitted(env_spec)
    try:
        return gymnasium.make(spec)
    except Exception as error:
        # The environment's constructor is foreign code with arguments from a file: whatever it raises means no.
        raise EnvironmentRefused(
            f"The environment {spec.id!r} is registered but could not be built: {error!s:.300}.",
            hint="Install what it needs, then load again; the data can be used without it.",
        ) from error


def explain_refusal(env_spec: str | None) -> str | None:
    """Say why :func:`make_environment` would not even try to build this, or return None if it would."""
    try:
        _permitted(env_spec)
    except EnvironmentRefused as refusal:
        return str(refusal)
    return None


def build_environment(
    environment_id: str, *, max_episode_steps: int | None = None
) -> gymnasium.Env[Any, Any]:
    """Build the environment that the user, not a file, named.

    Args:
        environment_id: as ``gymnasium.make`` takes it; ``module:Name-v0`` imports the module.
        max_episode_steps: a time limit other than the registered one.

    Raises:
        EnvironmentRefused: Gymnasium knows no such environment or cannot import what it needs.
    """
    import gymnasium  # noqa: PLC0415

    try:
        return gymnasium.make(environment_id, max_episode_steps=max_episode_steps)
    except (gymnasium.error.Error, ImportError) as error:
        raise EnvironmentRefused(
            f"The environment {environment_id!r} cannot be built: {error!s:.300}",
            hint=did_you_mean(environment_id, gymnasium.registry)
            or "`module:Name-v0` imports a module first.",
        ) from error


def describe_environment(env: gymnasium.Env[Any, Any]) -> str | None:
    """Return the environment's ``EnvSpec`` as JSON text, or None if it has none that JSON can keep."""
    spec = env.spec
    if spec is None:
        return None
    try:
        return spec.to_json()
    except (TypeError, ValueError):  # a callable, or an argument that is no JSON value
        return None


def _permitted(env_spec: str | None) -> EnvSpec:
    """Return a copy of the registered specification, with the stored arguments and time limit."""
    import gymnasium  # noqa: PLC0415

    wanted = _read(env_spec)
    registered = gymnasium.registry.get(wanted.environment_id)
    if registered is None:
        raise EnvironmentRefused(
            f"The environment {wanted.environment_id!r} is not registered with Gymnasium here.",
            hint="Import the package that registers it, then load again; data never imports code on its own.",
        )
    _check_entry_point(wanted, registered)
    spec = copy.deepcopy(registered)
    spec.kwargs = _merged_kwargs(wanted, registered)
    spec.max_episode_steps = wanted.max_episode_steps
    spec.disable_env_checker = True
    return spec


def _check_entry_point(wanted: _Wanted, registered: EnvSpec) -> None:
    if not isinstance(registered.entry_point, str):
        raise EnvironmentRefused(
            f"The environment {wanted.environment_id!r} is registered with a function, which cannot be compared "
            "with the entry point in the data.",
            hint="Register it with a 'module:Class' string, or build it yourself.",
        )
    if wanted.entry_point != registered.entry_point:
        raise EnvironmentRefused(
            f"The data says that {wanted.environment_id!r} is {wanted.entry_point!r:.120}, but the one registered "
            f"here is {registered.entry_point!r}.",
            hint="It may be another environment of the same name. Build the one you mean yourself.",
        )
    known = [
        (wrapper.name, wrapper.entry_point, wrapper.kwargs) for wrapper in registered.additional_wrappers
    ]
    if [_wrapper(found) for found in wanted.additional_wrappers] != known:
        raise EnvironmentRefused(
            f"The data wraps {wanted.environment_id!r} in wrappers that are not registered with it here.",
            hint="Build the environment and wrap it yourself.",
        )


def _wrapper(found: object) -> tuple[Any, Any, Any]:
    if not isinstance(found, dict):
        return (None, None, None)
    return (found.get("name"), found.get("entry_point"), found.get("kwargs"))


def _merged_kwargs(wanted: _Wanted, registered: EnvSpec) -> dict[str, Any]:
    kwargs = dict(registered.kwargs)
    for name, value in wanted.kwargs.items():
        if name == "render_mode" or (name in kwargs and _same(value, kwargs[name])):
            continue
        if not _is_harmless(value, 0):
            raise EnvironmentRefused(
                f"The data builds {wanted.environment_id!r} with {name}={value!r:.80}, which is neither a number "
                "nor what is registered here.",
                hint="Texts may name files or code. Build the environment yourself with the arguments you accept.",
            )
        kwargs[name] = value
    return kwargs


def _same(stored: object, registered: object) -> bool:
    return type(stored) is type(registered) and isinstance(stored, str) and stored == registered


def _is_harmless(value: object, depth: int) -> bool:
    if isinstance(value, list):
        return depth < _MAX_DEPTH and all(_is_harmless(part, depth + 1) for part in value)
    if isinstance(value, bool) or value is None:
        return True
    return isinstance(value, int | float) and not abs(value) >= _MAX_NUMBER


def _read(env_spec: str | None) -> _Wanted:
    loaded = _load(env_spec)
    environment_id, entry_point = loaded.get("id"), loaded.get("entry_point")
    limit, kwargs = loaded.get("max_episode_steps"), loaded.get("kwargs", {})
    wrappers = loaded.get("additional_wrappers") or []
    if not isinstance(environment_id, str) or not isinstance(kwargs, dict) or not isinstance(wrappers, list):
        raise EnvironmentRefused("The environment in the data is no Gymnasium specification.")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise EnvironmentRefused(f"The time limit {limit!r:.40} of {environment_id!r} is no number of steps.")
    if not isinstance(entry_point, str):
        raise EnvironmentRefused(f"The data does not say what {environment_id!r} is: it has no entry point.")
    return _Wanted(environment_id, entry_point, kwargs, limit, wrappers)


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
