"""What a live environment was made of: its entry point, the arguments it was given, and what is around it.

Only constructor arguments are looked at, where Gymnasium or the environment itself recorded them. Attributes are never
read: they may hold what the owner does not share.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytupli_registry.environments.specification import EnvironmentSpecification, WrapperSpecification
from pytupli_registry.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import gymnasium
    from gymnasium.envs.registration import EnvSpec

__all__ = ["capture", "check_environment"]

_PICTURES = "AddRenderObservation"
_ELSEWHERE = "Put it into a module of its own, or share the interface only: private=True."


@dataclass(slots=True)
class _Around:
    """What is around an environment, collected from the inside out."""

    max_episode_steps: int | None
    order_enforce: bool
    wrappers: list[WrapperSpecification]


def check_environment(env: object) -> None:
    """Refuse what is no single environment: an id, a class, a vector environment, one of the old ``gym``.

    Raises:
        ArtifactError: it is none.
    """
    import gymnasium  # noqa: PLC0415 - loading a benchmark must not cost Gymnasium's import

    if not isinstance(env, gymnasium.Env):
        what = f"the class {env.__qualname__}" if isinstance(env, type) else f"a {type(env).__qualname__}"
        raise ArtifactError(
            f"A benchmark is made of one gymnasium.Env, and this is {what}.",
            hint="Give what gymnasium.make returns, or what your environment's class returns when it is called.",
        )


def capture(
    env: gymnasium.Env[Any, Any], name: str, arguments: Mapping[str, Any] | None = None
) -> EnvironmentSpecification:
    """Describe an environment by what would build it again.

    The environment is neither stepped nor reset, and nothing in it is changed. A wrapper that says it is
    ``transparent``, as the :class:`~pytupli_registry.recorder.Recorder` does, is left out.

    Args:
        env: made by ``gymnasium.make``, or by calling its class.
        name: of the benchmark; the id of an environment that was never registered is made of it.
        arguments: of the constructor, where neither Gymnasium nor the environment recorded them.

    Raises:
        ArtifactError: the arguments of the environment or of a wrapper were recorded nowhere, or its class cannot be
            imported by name.
    """
    inner = env.unwrapped
    spec = inner.spec
    around = _around(env)
    kwargs = dict(_arguments(inner, spec) if arguments is None else arguments)
    if not any(wrapper.name == _PICTURES for wrapper in around.wrappers):
        kwargs.pop("render_mode", None)  # it changes what is shown and not what happens
    return EnvironmentSpecification(
        environment_id=f"{name}-v0" if spec is None else spec.id,
        entry_point=_entry_point(inner, spec),
        kwargs=kwargs,
        max_episode_steps=around.max_episode_steps,
        reward_threshold=None
        if spec is None or spec.reward_threshold is None
        else float(spec.reward_threshold),
        nondeterministic=spec is not None and bool(spec.nondeterministic),
        order_enforce=around.order_enforce,
        wrappers=tuple(around.wrappers),
    )


def _layers(env: gymnasium.Env[Any, Any]) -> Iterator[gymnasium.Wrapper[Any, Any, Any, Any]]:
    """Yield the wrappers, the outermost first."""
    import gymnasium  # noqa: PLC0415 - loading a benchmark must not cost Gymnasium's import

    while isinstance(env, gymnasium.Wrapper):
        yield env
        env = env.env


def _around(env: gymnasium.Env[Any, Any]) -> _Around:
    from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit  # noqa: PLC0415 - likewise

    around = _Around(max_episode_steps=None, order_enforce=False, wrappers=[])
    for wrapper in reversed(list(_layers(env))):
        if getattr(type(wrapper), "transparent", False) or isinstance(wrapper, PassiveEnvChecker):
            continue
        if isinstance(wrapper, OrderEnforcing):
            around.order_enforce = True
        elif isinstance(wrapper, TimeLimit) and around.max_episode_steps is None and not around.wrappers:
            around.max_episode_steps = int(_recorded(wrapper)["max_episode_steps"])
        else:
            around.wrappers.append(
                WrapperSpecification(type(wrapper).__name__, _importable(type(wrapper)), _recorded(wrapper))
            )
    return around


def _recorded(wrapper: gymnasium.Wrapper[Any, Any, Any, Any]) -> dict[str, Any]:
    saved = _saved_kwargs(wrapper)
    if saved is None and _takes_nothing_else(type(wrapper)):
        return {}
    if saved is None:
        raise ArtifactError(
            f"The wrapper {type(wrapper).__name__} does not say what arguments it was made with.",
            hint="Let it inherit from gymnasium.utils.RecordConstructorArgs and call its __init__ with the arguments.",
        )
    return {name: value for name, value in saved.items() if name != "env"}


def _takes_nothing_else(wrapper: type) -> bool:
    """Whether a wrapper is made with what it wraps, and there can be no other argument."""
    parameters = list(inspect.signature(wrapper).parameters.values())
    named = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return len(parameters) == 1 and parameters[0].kind in named


def _saved_kwargs(made: object) -> dict[str, Any] | None:
    """Return what ``gymnasium.utils.RecordConstructorArgs`` keeps, in the only place it keeps it."""
    saved = vars(made).get("_saved_kwargs")
    return saved if isinstance(saved, dict) else None


def _arguments(env: gymnasium.Env[Any, Any], spec: EnvSpec | None) -> Mapping[str, Any]:
    if spec is not None:
        return spec.kwargs
    saved = _saved_kwargs(env)
    if saved is not None:
        return saved
    kept = vars(env)
    if "_ezpickle_args" in kept:  # what ``gymnasium.utils.EzPickle`` keeps
        try:
            bound = inspect.signature(type(env)).bind(*kept["_ezpickle_args"], **kept["_ezpickle_kwargs"])
        except TypeError as error:
            raise _unknown_arguments(env) from error
        return _flat(bound)
    if not inspect.signature(type(env)).parameters:
        return {}
    raise _unknown_arguments(env)


def _flat(bound: inspect.BoundArguments) -> dict[str, Any]:
    kinds = {name: parameter.kind for name, parameter in bound.signature.parameters.items()}
    flat: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if kinds[name] is inspect.Parameter.VAR_KEYWORD:
            flat |= value
        elif kinds[name] in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY}:
            raise ArtifactError(f"The argument {name!r} has no name to pass it by.", hint="Give it one.")
        else:
            flat[name] = value
    return flat


def _unknown_arguments(env: gymnasium.Env[Any, Any]) -> ArtifactError:
    return ArtifactError(
        f"Nobody recorded what arguments this {type(env).__name__} was made with.",
        hint="Make it with gymnasium.make, or pass them: Benchmark.from_env(env, arguments={…}, …).",
    )


def _entry_point(env: gymnasium.Env[Any, Any], spec: EnvSpec | None) -> str:
    if spec is not None and isinstance(spec.entry_point, str):
        _refuse_main(*spec.entry_point.partition(":")[::2])
        return spec.entry_point
    return _importable(type(env) if spec is None or spec.entry_point is None else spec.entry_point)


def _importable(thing: Any) -> str:  # noqa: ANN401 - a class, or the function an environment was registered with
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise ArtifactError(f"{thing!r:.160} has no name to import it by.", hint=_ELSEWHERE)
    _refuse_main(module, name)
    return f"{module}:{name}"


def _refuse_main(module: str, name: str) -> None:
    if "<" in name or module == "__main__":
        raise ArtifactError(
            f"{name!r} is defined in {module}, where nobody else can import it from.", hint=_ELSEWHERE
        )
