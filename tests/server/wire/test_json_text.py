"""JSON of strangers is read with limits."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.server.wire.json_text import JsonTextError, cleaned, read_object

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), values), st.booleans())
def test_every_object_is_read(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    if text.isascii() or not any(0xD800 <= ord(sign) < 0xE000 for sign in text):
        assert read_object(text.encode()) == value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        json.dumps({"a": 1}).encode("utf-16"),
        b'{"a":' + b"[" * 65 + b"]" * 65 + b"}",
        b"{" * 3_000_000,
        b'{"a": [' + b"1," * 600_000 + b"1]}",
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "' + b"\\" * 1_000_001,
    ],
)
def test_what_is_no_object_or_too_much(content):
    with pytest.raises(JsonTextError):
        read_object(content)


def test_long_strings_are_no_structure():
    space = json.dumps({"low": [[0.0] * 1000] * 500})
    assert read_object(json.dumps({"observation_space": space}).encode())["observation_space"] == space


@given(st.text())
def test_texts_are_made_storable(text):
    shown = cleaned(text, 10)
    assert len(shown) <= 10
    assert "\0" not in shown
    shown.encode()
    assert cleaned(3, 10) is None
