"""YAML of strangers: only plain values come out, whatever goes in, and in bounded time."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pytupli_registry.server.wire.front_matter import FrontMatterError, load_yaml, yaml_block

# PyYAML, which speaks 1.1, writes them without quotes, and JSON writes numbers so.
NUMBERS_OF_YAML_1_2 = re.compile(r"[-+]?(\d+[eE][-+]?\d+|0o[0-7]+)")
# Control characters and line separators are not kept by every YAML writer.
texts = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn"), exclude_characters="\ufeff"
    ),
    max_size=20,
).filter(lambda text: not NUMBERS_OF_YAML_1_2.fullmatch(text))
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(texts, plain, max_size=5))
def test_what_yaml_writes_is_read_back(value):
    assert load_yaml(yaml.safe_dump(value, allow_unicode=True)) == value
    assert load_yaml(json.dumps(value, ensure_ascii=False)) == value


@given(st.text(max_size=300) | st.text(alphabet="-:[]{}&*!|>'\"#%@`,?\n ab~<=", max_size=200))
@example("a: &a [*a]")
@example("? [1]\n: 2")
@example("!!python/object/apply:os.system ['true']")
@example("\ud800")
@example('"\\0"')
def test_nothing_but_plain_values_or_one_error(text):
    with suppress(FrontMatterError):
        shown = json.dumps(load_yaml(text), allow_nan=False, ensure_ascii=False)
        assert "\\u0000" not in shown
        shown.encode()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("language: no", {"language": "no"}),
        ("on: yes", {"on": "yes"}),
        ("a: 010", {"a": 10}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("a: .nan", {"a": ".nan"}),
        ("a: 1e999", {"a": "1e999"}),
        ("a: 0x1F", {"a": 31}),
        ("a: 1_000", {"a": "1_000"}),
        ("1: x", {"1": "x"}),
        ("true: x", {"true": "x"}),
        ("a: !!str 1", {"a": "1"}),
        ("a: &x 1\nb: *x", {"a": 1, "b": 1}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("", None),
        ("a: " + "9" * 5000, {"a": "9" * 5000}),
    ],
)
def test_yaml_is_read_as_version_1_2(text, value):
    assert load_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\na: 2", "duplicated mapping key 'a'"),
        ("a: [", "(2:1)"),
        ("a: !x 1", "unknown tag '!x'"),
        ("a: !!set {}", "unknown tag"),
        ("a\n---\nb", "single document"),
        ("*x : 1", "unidentified alias 'x'"),
    ],
)
def test_errors_say_what_and_where(text, told):
    with pytest.raises(FrontMatterError) as raised:
        load_yaml(text)
    assert told in str(raised.value)


BOMBS = {
    "aliases": "a: &a [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n"
    + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    ),
    "long alias": "a: &a '" + "x" * 100_000 + "'\n" + "".join(f"b{i}: *a\n" for i in range(10_000)),
    "lists": "[" * 400_000,
    "maps": "{a: " * 100_000,
    "blocks": "- " * 200_000,
    "keys": "? " * 200_000,
    "indents": "".join(" " * i + "a:\n" for i in range(900)),
    "many": "- 1\n" * 120_000,
    "size": "a" * (1 << 20),
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_refused_before_they_grow(text):
    began = time.process_time()
    with pytest.raises(FrontMatterError):
        load_yaml(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("---\na: 1\n---\nbody", "a: 1"),
        ("---\r\na: 1\r\n---\r\nbody", "a: 1"),
        ("\n\n---\na: 1\n---", "a: 1"),
        ("\ufeff---\na: 1\n---\n", "a: 1"),
        ("---\n---\n", None),
        ("---\n\n---\n", ""),
        ("---\na: 1\n---oops\n", None),
        ("# title\n---\na: 1\n---\n", None),
        ("", None),
    ],
)
def test_the_block_is_found_where_clients_find_it(text, block):
    assert yaml_block(text) == block


@given(st.text(alphabet="-\r\n a:", max_size=60))
def test_the_block_is_the_one_of_the_client(text):
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    found = REGEX_YAML_BLOCK.search(text)
    assert yaml_block(text) == (found.group(2) if found else None)
