"""From a reference, or a dataset, to what d3rlpy trains on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from d3rlpy.dataset import SparseRewardTransitionPicker

import pytupli_registry
from pytupli_d3rlpy.actions import ActionRule
from pytupli_d3rlpy.dataset import MappedDataset
from pytupli_d3rlpy.observations import (
    DiscreteObservation,
    ImageLayout,
    ObservationOptions,
    ObservationRule,
    check_option,
)
from pytupli_d3rlpy.source import Source
from pytupli_d3rlpy.steps import TruncatedTail
from pytupli_registry.errors import AdapterError

if TYPE_CHECKING:
    import gymnasium
    from d3rlpy.dataset import TrajectorySlicerProtocol, TransitionPickerProtocol

    from pytupli_registry import Dataset

__all__ = ["load", "to_d3rlpy"]


def load(
    reference: str,
    episodes: Any = None,  # noqa: ANN401 - whatever pytupli_registry.load takes
    steps: Any = None,  # noqa: ANN401
    *,
    transition_picker: TransitionPickerProtocol | None = None,
    trajectory_slicer: TrajectorySlicerProtocol | None = None,
    truncated_tail: TruncatedTail = "drop",
    tuple_observation: bool = False,
    image_layout: ImageLayout = "auto",
    discrete_observation: DiscreteObservation = "number",
) -> tuple[MappedDataset, gymnasium.Env[Any, Any] | None]:
    """Load a dataset, and its environment, for d3rlpy.

    Args:
        reference: ``"cartpole/mixed-v0"``.
        episodes: episode filter, as text or expression; None keeps all.
        steps: step filter; only the transitions it keeps are sampled, each with its true successor.
        transition_picker: as in ``MDPDataset``.
        trajectory_slicer: as in ``MDPDataset``.
        truncated_tail: see :func:`to_d3rlpy`.
        tuple_observation: see :func:`to_d3rlpy`.
        image_layout: see :func:`to_d3rlpy`.
        discrete_observation: see :func:`to_d3rlpy`.

    Returns:
        The dataset, and the environment it was recorded in with observations and actions as the dataset shows
        them; None where the environment may not be built on this machine.

    Raises:
        PytupliError: there is no such dataset, a filter is wrong, or d3rlpy cannot take its spaces.
    """
    dataset = pytupli_registry.load(reference, episodes=episodes, steps=steps)
    mapped = to_d3rlpy(
        dataset,
        transition_picker=transition_picker,
        trajectory_slicer=trajectory_slicer,
        truncated_tail=truncated_tail,
        tuple_observation=tuple_observation,
        image_layout=image_layout,
        discrete_observation=discrete_observation,
    )
    env = pytupli_registry.environment_of(dataset)
    if env is None:
        return mapped, None
    options = ObservationOptions(tuple_observation, image_layout, discrete_observation)
    observations, actions = _rules(dataset, options)
    return mapped, actions.wrap(observations.wrap(env))


def to_d3rlpy(
    dataset: Dataset,
    *,
    transition_picker: TransitionPickerProtocol | None = None,
    trajectory_slicer: TrajectorySlicerProtocol | None = None,
    truncated_tail: TruncatedTail = "drop",
    tuple_observation: bool = False,
    image_layout: ImageLayout = "auto",
    discrete_observation: DiscreteObservation = "number",
) -> MappedDataset:
    """Return an ``MDPDataset`` over the columns of a dataset, without copying them.

    Args:
        dataset: to sample from.
        transition_picker: as in ``MDPDataset``; d3rlpy's own four are gathered at once, others step by step.
        trajectory_slicer: as in ``MDPDataset``; d3rlpy's own two are gathered at once.
        truncated_tail: what to do with the last transition of an episode that is not terminated. ``"drop"`` it,
            as d3rlpy does, or ``"keep"`` it with its true final observation; its next action was never taken and
            is zeros, which is wrong for algorithms that read next actions (ReBRAC, SARSA-like evaluation).
        tuple_observation: show observation and goal of goal-conditioned data as a tuple instead of one vector.
        image_layout: where the stored images have their channels. ``"auto"``: last if the last axis is the
            shortest, otherwise first. d3rlpy gets channels first.
        discrete_observation: how ``Discrete`` and ``MultiDiscrete`` observations are shown: ``"number"``, as they
            are stored, or ``"one_hot"``, which is what a network can learn from.

    Raises:
        AdapterError: an option is wrong, no transition is left, or d3rlpy has no way to take the spaces.
        SpaceError: the dataset describes a space that Gymnasium cannot build.
    """
    check_option("truncated_tail", truncated_tail, get_args(TruncatedTail))
    options = ObservationOptions(tuple_observation, image_layout, discrete_observation)
    if truncated_tail == "keep" and isinstance(transition_picker, SparseRewardTransitionPicker):
        raise AdapterError(
            "SparseRewardTransitionPicker compares all rewards to go, the kept tail's padding included.",
            hint="Use truncated_tail='drop' with it.",
        )
    observations, actions = _rules(dataset, options)
    source = Source.of(dataset, observations, actions, truncated_tail)
    return MappedDataset(source, actions, transition_picker, trajectory_slicer)


def _rules(dataset: Dataset, options: ObservationOptions) -> tuple[ObservationRule, ActionRule]:
    return ObservationRule.of(dataset.observation_space, options), ActionRule.of(dataset.action_space)
