from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.dataset import shuffling
from pytupli_registry.dataset.shuffling import Shuffled


@pytest.fixture
def computed(monkeypatch):
    """As large sets are shuffled."""
    monkeypatch.setattr(shuffling, "_MOST_WRITTEN_DOWN", -1)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5000), st.integers(0, 2**63), st.integers(1, 700))
def test_every_number_comes_once_however_it_is_read(count, seed, step):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shuffling, "_MOST_WRITTEN_DOWN", -1)
        order = Shuffled(count, seed)
        parts = [order[slice(start, min(start + step, count))] for start in range(0, count, step)]
        whole = Shuffled(count, seed)[slice(0, count)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(np.sort(whole), np.arange(count))


def test_small_sets_are_in_numpys_order():
    assert np.array_equal(Shuffled(1000, 5)[slice(0, 1000)], np.random.default_rng(5).permutation(1000))


def test_seeds_give_other_orders(computed):
    first, other = (Shuffled(10_000, seed)[slice(0, 10_000)] for seed in (0, 1))
    assert np.mean(first == other) < 0.005


def test_where_a_number_comes_is_left_to_chance(computed):
    # Over many seeds: every number is equally often in each tenth of the order, and neighbours are not kept together.
    count, seeds = 100, 2000
    orders = np.stack([Shuffled(count, seed)[slice(0, count)] for seed in range(seeds)])
    seen = np.zeros((count, 10))
    for tenth in range(10):
        numbers, times = np.unique(orders[:, tenth * 10 : tenth * 10 + 10], return_counts=True)
        seen[numbers, tenth] = times
    expected = seeds / 10
    chi_squared = ((seen - expected) ** 2 / expected).sum()
    freedom = (count - 1) * 9
    assert abs(chi_squared - freedom) < 5 * np.sqrt(2 * freedom)
    steps = np.diff(orders, axis=1)
    assert abs(np.mean(np.abs(steps) == 1) - 2 / count) < 0.002


def test_a_large_order_costs_what_is_read_of_it():
    first = Shuffled(10**12, 3)[slice(0, 1000)]
    assert len(np.unique(first)) == 1000
    assert 0 <= first.min() < first.max() < 10**12
    assert abs(first.mean() / 10**12 - 0.5) < 0.05
