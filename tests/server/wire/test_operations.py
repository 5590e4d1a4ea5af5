"""The body of a commit: however it is cut into pieces, it says the same; and nonsense is refused."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.server.errors import BadRequest, HubError, TooLarge, Unprocessable
from pytupli_registry.server.wire.operations import CommitLines, DeletePath, Operation, PutFile, PutLargeFile

SHA = "ab" * 32


def line(key: str, **value: Any) -> bytes:
    return json.dumps({"key": key, "value": value}).encode() + b"\n"


HEADER = line("header", summary="title", description="why", parentCommit="abcdef1")
BODY = (
    HEADER
    + line("file", path="a/b.txt", content=base64.b64encode(b"hello").decode(), encoding="base64")
    + line("lfsFile", path="big.bin", algo="sha256", oid=SHA, size=5)
    + line("lfsFile", path="copy.bin", algo="sha256", oid=SHA)
    + line("deletedFile", path="old.txt")
    + line("deletedFolder", path="folder/")
)
SAID: list[Operation] = [
    PutFile("a/b.txt", b"hello"),
    PutLargeFile("big.bin", SHA, 5),
    PutLargeFile("copy.bin", SHA, None),
    DeletePath("old.txt"),
    DeletePath("folder"),
]


def read(
    body: bytes, *cuts: int, size: int = 1000, operations: int = 100
) -> tuple[CommitLines, list[Operation]]:
    lines = CommitLines(size, operations)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    found = [op for a, b in itertools.pairwise(edges) for op in lines.feed(body[a:b])]
    return lines, found + list(lines.finish())


@given(st.lists(st.integers(0, len(BODY)), max_size=20), st.booleans())
def test_pieces_do_not_matter(cuts: list[int], ends: bool) -> None:
    lines, found = read(BODY if ends else BODY[:-1], *cuts)
    assert found == SAID
    assert lines.header is not None
    assert (lines.header.summary, lines.header.description, lines.header.parent) == (
        "title",
        "why",
        "abcdef1",
    )


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        (b"", BadRequest, "no header"),
        (line("file", path="a", content=""), BadRequest, "must be its header"),
        (b"{", BadRequest, "no JSON"),
        (b"[1]\n", BadRequest, "'key' and 'value'"),
        (b'{"key":"header","value":3}\n', BadRequest, "must be an object"),
        (HEADER + line("launch", path="a"), BadRequest, "'launch' is unknown"),
        (HEADER + line("file", path="a"), BadRequest, "no content"),
        (HEADER + line("file", path="a", content="***", encoding="base64"), BadRequest, "base64"),
        (HEADER + line("file", path="a", content="", encoding="rot13"), BadRequest, "rot13"),
        (HEADER + line("file", path="../a", content=""), Unprocessable, "Invalid path"),
        (HEADER + line("file", path="/a", content=""), Unprocessable, "Invalid path"),
        (HEADER + line("file", path=".git/config", content=""), Unprocessable, "Invalid path"),
        (HEADER + line("deletedFile", path="a/../../b"), Unprocessable, "Invalid path"),
        (HEADER + line("file", path="..\\ddd", content=""), Unprocessable, "Invalid path"),
        (HEADER + line("lfsFile", path="a", oid="xyz"), Unprocessable, "SHA-256"),
        (HEADER + line("lfsFile", path="a", oid=SHA, size=-1), BadRequest, "size"),
        (HEADER + line("lfsFile", path="a", oid=SHA, size=True), BadRequest, "size"),
        (HEADER + line("lfsFile", path="a", oid=SHA, algo="md5"), BadRequest, "SHA-256"),
        (line("header", summary="x", parentCommit="nothex!"), BadRequest, "parentCommit"),
        (line("header", summary="x", parentCommit="abc"), BadRequest, "parentCommit"),
        (line("header", summary=3), BadRequest, "'summary' must be a text"),
        (line("header", summary="\ud800"), BadRequest, "Unicode"),
        (HEADER + line("file", path="a", content="x" * 1001, encoding="utf-8"), TooLarge, "1000 bytes"),
        (HEADER + line("deletedFile", path="a") * 101, TooLarge, "100 operations"),
    ],
)
def test_nonsense_is_refused_with_what_is_wrong(body: bytes, error: type[HubError], said: str) -> None:
    with pytest.raises(error, match=said):
        read(body)


def test_an_endless_line_is_refused_before_it_ends() -> None:
    lines = CommitLines(1000, 10)

    def feed_forever() -> None:
        for _ in range(10_000):
            list(lines.feed(b"x" * 1000))

    with pytest.raises(TooLarge):
        feed_forever()


def test_backslashes_inside_a_name_are_letters() -> None:
    _, found = read(HEADER + line("file", path="folder/..\\..\\file", content=""))
    assert found == [PutFile("folder/..\\..\\file", b"")]


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_our_errors(body: bytes) -> None:
    for text in (body, HEADER + body, HEADER + b'{"key":"file","value":' + body):
        try:
            read(text)
        except HubError:
            continue
