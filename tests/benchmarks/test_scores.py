"""Normalised scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytupli_registry.benchmarks.scores import normalised_score
from pytupli_registry.errors import PytupliError

NUMBERS = st.floats(-1e6, 1e6)


def test_d4rls_own_figures():
    # infos.py and the tables of D4RL: hopper, random -20.272305, expert 3234.3.
    assert normalised_score(1000.0, -20.272305, 3234.3) == pytest.approx(31.3489, abs=1e-4)
    assert normalised_score(-20.272305, -20.272305, 3234.3) == 0
    assert normalised_score(3234.3, -20.272305, 3234.3) == 100


def test_costs_are_scored_the_same_way():
    assert normalised_score(-150.0, -1200.0, -150.0) == 100
    assert normalised_score(-1410.0, -1200.0, -150.0) == -20


def test_arrays_are_scored_value_by_value():
    returns = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    scores = normalised_score(returns, 1.0, 5.0)
    assert scores.dtype == np.float64
    assert scores.tolist() == [[0, 25, 50], [75, 100, 125]]
    assert returns.dtype == np.float32


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_it_is_linear(first, second, random, expert):
    assume(abs(expert - random) > 1)
    mean = (normalised_score(first, random, expert) + normalised_score(second, random, expert)) / 2
    assert normalised_score((first + second) / 2, random, expert) == pytest.approx(mean, rel=1e-6, abs=1e-3)


@pytest.mark.parametrize(
    ("random", "expert", "said"),
    [
        (None, 5.0, "no reference score random to"),
        (5.0, None, "no reference score expert to"),
        (None, None, "random and expert"),
        (5.0, 5.0, "cannot be normalised"),
        (0.0, np.nan, "cannot be normalised"),
        (0.0, np.inf, "cannot be normalised"),
    ],
)
def test_what_cannot_be_normalised_is_said(random, expert, said):
    with pytest.raises(PytupliError, match=said):
        normalised_score(1.0, random, expert)
