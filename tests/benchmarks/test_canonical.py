"""Canonical JSON against RFC 8785, where it follows it, and against Python, where it does not."""

from __future__ import annotations

import hashlib
import json
import math
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.benchmarks.canonical import canonical_json, digest
from pytupli_registry.errors import ArtifactError

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.none() | st.booleans() | st.integers() | FLOATS | st.text()
JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)

# RFC 8785, appendix B: the bits of a double and its text; whole numbers below 1e21 get our ".0" in addition.
NUMBERS = [
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("4340000000000000", "9007199254740992.0"),
    ("c340000000000000", "-9007199254740992.0"),
    ("4430000000000000", "295147905179352830000.0"),
    ("444b1ae4d6e2ef4e", "999999999999999700000.0"),
    ("444b1ae4d6e2ef4f", "999999999999999900000.0"),
    ("0000000000000000", "0.0"),
    ("8000000000000000", "-0.0"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_of_the_rfc(bits, text):
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_json(value) == text.encode()


def test_names_are_sorted_as_the_rfc_sorts_them():
    # RFC 8785, section 3.2.3: by UTF-16 code units, so the emoji comes before U+FB33.
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    found = json.loads(
        canonical_json(dict.fromkeys(names)), object_pairs_hook=lambda pairs: [n for n, _ in pairs]
    )
    assert found == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_strings_of_the_rfc():
    # Section 3.2.2.2's example.
    given_text = '\u20ac$\u000f\nA\'B"\\\\"/'
    assert canonical_json(given_text) == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()


def test_texts_are_not_normalised():
    assert canonical_json("é") != canonical_json("e\u0301")


def test_integers_are_not_floats_and_keep_their_digits():
    assert canonical_json([1, 1.0, 2**53 + 1, -(10**30), True]) == (
        b"[1,1.0,9007199254740993,-1000000000000000000000000000000,true]"
    )


@given(JSON)
def test_it_reads_back_the_same(value):
    back = json.loads(canonical_json(value))
    assert back == value
    assert canonical_json(back) == canonical_json(value)


@given(FLOATS)
def test_floats_read_back_bit_for_bit(value):
    back = json.loads(canonical_json(value))
    assert type(back) is float
    assert back.hex() == value.hex()


@given(FLOATS)
def test_floats_have_as_few_digits_as_repr(value):
    def digits(text: str) -> str:
        return text.lower().partition("e")[0].replace(".", "").replace("-", "").strip("0")

    assert digits(canonical_json(value).decode()) == digits(repr(value))


@given(st.dictionaries(st.text(), PLAIN, min_size=2), st.randoms())
def test_the_order_of_keys_does_not_matter(value, random):
    names = list(value)
    random.shuffle(names)
    assert canonical_json({name: value[name] for name in names}) == canonical_json(value)


def test_digest_is_the_hash_of_the_text():
    assert (
        digest({"b": [1.5, None], "a": "ü"})
        == hashlib.sha256('{"a":"ü","b":[1.5,null]}'.encode()).hexdigest()
    )


def test_the_same_in_another_process():
    value = {"z": 0.1 + 0.2, "a": [1e-7, 1e22, "é"], "ö": {"b": -0.0}}
    code = f"from pytupli_registry.benchmarks.canonical import digest; print(digest({value!r}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == digest(value)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        [1, {"a": -math.inf}],
        {1: 2},
        {1, 2},
        b"x",
        1j,
        "\ud800",
        {"\ud800": 1},
        pytest.param(1 << 20_000, id="too many digits"),
    ],
)
def test_what_json_does_not_have_is_refused(value):
    with pytest.raises(ArtifactError):
        canonical_json(value)


def test_deep_nesting_is_refused_and_199_levels_are_not():
    deep: list = []
    for _ in range(199):
        deep = [deep]
    assert canonical_json(deep) == b"[" * 200 + b"]" * 200
    with pytest.raises(ArtifactError, match="deep"):
        canonical_json([[deep]])
    endless: list = []
    endless.append(endless)
    with pytest.raises(ArtifactError, match="deep"):
        canonical_json(endless)
