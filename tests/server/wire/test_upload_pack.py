"""Requests of git, word for word as git 2.39 sends them, and what is no request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.wire.pktline import Mark, packet
from pytupli_registry.server.wire.upload_pack import FetchRequest, RefsRequest, parse_v0, parse_v2

A, B, C = "a" * 40, "b" * 40, "c" * 40
FLUSH, DELIMITER = Mark.FLUSH.value, Mark.DELIMITER.value


def lines(*parts: str) -> bytes:
    return b"".join(packet(f"{part}\n") for part in parts)


def test_a_request_of_version_0() -> None:
    body = (
        lines(
            f"want {A} multi_ack_detailed side-band-64k agent=git/2.39",
            f"want {B}",
            f"shallow {C}",
            "deepen 3",
        )
        + FLUSH
        + lines(f"have {C}", "done")
    )
    assert parse_v0(body) == FetchRequest(
        wants=[A, B],
        haves=[C],
        shallow=[C],
        depth=3,
        done=True,
        capabilities=frozenset({"multi_ack_detailed", "side-band-64k", "agent=git/2.39"}),
    )


def test_requests_of_version_2() -> None:
    head = lines("command=fetch", "agent=git/2.39", "object-format=sha1") + DELIMITER
    body = (
        head
        + lines("thin-pack", "ofs-delta", f"want {A}", "deepen 1", "deepen-relative", f"have {B}")
        + FLUSH
    )
    assert parse_v2(body) == FetchRequest(wants=[A], haves=[B], depth=1, relative=True)
    refs = (
        lines("command=ls-refs")
        + DELIMITER
        + lines("peel", "symrefs", "ref-prefix refs/heads/", "ref-prefix HEAD")
        + FLUSH
    )
    assert parse_v2(refs) == RefsRequest(("refs/heads/", "HEAD"), symrefs=True)
    many = lines("command=ls-refs", *(f"ref-prefix refs/{number}" for number in range(2000))) + FLUSH
    assert parse_v2(many) == RefsRequest(("",), symrefs=False)


@pytest.mark.parametrize(
    "said",
    [
        ["want x"],
        [f"want {A.upper()}"],
        [f"have {A}"],
        [f"want {A}", "deepen x"],
        [f"want {A}", "deepen -1"],
        [f"want {A}", f"deepen {'9' * 11}"],
        [f"want {A}", "deepen 2147483648"],
        [f"want {A}", "deepen-since 1"],
        [f"want {A}", "filter blob:none"],
        [f"want {A}"] * 10_001,
    ],
)
def test_requests_that_make_no_sense(said: list[str]) -> None:
    with pytest.raises(BadRequest):
        parse_v0(lines(*said))
    with pytest.raises(BadRequest):
        parse_v2(lines("command=fetch", *said))


@given(st.lists(st.text(max_size=60), max_size=5), st.sampled_from(["", "command=fetch", "command=ls-refs"]))
def test_any_text_is_understood_or_refused(said: list[str], command: str) -> None:
    for parse in (parse_v0, parse_v2):
        try:
            parse(lines(command, *said))
        except BadRequest as error:
            told = error.message
        else:
            told = ""
        assert len(told) < 300
