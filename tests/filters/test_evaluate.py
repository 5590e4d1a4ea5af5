"""Filters against a slow, obvious reading of the rules in docs/filters.md: one episode, one step, one node at a time."""

from __future__ import annotations

import math
import random
import warnings
from dataclasses import dataclass, field

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

TREES = {"observation": "observations", "next_observation": "observations", "action": "actions", "info": "infos"}


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
            path: Leaf(path, arrays[0].dtype, arrays[0].shape[1:], int(path.startswith(("observations", "infos"))))
            for path, arrays in self.rows.items()
        }

    def array(self, path):
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
        kinds = drawn.sample(values, drawn.randint(1, len(values)))  # few, so that episodes differ in their bounds
        return [
            np.array([drawn.choice(kinds) for _ in range((n + extra) * math.prod(shape))], dtype=dtype).reshape(
                n + extra, *shape
            )
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


def oracle(node, where):
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


def compare(operator, a, b):
    if operator == "!=":
        return not compare("==", a, b)
    if a is None or b is None:
        return False
    if isinstance(a, str) != isinstance(b, str):
        assert operator == "=="
        return False
    if not isinstance(a, str):
        a, b = comparable(a, b), comparable(b, a)
    return {
        "==": lambda: a == b,
        "<": lambda: a < b,
        "<=": lambda: a <= b,
        ">": lambda: a > b,
        ">=": lambda: a >= b,
    }[operator]()


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


def arithmetic(operator, a, b):
    if a is None or b is None:
        return None
    if is_whole(a) and is_whole(b) and operator not in {"/", "**"} and not (operator in {"//", "%"} and int(b) == 0):
        a_, b_ = int(a), int(b)
        found = {"+": a_ + b_, "-": a_ - b_, "*": a_ * b_}.get(operator)
        if found is None:
            found = a_ // b_ if operator == "//" else a_ % b_
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
    return typed(functions[operator](np.float64(a), np.float64(b)), a, b)


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
        rounded = int(value) if is_whole(value) else getattr(np, {"round": "rint"}.get(function, function))(value)
        return typed(rounded, value)
    return typed(getattr(np, function)(np.float64(value)), value)


# Expressions that mean something, by type and by what they are about.

NUMBER_LITERALS = st.sampled_from([*FLOATS, *INTS, True, False, 0.1, 2**53 + 1, 1e300, -1e300, 300, -1]).map(Literal)
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
            lambda f, x: t.Call(f, (x,)), st.sampled_from(["abs", "floor", "ceil", "round", "sqrt", "exp", "log"]), part
        ),
    )


def conditions(leaves, texts, aggregates, answers, depth):
    number = numbers(leaves, aggregates, min(depth, 2))
    operand = number | NUMBER_LITERALS
    scalars = st.sampled_from([*FLOATS, *INTS, *MONTHS, None, True, 2**53 + 1])
    choices = st.lists(scalars.map(Literal), max_size=4).map(tuple)
    kinds = [
        st.builds(lambda o, a, b: t.compare(a, o, b), COMPARISONS, number, operand),
        st.builds(lambda os, xs: t.Comparison(os, xs), st.tuples(COMPARISONS, COMPARISONS),
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
    lambda o, a, b: t.compare(a, o, b), COMPARISONS, WIDE_NUMBERS, numbers(named(STEP_NUMBERS), None, 1) | NUMBER_LITERALS
)
# Constants alone have no components to aggregate over.
HAS_WIDE = lambda node: isinstance(node, t.Field) or any(map(HAS_WIDE, node.children))  # noqa: E731
OVER_COMPONENTS = aggregated(WIDE_CONDITIONS.filter(lambda n: is_wide(n)), WIDE_NUMBERS.filter(lambda n: is_wide(n)))
ANY_COMPONENT = answered(WIDE_CONDITIONS.filter(lambda n: is_wide(n)))
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
    if isinstance(node, t.Field):
        return (node.name, *node.keys) in WIDE
    return any(map(is_wide, node.children))


def positions_of(data, source):
    count = len(source.lengths)
    return np.array(data.draw(st.lists(st.integers(0, count - 1), max_size=6) | st.just(list(range(count)))), np.int64)


COMMON = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


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
