from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.hub.pacing import Speed
from pytupli_registry.remote.planning import PART_BYTES, lanes, plan_transfer
from pytupli_registry.storage.intervals import Intervals

SIZE = 4000
ranges = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, 300)), min_size=1, max_size=12)


def arrays(pairs):
    starts = np.array([start for start, _ in pairs], dtype=np.int64)
    stops = np.minimum(starts + np.array([length for _, length in pairs], dtype=np.int64), SIZE)
    return starts, stops


def members(intervals):
    return {
        n
        for a, b in zip(intervals.starts.tolist(), intervals.stops.tolist(), strict=True)
        for n in range(a, b)
    }


def everything(size):
    return Intervals(np.array([0], np.int64), np.array([size], np.int64))


@settings(max_examples=30, deadline=None)
@given(ranges)
def test_intervals_are_sets_of_numbers(pairs):
    starts, stops = arrays(pairs)
    found = Intervals.of(starts, stops)
    expected = {n for a, b in zip(starts.tolist(), stops.tolist(), strict=True) for n in range(a, b)}
    assert members(found) == expected
    assert found.total == len(expected)
    assert (found.starts[1:] > found.stops[:-1]).all()
    assert members(found.gaps(SIZE)) == set(range(SIZE)) - expected


@settings(max_examples=30, deadline=None)
@given(ranges, ranges, st.integers(0, SIZE), st.integers(0, 500))
def test_parts_and_unions_of_intervals(first, second, start, length):
    one, other = Intervals.of(*arrays(first)), Intervals.of(*arrays(second))
    assert members(one.union(other)) == members(one) | members(other)
    assert members(one.within(start, start + length)) == members(one) & set(range(start, start + length))
    found = one.within(start, start + length)
    assert one.pieces(start, start + length) == list(
        zip(found.starts.tolist(), found.stops.tolist(), strict=True)
    )
    starts, stops = arrays(second)
    expected = [
        set(range(a, b)) <= members(one) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)
    ]
    assert one.covers(starts, stops).tolist() == expected


@settings(max_examples=40, deadline=None)
@given(
    ranges,
    st.sampled_from([0.0005, 0.02, 0.1]),
    st.sampled_from([1e3, 1e4, 1e6]),
)
def test_a_plan_brings_what_is_wanted_and_never_more_than_the_file(pairs, latency, bandwidth):
    starts, stops = arrays(pairs)
    plan = plan_transfer(starts, stops, everything(SIZE), SIZE, Speed(latency, bandwidth))
    assert plan.ranges.covers(starts, stops).all()
    assert plan.bytes <= SIZE
    assert plan.wanted == len(members(Intervals.of(starts, stops)))


def cost(intervals, speed):
    """Return how long requests take one after another in as many lanes: the model, written again."""
    lengths = (intervals.stops - intervals.starts).tolist()
    requests = sum(-(-length // PART_BYTES) for length in lengths)
    return (
        speed.latency + requests * max(speed.latency / lanes(speed), 0.0015) + sum(lengths) / speed.bandwidth
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**8), st.integers(1, 10**6)), min_size=1, max_size=7),
    st.sampled_from([0.001, 0.02, 0.1]),
    st.sampled_from([1e6, 25e6, 5e8]),
)
def test_a_plan_is_nearly_as_fast_as_the_best_of_all(pairs, latency, bandwidth):
    starts = np.array([start for start, _ in pairs], dtype=np.int64)
    stops = starts + np.array([length for _, length in pairs], dtype=np.int64)
    size, speed = int(stops.max()) + 10**6, Speed(latency, bandwidth)
    plan = plan_transfer(starts, stops, everything(size), size, speed)
    whole = cost(everything(size), speed)
    plain = cost(Intervals.of(starts, stops), speed)
    # What is promised is against the better of the two; whole files are hashed besides.
    assert cost(plan.ranges, speed) <= 1.3 * min(whole, plain) + size / 1.2e9


@pytest.mark.parametrize(
    ("latency", "bandwidth", "is_whole"),
    [(0.1, 25e6, True), (0.02, 1e9, True), (0.001, 1e6, False)],
)
def test_scattered_short_episodes(latency, bandwidth, is_whole):
    # 2,000 of 20,000 episodes of 3 kB in 5 columns: too many requests, unless bytes are dear.
    positions = np.random.default_rng(0).choice(20_000, 2_000, replace=False).astype(np.int64)
    starts = np.concatenate([column * 12_000_000 + positions * 600 for column in range(5)])
    plan = plan_transfer(starts, starts + 600, everything(62_000_000), 62_000_000, Speed(latency, bandwidth))
    assert plan.is_whole == is_whole
    assert plan.requests < 10_000


def test_long_episodes_waste_little_whatever_the_speed():
    # 1,000 of 10,000 episodes with columns of 136 kB, 48 kB, 8 kB, 1 kB and 1 kB each.
    positions = np.sort(np.random.default_rng(0).choice(10_000, 1_000, replace=False)).astype(np.int64)
    widths = [136_000, 48_000, 8_000, 1_000, 1_000]
    offsets = np.cumsum([0, *widths])[:-1] * 10_000
    starts = np.concatenate(
        [offset + positions * width for offset, width in zip(offsets, widths, strict=True)]
    )
    stops = starts + np.repeat(widths, len(positions))
    size = int(np.sum(widths)) * 10_000
    for latency, bandwidth in itertools.product([0.0005, 0.001, 0.02], [25e6, 100e6, 400e6]):
        plan = plan_transfer(starts, stops, everything(size), size, Speed(latency, bandwidth))
        assert not plan.is_whole
        assert plan.bytes <= 1.1 * plan.wanted
