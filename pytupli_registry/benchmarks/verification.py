"""Whether this machine's simulator does what the recording one did."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytupli_registry.benchmarks.replay import NO_SEED, Drift, Outcome, Tolerance, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import gymnasium

    from pytupli_registry.dataset.dataset import Dataset
    from pytupli_registry.dataset.episode import Episode

__all__ = ["Verification", "verify_dataset", "verify_rollouts"]

Subject = Literal["rollout", "episode"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What replaying came to; ``dataclasses.asdict`` makes JSON of it.

    Attributes:
        subject: what was replayed.
        outcome: the worst of all: ``different`` if one is, ``within tolerance`` if one is, ``identical`` if all that
            can be replayed are, ``not replayable`` if none can.
        summary: that in one line.
        steps: how many were compared.
        tolerance: what was allowed.
        drifts: one an episode, in order.
        left_out: leaves that were not compared, since they were stored with losses.
    """

    subject: Subject
    outcome: Outcome
    summary: str
    steps: int
    tolerance: Tolerance
    drifts: tuple[Drift, ...]
    left_out: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether something was replayed, and nothing is different."""
        return self.outcome in {"identical", "within tolerance"}


def verify_rollouts(
    make_env: Callable[[], gymnasium.Env[Any, Any]],
    episodes: Iterable[Episode],
    tolerance: Tolerance | None = None,
) -> Verification:
    """Replay recorded rollouts, each in an environment of its own, as they were recorded.

    Args:
        make_env: builds the environment; what it returns is closed.
        episodes: see :func:`pytupli_registry.benchmarks.rollouts.record_rollouts`.
        tolerance: ``Tolerance()`` if None.
    """
    allowed, drifts = tolerance or Tolerance(), []
    for episode in episodes:
        with make_env() as env:
            drifts.append(replay(env, episode, allowed, cut_outside=False))
    return _verification("rollout", drifts, allowed)


def verify_dataset(
    make_env: Callable[[], gymnasium.Env[Any, Any]],
    dataset: Dataset,
    *,
    episodes: int | None = None,
    tolerance: Tolerance | None = None,
    fresh: bool = False,
    advance: Callable[[int], None] | None = None,
) -> Verification:
    """Replay episodes of a dataset from their seeds and actions.

    Args:
        make_env: builds the environment; what it returns is closed.
        dataset: the episodes that its filters keep are replayed, whole.
        episodes: how many, spread evenly over the dataset; None for all.
        tolerance: ``Tolerance()`` if None.
        fresh: build an environment for each episode. Otherwise one takes all of them, as when they were recorded;
            what its wrappers remember from one episode to the next then has to be the same too, which it is only if
            the dataset begins with the first episode and all are replayed.
        advance: called with 1 after each episode.
    """
    allowed, drifts = tolerance or Tolerance(), []
    lossy = tuple(path for path, leaf in dataset.leaves.items() if leaf.encoding == "jpeg")
    with ExitStack() as stack:
        env: gymnasium.Env[Any, Any] | None = None
        for position in _spread(len(dataset), episodes):
            if env is None or fresh:
                stack.close()
                env = stack.enter_context(make_env())
            drifts.append(replay(env, dataset[position], allowed, skip=lossy))
            if advance is not None:
                advance(1)
    return _verification("episode", drifts, allowed, lossy)


def _spread(count: int, wanted: int | None) -> Sequence[int]:
    if wanted is None or wanted >= count:
        return range(count)
    return [int(position) for position in np.linspace(0, count - 1, max(wanted, 0)).round()]


def _verification(
    subject: Subject, drifts: Sequence[Drift], tolerance: Tolerance, left_out: tuple[str, ...] = ()
) -> Verification:
    steps = sum(drift.steps for drift in drifts)
    outcome = _worst(drifts)
    summary = f"{outcome}: {_told(subject, outcome, drifts, steps)}"
    if left_out:
        summary += f"; not compared, since stored with losses: {', '.join(left_out)}"
    return Verification(subject, outcome, summary, steps, tolerance, tuple(drifts), left_out)


def _worst(drifts: Sequence[Drift]) -> Outcome:
    found = {drift.outcome for drift in drifts}
    order: tuple[Outcome, ...] = ("different", "within tolerance", "identical")
    return next((outcome for outcome in order if outcome in found), "not replayable")


def _told(subject: Subject, outcome: Outcome, drifts: Sequence[Drift], steps: int) -> str:
    counts = Counter(drift.outcome for drift in drifts)
    skipped = counts["not replayable"]
    seedless = all(drift.reason == NO_SEED for drift in drifts if drift.outcome == "not replayable")
    why = "without a seed" if seedless else "that cannot be replayed"
    rest = f"; {_counted(skipped, subject)} {why}" if skipped else ""
    if outcome == "not replayable":
        return rest.removeprefix("; ") or f"there is no {subject}"
    if outcome == "identical":
        return f"{_counted(counts['identical'], subject)}, {_counted(steps, 'step')}{rest}"
    if outcome == "within tolerance":
        return f"{_largest(subject, drifts)}{rest}"
    first = next(drift for drift in drifts if drift.outcome == "different")
    others = counts["different"] - 1
    more = f"; and {_counted(others, f'other {subject}')}" if others else ""
    return f"{subject} {first.episode} {_reason(first)}{more}{rest}"


def _reason(drift: Drift) -> str:
    return drift.reason if drift.first is not None else f"– {drift.reason}"


def _largest(subject: Subject, drifts: Sequence[Drift]) -> str:
    found = [
        (drift.largest.absolute or 0.0, drift, drift.largest) for drift in drifts if drift.largest is not None
    ]
    absolute, drift, where = max(found, key=lambda entry: entry[0])
    when = "the reset" if where.step is None else f"step {where.step}"
    return f"at most {absolute:.1e} ({subject} {drift.episode}, {where.leaf}, {when})"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
