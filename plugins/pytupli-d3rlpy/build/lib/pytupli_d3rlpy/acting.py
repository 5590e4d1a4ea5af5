"""d3rlpy's algorithms as policies: raw observations in, raw actions out, by the rules that the data follows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, TypedDict, Unpack, get_args

import numpy as np
import torch
from d3rlpy.algos import (
    GreedyTransformerActionSampler,
    QLearningAlgoBase,
    StatefulTransformerWrapper,
    TransformerAlgoBase,
)
from d3rlpy.constants import ActionSpace

from pytupli_d3rlpy.actions import ActionRule
from pytupli_d3rlpy.observations import (
    DiscreteObservation,
    ImageLayout,
    ObservationOptions,
    ObservationRule,
)
from pytupli_registry.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import gymnasium
    from numpy.typing import NDArray

    from pytupli_registry.benchmarks.policies import Policy

__all__ = [
    "GreedyPolicy",
    "Learnt",
    "ObservationChoices",
    "Predicts",
    "SamplingPolicy",
    "TransformerPolicy",
    "acting",
    "acts",
    "draws_numbers",
    "fitting_rule",
    "policy_of",
    "zeros",
]

Learnt: TypeAlias = QLearningAlgoBase | TransformerAlgoBase | StatefulTransformerWrapper


class ObservationChoices(TypedDict, total=False):
    """Options of :func:`pytupli_d3rlpy.to_d3rlpy`, as they were for the data; one left out is found."""

    tuple_observation: bool
    image_layout: ImageLayout
    discrete_observation: DiscreteObservation


class Predicts(Protocol):
    """What ``algo.predict`` is."""

    def __call__(self, observations: Any, /) -> NDArray[Any]:  # noqa: ANN401 - an array, or a tuple of them
        """Return the action for each observation.  # (n,) or (n, action_size)"""  # noqa: D415


class _NamesItsDistributions:
    """An evaluation tells the versions of these: they decide what is predicted."""

    distributions: ClassVar[tuple[str, ...]] = ("pytupli-d3rlpy", "d3rlpy", "torch")


@dataclass(frozen=True)
class GreedyPolicy(_NamesItsDistributions):
    """The policy of an algorithm whose action follows from the observation: one ``predict`` a tick.

    Attributes:
        predict: of the algorithm.
        observations: how the algorithm sees the environment.
        actions: how the environment takes what it predicts.
    """

    predict: Predicts
    observations: ObservationRule
    actions: ActionRule

    def begin(self, seeds: Sequence[int]) -> None:
        """Do nothing: it remembers nothing between steps."""

    def act(self, observations: Sequence[Any], lanes: Sequence[int]) -> list[Any]:  # noqa: ARG002 - all are alike
        """Predict an action for each lane."""
        predicted = self.predict(self.observations.batch(observations))
        return [self.actions.element(action) for action in predicted]


@dataclass(frozen=True)
class SamplingPolicy(_NamesItsDistributions):
    """The policy of an algorithm that draws torch's random numbers to act, as BCQ, BEAR and CRR do.

    Each lane has a stream of its own, seeded like its environment, and torch's generator is left as it was.

    Attributes:
        predict: of the algorithm.
        observations: how the algorithm sees the environment.
        actions: how the environment takes what it predicts.
    """

    predict: Predicts
    observations: ObservationRule
    actions: ActionRule
    _states: list[torch.Tensor] = field(default_factory=list, init=False)

    def begin(self, seeds: Sequence[int]) -> None:
        """Seed the stream of each lane."""
        self._states[:] = [torch.Generator().manual_seed(int(seed)).get_state() for seed in seeds]

    def act(self, observations: Sequence[Any], lanes: Sequence[int]) -> list[Any]:
        """Predict an action for each lane, one after the other."""
        with torch.random.fork_rng(devices=[]):
            return [self._act(*pair) for pair in zip(observations, lanes, strict=True)]

    def _act(self, observation: Any, lane: int) -> Any:  # noqa: ANN401 - the environment's own
        torch.set_rng_state(self._states[lane])
        predicted = self.predict(self.observations.batch([observation]))
        self._states[lane] = torch.get_rng_state()
        return self.actions.element(predicted[0])


@dataclass(frozen=True)
class TransformerPolicy(_NamesItsDistributions):
    """A transformer that aims at a return; each lane has its own history.

    Attributes:
        make_lane: makes the stateful wrapper of one lane.
        observations: how the algorithm sees the environment.
        actions: how the environment takes what it predicts.
    """

    make_lane: Callable[[], Any]
    observations: ObservationRule
    actions: ActionRule
    _lanes: list[Any] = field(default_factory=list, init=False)
    _rewards: list[float] = field(default_factory=list, init=False)

    def begin(self, seeds: Sequence[int]) -> None:
        """Give each lane an empty history."""
        self._lanes[:] = [self.make_lane() for _ in seeds]
        self._rewards[:] = [0.0] * len(seeds)

    def reward(self, rewards: Sequence[float], lanes: Sequence[int]) -> None:
        """Remember what the last actions earned."""
        for lane, reward in zip(lanes, rewards, strict=True):
            self._rewards[lane] = float(reward)

    def act(self, observations: Sequence[Any], lanes: Sequence[int]) -> list[Any]:
        """Predict an action for each lane, one after the other, as d3rlpy's wrapper does."""
        return [
            self.actions.element(
                self._lanes[lane].predict(self.observations.value(observation), self._rewards[lane])
            )
            for observation, lane in zip(observations, lanes, strict=True)
        ]


def acts(thing: Any) -> bool:  # noqa: ANN401 - whatever somebody gives
    """Whether :func:`policy_of` takes it."""
    return isinstance(thing, Learnt)


def policy_of(
    algo: Learnt,
    observation_space: gymnasium.Space[Any],
    action_space: gymnasium.Space[Any],
    **said: Unpack[ObservationChoices],
) -> Policy:
    """Return the greedy policy of a trained algorithm, to act in an environment.

    How the algorithm sees the observations is found by comparing its ``observation_shape`` with the space; say it
    where that leaves a choice.

    Args:
        algo: trained; a transformer as its stateful wrapper, ``algo.as_stateful_wrapper(target_return)``. It acts
            greedily, whatever the wrapper's action sampler.
        observation_space: of the environment.
        action_space: of the environment.
        said: ``tuple_observation``, ``image_layout``, ``discrete_observation``, as they were for the data; see
            :func:`pytupli_d3rlpy.to_d3rlpy`.

    Raises:
        AdapterError: it is untrained or no policy, was trained for other spaces, or several options fit.
    """
    core = algo.algo if isinstance(algo, StatefulTransformerWrapper) else algo
    actions = _action_rule(core, action_space)
    shape = _as_tuples(core.observation_shape)
    rule = fitting_rule(observation_space, said, lambda rule: rule.shape == shape, f"the shape {shape}")
    if isinstance(algo, StatefulTransformerWrapper):
        return TransformerPolicy(_lane_maker(algo), rule, actions)
    if isinstance(algo, QLearningAlgoBase):
        return acting(algo.predict, rule, actions)
    raise AdapterError(
        f"{type(algo).__name__} acts by the return that it aims at, and nothing says which.",
        hint="Give algo.as_stateful_wrapper(target_return), and save that.",
    )


def acting(predict: Predicts, observations: ObservationRule, actions: ActionRule) -> Policy:
    """Return the policy that acts by a prediction, after trying it once.

    Raises:
        AdapterError: it cannot predict; a scaler of another shape, for instance.
    """
    kind = SamplingPolicy if draws_numbers(predict, zeros(observations.shape)) else GreedyPolicy
    return kind(predict, observations, actions)


def draws_numbers(predict: Predicts, arrays: tuple[NDArray[Any], ...]) -> bool:
    """Whether a prediction draws from torch's generator, which is left as it was.

    Raises:
        AdapterError: it cannot predict.
    """
    with torch.random.fork_rng(devices=[]):
        before = torch.get_rng_state()
        try:
            predict(arrays if len(arrays) > 1 else arrays[0])
        except (RuntimeError, ValueError, TypeError, AssertionError, IndexError) as error:
            raise AdapterError(
                f"The policy cannot predict an action ({type(error).__name__}: {error!s:.200}).",
                hint="Its scalers have to fit its observations, and the algorithm has to be one that acts.",
            ) from error
        return not torch.equal(before, torch.get_rng_state())


def zeros(shape: Any) -> tuple[NDArray[np.float32], ...]:  # noqa: ANN401 - a shape, or several
    """Return one observation of each shape.  # (1, *shape)"""  # noqa: D415
    shapes = shape if shape and isinstance(shape[0], (list, tuple)) else (shape,)
    return tuple(np.zeros((1, *part), dtype=np.float32) for part in shapes)


def _lane_maker(wrapper: Any) -> Callable[[], Any]:  # noqa: ANN401 - d3rlpy ships no types
    algo, target = wrapper.algo, wrapper._target_return  # noqa: SLF001 - d3rlpy has no public name for it
    if algo.get_action_type() == ActionSpace.CONTINUOUS:
        return lambda: algo.as_stateful_wrapper(target)
    return lambda: algo.as_stateful_wrapper(target, GreedyTransformerActionSampler())


def _action_rule(algo: Any, space: gymnasium.Space[Any]) -> ActionRule:  # noqa: ANN401
    if algo.impl is None:
        raise AdapterError(
            f"This {type(algo).__name__} has no network yet.",
            hint="Train it, or build it with build_with_dataset.",
        )
    rule = ActionRule.of(space)
    kind, size = algo.get_action_type(), algo.action_size
    if (kind, size) != (rule.kind, rule.size):
        raise AdapterError(
            f"The policy has {size} {kind.name.lower()} actions; {space!s:.200} has {rule.size} that are "
            f"{rule.kind.name.lower()}.",
            hint="It was trained for another environment.",
        )
    return rule


def fitting_rule(
    space: gymnasium.Space[Any],
    said: ObservationChoices,
    fits: Callable[[ObservationRule], bool],
    wanted: str,
) -> ObservationRule:
    """Return the only way to see a space that fits.

    Args:
        space: of the observations.
        said: options that are known.
        fits: whether a way does.
        wanted: what it has to fit, for the message.

    Raises:
        AdapterError: none does, several do, an option is wrong, or d3rlpy has no way to take the space.
    """
    fitting = [rule for rule in _rules(space, said) if fits(rule)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise AdapterError(
            f"The policy takes {wanted}, and nothing makes such of {space!s:.200}{f' with {said}' if said else ''}.",
            hint="It was trained for another environment, or on observations that were wrapped differently.",
        )
    raise AdapterError(
        f"There are {len(fitting)} ways to see {space!s:.200} as {wanted}, which the policy takes.",
        hint="Say how it was trained: pytupli_d3rlpy.policy_of(algo, observation_space, action_space, …) and "
        "load_policy take tuple_observation, image_layout and discrete_observation.",
    )


def _rules(space: gymnasium.Space[Any], said: ObservationChoices) -> Iterator[ObservationRule]:
    """Yield each way to see a space that the options said allow, once."""
    unknown = said.keys() - ObservationChoices.__annotations__.keys()
    if unknown:
        raise AdapterError(f"There is no option {', '.join(sorted(unknown))}.")
    seen: list[ObservationRule] = []
    for way in itertools.product(
        [said["tuple_observation"]] if "tuple_observation" in said else [False, True],
        [said["image_layout"]] if "image_layout" in said else get_args(ImageLayout),
        [said["discrete_observation"]] if "discrete_observation" in said else get_args(DiscreteObservation),
    ):
        rule = ObservationRule.of(space, ObservationOptions(*way))
        if rule not in seen:
            seen.append(rule)
            yield rule


def _as_tuples(shape: Any) -> Any:  # noqa: ANN401
    """Return a shape, or a shape for each of several arrays, as tuples: JSON made lists of them."""
    return tuple(_as_tuples(part) if isinstance(part, (list, tuple)) else int(part) for part in shape)
