"""JSON to tree and back."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.errors import FilterSyntaxError, FilterTypeError
from pytupli_registry.filters.expression import And, Literal, Not, Or
from pytupli_registry.filters.terms import (
    Aggregate,
    Arithmetic,
    Call,
    Comparison,
    Field,
    IsNone,
    Membership,
    Negative,
    Slice,
)
from pytupli_registry.filters.text import parse
from pytupli_registry.filters.wire import from_json, json_schema, to_json

LITERALS = st.builds(
    Literal,
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
KEYS = st.lists(st.integers(-3, 3) | st.sampled_from(["a", "b c"]), max_size=2).map(tuple)
FIELDS = st.builds(Field, st.sampled_from(["x", "total_return"]), KEYS) | st.just(
    Field("x", (Slice(1, None, -1),))
)
VALUES = LITERALS.filter(lambda node: node.value is not None) | FIELDS


def deeper(trees):
    several = st.lists(trees, min_size=2, max_size=3).map(tuple)
    operands = trees.filter(lambda node: node != Literal(None))
    return st.one_of(
        st.builds(lambda a, b, c: Comparison(("<", "=="), (a, b, c)), operands, operands, operands),
        st.builds(lambda a, b: Comparison(("!=",), (a, b)), operands, operands),
        st.builds(Membership, trees, st.lists(LITERALS, max_size=3).map(tuple), st.booleans()),
        st.builds(IsNone, trees, st.booleans()),
        st.builds(And, several),
        st.builds(Or, several),
        st.builds(Not, trees),
        st.builds(Negative, FIELDS),
        st.builds(Arithmetic, st.sampled_from(["+", "**", "//"]), trees, trees),
        st.builds(lambda x: Call("abs", (x,)), trees),
        st.builds(lambda x, y: Call("contains", (x, y)), trees, trees),
        st.builds(Aggregate, st.sampled_from(["any", "mean"]), trees),
    )


@settings(max_examples=150, deadline=None)
@given(st.recursive(LITERALS | FIELDS, deeper, max_leaves=8))
def test_every_tree_comes_back_from_json(tree):
    text = to_json(tree)
    assert from_json(text) == tree
    assert from_json(text.encode()) == tree
    assert from_json(json.loads(text)) == tree
    assert to_json(from_json(text)) == text


def test_the_form_is_stable():
    assert json.loads(to_json(parse("0 <= observation[2, :3] < inf and month not in ['June']"))) == {
        "op": "and",
        "operands": [
            {
                "op": "compare",
                "operators": ["<=", "<"],
                "operands": [
                    {"op": "literal", "value": 0},
                    {
                        "op": "field",
                        "name": "observation",
                        "keys": [2, {"start": None, "stop": 3, "step": None}],
                    },
                    {"op": "number", "value": "inf"},
                ],
            },
            {
                "op": "in",
                "operand": {"op": "field", "name": "month", "keys": []},
                "choices": [{"op": "literal", "value": "June"}],
                "negated": True,
            },
        ],
    }


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ({"op": "and", "operands": []}, "True"),
        ({"op": "or", "operands": []}, "False"),
        ({"op": "or", "operands": [{"op": "field", "name": "terminated"}]}, "terminated"),
        ({"op": "negative", "operand": {"op": "literal", "value": 3}}, "-3"),
        (
            {
                "op": "compare",
                "operators": ["=="],
                "operands": [{"op": "field", "name": "seed"}, {"op": "literal", "value": None}],
            },
            "seed is None",
        ),
    ],
)
def test_what_json_may_say_that_text_cannot_is_normalised(given_, text):
    assert from_json(given_) == parse(text)


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "{",
        "null",
        "[]",
        "[" * 100_000,
        '{"op":"not","operand":' * 100_000,
        '{"op":"not","operand":' * 100 + '{"op":"literal","value":true}' + "}" * 100,
        '{"op":"nothing"}',
        '{"op":"not"}',
        '{"op":"literal","value":1,"more":2}',
        '{"op":"literal","value":[1]}',
        '{"op":"literal","value":NaN}',
        '{"op":"literal","value":' + "9" * 5000 + "}",
        '{"op":"literal","value":"\\ud800"}',
        '{"op":"number","value":"3"}',
        '{"op":"field","name":"a b"}',
        '{"op":"field","name":"a","keys":[1.5]}',
        '{"op":"field","name":"a","keys":[true]}',
        '{"op":"field","name":"a","keys":[99999999999]}',
        '{"op":"field","name":"a","keys":[{"step":0}]}',
        '{"op":"field","name":"a","keys":[' + "0," * 5000 + "0]}",
        '{"op":"call","function":"eval","arguments":[]}',
        '{"op":"call","function":"abs","arguments":[]}',
        '{"op":"aggregate","function":"abs","operand":{"op":"literal","value":1}}',
        '{"op":"compare","operators":["<"],"operands":[]}',
        '{"op":"compare","operators":[],"operands":[{"op":"literal","value":1}]}',
        '{"op":"arithmetic","operator":"@","left":{"op":"literal","value":1},"right":{"op":"literal","value":1}}',
        '{"op":"in","operand":{"op":"field","name":"a"},"choices":[{"op":"field","name":"b"}]}',
        '{"op":"and","operands":[' + '{"op":"literal","value":1},' * 5000 + '{"op":"literal","value":1}]}',
        "x" * 2_000_000,
        b"\xff\xfe",
        {"op": {"op": "and"}},
        {"op": "literal", "value": object()},
        {"op": "literal", "value": float("nan")},
    ],
)
def test_hostile_json_is_refused(hostile):
    with pytest.raises((FilterSyntaxError, FilterTypeError)) as caught:
        from_json(hostile)
    assert len(str(caught.value)) < 1000


def test_endless_structures_are_refused():
    endless: dict = {"op": "not"}
    endless["operand"] = endless
    with pytest.raises(FilterSyntaxError):
        from_json(endless)


def test_there_is_a_schema():
    assert "CompareNode" in json_schema()["$defs"]


def test_pydantic_is_imported_only_for_json():
    code = (
        "import sys; from pytupli_registry.filters import parse, select_steps, episode; parse('x > 1');"
        "assert not {'pydantic', 'h5py', 'pyarrow'} & set(sys.modules);"
        "from pytupli_registry.filters import to_json; to_json(episode.x > 1); assert 'pydantic' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
