import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.server.wire.xet.errors import XetFormatError
from pytupli_registry.server.wire.xet.hashes import hash_text, parse_hash


@given(st.binary(min_size=32, max_size=32))
def test_text_and_bytes_of_a_hash_are_inverse(raw):
    assert parse_hash(hash_text(raw)) == raw


def test_words_are_printed_as_little_endian_numbers():
    assert hash_text(bytes(range(32))) == "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918"


def test_a_sha256_record_gives_the_usual_text():
    usual = hashlib.sha256(b"reward").hexdigest()
    assert hash_text(parse_hash(usual)) == usual


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n", "\u0660" * 64])
def test_anything_else_is_no_hash(text):
    with pytest.raises(XetFormatError, match="64 lower-case"):
        parse_hash(text)
