"""Statistics, against scipy and against a bootstrap in plain Python."""

from __future__ import annotations

import statistics
from itertools import product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytupli_registry.benchmarks.statistics import (
    bootstrap,
    describe,
    interquartile_mean,
    interval,
    probability_of_improvement,
)
from pytupli_registry.errors import PytupliError

SCORES = st.floats(-1e6, 1e6)
MATRICES = hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=2, max_side=9), elements=SCORES)


@given(hnp.arrays(np.float64, st.integers(1, 50), elements=SCORES))
def test_the_interquartile_mean_is_scipys(scores):
    assert interquartile_mean(scores) == pytest.approx(
        scipy.stats.trim_mean(scores, 0.25), rel=1e-9, abs=1e-9
    )


@given(MATRICES)
def test_the_interquartile_mean_is_scipys_along_axes_and_of_everything(scores):
    assert interquartile_mean(scores) == pytest.approx(
        scipy.stats.trim_mean(scores, 0.25, axis=None), abs=1e-6
    )
    for axis in range(scores.ndim):
        expected = scipy.stats.trim_mean(scores, 0.25, axis=axis)
        assert np.allclose(interquartile_mean(scores, axis=axis), expected, atol=1e-6)


def test_the_interquartile_mean_by_hand():
    assert interquartile_mean([100, 1, 2, -50]) == 1.5
    assert interquartile_mean([100, 1, 2]) == pytest.approx(103 / 3)
    assert interquartile_mean([[8, 7, 6, 5], [1, 2, 3, 4]]) == 4.5


def plain_iqm(scores):
    ordered = sorted(scores)
    cut = len(ordered) // 4
    return statistics.fmean(ordered[cut : len(ordered) - cut])


def plain_percentile(values, share):
    """The inverse of the empirical distribution, with linear interpolation."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def plain_bootstrap(matrix, figures, seed, resamples):
    """Draw row numbers one by one, and compute every figure with the standard library."""
    generator = np.random.default_rng(seed)
    runs, strata = len(matrix), len(matrix[0])
    found = []
    for _ in range(resamples):
        drawn = []
        for _ in range(runs):
            for stratum in range(strata):
                drawn.append(matrix[int(generator.integers(0, runs))][stratum])
        found.append([figure(drawn) for figure in figures])
    return list(zip(*found, strict=True))


@pytest.mark.parametrize("shape", [(1, 1), (7, 1), (5, 3), (2, 4)])
def test_every_figure_is_that_of_a_bootstrap_in_plain_python(shape):
    matrix = np.random.default_rng(sum(shape)).normal(10, 5, shape)
    figures = [statistics.fmean, statistics.median, plain_iqm]
    found = describe(matrix, seed=3, resamples=300)
    pooled = matrix.ravel().tolist()
    for estimate, figure, drawn in zip(
        (found.mean, found.median, found.iqm),
        figures,
        plain_bootstrap(matrix.tolist(), figures, 3, 300),
        strict=True,
    ):
        assert estimate.value == pytest.approx(figure(pooled))
        assert estimate.low == pytest.approx(plain_percentile(drawn, 0.025))
        assert estimate.high == pytest.approx(plain_percentile(drawn, 0.975))
    assert found.std == pytest.approx(statistics.pstdev(pooled))
    assert (found.minimum, found.maximum, found.count) == (min(pooled), max(pooled), len(pooled))


def test_a_vector_is_one_stratum():
    scores = np.random.default_rng(1).normal(size=12)
    assert describe(scores) == describe(scores[:, None])
    assert describe(scores) != describe(scores[None])  # one run of twelve tasks: nothing to draw from


def test_strata_are_not_mixed():
    matrix = np.array([[0.0, 100.0], [1.0, 101.0], [2.0, 102.0]])
    drawn = bootstrap(matrix, lambda rows: rows, resamples=200)
    assert drawn.shape == (200, 6)
    assert set(drawn[:, ::2].ravel()) == {0.0, 1.0, 2.0}
    assert set(drawn[:, 1::2].ravel()) == {100.0, 101.0, 102.0}
    assert any(set(row[::2]) != {value - 100 for value in row[1::2]} for row in drawn)


def test_one_run_of_several_tasks_has_no_interval():
    found = describe([[1.0, 5.0, 9.0]])
    assert (found.mean.low, found.mean.value, found.mean.high) == (5, 5, 5)


@given(MATRICES, st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_intervals_lie_within_the_scores(scores, seed):
    found = describe(scores, seed=seed, resamples=100)
    slack = 1e-9 * max(1.0, abs(found.minimum), abs(found.maximum))
    for estimate in (found.mean, found.median, found.iqm):
        assert found.minimum - slack <= estimate.low <= estimate.high <= found.maximum + slack
        assert found.minimum - slack <= estimate.value <= found.maximum + slack


def test_the_seed_decides():
    scores = np.random.default_rng(1).normal(size=(6, 2))
    assert describe(scores, seed=1) == describe(scores, seed=1)
    assert describe(scores, seed=1) != describe(scores, seed=2)


def test_resamples_do_not_depend_on_how_many_fit_into_memory():
    scores = np.random.default_rng(1).normal(size=(30_000, 1))
    few = bootstrap(scores, lambda rows: rows.mean(axis=1), seed=5, resamples=80)
    assert len(few) == 80  # 69 at once
    again = np.random.default_rng(5).integers(0, 30_000, size=(80, 30_000, 1))
    assert np.allclose(few, scores[again, 0].mean(axis=(1, 2)))


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(7)
    covered = 0
    for trial in range(200):
        found = interval(
            generator.normal(3, 1, 40), lambda rows: rows.mean(axis=1), seed=trial, resamples=400
        )
        covered += found.low <= 3 <= found.high
    assert 0.89 <= covered / 200 <= 0.99


def test_the_mean_has_the_interval_of_scipys_bootstrap():
    scores = np.random.default_rng(2).normal(size=50)
    theirs = scipy.stats.bootstrap(
        (scores,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(1)
    ).confidence_interval
    ours = describe(scores).mean
    spread = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.03 * spread)
    assert ours.high == pytest.approx(theirs.high, abs=0.03 * spread)


@pytest.mark.parametrize("scores", [[], [[]], [np.nan], [1, np.inf], 3.0, [[[1.0]]], [1e200]])
def test_what_has_no_figures_is_refused(scores):
    with pytest.raises(PytupliError):
        describe(scores)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_the_probability_of_improvement_is_that_of_mann_and_whitney(first, second):
    found = probability_of_improvement(first, second, resamples=50)
    pairs = [1.0 if one > other else 0.5 if one == other else 0.0 for one, other in product(first, second)]
    assert found.value == pytest.approx(statistics.fmean(pairs))
    theirs = scipy.stats.mannwhitneyu(first, second, method="asymptotic").statistic
    assert found.value == pytest.approx(theirs / (len(first) * len(second)))
    assert 0 <= found.low <= found.high <= 1


def test_the_probability_of_improvement_averages_tasks():
    first, second = np.array([[2.0, 1.0], [4.0, 1.0]]), np.array([[1.0, 3.0], [3.0, 3.0], [0.0, 3.0]])
    assert probability_of_improvement(first, second).value == pytest.approx((5 / 6 + 0) / 2)
    certain = probability_of_improvement([5, 6, 7], [1, 2])
    assert (certain.low, certain.value, certain.high) == (1, 1, 1)
    with pytest.raises(PytupliError, match="2 tasks"):
        probability_of_improvement(first, [1, 2])
