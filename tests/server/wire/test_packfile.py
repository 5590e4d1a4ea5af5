"""Packs as git and dulwich read them."""

from __future__ import annotations

import io
import subprocess
from typing import TYPE_CHECKING

import pytest
from dulwich.object_format import SHA1
from dulwich.pack import PackData
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.server.wire.git import object_id
from pytupli_registry.server.wire.packfile import ObjectType, PackStream

if TYPE_CHECKING:
    from pathlib import Path


def packed(blobs: list[bytes]) -> bytes:
    stream = PackStream(len(blobs))
    return b"".join([stream.begin(), *(stream.add(ObjectType.BLOB, blob) for blob in blobs), stream.end()])


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_another_implementation_reads_it(blobs: list[bytes]) -> None:
    pack = packed(blobs)
    with PackData.from_file(io.BytesIO(pack), object_format=SHA1, size=len(pack)) as read:
        read.check()
        assert [(one.pack_type_num, b"".join(one.decomp_chunks)) for one in read.iter_unpacked()] == [
            (3, blob) for blob in blobs
        ]


@pytest.mark.parametrize("size", [0, 15, 16, 2047, 2048, 300_000])
def test_git_reads_it(tmp_path: Path, size: int) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    blob = bytes(number * 31 % 251 for number in range(size))
    stream = PackStream(1)
    blocks = [blob[start : start + 1000] for start in range(0, size, 1000)]
    pack = b"".join([stream.begin(), *stream.stream(ObjectType.BLOB, size, blocks), stream.end()])
    subprocess.run(
        ["git", "index-pack", "--strict", "--stdin"],
        cwd=tmp_path,
        input=pack,
        check=True,
        capture_output=True,
    )
    read = subprocess.run(
        ["git", "cat-file", "blob", object_id("blob", blob)], cwd=tmp_path, check=True, capture_output=True
    )
    assert read.stdout == blob


def test_what_was_announced_must_come() -> None:
    with pytest.raises(ValueError, match="more objects"):
        PackStream(0).add(ObjectType.BLOB, b"")
    with pytest.raises(ValueError, match="1 objects are missing"):
        PackStream(1).end()
    with pytest.raises(ValueError, match="has 1 less"):
        list(PackStream(1).stream(ObjectType.BLOB, 3, [b"ab"]))
