"""Evaluations side by side: whether one reproduces another, and what several training runs come to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from pytupli_registry.benchmarks.replay import Tolerance
from pytupli_registry.benchmarks.statistics import Statistics, describe
from pytupli_registry.errors import PytupliError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytupli_registry.benchmarks.results import EpisodeResult, Evaluation

__all__ = ["Reproduction", "Summary", "compare", "summarise"]


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What comparing two evaluations came to.

    Attributes:
        outcome: ``identical`` if every episode has the same return, discounted return, length and end;
            ``within tolerance`` if the returns are that close; ``different`` otherwise, and where the seeds or the
            benchmarks differ: equal numbers of another task reproduce nothing.
        summary: that in one line.
        compared: number of episodes of the same seed.
        differing: how many of those are beyond the tolerance.
        first_seed: seed of the first of those.
        largest: largest absolute difference of two undiscounted returns.
        explanations: what else differs and may be why: benchmark, protocol, policy, versions.
    """

    outcome: Literal["identical", "within tolerance", "different"]
    summary: str
    compared: int
    differing: int
    first_seed: int | None
    largest: float
    explanations: tuple[str, ...]


class Summary(BaseModel):
    """What the training runs of an algorithm come to.

    Attributes:
        unit: ``runs`` if scores are means of runs; ``episodes`` if there is a single run, whose episodes they are.
        normalised: whether they are normalised scores; plain returns otherwise.
        scores: by benchmark, one a run (or an episode).
        statistics: of all of them; intervals resample runs within each benchmark.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    unit: Literal["runs", "episodes"]
    normalised: bool
    scores: dict[str, tuple[float, ...]]
    statistics: Statistics


def compare(first: Evaluation, second: Evaluation, tolerance: Tolerance | None = None) -> Reproduction:
    """Tell whether the second evaluation reproduces the first, episode by episode.

    Args:
        first: what was published.
        second: what came out here.
        tolerance: of the returns; ``Tolerance()`` if None. Lengths and ends have none.
    """
    allowed = tolerance or Tolerance()
    others = {episode.seed: episode for episode in second.episodes}
    pairs = [(one, others[one.seed]) for one in first.episodes if one.seed in others]
    same_discount = first.protocol.discount == second.protocol.discount
    differing = [one.seed for one, other in pairs if not _close(one, other, allowed, same_discount)]
    largest = max((abs(one.total_return - other.total_return) for one, other in pairs), default=0.0)
    same_seeds = len(pairs) == len(first.episodes) == len(second.episodes)
    exact = all(_close(one, other, Tolerance(0.0, 0.0), same_discount) for one, other in pairs)
    explanations = tuple(_explanations(first, second))
    outcome: Literal["identical", "within tolerance", "different"] = (
        "different"
        if differing or not same_seeds or not _same_task(first, second)
        else "identical"
        if exact
        else "within tolerance"
    )
    told = f"{len(pairs)} episodes" if same_seeds else f"only {len(pairs)} episodes have the same seed"
    if differing:
        told += f", {len(differing)} differ, the first with the seed {differing[0]}"
    if largest > 0:
        told += f", returns by at most {largest:.3g}"
    why = f" ({'; '.join(explanations)})" if explanations else ""
    first_seed = differing[0] if differing else None
    summary = f"{outcome}: {told}{why}"
    return Reproduction(outcome, summary, len(pairs), len(differing), first_seed, largest, explanations)


def _close(one: EpisodeResult, other: EpisodeResult, tolerance: Tolerance, same_discount: bool) -> bool:
    pairs = [(one.total_return, other.total_return)]
    if same_discount:
        pairs.append((one.discounted_return, other.discounted_return))
    return (one.length, one.terminated) == (other.length, other.terminated) and all(
        abs(left - right) <= tolerance.absolute + tolerance.relative * abs(left) for left, right in pairs
    )


def _explanations(first: Evaluation, second: Evaluation) -> Iterator[str]:
    if not _same_task(first, second):
        yield f"another benchmark: {_task(first)} and {_task(second)}"
    if first.protocol != second.protocol:
        yield "another protocol"
    if first.policy != second.policy:
        yield f"another policy: {_policy(first)} and {_policy(second)}"
    for name in sorted(first.versions.keys() | second.versions.keys()):
        versions = first.versions.get(name, "none"), second.versions.get(name, "none")
        if versions[0] != versions[1]:
            yield f"{name} {versions[0]} and {versions[1]}"


def _same_task(first: Evaluation, second: Evaluation) -> bool:
    """Whether both are of one benchmark, whatever it is called, or of one environment where neither tells."""
    if first.benchmark is None or second.benchmark is None:
        return first.benchmark is second.benchmark and first.environment == second.environment
    return first.benchmark.sha256 == second.benchmark.sha256


def _policy(evaluation: Evaluation) -> str:
    policy = evaluation.policy
    told = [policy.name or "unnamed", policy.run, policy.sha256 and policy.sha256[:12]]
    return " ".join(part for part in told if part)


def _task(evaluation: Evaluation) -> str:
    benchmark = evaluation.benchmark
    return evaluation.environment if benchmark is None else f"{benchmark.name} ({benchmark.sha256[:12]})"


def summarise(evaluations: Iterable[Evaluation], *, seed: int = 0) -> Summary:
    """Compute figures over the training runs of one algorithm, on one benchmark or on several.

    A run's score on a benchmark is the mean over its episodes, normalised where the references are known. The
    bootstrap is stratified: it resamples runs within each benchmark, as Agarwal et al. 2021 do; episodes of a run are
    not independent draws of the algorithm, and resampling them too would feign certainty. A single run on a single
    benchmark tells nothing about other runs: its figures, and their intervals, are of its episodes.

    Args:
        evaluations: each of one run on one benchmark, in any order; all of the same protocol on a benchmark.
        seed: of the resampling.

    Raises:
        PytupliError: there is no evaluation, benchmarks have different numbers of runs, a run is there twice, or
            returns of several benchmarks cannot be normalised.
    """
    evaluations = tuple(evaluations)
    if not evaluations:
        raise PytupliError("There is no evaluation to summarise.")
    tasks = _by_task(evaluations)
    normalised = all(evaluation.normalised is not None for evaluation in evaluations)
    if len(tasks) > 1 and not normalised:
        raise PytupliError(
            "Returns of several benchmarks can only be summarised as normalised scores.",
            hint="Evaluate with reference scores (random and expert) for each of them.",
        )
    if len(evaluations) == 1:
        only = evaluations[0]
        scores = tuple(episode.total_return for episode in only.episodes)
        if only.normalised is not None:
            scores = only.normalised_scores()
        return _summary("episodes", normalised, {_task(only): scores}, seed)
    runs = {task: tuple(evaluation.score for evaluation in found) for task, found in tasks.items()}
    return _summary("runs", normalised, runs, seed)


def _summary(
    unit: Literal["runs", "episodes"], normalised: bool, scores: dict[str, tuple[float, ...]], seed: int
) -> Summary:
    # Sorted, so that the order in which evaluations are given does not change what is drawn.
    matrix = np.array([sorted(found) for _, found in sorted(scores.items())], dtype=np.float64).T
    return Summary(unit=unit, normalised=normalised, scores=scores, statistics=describe(matrix, seed=seed))


def _by_task(evaluations: Sequence[Evaluation]) -> dict[str, list[Evaluation]]:
    tasks: dict[str, list[Evaluation]] = defaultdict(list)
    for evaluation in evaluations:
        tasks[_task(evaluation)].append(evaluation)
    counts = {task: len(found) for task, found in tasks.items()}
    if len(set(counts.values())) > 1:
        raise PytupliError(
            f"The benchmarks have different numbers of runs: {counts!s:.200}.",
            hint="Evaluate the same number of runs on each of them.",
        )
    for task, found in tasks.items():
        _check_runs(task, found)
    return dict(tasks)


def _check_runs(task: str, evaluations: Sequence[Evaluation]) -> None:
    if any(evaluation.protocol != evaluations[0].protocol for evaluation in evaluations):
        raise PytupliError(f"The runs on {task} were evaluated by different protocols.")
    if any(evaluation.reference_scores != evaluations[0].reference_scores for evaluation in evaluations):
        raise PytupliError(f"The runs on {task} were normalised by different reference scores.")
    hashes = [evaluation.policy.sha256 for evaluation in evaluations if evaluation.policy.sha256]
    if len(set(hashes)) < len(hashes):
        raise PytupliError(f"A policy is among the runs on {task} more than once.")
