"""Names of objects, and where a folder has them."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytupli_registry.server.objects import InvalidKey
from pytupli_registry.server.objects.keys import checked_key, checked_prefix
from pytupli_registry.server.objects.layout import STAGING, key_at, location

HASHES = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True)
NUMBERS = st.integers(0, 10**8 - 1).map(str)
KEYS = st.one_of(
    HASHES.map("blobs/{}".format),
    st.builds("xorbs/{}/{}".format, NAMES, HASHES),
    st.builds("parts/{}/{}".format, NAMES, NUMBERS),
)
SEGMENTS = st.sampled_from(
    ["", ".", "..", "blobs", "xorbs", "parts", "staging", "a", "1", "ab" * 32, "~", "C:", "\\"]
)
STRANGE = st.lists(SEGMENTS | st.text(max_size=5), max_size=6).map("/".join)


@given(KEYS)
def test_names_are_names(key):
    assert checked_key(key) == key


@given(KEYS)
def test_location_and_key_belong_together(key):
    assert key_at(location(key)) == key


@given(st.lists(KEYS, min_size=2, max_size=8, unique=True))
def test_no_object_lies_in_the_way_of_another(keys):
    files = [location(key) for key in keys]
    for file in files:
        assert not any(file[: len(other)] == other for other in files if other is not file)


@given(
    STRANGE
    | st.text()
    | KEYS.flatmap(lambda key: st.sampled_from([key + "\n", key + "/", "/" + key, key + "\0"]))
)
@example("parts/u/\N{FULLWIDTH DIGIT ONE}")
@example("parts/ü/1")
@example("blobs/" + "AB" * 32)
@example("parts/" + "u" * 129 + "/1")
@example("parts/u/123456789")
def test_what_is_accepted_stays_inside(key):
    try:
        names = location(key)
    except InvalidKey:
        return
    assert names[0] in ("blobs", "xorbs", "parts")
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name) for name in names)
    assert Path("/root", *names).resolve().is_relative_to("/root")


@given(st.lists(SEGMENTS | st.text(max_size=5), min_size=1, max_size=6))
@example([STAGING, "ab" * 32])
@example(["blobs", "ab" * 32])
@example(["blobs", "ab", "ac", "ab" * 32])
def test_files_of_strangers_are_no_objects(names):
    key = key_at(names)
    assert key is None or location(key) == tuple(names)


@given(STRANGE)
def test_prefixes_begin_names(prefix):
    try:
        bare = checked_prefix(prefix)
    except InvalidKey:
        return
    end = {0: f"blobs/{'0' * 64}", 1: "u/1", 2: "1"}[len(bare.split("/")) if bare else 0]
    endings = (end, "0" * 64, "u/" + "0" * 64)
    assert any(_is_key("/".join(filter(None, (bare, ending)))) for ending in endings)


@pytest.mark.parametrize("prefix", ["", "blobs", "blobs/", "xorbs/u", "xorbs/u/", "parts/u"])
def test_prefixes(prefix):
    assert checked_prefix(prefix) == prefix.removesuffix("/")


def test_messages_are_short():
    with pytest.raises(InvalidKey) as caught:
        checked_key("x" * 10_000_000)
    assert len(caught.value.message) < 300


def _is_key(key: str) -> bool:
    try:
        return checked_key(key) == key
    except InvalidKey:
        return False
