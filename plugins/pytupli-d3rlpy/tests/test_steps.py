from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pytupli_d3rlpy.reward_sums import sums_of, sums_of_rests
from pytupli_d3rlpy.steps import _OwnerTable


@given(st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2000)), min_size=1, max_size=60).filter(any))
def test_owners_are_those_of_a_binary_search(counts):
    offsets = np.concatenate([[0], np.cumsum(counts)])
    every = np.arange(offsets[-1])
    np.testing.assert_array_equal(_OwnerTable(offsets).find(every), np.repeat(np.arange(len(counts)), counts))


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=8),
    st.sampled_from(["f2", "f4", "f8", "i4", "i8", "u1"]),
    st.integers(0, 2**32),
)
def test_sums_are_numpy_s_bit_by_bit(sizes, dtype, seed):
    rng = np.random.default_rng(seed)
    parts = [(rng.standard_normal(size) * 10.0 ** rng.uniform(0, 2, size)).astype(dtype) for size in sizes]
    if not dtype.startswith("f"):
        parts = [rng.integers(0, 200, size).astype(dtype) for size in sizes]
    expected = [np.sum(part[:, None]) for part in parts]
    found = sums_of(parts, np.zeros(1, dtype=dtype))
    assert found.dtype == expected[0].dtype
    assert found.tobytes() == np.array(expected).tobytes()


def test_long_sums_are_numpy_s_too():
    parts = [np.random.default_rng(0).standard_normal(70_000), np.ones(3)]
    np.testing.assert_array_equal(sums_of(parts, np.zeros(1)), [np.sum(part) for part in parts])


@given(
    st.lists(st.tuples(st.integers(1, 300), st.booleans()), min_size=1, max_size=6),
    st.sampled_from(["f2", "f4", "f8", "i4", "i8", "u1"]),
    st.integers(0, 2**32),
)
def test_sums_of_rests_are_numpy_s_bit_by_bit(episodes, dtype, seed):
    rng = np.random.default_rng(seed)
    lengths, padded = (np.array(part) for part in zip(*episodes, strict=True))
    rewards = rng.standard_normal(lengths.sum()) * 10.0 ** rng.uniform(-2, 2, lengths.sum())
    rewards = np.where(rng.random(len(rewards)) < 0.2, -0.0, np.abs(rewards) if dtype == "u1" else rewards)
    rewards = rewards.astype(dtype)
    expected = []
    for episode, is_padded in zip(np.split(rewards, np.cumsum(lengths)[:-1]), padded, strict=True):
        seen = np.concatenate([episode, np.zeros(int(is_padded), dtype)])[:, None]
        expected += [np.sum(seen[begin:]) for begin in range(len(episode))]
    found = sums_of_rests(rewards, lengths, padded)
    assert found.dtype == expected[0].dtype
    assert found.tobytes() == np.array(expected).tobytes()


def test_long_sums_of_rests_are_numpy_s_too():
    rewards = np.random.default_rng(0).standard_normal(9_500)
    found = sums_of_rests(rewards, np.array([9_000, 500]), np.zeros(2, dtype=bool))
    every = range(0, 9_000, 97)
    assert found[every].tobytes() == np.array([np.sum(rewards[begin:9_000]) for begin in every]).tobytes()
