"""Evaluations side by side."""

from __future__ import annotations

import json
from dataclasses import asdict

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control import PendulumEnv

from pytupli_registry.benchmarks.evaluation import (
    BenchmarkIdentity,
    PolicyIdentity,
    Summary,
    compare,
    evaluate,
    summarise,
)
from pytupli_registry.benchmarks.replay import Tolerance
from pytupli_registry.benchmarks.specification import EvaluationProtocol, ReferenceScore
from pytupli_registry.errors import PytupliError

PROTOCOL = EvaluationProtocol(episodes=4, seed=10)
IDENTITY = BenchmarkIdentity(name="pendulum", sha256="d" * 64)


def pendulum(gravity=10.0, limit=30):
    env = PendulumEnv(g=gravity)
    return gymnasium.wrappers.TimeLimit(env, limit)


def swing(observation, gain=1.0):
    return np.array([-gain * observation[2] * observation[0]], dtype=np.float32)


def evaluated(
    protocol=PROTOCOL, gain=1.0, identity=IDENTITY, run=None, references=None, sha256=None, **changes
):
    return evaluate(
        lambda: pendulum(**changes),
        lambda observation: swing(observation, gain),
        protocol,
        identity=identity,
        described=PolicyIdentity(name="swing", run=run, sha256=sha256),
        reference_scores=references,
    )


@pytest.fixture(scope="module")
def published():
    return evaluated()


def test_the_same_is_identical(published):
    found = compare(published, evaluated())
    assert (found.outcome, found.compared, found.differing, found.explanations) == ("identical", 4, 0, ())
    assert found.summary == "identical: 4 episodes"


def test_a_little_drift_is_within_tolerance(published):
    other = evaluated(gravity=10 + 1e-7)
    found = compare(published, other)
    distances = [
        abs(a.total_return - b.total_return) for a, b in zip(published.episodes, other.episodes, strict=True)
    ]
    assert found.outcome == "within tolerance"
    assert found.largest == max(distances) > 0
    assert f"{max(distances):.3g}" in found.summary
    assert compare(published, other, Tolerance(0, 0)).outcome == "different"


def test_other_episodes_are_different_and_the_first_is_named(published):
    changed = published.model_copy(
        update={"episodes": (*published.episodes[:2], *evaluated(gravity=11).episodes[2:])}
    )
    found = compare(published, changed)
    assert (found.outcome, found.differing, found.first_seed) == ("different", 2, 12)
    assert "2 differ, the first with the seed 12" in found.summary


def test_lengths_have_no_tolerance(published):
    assert compare(published, evaluated(limit=31), Tolerance(1e9, 1e9)).outcome == "different"


def test_other_seeds_are_different_even_if_those_in_common_are_the_same(published):
    found = compare(published, evaluated(EvaluationProtocol(episodes=6, seed=8)))
    assert (found.outcome, found.compared, found.differing) == ("different", 4, 0)
    assert "only 4 episodes have the same seed" in found.summary
    assert found.explanations == ("another protocol",)
    assert compare(published, evaluated(EvaluationProtocol(episodes=4, seed=99))).compared == 0


def test_another_discount_does_not_touch_the_returns(published):
    found = compare(published, evaluated(EvaluationProtocol(episodes=4, seed=10, discount=0.5)))
    assert (found.outcome, found.explanations) == ("identical", ("another protocol",))


def test_equal_numbers_of_another_benchmark_reproduce_nothing(published):
    other = published.model_copy(update={"benchmark": BenchmarkIdentity(name="pendulum", sha256="e" * 64)})
    found = compare(published, other)
    assert (found.outcome, found.differing) == ("different", 0)
    assert "another benchmark" in found.summary
    renamed = published.model_copy(
        update={"benchmark": BenchmarkIdentity(name="swing", sha256=published.benchmark.sha256)}
    )
    assert (compare(published, renamed).outcome, compare(published, renamed).explanations) == (
        "identical",
        (),
    )
    nameless = published.model_copy(update={"benchmark": None})
    assert compare(published, nameless).outcome == "different"
    assert compare(nameless, nameless).outcome == "identical"


def test_why_is_told(published):
    other = evaluated(gravity=12, identity=BenchmarkIdentity(name="pendulum", sha256="e" * 64), run="2")
    old = other.model_copy(update={"versions": published.versions | {"numpy": "1.26.0", "torch": "2.2"}})
    found = compare(published, old)
    numpy = published.versions["numpy"]
    assert found.explanations == (
        "another benchmark: pendulum (dddddddddddd) and pendulum (eeeeeeeeeeee)",
        "another policy: swing and swing 2",
        f"numpy {numpy} and 1.26.0",
        "torch none and 2.2",
    )
    assert found.summary.endswith(f"({'; '.join(found.explanations)})")
    json.dumps(asdict(found), allow_nan=False)


REFERENCES = {"random": ReferenceScore(mean=-200.0), "expert": ReferenceScore(mean=-20.0)}


def test_runs_are_summarised_by_their_means():
    runs = [evaluated(gain=gain, run=str(gain), references=REFERENCES) for gain in (0.5, 1.0, 2.0)]
    found = summarise(runs)
    means = [100 * (np.mean([one.total_return for one in run.episodes]) + 200) / 180 for run in runs]
    assert (found.unit, found.normalised) == ("runs", True)
    assert found.scores["pendulum (dddddddddddd)"] == pytest.approx(means)
    assert found.statistics.mean.value == pytest.approx(np.mean(means))
    assert found.statistics.count == 3
    assert found.statistics.mean.low == pytest.approx(
        min(means)
    )  # one draw in 27 takes the worst run three times
    assert found.statistics.mean.high == pytest.approx(max(means))
    assert Summary.model_validate_json(found.model_dump_json()) == found


def test_several_benchmarks_are_strata():
    other = BenchmarkIdentity(name="heavy", sha256="f" * 64)
    runs = [
        evaluated(gain=gain, references=REFERENCES, identity=identity, gravity=gravity)
        for identity, gravity in ((IDENTITY, 10.0), (other, 15.0))
        for gain in (0.5, 1.0, 2.0)
    ]
    found = summarise(runs)
    assert list(map(len, found.scores.values())) == [3, 3]
    assert found.statistics.count == 6
    assert summarise([runs[3], *runs[:3], *runs[4:]]).statistics == found.statistics
    with pytest.raises(PytupliError, match="different numbers of runs"):
        summarise(runs[:5])
    bare = [evaluated(), evaluated(identity=other)]
    with pytest.raises(PytupliError, match="only be summarised as normalised"):
        summarise(bare)


def test_a_single_run_is_told_by_its_episodes(published):
    found = summarise([published])
    assert (found.unit, found.normalised) == ("episodes", False)
    assert found.statistics.mean.value == published.returns.mean.value
    assert found.statistics.mean.low < found.statistics.mean.high
    normalised = evaluated(references=REFERENCES)
    assert summarise([normalised]).statistics.mean.value == pytest.approx(normalised.score)


def test_runs_may_come_one_by_one(published):
    assert summarise(run for run in [published]) == summarise([published])


def test_what_cannot_be_summarised_is_said(published):
    with pytest.raises(PytupliError, match="no evaluation"):
        summarise([])
    with pytest.raises(PytupliError, match="different protocols"):
        summarise([published, evaluated(EvaluationProtocol(episodes=3, seed=10))])
    with pytest.raises(PytupliError, match="more than once"):
        summarise([evaluated(sha256="a" * 64), evaluated(sha256="a" * 64)])
    others = {**REFERENCES, "random": ReferenceScore(mean=0.0)}
    with pytest.raises(PytupliError, match="different reference scores"):
        summarise([evaluated(references=REFERENCES), evaluated(references=others)])
