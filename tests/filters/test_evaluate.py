"""Filters against a slow, obvious reading of the rules in docs/filters.md: one episode, one step, one node at a time."""

from __future__ import annotations

import math
import operator
import random
import warnings
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytupli_registry.dataset.columns import ArrayColumns
from pytupli_registry.dataset.dataset import Dataset
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.dataset.table import EpisodeTable, field_values
from pytupli_registry.errors import FilterTypeError, UnknownField
from pytupli_registry.filters import plan as plans
from pytupli_registry.filters import terms as t
from pytupli_registry.filters.evaluate import select_episodes, select_steps
from pytupli_registry.filters.expression import And, Literal, Not, Or
from pytupli_registry.filters.source import FieldValues
from pytupli_registry.filters.text import parse

# A dataset of plain Python lists.

TREES = {
    "observation": "observations",
    "next_observation": "observations",
    "action": "actions",
    "info": "infos",
}


@dataclass
class Source:
    """Episodes held as one list of rows a leaf and an episode."""

    lengths: np.ndarray
    fields: dict
    rows: dict  # path -> list of arrays, one an episode
    zoned: bool = False
    read: list = field(default_factory=list)

    @property
    def row_starts(self):
        return np.cumsum(self.lengths) - self.lengths

    @property
    def leaves(self):
        return {
            path: Leaf(
                path, arrays[0].dtype, arrays[0].shape[1:], int(path.startswith(("observations", "infos")))
            )
            for path, arrays in self.rows.items()
        }

    def require(self, paths, positions):
        pass

    def array(self, path, positions=None):
        self.read.append(path)
        return np.concatenate(self.rows[path])

    def zone(self, path, component):
        if not self.zoned:
            return None
        ends = []
        for array in self.rows[path]:
            column = array.reshape(len(array), math.prod(array.shape[1:]))[:, component].astype(np.float64)
            known = len(column) and not np.isnan(column).any()
            ends.append((column.min(), column.max()) if known else (np.nan, np.nan))
        lows, highs = np.array(ends, dtype=np.float64).reshape(-1, 2).T
        dtype = self.rows[path][0].dtype
        if dtype.kind != "f" and np.isfinite(lows).all():  # as the index stores them
            return lows.astype(dtype), highs.astype(dtype)
        return lows, highs


FLOATS = [0.0, -0.0, 0.1, 0.5, 1.0, -1.0, 2.0, 3.7, math.nan, math.inf, -math.inf]
INTS = [-3, -1, 0, 1, 2, 5]
BIG = [2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 0]
MONTHS = ["June", "July", "", "jun"]


@st.composite
def sources(draw):
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=5))
    drawn = random.Random(draw(st.integers(0, 10_000)))  # one draw of Hypothesis a number would be slow

    def rows(values, dtype, shape, extra):
        kinds = drawn.sample(
            values, drawn.randint(1, len(values))
        )  # few, so that episodes differ in their bounds
        return [
            np.array(
                [drawn.choice(kinds) for _ in range((n + extra) * math.prod(shape))], dtype=dtype
            ).reshape(n + extra, *shape)
            for n in lengths
        ]

    def facts(values):
        return field_values([drawn.choice([None, *values]) for _ in lengths])

    rewards = rows(FLOATS, np.float64, (), 0)
    return Source(
        np.array(lengths, dtype=np.int64),
        {
            "episode_id": FieldValues(np.arange(len(lengths)) + 3),
            "length": FieldValues(np.array(lengths, dtype=np.int64)),
            "total_return": FieldValues(np.array([sum(r.tolist()) for r in rewards], dtype=np.float64)),
            "truncated": FieldValues(np.array([drawn.random() < 0.5 for _ in lengths])),
            "metadata.month": facts(MONTHS),
            "metadata.site": facts(INTS),
            "metadata.gain": facts(FLOATS),
            "metadata.expert": facts([True, False]),
            "metadata.big": facts(BIG),
            "options.mass": facts(FLOATS),
        },
        {
            "observations/pos": rows(FLOATS, np.float64, (3,), 1),
            "observations/low": rows(FLOATS, np.float32, (2,), 1),
            "observations/img": rows([0, 1, 2, 255], np.uint8, (2, 2), 1),
            "actions/_index_0": rows(INTS, np.int64, (), 0),
            "actions/_index_1": rows(FLOATS, np.float32, (2,), 0),
            "rewards": rewards,
            "terminations": rows([False, True], np.bool_, (), 0),
            "truncations": rows([False, True], np.bool_, (), 0),
            "infos/energy": rows(FLOATS, np.float64, (), 1),
        },
    )


# The oracle. A constant is a Python scalar, a value of the data a NumPy scalar, a missing value None, a slice a list.


@dataclass
class Where:
    source: Source
    episode: int
    step: int | None = None


def truth(value):
    return value is not None and bool(value)


def oracle(node, where):  # noqa: C901 - one branch a kind of node
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, t.Field):
        return episode_value(node, where) if where.step is None else step_value(node, where)
    if isinstance(node, t.Aggregate):
        return oracle_aggregate(node, where)
    if isinstance(node, And):
        return each(lambda *xs: all(map(truth, xs)), *(oracle(one, where) for one in node.operands))
    if isinstance(node, Or):
        return each(lambda *xs: any(map(truth, xs)), *(oracle(one, where) for one in node.operands))
    if isinstance(node, Not):
        return each(lambda x: not truth(x), oracle(node.operand, where))
    if isinstance(node, t.IsNone):
        return each(lambda x: (x is None) != node.negated, oracle(node.operand, where))
    if isinstance(node, t.Membership):
        choices = [choice.value for choice in node.choices]
        return each(lambda x: among(x, choices) != node.negated, oracle(node.operand, where))
    if isinstance(node, t.Comparison):
        return each(lambda *xs: chain(node.operators, xs), *(oracle(one, where) for one in node.operands))
    if isinstance(node, t.Negative):
        return each(lambda x: sign(x, -1), oracle(node.operand, where))
    if isinstance(node, t.Arithmetic):
        left, right = oracle(node.left, where), oracle(node.right, where)
        return each(lambda a, b: arithmetic(node.operator, a, b), left, right)
    assert isinstance(node, t.Call)
    return each(lambda *xs: call(node.function, xs), *(oracle(one, where) for one in node.arguments))


def each(function, *values):
    sizes = {len(value) for value in values if isinstance(value, list)}
    if not sizes:
        return function(*values)
    (size,) = sizes
    return [function(*(v[i] if isinstance(v, list) else v for v in values)) for i in range(size)]


def episode_value(node, where):
    name = ".".join([node.name, *node.keys]).removeprefix("episode.")
    name = {"id": "episode_id"}.get(name, name)
    if name in {"seed", "policy"}:
        return None
    facts = where.source.fields.get(name) or where.source.fields[f"metadata.{name}"]
    if facts.missing is not None and facts.missing[where.episode]:
        return None
    value = facts.values[where.episode]
    return np.str_(value) if isinstance(value, str) else value


def step_value(node, where):
    if node.name == "episode":
        return episode_value(node, where)
    rows = where.source.rows
    if node.name == "step":
        return np.int64(where.step)
    if node.name == "return_to_go":
        total = 0.0
        for reward in rows["rewards"][where.episode][where.step :][::-1]:
            total = total + float(reward)
        return np.float64(total)
    if node.name in {"reward", "terminated", "truncated"}:
        path = {"reward": "rewards", "terminated": "terminations", "truncated": "truncations"}[node.name]
        return rows[path][where.episode][where.step]
    part, *index = node.keys
    path = f"{TREES[node.name]}/{part if isinstance(part, str) else f'_index_{part % 2}'}"
    row = where.step + (node.name in {"next_observation", "info"})
    found = rows[path][where.episode][row][tuple(k.builtin if isinstance(k, t.Slice) else k for k in index)]
    return list(found.ravel()) if isinstance(found, np.ndarray) and found.ndim else found


def oracle_aggregate(node, where):
    if where.step is not None:
        values = oracle(node.operand, where)
        return reduce(node.function, values)
    steps = range(int(where.source.lengths[where.episode]))
    return reduce(node.function, [oracle(node.operand, Where(where.source, where.episode, i)) for i in steps])


def reduce(function, values):
    if function in {"any", "all", "count"}:
        answers = [truth(value) for value in values]
        return {"any": any(answers), "all": all(answers), "count": np.int64(sum(answers))}[function]
    if not values:
        return np.int64(0) if function == "sum" else None
    if any(value is None for value in values):
        return None
    if all(is_whole(value) for value in values):
        whole = [int(value) for value in values]
        found = {"min": min, "max": max, "sum": sum, "mean": lambda w: sum(w) / len(w)}[function](whole)
        return np.float64(found) if function == "mean" else np.int64(found)
    if function in {"min", "max"}:
        return getattr(np, function)(np.array(values))
    total = np.float64(0)
    for value in values:
        total = total + np.float64(value)
    return total / len(values) if function == "mean" else total


def is_whole(value):
    return isinstance(value, bool | int | np.integer | np.bool_)


def is_constant(value):
    return isinstance(value, bool | int | float | str) and not isinstance(value, np.generic)


OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compare(sign, a, b):
    if sign == "!=":
        return not compare("==", a, b)
    if a is None or b is None:
        return False
    if isinstance(a, str) != isinstance(b, str):
        assert sign == "=="
        return False
    if not isinstance(a, str):
        a, b = comparable(a, b), comparable(b, a)
    return OPERATORS[sign](a, b)


def comparable(value, other):
    """Python compares ints and floats exactly; NumPy rounds a constant to its column, and ints to float64."""
    if is_whole(value) and is_whole(other):
        return int(value)
    if is_constant(value) and is_whole(other):
        return float(value)
    if is_whole(value) and is_constant(other):
        return int(value)
    if is_constant(value) and not is_constant(other):
        return float(type(other)(value))
    return float(value)


def chain(operators, values):
    return all(compare(op, values[i], values[i + 1]) for i, op in enumerate(operators))


def among(value, choices):
    return any(value is None if choice is None else compare("==", value, choice) for choice in choices)


def typed(found, *operands):
    constant = all(map(is_constant, operands))
    if constant:
        return found.item() if isinstance(found, np.generic) else found
    return found if isinstance(found, np.generic) else np.int64(found)


def sign(value, factor):
    if value is None:
        return None
    return typed(int(value) * factor if is_whole(value) else value * factor, value)


def arithmetic(sign, a, b):
    if a is None or b is None:
        return None
    if is_whole(a) and is_whole(b) and sign not in {"/", "**"} and not (sign in {"//", "%"} and int(b) == 0):
        a_, b_ = int(a), int(b)
        found = {"+": a_ + b_, "-": a_ - b_, "*": a_ * b_}.get(sign)
        if found is None:
            found = a_ // b_ if sign == "//" else a_ % b_
        return typed(found, a, b)
    functions = {
        "+": np.add,
        "-": np.subtract,
        "*": np.multiply,
        "/": np.divide,
        "//": np.floor_divide,
        "%": np.remainder,
        "**": np.power,
    }
    return typed(functions[sign](np.float64(a), np.float64(b)), a, b)


def call(function, values):
    value = values[0]
    if function in {"isnan", "isfinite"}:
        return value is not None and bool(getattr(np, function)(np.float64(value)))
    if any(one is None for one in values):
        return False if function in {"startswith", "endswith", "contains"} else None
    if function in {"startswith", "endswith"}:
        return getattr(str(value), function)(str(values[1]))
    if function == "contains":
        return str(values[1]) in str(value)
    if function == "abs":
        return typed(abs(int(value)) if is_whole(value) else np.abs(value), value)
    if function in {"floor", "ceil", "round"}:
        rounded = (
            int(value) if is_whole(value) else getattr(np, {"round": "rint"}.get(function, function))(value)
        )
        return typed(rounded, value)
    return typed(getattr(np, function)(np.float64(value)), value)


# Expressions that mean something, by type and by what they are about.

NUMBER_LITERALS = st.sampled_from([*FLOATS, *INTS, True, False, 0.1, 2**53 + 1, 1e300, -1e300, 300, -1]).map(
    Literal
)
SMALL_LITERALS = st.sampled_from([*FLOATS, *INTS, True]).map(Literal)
COMPARISONS = st.sampled_from(t.COMPARISONS)

EPISODE_NUMBERS = [
    ("length",), ("id",), ("total_return",), ("site",), ("metadata", "gain"), ("expert",), ("options", "mass"),
    ("truncated",), ("seed",),
]  # fmt: skip
EPISODE_TEXTS = [("month",), ("metadata", "month"), ("policy",)]
STEP_NUMBERS = [
    ("reward",), ("terminated",), ("step",), ("return_to_go",), ("observation", "pos", 0), ("observation", "pos", -1),
    ("next_observation", "pos", 1), ("observation", "low", 1), ("next_observation", "low", 0), ("action", 0),
    ("action", -1, 1), ("observation", "img", 0, 1), ("info", "energy"),
    *(("episode", *name) for name in EPISODE_NUMBERS),
]  # fmt: skip
WIDE = [
    ("observation", "pos", t.Slice(None, 2)), ("observation", "low"), ("next_observation", "img", 0), ("action", 1),
    ("observation", "img", t.Slice(None, None, -1), 1), ("next_observation", "pos", t.Slice(-2)),
]  # fmt: skip


def named(names):
    return st.sampled_from(names).map(lambda name: t.Field(name[0], name[1:]))


def numbers(leaves, aggregates, depth):
    base = leaves | (aggregates(depth - 1) if aggregates and depth > 0 else st.nothing())
    if depth <= 0:
        return base
    part = st.deferred(lambda: numbers(leaves, aggregates, depth - 1)) | SMALL_LITERALS
    return st.one_of(
        base,
        base,
        part.map(lambda x: Literal(-x.value) if isinstance(x, Literal) and x.is_number else t.Negative(x)),
        st.builds(t.Arithmetic, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), part, part),
        st.builds(
            lambda f, x: t.Call(f, (x,)),
            st.sampled_from(["abs", "floor", "ceil", "round", "sqrt", "exp", "log"]),
            part,
        ),
    )


def conditions(leaves, texts, aggregates, answers, depth):
    number = numbers(leaves, aggregates, min(depth, 2))
    operand = number | NUMBER_LITERALS
    scalars = st.sampled_from([*FLOATS, *INTS, *MONTHS, None, True, 2**53 + 1])
    choices = st.lists(scalars.map(Literal), max_size=4).map(tuple)
    kinds = [
        st.builds(lambda o, a, b: t.compare(a, o, b), COMPARISONS, number, operand),
        st.builds(t.Comparison, st.tuples(COMPARISONS, COMPARISONS),
                  st.tuples(operand, number, operand)),
        st.builds(t.Membership, number, choices, st.booleans()),
        st.builds(t.IsNone, number, st.booleans()),
        st.builds(lambda f, x: t.Call(f, (x,)), st.sampled_from(["isnan", "isfinite"]), number),
        st.booleans().map(Literal),
    ]  # fmt: skip
    if texts is not None:
        other = texts | st.sampled_from(MONTHS).map(Literal)
        equality = st.sampled_from(["==", "!="])
        kinds += [
            st.builds(lambda o, a, b: t.compare(a, o, b), COMPARISONS, texts, other),
            st.builds(lambda o, a, b: t.compare(a, o, b), equality, texts, operand),
            st.builds(t.Membership, texts, choices, st.booleans()),
            st.builds(lambda f, a, b: t.Call(f, (a, b)), st.sampled_from(["startswith", "endswith", "contains"]),
                      texts, other),
        ]  # fmt: skip
    if answers is not None:
        kinds.append(answers)
    if depth <= 0:
        return st.one_of(kinds)
    part = st.deferred(lambda: conditions(leaves, texts, aggregates, answers, depth - 1))
    several = st.lists(part, min_size=2, max_size=3).map(tuple)
    return st.one_of(*kinds, st.builds(And, several), st.builds(Or, several), st.builds(Not, part))


def aggregated(condition, number, names=("mean", "min", "max", "sum")):
    return st.builds(t.Aggregate, st.just("count"), condition) | st.builds(
        t.Aggregate, st.sampled_from(names), number
    )


def answered(condition):
    return st.builds(t.Aggregate, st.sampled_from(["any", "all"]), condition)


WIDE_NUMBERS = numbers(named(WIDE), None, 2)
WIDE_CONDITIONS = st.builds(
    lambda o, a, b: t.compare(a, o, b),
    COMPARISONS,
    WIDE_NUMBERS,
    numbers(named(STEP_NUMBERS), None, 1) | NUMBER_LITERALS,
)
OVER_COMPONENTS = st.deferred(
    lambda: aggregated(WIDE_CONDITIONS.filter(is_wide), WIDE_NUMBERS.filter(is_wide))
)
ANY_COMPONENT = st.deferred(lambda: answered(WIDE_CONDITIONS.filter(is_wide)))
STEP_CONDITIONS = conditions(
    named(STEP_NUMBERS),
    named([("episode", "month"), ("episode", "policy")]),
    lambda _: OVER_COMPONENTS,
    ANY_COMPONENT,
    2,
)
EPISODE_CONDITIONS = conditions(
    named(EPISODE_NUMBERS),
    named(EPISODE_TEXTS),
    lambda _: aggregated(STEP_CONDITIONS, numbers(named(STEP_NUMBERS), lambda _: OVER_COMPONENTS, 1)),
    answered(STEP_CONDITIONS),
    2,
)


def is_wide(node):
    """Constants alone have no components to aggregate over."""
    if isinstance(node, t.Field):
        return (node.name, *node.keys) in WIDE
    return any(map(is_wide, node.children))


def positions_of(data, source):
    count = len(source.lengths)
    return np.array(
        data.draw(st.lists(st.integers(0, count - 1), max_size=6) | st.just(list(range(count)))), np.int64
    )


COMMON = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@COMMON
@given(st.data(), sources(), EPISODE_CONDITIONS, st.booleans())
def test_episode_filters_mean_what_the_oracle_says(data, source, expression, zoned):
    source.zoned = zoned
    positions = positions_of(data, source)
    with np.errstate(all="ignore"):
        expected = [truth(oracle(expression, Where(source, int(i)))) for i in positions]
    assert select_episodes(expression, source, positions).tolist() == expected


@COMMON
@given(st.data(), sources(), STEP_CONDITIONS, st.booleans(), st.sampled_from([1, 3, 1 << 17]))
def test_step_filters_mean_what_the_oracle_says(data, source, expression, zoned, block):
    source.zoned = zoned
    positions = positions_of(data, source)
    with np.errstate(all="ignore"):
        expected = [
            truth(oracle(expression, Where(source, int(i), step)))
            for i in positions
            for step in range(int(source.lengths[i]))
        ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plans, "BLOCK", block)
        found = select_steps(expression, source, positions)
    assert found.dtype == np.bool_
    assert found.tolist() == expected


# By example.


def source_of(rewards, **rows):
    """Return episodes with the rewards given, and leaves as lists of arrays."""
    lengths = np.array([len(one) for one in rewards], dtype=np.int64)
    arrays = {path.replace("__", "/"): [np.asarray(one) for one in value] for path, value in rows.items()}
    flags = [np.zeros(n, dtype=np.bool_) for n in lengths]
    own = {"rewards": [np.asarray(one, dtype=np.float64) for one in rewards]}
    fields = {"length": FieldValues(lengths), "episode_id": FieldValues(np.arange(len(lengths)))}
    return Source(lengths, fields, {**own, "terminations": flags, "truncations": flags, **arrays})


def steps(text, source, positions=None):
    chosen = np.arange(len(source.lengths)) if positions is None else np.array(positions, dtype=np.int64)
    return select_steps(parse(text), source, chosen).tolist()


def episodes(text, source, positions=None):
    chosen = np.arange(len(source.lengths)) if positions is None else np.array(positions, dtype=np.int64)
    return select_episodes(parse(text), source, chosen).tolist()


TWO = source_of(
    [[1.0, 2.0], [3.0, -1.0, 0.5]],
    observations=[[0.0, 1.0, 2.0], [10.0, 11.0, 12.0, 13.0]],
    infos__x=[[100.0, 101.0, 102.0], [110.0, 111.0, 112.0, 113.0]],
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("observation == 1", [0, 1, 0, 0, 0]),
        ("next_observation == 1", [1, 0, 0, 0, 0]),
        ("observation == 13", [0, 0, 0, 0, 0]),  # the last observation is no step's own
        ("next_observation == 13", [0, 0, 0, 0, 1]),
        ("info.x == 111", [0, 0, 1, 0, 0]),  # what env.step returned, not the reset
        ("info.x == 110 or info['x'] == 100", [0, 0, 0, 0, 0]),
        ("step == 0", [1, 0, 1, 0, 0]),
        ("return_to_go == 2.5", [0, 0, 1, 0, 0]),
        ("return_to_go == -0.5", [0, 0, 0, 1, 0]),
        ("episode.length == 3 and 0 < reward", [0, 0, 1, 0, 1]),
        ("step.reward == 2", [0, 1, 0, 0, 0]),
        ("True", [1, 1, 1, 1, 1]),
    ],
)
def test_which_row_of_a_leaf_is_a_steps(text, expected):
    assert steps(text, TWO) == [bool(one) for one in expected]


def test_answers_come_in_the_order_of_the_positions():
    assert steps("reward > 0", TWO, [1, 0, 1]) == [True, False, True, True, True, True, False, True]
    assert episodes("length > 2", TWO, [1, 0, 1]) == [True, False, True]


@pytest.mark.parametrize("text", ["reward > 0", "True", "episode.length > 1", "max(observation[:]) > 0"])
def test_no_episodes_have_no_steps(text):
    source = source_of([[1.0]], observations=[np.zeros((2, 3))])
    assert steps(text, source, []) == []
    assert episodes("any(reward > 0) or length > 3", source, []) == []


def test_a_dataset_without_episodes():
    leaves = {"rewards": Leaf("rewards", np.dtype(np.float64), (), 0)}

    class Empty:
        lengths = row_starts = np.zeros(0, dtype=np.int64)
        fields = MappingProxyType({"length": FieldValues(np.zeros(0, dtype=np.int64))})

        def require(self, paths, positions):
            pass

        def array(self, path, positions=None):
            return np.zeros(0)

        def zone(self, path, component):
            return None

    Empty.leaves = leaves
    assert steps("reward > 0 and step < 3 and return_to_go > 1", Empty()) == []
    assert episodes("any(reward > 0) or mean(reward) < length", Empty()) == []


def test_episodes_without_steps():
    source = source_of([[], [1.0]])
    assert episodes("any(reward > 0)", source) == [False, True]
    assert episodes("all(reward > 5)", source) == [True, False]
    assert episodes("all(reward > 5) == True", source) == [True, False]
    assert episodes("count(reward > 0) == 0 and sum(reward) == 0", source) == [True, False]
    assert episodes("mean(reward) is None and min(reward) is None and max(reward) is None", source) == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("big == 9007199254740993", [False, True]),
        ("big > 9007199254740992", [False, True]),
        ("big in [9007199254740993]", [False, True]),
        ("big > 9007199254740991.0 and big >= -0.5", [True, True]),
        ("big == 9007199254740992.0", [True, False]),
        ("big < inf and not big > nan", [True, True]),
        ("big - 9007199254740992 == 1", [False, True]),
        ("big % 2 == 1", [False, True]),
        ("big < 18446744073709551615 and big > -9223372036854775808", [True, True]),
    ],
)
def test_whole_numbers_are_exact(text, expected):
    source = source_of([[0.0], [0.0]])
    source.fields["metadata.big"] = FieldValues(np.array([2**53, 2**53 + 1]))
    assert episodes(text, source) == expected


@pytest.mark.parametrize("sign", t.COMPARISONS)
@pytest.mark.parametrize(
    "limit", [-0.5, 0.5, 1.0, 1.5, 2.0, -3.0, 1e30, -1e30, 128, -129, math.inf, -math.inf]
)
def test_whole_numbers_meet_fractions_as_in_python(sign, limit):
    numbers = [-128, -3, -1, 0, 1, 2, 127]
    source = source_of([np.zeros(7)], actions=[np.array(numbers, dtype=np.int8)])
    expected = [OPERATORS[sign](number, limit) for number in numbers]
    assert steps(f"action {sign} {limit!r}", source) == expected
    mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
    assert steps(f"{limit!r} {mirrored} action", source) == expected


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, np.int64])
def test_whole_numbers_never_wrap_around(dtype):
    limits = np.iinfo(dtype)
    source = source_of([[0.0, 0.0]], actions=[np.array([limits.min, limits.max], dtype=dtype)])
    assert steps("action + 1 > 0 and action * 2 > action", source)[1]
    assert steps("action - 1 < 0 or action > 0", source) == [True, True]
    assert steps("abs(-action) == abs(action)", source) == [True, True]
    assert steps("action > -300 or action <= -300", source) == [True, True]
    assert not any(steps("action > 99999999999999999999.0", source))


def test_a_constant_takes_the_float_type_of_its_column():
    source = source_of([[0.0]], observations=[np.array([0.1, 0], dtype=np.float32)])
    assert steps("observation == 0.1 and observation in [0.1] and not observation > 0.1", source) == [True]


def test_both_terminated_and_numbers_as_yes_or_no():
    source = source_of([[0.0, 1.0]])
    source.rows["terminations"] = [np.array([0, 2], dtype=np.uint8)]
    assert steps("terminated", source) == [False, True]
    assert steps("terminated + 1 == 2", source) == [False, True]


def test_division_by_zero_is_that_of_ieee_and_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert episodes("1 / (length - 1) == inf and isnan(0 / (length - 1)) and isnan(0 % (length - 1))",
                        source_of([[1.0], [1.0, 1.0]])) == [True, False]  # fmt: skip
        assert episodes(
            "log(0 * length) == -inf and isnan(sqrt(-length)) and exp(1000 * length) == inf", TWO
        ) == [
            True,
            True,
        ]


def test_blocks_cut_long_episodes_without_changing_answers(monkeypatch):
    rewards = [np.arange(n, dtype=float) % 7 - 3 for n in (1, 1000, 3, 400)]
    observations = [np.arange(len(r) + 1.0) % 5 for r in rewards]
    source = source_of(rewards, observations=observations)
    text = "reward > 0 and next_observation >= 2 and return_to_go < 3 and step > 1"
    expected = steps(text, source), steps(text, source, [3, 1])
    monkeypatch.setattr(plans, "BLOCK", 64)
    assert (steps(text, source), steps(text, source, [3, 1])) == expected
    assert 0 < sum(expected[0]) < len(expected[0])


@pytest.mark.parametrize("positions", [[0, 1, 2, 3], [3, 2], [0, 3], [1]])
@pytest.mark.parametrize("length", [3, 500])
def test_long_and_short_episodes_are_gathered_alike(positions, length):
    observations = [np.random.default_rng(i).normal(size=(length + i + 1, 2)) for i in range(4)]
    source = source_of([np.zeros(length + i) for i in range(4)], observations=observations)
    own = np.concatenate([observations[i][:-1, 1] for i in positions])
    following = np.concatenate([observations[i][1:, 1] for i in positions])
    assert steps("observation[1] > 0.3", source, positions) == (own > 0.3).tolist()
    assert steps("next_observation[1] > 0.3", source, positions) == (following > 0.3).tolist()


def test_many_short_episodes_have_the_same_return_to_go_as_few_long_ones():
    rewards = [
        np.random.default_rng(i).normal(size=n) * 10.0 ** (n % 5) for i, n in enumerate([3, 1, 7, 2, 5] * 4)
    ]
    source = source_of(rewards)
    backwards = [np.cumsum(one[::-1])[::-1] for one in rewards]
    for limit in np.concatenate(backwards):
        expected = (np.concatenate(backwards) == limit).tolist()
        assert steps(f"return_to_go == {float(limit)!r}", source) == expected
        alone = [
            answer
            for i in range(len(rewards))
            for answer in steps(f"return_to_go == {float(limit)!r}", source, [i])
        ]
        assert alone == expected


def test_a_real_dataset_is_filtered():
    kept = [
        Episode(
            observations=np.arange(n + 1, dtype=np.float32)[:, None],
            actions=np.zeros(n, dtype=np.int64),
            rewards=np.ones(n),
            terminations=np.arange(n) == n - 1,
            truncations=np.zeros(n, dtype=np.bool_),
            episode_id=i,
            metadata={"month": month, "month name": month.upper()} if month else {},
        )
        for i, (n, month) in enumerate([(4, "June"), (2, None), (6, "July")])
    ]
    metadata = DatasetMetadata("a-v0", 3, 12, {}, {})
    dataset = Dataset.over(metadata, EpisodeTable.from_episodes(kept), ArrayColumns(kept), "memory")
    chosen = dataset.where(
        episodes="total_return >= 4 and month in ['June', 'July']", steps="observation[0] >= 2"
    )
    assert chosen.positions.tolist() == [0, 2]
    assert chosen.step_mask.tolist() == [False, False, True, True, False, False, True, True, True, True]
    assert chosen.where(episodes="metadata['month name'] == 'JULY'").positions.tolist() == [2]
    assert dataset.where(episodes="month != 'June'").positions.tolist() == [1, 2]  # missing is not June
    assert str(chosen.where(episodes="length > 4").episode_filter).endswith("and length > 4")


# Errors.


@pytest.mark.parametrize(
    ("text", "error", "position", "said"),
    [
        ("lenght > 3", UnknownField, 0, "Did you mean 'length'?"),
        ("length > 3 and monht == 'June'", UnknownField, 15, "Did you mean 'month'?"),
        ("metadata.monht == 'June'", UnknownField, 0, "Did you mean 'metadata.month'?"),
        ("length > 3 and reward > 1", FilterTypeError, 15, "any(reward"),
        ("1 < observation[0]", FilterTypeError, 4, "all(observation[0]"),
        ("month > 3", FilterTypeError, 8, "neither is smaller"),
        ("3 < month", FilterTypeError, 4, "neither is smaller"),
        ("length", FilterTypeError, 0, "not yes or no"),
        ("not month", FilterTypeError, 4, "not yes or no"),
        ("any(length > 3)", FilterTypeError, 4, "episode.length"),
        ("any(observation > 0)", FilterTypeError, 4, "Reduce them first"),
        ("any(observaton[0] > 0)", UnknownField, 4, "Did you mean 'observation"),
        ("month + 1 > 2", FilterTypeError, 0, "not a number"),
        ("length + None > 2", FilterTypeError, 9, "not a number"),
        ("startswith(length, 'a')", FilterTypeError, 11, "not text"),
        ("sum(month) > 3", FilterTypeError, 4, "episode.month"),
        ("length[0] > 3", UnknownField, 0, "length"),
    ],
)
def test_errors_of_episode_filters_point_at_the_character(text, error, position, said):
    source = source_of([[1.0], [2.0]], observations=[np.zeros((2, 3))] * 2)
    source.fields["metadata.month"] = field_values(["June", None])
    with pytest.raises(error) as caught:
        episodes(text, source)
    assert (caught.value.text, caught.value.position) == (text, position)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "error", "position", "said"),
    [
        ("reward > 0 and length > 3", FilterTypeError, 15, "episode.length"),
        ("reward > 0 and month == 'June'", FilterTypeError, 15, "episode.month"),
        ("rewad > 0", UnknownField, 0, "Did you mean 'reward'?"),
        ("episode.lenght > 0", UnknownField, 0, "Did you mean 'length'?"),
        ("observation > 0", FilterTypeError, 0, "any(...)"),
        ("0 < observation[3]", FilterTypeError, 4, "outside"),
        ("observation[-4] > 0", FilterTypeError, 0, "outside"),
        ("observation[0, 0] > 0", FilterTypeError, 0, "too many indices"),
        ("max(observation[3:]) > 0", FilterTypeError, 4, "selects nothing"),
        ("observation.pos > 0", FilterTypeError, 0, "no part called 'pos'"),
        ("action > 0", FilterTypeError, 0, "Name one of"),
        ("action.arm[0] > 0", UnknownField, 0, "action.arm"),
        ("mean(reward) > 0", FilterTypeError, 0, "single value"),
        ("any(observation[:2] > observation)", FilterTypeError, 4, "different sizes"),
        ("info.text == 'a'", FilterTypeError, 0, "cannot read"),
        ("info.nothing == 'a'", UnknownField, 0, "info.nothing"),
        ("reward[0] > 0", FilterTypeError, 0, "too many indices"),
        ("step[0] > 0", FilterTypeError, 0, "no parts"),
    ],
)
def test_errors_of_step_filters_point_at_the_character(text, error, position, said):
    source = source_of(
        [[1.0]],
        observations=[np.zeros((2, 3))],
        actions___index_0=[np.zeros(1)],
        actions___index_1=[np.zeros((1, 2))],
    )
    source.fields["metadata.month"] = field_values(["June"])

    class WithText(Source):
        @property
        def leaves(self):
            return {**super().leaves, "infos/text": Leaf("infos/text", None, (), 1, "text")}

    with pytest.raises(error) as caught:
        steps(text, WithText(source.lengths, source.fields, source.rows))
    assert (caught.value.text, caught.value.position) == (text, position)
    assert said in str(caught.value)


def test_errors_of_filters_without_text_point_into_their_canonical_text():
    with pytest.raises(UnknownField) as caught:
        select_episodes(t.compare(t.Field("lenght"), ">", Literal(3)) & Literal(True), TWO, np.arange(2))
    assert (caught.value.text, caught.value.position) == ("lenght > 3 and True", 0)


def test_missing_values():
    source = source_of([[1.0], [2.0], [3.0]])
    source.fields["metadata.site"] = field_values([1, None, 2])
    assert episodes("site in [1, None]", source) == [True, True, False]
    assert episodes("site not in [1, None]", source) == [False, False, True]
    assert episodes("site in [1]", source) == [True, False, False]
    assert episodes("site not in [1]", source) == [False, True, True]
    assert episodes("site < 5 or site >= 5", source) == [True, False, True]
    assert episodes("not site < 5", source) == [False, True, False]
    assert episodes("site + 1 is None and site != site", source) == [False, True, False]
    source.fields["metadata.expert"] = field_values([True, None, False])
    assert episodes("mean(episode.expert) is None", source) == [False, True, False]
    assert episodes("sum(episode.expert) == 1", source) == [True, False, False]
    assert episodes("count(episode.expert) == 0", source) == [False, True, True]
    assert episodes("policy is None and policy != 'dqn' and not policy == 'dqn'", source) == [True] * 3


def test_equality_across_types_is_no_and_its_complement_yes():
    source = source_of([[1.0], [2.0]])
    source.fields["metadata.month"] = field_values(["June", None])
    assert episodes("month == 3 or 'June' == length or month in [3]", source) == [False, False]
    assert episodes("month != 3 and month not in [3]", source) == [True, True]
