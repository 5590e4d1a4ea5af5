"""Episodes that zone maps settle are not read; that the answers stay the same is test_evaluate.py's property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.filters.evaluate import select_episodes, select_steps
from pytupli_registry.filters.expression import Literal, Not
from pytupli_registry.filters.source import FieldValues
from pytupli_registry.filters.terms import (
    Aggregate,
    Arithmetic,
    Call,
    Comparison,
    Field,
    Membership,
    Negative,
    Slice,
)
from pytupli_registry.filters.text import parse

NAN = float("nan")


class Zoned:
    """Three episodes of two steps, whose values are read through an array that remembers which rows were asked for."""

    def __init__(self, zones, rewards=None):
        self.lengths = np.array([2, 2, 2])
        self.row_starts = np.array([0, 2, 4])
        self.values = np.array([[1, 2, 3], [10, 20, 30], [-5, 0, 5]], dtype=np.float64)
        self.leaves = {
            "observations": Leaf("observations", np.dtype(np.float64), (2,), 1),
            "rewards": Leaf("rewards", np.dtype(np.float64), (), 0),
        }
        self.fields = {"length": FieldValues(self.lengths)}
        if rewards is not None:
            self.fields |= {
                "min_reward": FieldValues(np.array(rewards[0])),
                "max_reward": FieldValues(np.array(rewards[1])),
            }
        self.zones = zones
        self.read = 0

    def require(self, paths, positions):
        pass

    def array(self, path, positions=None):
        self.read += 1
        if path == "rewards":
            return np.array([1.0, 2, 3, 4, 5, 6])
        return np.repeat(self.values.ravel()[:, None], 2, axis=1)

    def zone(self, path, component):
        return self.zones if path == "observations" else None


KNOWN = (np.array([1.0, 10, -5]), np.array([3.0, 30, 5]))


@pytest.mark.parametrize(
    "text",
    [
        "observation[0] > 100",
        "observation[0] < 100 and observation[1] >= -5",
        "abs(observation[0]) <= 30",
        "not abs(observation[0]) > 30",
        "-40 < observation[0] < 40",
        "observation[0] in [100, 200, nan]",
        "observation[0] not in [100, 'x', None]",
        "max(observation[:]) < 31 and min(observation) > -6",
        "all(observation[:2] < 31)",
        "isnan(observation[0]) or not isfinite(observation[1])",
        "-observation[0] * 2 + 1 > 100",
        "floor(observation[0]) == 100 or round(observation[0] - observation[1]) > 1000",
        "step >= 2",
        "episode.length > 5 and observation[0] > 0",
        "observation[0] > episode.length * 100",
        "observation[0] == 'text'",
    ],
)
def test_settled_episodes_are_not_read(text):
    source = Zoned(KNOWN)
    found = select_steps(parse(text), source, np.arange(3))
    assert source.read == 0
    plain = Zoned(None)
    assert found.tolist() == select_steps(parse(text), plain, np.arange(3)).tolist()


@pytest.mark.parametrize(
    "text",
    [
        "any(observation[0] > 100)",
        "all(observation[0] < 100)",
        "count(observation[0] < 100) == 2",
        "max(observation[0]) > 100 or min(observation[0]) < -100",
        "length > 5 and any(observation[0] > 1)",
        "length == 2 or mean(observation[0]) > 1",
    ],
)
def test_settled_aggregates_are_not_read(text):
    source = Zoned(KNOWN)
    found = select_episodes(parse(text), source, np.arange(3))
    assert source.read == 0
    assert found.tolist() == select_episodes(parse(text), Zoned(None), np.arange(3)).tolist()


def test_only_open_episodes_are_computed():
    source = Zoned(KNOWN)
    assert select_steps(parse("observation[0] >= 2"), source, np.array([2, 0, 1])).tolist() == [
        *(False, False),
        *(False, True),
        *(True, True),
    ]
    assert source.read == 1


@pytest.mark.parametrize("zones", [(np.array([NAN] * 3), np.array([NAN] * 3)), (KNOWN[1], KNOWN[0])])
def test_unknown_or_senseless_bounds_settle_nothing(zones):
    source = Zoned(zones)
    assert not select_steps(parse("observation[0] > 100"), source, np.arange(3)).any()
    assert source.read == 1


def test_rewards_have_zone_maps_through_the_table():
    source = Zoned(None, rewards=([1.0, 3, 5], [2.0, 4, 6]))
    assert select_episodes(parse("any(reward > 2.5)"), source, np.arange(3)).tolist() == [False, True, True]
    assert source.read == 0


def test_infinite_bounds_do_not_hide_a_nan():
    infinite = np.array([-np.inf] * 3), np.array([np.inf] * 3)
    source = Zoned(infinite)
    source.values = np.array([[np.inf] * 3, [-np.inf] * 3, [1.0, np.inf, -np.inf]])
    assert not select_steps(
        parse("observation[0] - observation[1] <= inf and step < 0"), source, np.arange(3)
    ).any()
    found = select_steps(parse("observation[0] - observation[1] <= inf"), source, np.arange(3))
    assert found.tolist() == [False, False, False, False, True, False]


def test_bounds_around_zero_have_no_smallest_size():
    source = Zoned(KNOWN)
    assert select_steps(parse("abs(observation[0]) >= 1"), source, np.array([2])).tolist() == [True, False]


def test_rounded_bounds_of_large_whole_numbers_settle_nothing():
    exact = 2**53 + 1

    class Whole(Zoned):
        def require(self, paths, positions):
            pass

        def array(self, path, positions=None):
            self.read += 1
            return np.full((9, 2), exact, dtype=np.int64)

    source = Whole((np.full(3, float(exact)), np.full(3, float(exact))))
    source.leaves["observations"] = Leaf("observations", np.dtype(np.int64), (2,), 1)
    assert select_steps(parse(f"observation[0] == {exact}"), source, np.arange(3)).all()
    assert source.read == 1


# Answers with bounds are those without, for every operator that bounds pass through.

VALUES = [0.0, -0.0, 1.0, -1.0, 2.0, 0.1, NAN, np.inf, -np.inf]
LIMITS = st.sampled_from([*VALUES, 0, 1, -1, 255, 3.5, 0.5, -0.5, True, "a"]).map(Literal)
LEAVES = st.sampled_from(
    [("observation", 0), ("observation", 1), ("next_observation", 0), ("step",), ("episode", "length")]
)
WIDE = st.just(Field("observation")) | st.just(Field("next_observation", (Slice(None, None, -1),)))
ORDERS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def number(leaves, depth=2):
    if depth == 0:
        return leaves
    part = number(leaves, depth - 1)
    both = part | LIMITS.filter(lambda limit: limit.is_number)
    return st.one_of(
        leaves,
        st.builds(
            lambda f, x: Call(f, (x,)), st.sampled_from(["abs", "floor", "ceil", "round", "sqrt"]), part
        ),
        st.builds(Negative, part),
        st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/"]), part, both),
        st.builds(Arithmetic, st.sampled_from(["+", "-", "*"]), both, part),
    )


def compared(values):
    one = st.builds(lambda sign, x, limit: Comparison((sign,), (x, limit)), ORDERS, values, LIMITS | values)
    return st.one_of(
        one.filter(orderly),
        one.filter(orderly),
        st.builds(Membership, values, st.lists(LIMITS, max_size=3).map(tuple), st.booleans()),
        st.builds(lambda f, x: Call(f, (x,)), st.sampled_from(["isnan", "isfinite"]), values),
    )


def orderly(node):
    return node.operators[0] in {"==", "!="} or not any(
        isinstance(x, Literal) and x.value == "a" for x in node.operands
    )


SCALARS = number(LEAVES.map(lambda name: Field(name[0], name[1:]))) | st.builds(
    Aggregate, st.sampled_from(["min", "max"]), number(WIDE, 1)
)
CONDITIONS = compared(SCALARS) | st.builds(
    Aggregate,
    st.sampled_from(["any", "all"]),
    st.builds(Not, compared(number(WIDE, 1))) | compared(number(WIDE, 1)),
)
STEP_CONDITIONS = (
    CONDITIONS | st.builds(Not, CONDITIONS) | st.builds(lambda a, b: a & b, CONDITIONS, CONDITIONS)
)
EPISODE_CONDITIONS = st.builds(Aggregate, st.sampled_from(["any", "all"]), STEP_CONDITIONS) | st.builds(
    lambda f, x, sign, limit: Comparison((sign,), (Aggregate(f, x), limit)),
    st.sampled_from(["min", "max"]), SCALARS, ORDERS, LIMITS.filter(lambda limit: limit.value != "a"),
) | st.builds(
    lambda x, sign, limit: Comparison((sign,), (Aggregate("count", x), limit)),
    STEP_CONDITIONS, ORDERS, st.integers(0, 3).map(Literal),
)  # fmt: skip


class Drawn:
    """Random episodes with true zone maps, which can be hidden."""

    def __init__(self, seed, dtype):
        drawn = np.random.default_rng(seed)
        self.lengths = drawn.integers(0, 4, 6)
        self.row_starts = np.cumsum(self.lengths) - self.lengths
        usable = [value for value in VALUES if dtype in (np.float64, np.float32) or abs(value) < 10]
        self.rows = [
            drawn.choice(drawn.choice(usable, 2), (length + 1, 2)).astype(dtype) for length in self.lengths
        ]
        self.leaves = {"observations": Leaf("observations", np.dtype(dtype), (2,), 1)}
        self.fields = {"length": FieldValues(self.lengths)}
        self.zoned = True

    def require(self, paths, positions):
        pass

    def array(self, path, positions=None):
        return np.concatenate(self.rows)

    def zone(self, path, component):
        if not self.zoned:
            return None
        columns = [rows[:, component] for rows in self.rows]
        return np.array([column.min() for column in columns]), np.array([column.max() for column in columns])


COMMON = settings(max_examples=400, deadline=None)
DTYPES = st.sampled_from([np.float64, np.float64, np.float32, np.int64, np.int8])


@COMMON
@given(st.integers(0, 10_000), DTYPES, STEP_CONDITIONS)
def test_bounds_change_no_answer_about_steps(seed, dtype, expression):
    source, positions = Drawn(seed, dtype), np.array([2, 0, 1, 5, 3])
    with_bounds = select_steps(expression, source, positions).tolist()
    source.zoned = False
    assert with_bounds == select_steps(expression, source, positions).tolist()


@COMMON
@given(st.integers(0, 10_000), DTYPES, EPISODE_CONDITIONS)
def test_bounds_change_no_answer_about_episodes(seed, dtype, expression):
    source, positions = Drawn(seed, dtype), np.array([2, 0, 1, 5, 3])
    with_bounds = select_episodes(expression, source, positions).tolist()
    source.zoned = False
    assert with_bounds == select_episodes(expression, source, positions).tolist()
