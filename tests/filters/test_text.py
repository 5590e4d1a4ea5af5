"""Text to tree and back."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import textwrap
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.errors import FilterError, FilterSyntaxError, FilterTypeError
from pytupli_registry.filters.expression import MAX_DEPTH, And, Literal, Not, Or
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
from pytupli_registry.filters.text import MAX_TEXT, parse

X, Y = Field("x"), Field("y")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x >= 100", Comparison((">=",), (X, Literal(100)))),
        ("0 <= x < 1.0", Comparison(("<=", "<"), (Literal(0), X, Literal(1.0)))),
        ("x in ['a', 1, -2.5, None]", Membership(X, tuple(map(Literal, ("a", 1, -2.5, None))))),
        ("x not in ()", Membership(X, (), negated=True)),
        ("x in {True}", Membership(X, (Literal(True),))),
        ("x is None", IsNone(X)),
        ("None != x", IsNone(X, negated=True)),
        ("x == None", IsNone(X)),
        ("not x and y or x", Or((And((Not(X), Y)), X))),
        ("x and (y and x)", And((X, Y, X))),
        ("-x ** 2", Negative(Arithmetic("**", X, Literal(2)))),
        ("(-1) ** -x", Arithmetic("**", Literal(-1), Negative(X))),
        ("--1", Literal(1)),
        ("+x", X),
        ("-inf", Literal(float("-inf"))),
        ("x - (y - 1)", Arithmetic("-", X, Arithmetic("-", Y, Literal(1)))),
        ("observation[2]", Field("observation", (2,))),
        ("observation[-1][0]", Field("observation", (-1, 0))),
        ("observation[:3, ::2]", Field("observation", (Slice(None, 3), Slice(None, None, 2)))),
        ("observation.camera['left eye'][0, 1:]", Field("observation", ("camera", "left eye", 0, Slice(1)))),
        ("metadata['month name']", Field("metadata", ("month name",))),
        ("step.reward", Field("reward")),
        ("step", Field("step")),
        ("any(abs(x) > 1)", Aggregate("any", Comparison((">",), (Call("abs", (X,)), Literal(1))))),
        ("startswith(policy, 'dqn')", Call("startswith", (Field("policy"), Literal("dqn")))),
        ("  x\n  >\t1 ", Comparison((">",), (X, Literal(1)))),
        ("'#' == '\\'\"'", Comparison(("==",), (Literal("#"), Literal("'\"")))),
        ("9223372036854775807", Literal(2**63 - 1)),
        ("x > 1.5e-3", Comparison((">",), (X, Literal(1.5e-3)))),
        (
            "x > .5 or x1 < 0x1F",
            Or((Comparison((">",), (X, Literal(0.5))), Comparison(("<",), (Field("x1"), Literal(31))))),
        ),
        ("x in['a\\\\','\\'\\n\\x41\\101']", Membership(X, (Literal("a\\"), Literal("'\nAA")))),
    ],
)
def test_what_a_text_says(text, tree):
    assert parse(text) == tree
    assert parse(str(tree)) == tree


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("x = 3", 2, "Equality is written =="),
        ("x > 1 && y", 7, "Write `and`"),
        ("x & y", 0, "Write `and`"),
        ("~x", 0, "Write `not`"),
        ("x > 1 # and y", 6, "comments"),
        ("x == 'a", 5, "not closed"),
        ("x == '''a'''", 5, "quotes"),
        ("(x > 1", 0, "never closed"),
        ("x y", 2, "invalid syntax"),
        ("  x y", 4, "invalid syntax"),
        ("x > 1, y", 0, "comma"),
        ("x if y else x", 0, "`if`"),
        ("lambda: 1", 0, "lambda"),
        ("[x for x in y]", 0, "loop"),
        ("any(x > 1 for x in y)", 3, "loop"),
        ("f'{x}' == 'a'", 1, "no letter before"),
        ("x == b'a'", 6, "no letter before"),
        ("x == rB'a'", 7, "no letter before"),
        ("x == 1j", 5, "The number 1 runs"),
        ("x > 1or y", 4, "The number 1 runs"),
        ("x > 0x1for y", 4, "The number 0x1f runs"),
        ("(x := 1)", 1, "assignment"),
        ("x in y", 5, "contains("),
        ("x in [y]", 6, "list"),
        ("x is True", 5, "Compare with =="),
        ("1 < x in [2]", 0, "chain"),
        ("x < None", 0, "is None"),
        ("1 < x < None", 0, "is None"),
        ("zzz(x)", 0, "There are abs"),
        ("abz(x)", 0, "Did you mean 'abs'?"),
        ("abs(x, y)", 0, "takes 1"),
        ("abs(x=1)", 0, "by position"),
        ("abs(*x)", 0, "by position"),
        ("policy.startswith('a')", 0, "startswith(field"),
        ("(x + y)[0]", 0, "Only fields"),
        ("x[:2][0]", 0, "one bracket"),
        ("x[:2].a", 0, "one bracket"),
        ("x[y]", 2, "index"),
        ("x[1.0]", 2, "index"),
        ("x[True]", 2, "index"),
        ("x['a':]", 2, "ends of a slice"),
        ("x[::0]", 0, "cannot be 0"),
        ("x[99999999999]", 0, "larger than any array"),
        ("x > 99999999999999999999999", 4, "64 bits"),
        ("x == '\\d'", 5, "escape"),
        ("x == '\\\\\\q'", 5, "escape"),
        ("x == '\\777'", 5, "escape"),
        ("ä == 'ö' and ü.startswith('x')", 13, "methods"),
        ("__import__('os').system('true')", 0, "Only functions"),
        ("x; y", 1, "invalid syntax"),
        ("x > 1 and\n y > foo(2)", 15, "no function"),
    ],
)
def test_errors_point_at_the_character(text, position, said):
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert caught.value.text == text
    assert caught.value.position == position


@pytest.mark.parametrize("text", ["x == '\\d'", "x > 1or y", "x > 0xfor y", "'a' is None", "x == '\\400'"])
def test_python_never_warns(text):
    # pytest makes every warning an error, which ast.parse would show as another message.
    with contextlib.suppress(FilterSyntaxError), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parse(text)
    assert not caught


def test_the_character_is_shown_even_in_a_long_text():
    text = " and ".join(["abcdefghij > 1"] * 100) + " and foo(x)"
    with pytest.raises(FilterSyntaxError) as caught:
        parse(text)
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^") :].startswith("foo(x)")
    assert len(shown) < 200


def test_places_are_no_part_of_equality_but_remembered():
    one, other = parse("x > 1"), parse("   x   >   1")
    assert one == other
    assert hash(one) == hash(other)
    assert one.digest == other.digest
    assert (one.place.position, other.place.position) == (0, 3)


HOSTILE = {
    "parentheses": "(" * 99_000,
    "calls": "abs(" * 20_000,
    "lists": "x in " + "[" * 5000 + "]" * 5000,
    "signs": "-" * 99_000 + "1",
    "spaced signs": "- + " * 20_000 + "1",
    "nots": "not " * 20_000 + "x",
    "a long sum": "1" + "+1" * 49_000,
    "a long power": "x" + "**x" * 30_000,
    "attributes": "a" + ".a" * 49_000,
    "indices": "a" + "[0]" * 30_000,
    "comparisons": "a" + "<a" * 49_000,
    "conditions": "a" + " and a" * 16_000,
    "a long list": "a in [" + "1," * 49_000 + "]",
    "digits": "1" * 99_000,
    "hexadecimal digits": "0x" + "f" * 99_000,
    "lambdas": "lambda:" * 14_000 + "a",
    "quotes": "'" * 99_000,
    "backslashes": "\\" * 99_000,
    "NUL": "a\0b",
    "half a surrogate pair": "x == '\ud800'",
    "an escaped half": "x == '\\ud800'",
    "much text": "x" * (MAX_TEXT + 1),
}


def test_hostile_texts_are_refused_without_harm():
    # In a process of its own with little memory and time: a crash of the interpreter would otherwise end the tests.
    code = textwrap.dedent("""
        import resource, sys
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        from pytupli_registry.errors import FilterSyntaxError, FilterTypeError
        from pytupli_registry.filters.text import parse
        for name, text in eval(sys.stdin.read()).items():
            try:
                parse(text)
            except (FilterSyntaxError, FilterTypeError) as error:
                assert len(str(error)) < 2000, name
            else:
                raise AssertionError(name)
        print("all refused")
    """)
    run = subprocess.run(
        [sys.executable, "-c", code],
        input=ascii(HOSTILE),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.stdout == "all refused\n", run.stderr[-2000:]


def test_depth_is_limited_however_a_tree_is_made():
    tree = Field("x")
    for _ in range(MAX_DEPTH - 1):
        tree = Not(tree)
    assert parse(str(tree)) == tree
    with pytest.raises(FilterSyntaxError, match="deep"):
        Not(tree)


# Trees of any kind survive the way through text.

NAMES = st.sampled_from(["x", "total_return", "episode", "metadata", "mån", "_a", "step2", "any", "is_"])
PARTS = NAMES | st.text(max_size=8).filter(lambda part: part.isprintable()) | st.text(max_size=4)
WHOLE = st.integers(-3, 3)
SLICES = st.builds(Slice, st.none() | WHOLE, st.none() | WHOLE, st.none() | WHOLE.filter(bool))
KEYS = st.tuples(
    st.lists(
        PARTS.filter(lambda part: all(not 0xD800 <= ord(c) <= 0xDFFF for c in part)) | WHOLE, max_size=3
    ),
    st.lists(SLICES, max_size=2),
).map(lambda both: (*both[0], *both[1]))
LITERALS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=True)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
).map(Literal)


def is_none(tree):
    return isinstance(tree, Literal) and tree.value is None


def deeper(trees):
    operands = trees.filter(lambda tree: not is_none(tree))
    several = st.lists(trees, min_size=2, max_size=3).map(tuple)
    comparisons = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    chains = st.lists(st.tuples(comparisons, operands), min_size=1, max_size=3)
    return st.one_of(
        st.builds(
            lambda first, rest: Comparison(tuple(o for o, _ in rest), (first, *(x for _, x in rest))),
            operands,
            chains,
        ),
        st.builds(Membership, trees, st.lists(LITERALS, max_size=3).map(tuple), st.booleans()),
        st.builds(IsNone, trees, st.booleans()),
        st.builds(And, several),
        st.builds(Or, several),
        st.builds(Not, trees),
        st.builds(Negative, trees.filter(lambda tree: not (isinstance(tree, Literal) and tree.is_number))),
        st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), trees, trees),
        st.builds(lambda f, x: Call(f, (x,)), st.sampled_from(["abs", "round", "isnan"]), trees),
        st.builds(lambda f, x, y: Call(f, (x, y)), st.sampled_from(["startswith", "contains"]), trees, trees),
        st.builds(Aggregate, st.sampled_from(["any", "count", "min"]), trees),
    )


TREES = st.recursive(LITERALS | st.builds(Field, NAMES, KEYS), deeper, max_leaves=8)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_every_tree_comes_back_from_its_text(tree):
    again = parse(str(tree))
    assert again == tree
    assert (hash(again), again.digest, str(again)) == (hash(tree), tree.digest, str(tree))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40) | st.text("x1'\"()[]<>=!-+*. andorti#\\,:", max_size=30))
def test_any_text_is_a_filter_or_an_error_of_ours(text):
    try:
        tree = parse(text)
    except (FilterSyntaxError, FilterTypeError) as error:
        position = error.position or 0
        assert position <= len(text)
    else:
        assert parse(str(tree)) == tree
