import hashlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pytupli_registry.server.wire.lfs import Batch, BatchAnswer, Completion, ObjectActions, Pointer

SHA = "0" * 63 + "a"


@given(st.binary(min_size=32, max_size=32), st.integers(0, (1 << 63) - 1))
def test_pointers_are_read_as_they_are_written(digest, size):
    pointer = Pointer(digest.hex(), size)
    assert Pointer.parse(pointer.encoded()) == pointer


def test_a_pointer_has_the_git_id_that_git_gives_it():
    # The text is the example of the Git-LFS specification.
    pointer = Pointer("4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393", 12345)
    specified = (
        b"version https://git-lfs.github.com/spec/v1\n"
        b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
    )
    assert pointer.encoded() == specified
    git_id = subprocess.run(
        ["git", "hash-object", "--stdin"], input=pointer.encoded(), capture_output=True, check=True
    )
    header = f"blob {len(specified)}\0".encode()
    assert git_id.stdout.decode().strip() == hashlib.sha1(header + specified).hexdigest()


def test_extensions_do_not_hide_a_pointer():
    text = Pointer(SHA, 7).encoded().replace(b"oid", b"ext-0-foo sha256:" + b"1" * 64 + b"\noid")
    assert Pointer.parse(text) == Pointer(SHA, 7)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + b"\n",
        lambda text: text[:-1],
        lambda text: text.replace(b"sha256", b"sha1"),
        lambda text: text.replace(b"size 7", b"size 07"),
        lambda text: text.replace(b"size 7", b"size -7"),
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"a\n", b"A\n"),
        lambda text: text.replace(b"oid", b"ext-0-a " + b"b" * 2000 + b"\noid"),
        lambda text: b"",
    ],
)
def test_what_merely_looks_like_a_pointer_is_an_ordinary_file(change):
    assert Pointer.parse(change(Pointer(SHA, 7).encoded())) is None


@given(st.binary(max_size=200))
def test_any_bytes_can_be_asked(content):
    assert Pointer.parse(content) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"operation": "delete"},
        {"objects": [{"oid": SHA.upper(), "size": 1}]},
        {"objects": [{"oid": "../" + SHA[3:], "size": 1}]},
        {"objects": [{"oid": SHA, "size": -1}]},
        {"objects": [{"oid": SHA, "size": "1"}]},
        {"objects": [{"oid": SHA, "size": 1.5}]},
        {"objects": [{"oid": SHA, "size": True}]},
        {"objects": [{"oid": SHA, "size": 1 << 63}]},
        {"objects": [{"oid": SHA, "size": 1}] * 1001},
        {"hash_algo": "md5"},
        {"transfers": ["basic"] * 17},
    ],
)
def test_wrong_batches_are_refused(wrong):
    right = {"operation": "upload", "objects": [{"oid": SHA, "size": 1}], "transfers": ["basic", "xet"]}
    assert Batch.model_validate(right).transfers == ["basic", "xet"]
    with pytest.raises(ValidationError):
        Batch.model_validate({**right, **wrong})


def test_an_object_that_is_there_has_no_actions_key():
    # The client reads .get("actions", {}) and falls over a null.
    answer = BatchAnswer(objects=[ObjectActions(oid=SHA, size=1)])
    assert answer.model_dump(exclude_none=True)["objects"] == [{"oid": SHA, "size": 1}]


def test_the_completion_of_the_client_is_understood():
    completion = Completion.model_validate({"oid": SHA, "parts": [{"partNumber": 1, "etag": '"e"'}]})
    assert [(part.number, part.etag) for part in completion.parts] == [(1, '"e"')]
