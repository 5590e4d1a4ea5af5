"""Recording a dataset by its recipe: which policy plays which episode from which seed follows from the recipe alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import gymnasium

    from pytupli_registry.benchmarks.policies import Policy
    from pytupli_registry.catalog.recipe import DatasetRecipe
    from pytupli_registry.dataset.episode import Episode, Scalar
    from pytupli_registry.recorder import EpisodeSink

__all__ = ["describing_recorder", "play", "record", "turns"]

_ACTING = 1  # told apart from the environment's own stream of random numbers, which begins at the same seed


def record(
    env: gymnasium.Env[Any, Any],
    recipe: DatasetRecipe,
    policies: Mapping[str, Policy],
    writer: EpisodeSink,
    advance: Callable[[int], None],
) -> None:
    """Record the episodes of a dataset that is not a replay.

    Args:
        env: to play in.
        recipe: of the dataset.
        policies: those it names.
        writer: takes the episodes.
        advance: called with 1 after each.
    """
    recorder = describing_recorder(env, recipe, writer)
    played = dict.fromkeys(recipe.policies, 0)
    for number, name in enumerate(turns(recipe.policies, recipe.episodes or 0)):
        recorder.policy = name
        # Each policy goes through the options by itself: four policies and twelve months must not fall into step.
        options = dict(recipe.options[played[name] % len(recipe.options)]) if recipe.options else None
        play(recorder, policies[name], recipe.seed + number, options)
        played[name] += 1
        advance(1)


def describing_recorder(
    env: gymnasium.Env[Any, Any], recipe: DatasetRecipe, writer: EpisodeSink, policy: str | None = None
) -> Recorder:
    """Return a recorder that keeps the facts of the recipe with each episode, and nothing about this machine."""

    def facts(episode: Episode) -> Mapping[str, Scalar]:
        chosen = episode.options or {}
        scalars = {name: value for name, value in chosen.items() if isinstance(value, str | int | float)}
        return {**recipe.metadata, **scalars}

    return Recorder(env, writer, policy=policy, recorded_at=False, metadata=facts)


def turns(shares: Mapping[str, float], episodes: int) -> Iterator[str]:
    """Yield the policy of each episode: whoever is furthest behind its share; of equals, the first by name.

    After every episode, no policy is a whole episode away from its share.
    """
    played = dict.fromkeys(sorted(shares), 0)
    for number in range(1, episodes + 1):
        behind = {name: shares[name] * number - count for name, count in played.items()}
        chosen = max(behind, key=lambda name: round(behind[name], 9))
        played[chosen] += 1
        yield chosen


def play(
    env: gymnasium.Env[Any, Any], policy: Policy, seed: int, options: dict[str, Any] | None = None
) -> float:
    """Play one episode and return its undiscounted return."""
    observation, _ = env.reset(seed=seed, options=options)
    policy.begin([_acting_seed(seed)])
    total, done = 0.0, False
    while not done:
        (action,) = policy.act([observation], [0])
        observation, reward, terminated, truncated, _ = env.step(action)
        total += float(reward)
        done = terminated or truncated
    return total


def _acting_seed(seed: int) -> int:
    (word,) = np.random.SeedSequence([seed, _ACTING]).generate_state(1)
    return int(word) >> 1
