"""Result files: what is written is read, and what lies is refused."""

from __future__ import annotations

import json

import gymnasium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.benchmarks.evaluation import BenchmarkIdentity, Evaluation, evaluate
from pytupli_registry.benchmarks.results import EpisodeResult
from pytupli_registry.benchmarks.specification import EvaluationProtocol, ReferenceScore
from pytupli_registry.benchmarks.statistics import describe
from pytupli_registry.errors import FormatError, PytupliError, UnsupportedFormat

REFERENCES = {
    "random": ReferenceScore(mean=20.0),
    "expert": ReferenceScore(mean=500.0, source="the controller"),
}


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(
        lambda: gymnasium.make("CartPole-v1"),
        lambda observation: int(observation[2] > 0),
        EvaluationProtocol(episodes=5, seed=3),
        identity=BenchmarkIdentity(name="cartpole", sha256="c" * 64),
        reference_scores=REFERENCES,
    )


def test_the_file_is_strict_json_and_comes_back(evaluation):
    text = evaluation.to_json()
    assert Evaluation.from_json(text) == evaluation
    assert Evaluation.from_json(text.encode()).to_json() == text

    def refuse(word):
        raise AssertionError(word)

    loaded = json.loads(text, parse_constant=refuse)
    assert (loaded["format"], loaded["format_version"]) == ("pytupli-evaluation", 1)
    assert [episode["seed"] for episode in loaded["episodes"]] == [3, 4, 5, 6, 7]


def test_the_same_evaluation_is_the_same_text(evaluation):
    again = evaluate(
        lambda: gymnasium.make("CartPole-v1"),
        lambda observation: int(observation[2] > 0),
        evaluation.protocol,
        identity=evaluation.benchmark,
        reference_scores=REFERENCES,
    )
    assert again.to_json() == evaluation.to_json()


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_any_numbers_come_back_bit_by_bit(numbers):
    episodes = tuple(
        EpisodeResult(
            seed=seed, total_return=total, discounted_return=discounted, length=1 + seed, terminated=seed % 2
        )
        for seed, (total, discounted) in enumerate(numbers)
    )
    made = Evaluation(
        protocol=EvaluationProtocol(episodes=len(episodes), seed=0),
        lanes=1,
        episodes=episodes,
        returns=describe([episode.total_return for episode in episodes], resamples=50),
        discounted_returns=describe([episode.discounted_return for episode in episodes], resamples=50),
        lengths=describe([episode.length for episode in episodes], resamples=50),
    )
    assert Evaluation.from_json(made.to_json()) == made


def with_change(evaluation, *path, value):
    loaded = json.loads(evaluation.to_json())
    place = loaded
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(loaded)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("episodes", 2, "total_return"), 9999.0, "figures of returns do not follow"),
        (("episodes", 2, "length"), 9999, "figures of lengths do not follow"),
        (("returns", "mean", "value"), 500.0, "figures of returns do not follow"),
        (("returns", "iqm", "value"), 500.0, "figures of returns do not follow"),
        (("returns", "std"), 0.0, "figures of returns do not follow"),
        (("returns", "count"), 50, "figures of returns do not follow"),
        (("discounted_returns", "median", "value"), 0.0, "figures of discounted_returns"),
        (("normalised", "mean", "value"), 100.0, "figures of normalised"),
        (("reference_scores", "expert", "mean"), 21.0, "figures of normalised"),
        (("reference_scores", "expert", "mean"), 20.0, "cannot be normalised"),
        (("reference_scores",), {}, "no reference score"),
        (("episodes", 1, "seed"), 77, "protocol's seeds"),
        (("protocol", "episodes"), 4, "protocol's seeds"),
        (("episodes",), [], "at least 1"),
        (("episodes", 0, "more"), 1, "not permitted"),
        (("returns", "mean", "low"), "Infinity", "finite|valid number"),
        (("returns", "mean", "low"), None, "valid number"),
        (("episodes", 0, "total_return"), 1e300, "so large"),
        (("benchmark", "sha256"), "C" * 64, "pattern"),
        (("format",), "pytupli-benchmark", "pytupli-evaluation"),
    ],
)
def test_files_that_lie_are_refused(evaluation, path, value, said):
    with pytest.raises(FormatError, match=said) as refused:
        Evaluation.from_json(with_change(evaluation, *path, value=value), "result.json")
    assert str(refused.value).startswith("result.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", b"\xff\xfe", "[" * 100_000, '{"format": NaN}'])
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(FormatError):
        Evaluation.from_json(text)


def test_words_that_json_does_not_have_are_refused(evaluation):
    for word in ("NaN", "Infinity", "-Infinity"):
        text = with_change(evaluation, "returns", "mean", "low", value=0.5).replace("0.5", word, 1)
        with pytest.raises(FormatError):
            Evaluation.from_json(text)


def test_an_unknown_version_is_told(evaluation):
    text = with_change(evaluation, "format_version", value=2)
    with pytest.raises(UnsupportedFormat, match="format version 2"):
        Evaluation.from_json(text)


def test_normalised_scores_are_of_each_episode(evaluation):
    for episode, score in zip(evaluation.episodes, evaluation.normalised_scores(), strict=True):
        assert score == pytest.approx(100 * (episode.total_return - 20) / 480)
    with pytest.raises(PytupliError, match="no reference score"):
        evaluation.model_copy(update={"reference_scores": {}}).normalised_scores()
