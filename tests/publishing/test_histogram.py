"""Histograms: every value is counted once, in the bin whose range it has."""

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.publishing.histogram import histogram

FLOATS = st.lists(
    st.floats(-1e9, 1e9) | st.sampled_from([float("nan"), float("inf")]), min_size=1, max_size=60
)


@settings(max_examples=40)
@given(FLOATS)
def test_every_value_is_counted_once(values: list[float]) -> None:
    lines = histogram(values).splitlines()
    counts = [int(line.rpartition(" ")[2].replace(",", "")) for line in lines]
    assert sum(counts) == len(values)
    assert len(lines) <= 11
    assert {line.count("│") for line in lines if not line.startswith("not finite")} <= {1}


def test_bins_are_numpys() -> None:
    values = np.random.default_rng(0).normal(size=500)
    counts = [int(line.rpartition(" ")[2]) for line in histogram(values).splitlines()]
    assert counts == np.histogram(values, 10)[0].tolist()
    longest = max(histogram(values).splitlines(), key=lambda line: line.count("█"))
    assert int(longest.rpartition(" ")[2]) == max(counts)


def test_few_whole_numbers_have_a_line_each() -> None:
    assert re.sub("[█▏▎▍▌▋▊▉]+", "#", histogram([3, 5, 5, 5])) == "3 │# 1\n4 │ 0\n5 │# 3"
    assert re.sub("█+", "#", histogram([7.25] * 4)) == "7.25 │# 4"
    assert histogram([np.nan, np.nan]) == "not finite: 2"
    assert histogram([]) == ""
    assert histogram([-1.7e308, 1.7e308]).endswith(" 2")
