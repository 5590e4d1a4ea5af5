"""Evaluating a policy by a benchmark's protocol."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytupli_registry.benchmarks.policies import RewardedPolicy, as_policy
from pytupli_registry.benchmarks.reproduction import Reproduction, Summary, compare, summarise
from pytupli_registry.benchmarks.results import (
    BenchmarkIdentity,
    EpisodeResult,
    Evaluation,
    PolicyIdentity,
    installed_versions,
    normalised_returns,
)
from pytupli_registry.benchmarks.specification import EvaluationProtocol
from pytupli_registry.benchmarks.statistics import LARGEST, describe
from pytupli_registry.errors import EpisodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import gymnasium

    from pytupli_registry.benchmarks.policies import Policy
    from pytupli_registry.benchmarks.specification import ReferenceScore

__all__ = [
    "BenchmarkIdentity",
    "EpisodeResult",
    "Evaluation",
    "PolicyIdentity",
    "Reproduction",
    "Summary",
    "compare",
    "evaluate",
    "installed_versions",
    "summarise",
]

DEFAULT_MAX_STEPS = 100_000


def evaluate(
    make_env: Callable[[], gymnasium.Env[Any, Any]],
    policy: Any,  # noqa: ANN401 - whatever as_policy takes
    protocol: EvaluationProtocol | None = None,
    *,
    lanes: int = 8,
    max_steps: int = DEFAULT_MAX_STEPS,
    fresh: bool = True,
    identity: BenchmarkIdentity | None = None,
    described: PolicyIdentity | None = None,
    reference_scores: Mapping[str, ReferenceScore] | None = None,
    distributions: Iterable[str] = (),
    advance: Callable[[int], None] | None = None,
) -> Evaluation:
    """Run a policy for the protocol's episodes.

    Episode i is reset with ``protocol.seed + i``, on whichever lane it runs: how many lanes there are changes how fast
    an evaluation is and nothing else, unless the policy's own arithmetic depends on the size of its batches (matrix
    products on a GPU may, in the last digits).

    Args:
        make_env: builds the environment; what it returns is closed, whatever happens.
        policy: a policy, a function of one observation, or what a plugin accepts, d3rlpy's algorithms for example.
        protocol: seeds, number of episodes and discount; ``EvaluationProtocol()`` if None.
        lanes: how many environments are stepped together.
        max_steps: no episode may be longer.
        fresh: build an environment for each episode. Otherwise each lane keeps one, which is faster to begin; what
            its wrappers remember (NormalizeObservation) then makes results depend on the lanes.
        identity: of the benchmark.
        described: which policy it is.
        reference_scores: of the environment, to normalise by ``random`` and ``expert``.
        distributions: whose versions are told, beside those of Python, numpy, gymnasium and this library.
        advance: called with 1 after each episode.

    Raises:
        AdapterError: the policy is none that anything installed knows.
        EpisodeError: an episode does not end, a reward is not finite, or there are not as many actions as lanes.
        PytupliError: the references ``random`` and ``expert`` are equal.
    """
    chosen = protocol or EvaluationProtocol()
    references = dict(reference_scores or {})
    comparable = references.keys() >= {"random", "expert"}
    if comparable:  # if there is no way to normalise, that is told before hours have passed
        normalised_returns([0.0], references)
    stage = _Stage(make_env, max(1, min(lanes, chosen.episodes)), max_steps, fresh, advance)
    with stage.stack:
        first = stage.open()
        acting = as_policy(policy, first.observation_space, first.action_space)
        episodes = [
            result for seeds in stage.rounds(chosen) for result in stage.run(acting, seeds, chosen.discount)
        ]
        environment = "" if first.spec is None else first.spec.id
    returns = [episode.total_return for episode in episodes]
    return Evaluation(
        benchmark=identity,
        environment=environment,
        policy=described or PolicyIdentity(name=_name_of(policy)),
        protocol=chosen,
        lanes=stage.lanes,
        episodes=tuple(episodes),
        returns=describe(returns),
        discounted_returns=describe([episode.discounted_return for episode in episodes]),
        lengths=describe([episode.length for episode in episodes]),
        reference_scores=references,
        normalised=describe(normalised_returns(returns, references)) if comparable else None,
        versions=installed_versions([*distributions, *getattr(acting, "distributions", ())]),
    )


@dataclass(slots=True)
class _Lane:
    """One environment and the episode that runs in it."""

    env: gymnasium.Env[Any, Any]
    number: int
    seed: int
    observation: Any = None
    rewards: list[float] = field(default_factory=list)
    terminated: bool = False
    truncated: bool = False

    def reset(self) -> None:
        self.observation, _ = self.env.reset(seed=self.seed)

    def step(self, action: Any) -> float:  # noqa: ANN401 - an element of the action space
        try:
            self.observation, reward, terminated, truncated, _ = self.env.step(action)
        except Exception as error:
            error.add_note(
                f"{self.told} raised this at step {len(self.rewards)}, for the action {action!r:.160}."
            )
            raise
        self.rewards.append(float(reward))
        self.terminated, self.truncated = bool(terminated), bool(truncated)
        if not abs(self.rewards[-1]) <= LARGEST:  # NaN is not either
            raise EpisodeError(
                f"{self.told} returned the reward {self.rewards[-1]} at step {len(self.rewards) - 1}."
            )
        return self.rewards[-1]

    @property
    def running(self) -> bool:
        return not (self.terminated or self.truncated)

    @property
    def told(self) -> str:
        name = type(self.env.unwrapped).__name__ if self.env.spec is None else self.env.spec.id
        return f"{name}, reset with the seed {self.seed},"

    def result(self, discount: float) -> EpisodeResult:
        discounted = 0.0
        for reward in reversed(self.rewards):
            discounted = reward + discount * discounted
        return EpisodeResult(
            seed=self.seed,
            total_return=math.fsum(self.rewards),
            discounted_return=discounted,
            length=len(self.rewards),
            terminated=self.terminated,
        )


@dataclass(slots=True)
class _Stage:
    """The environments that an evaluation has open."""

    make_env: Callable[[], gymnasium.Env[Any, Any]]
    lanes: int
    max_steps: int
    fresh: bool
    advance: Callable[[int], None] | None
    stack: ExitStack = field(default_factory=ExitStack)
    _open: list[gymnasium.Env[Any, Any]] = field(default_factory=list)
    _used: bool = False

    def open(self) -> gymnasium.Env[Any, Any]:
        self._open.append(self.stack.enter_context(self.make_env()))
        return self._open[-1]

    def rounds(self, protocol: EvaluationProtocol) -> Iterator[range]:
        for start in range(0, protocol.episodes, self.lanes):
            yield protocol.seeds[start : start + self.lanes]

    def run(self, policy: Policy, seeds: Sequence[int], discount: float) -> list[EpisodeResult]:
        """Run an episode on each lane until the last one ends."""
        environments = self._environments(len(seeds))
        lanes = [
            _Lane(env, number, seed)
            for number, (env, seed) in enumerate(zip(environments, seeds, strict=True))
        ]
        for lane in lanes:
            lane.reset()
        policy.begin(list(seeds))
        running = lanes
        while running:
            self._tick(policy, running)
            ended = [lane for lane in running if not lane.running]
            running = [lane for lane in running if lane.running]
            if self.advance is not None:
                for _ in ended:
                    self.advance(1)
        return [lane.result(discount) for lane in lanes]

    def _tick(self, policy: Policy, running: Sequence[_Lane]) -> None:
        numbers = [lane.number for lane in running]
        actions = policy.act([lane.observation for lane in running], numbers)
        if len(actions) != len(running):
            raise EpisodeError(f"The policy chose {len(actions)} actions for {len(running)} observations.")
        rewards = [lane.step(action) for lane, action in zip(running, actions, strict=True)]
        if isinstance(policy, RewardedPolicy):
            policy.reward(rewards, numbers)
        for lane in running:
            if lane.running and len(lane.rewards) >= self.max_steps:
                raise EpisodeError(
                    f"{lane.told} did not end within {self.max_steps:,} steps.",
                    hint="Give the environment a time limit (max_episode_steps), or raise max_steps.",
                )

    def _environments(self, count: int) -> Sequence[gymnasium.Env[Any, Any]]:
        if self._used and self.fresh:
            self.stack.close()
            self._open.clear()
        self._used = True
        while len(self._open) < count:
            self.open()
        return self._open[:count]


def _name_of(policy: Any) -> str:  # noqa: ANN401 - whatever acts
    return str(getattr(policy, "__name__", None) or type(policy).__name__)[:200]
