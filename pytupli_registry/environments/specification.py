"""An environment and its wrappers as plain values: what Gymnasium's ``EnvSpec`` says, with nothing that can be called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytupli_registry.errors import EnvironmentRefused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from gymnasium.envs.registration import EnvSpec, WrapperSpec

__all__ = ["EnvironmentSpecification", "WrapperSpecification", "specification_of"]


@dataclass(frozen=True, slots=True)
class WrapperSpecification:
    """A wrapper around an environment.

    Attributes:
        name: Gymnasium's name for it; shown, never used to find it.
        entry_point: ``package.module:Class``.
        kwargs: arguments beside the environment, as Python values.
    """

    name: str
    entry_point: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnvironmentSpecification:
    """An environment as data.

    Attributes:
        environment_id: Gymnasium's id, without a module to import.
        entry_point: ``package.module:Class``.
        kwargs: all arguments of the constructor, as Python values.
        max_episode_steps: the time limit, in steps.
        reward_threshold: the mean return at which the task counts as solved.
        nondeterministic: whether the same seed and actions may lead elsewhere.
        order_enforce: whether a step before the reset is an error.
        wrappers: what is around it, the innermost first; time limit and order enforcing are usually not among them.
        files: the paths of artifacts' files, which arguments may name as texts too; whoever reads the artifacts says so,
            and no data.
    """

    environment_id: str
    entry_point: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    max_episode_steps: int | None = None
    reward_threshold: float | None = None
    nondeterministic: bool = False
    order_enforce: bool = True
    wrappers: tuple[WrapperSpecification, ...] = ()
    files: Collection[Path] = field(default=(), compare=False)


def specification_of(spec: EnvSpec) -> EnvironmentSpecification:
    """Return what a live environment's ``spec`` says, as plain values.

    ``render_mode`` is left out unless a wrapper shows the agent what is rendered: else it changes what people see
    and not what happens.

    Raises:
        EnvironmentRefused: the entry point is a function object, or a wrapper kept no record of its arguments.
    """
    if not isinstance(spec.entry_point, str):
        raise EnvironmentRefused(
            f"The environment {spec.id!r} was made by a function, which data cannot name.",
            hint="Register it with a 'module:Class' string.",
        )
    wrappers = tuple(_wrapper(wrapper) for wrapper in spec.additional_wrappers)
    rendered = any(wrapper.name == "AddRenderObservation" for wrapper in wrappers)
    return EnvironmentSpecification(
        spec.id,
        spec.entry_point,
        {name: value for name, value in spec.kwargs.items() if rendered or name != "render_mode"},
        spec.max_episode_steps,
        spec.reward_threshold,
        spec.nondeterministic,
        spec.order_enforce,
        wrappers,
    )


def _wrapper(wrapper: WrapperSpec) -> WrapperSpecification:
    if wrapper.kwargs is None:
        raise EnvironmentRefused(
            f"The wrapper {wrapper.entry_point!r} does not say which arguments it was made with.",
            hint="Let its class inherit from gymnasium.utils.RecordConstructorArgs.",
        )
    return WrapperSpecification(wrapper.name, wrapper.entry_point, dict(wrapper.kwargs))
