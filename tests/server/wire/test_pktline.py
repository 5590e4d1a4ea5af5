"""Packet lines; dulwich judges what is written."""

from __future__ import annotations

import io

import pytest
from dulwich.protocol import Protocol
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.wire.pktline import DATA, Mark, packet, packets, side_band


@given(st.lists(st.one_of(st.binary(max_size=50), st.just(Mark.FLUSH), st.just(Mark.DELIMITER)), max_size=8))
def test_what_is_written_is_read(parts: list[bytes | Mark]) -> None:
    body = b"".join(part.value if isinstance(part, Mark) else packet(part + b"\n") for part in parts)
    assert list(packets(body)) == parts


@given(st.binary(max_size=300))
def test_anything_else_is_refused(body: bytes) -> None:
    try:
        read = list(packets(body))
    except BadRequest:
        return
    assert sum(len(part.value) if isinstance(part, Mark) else len(part) + 4 for part in read) <= len(body)


@pytest.mark.parametrize(
    "body", [b"0", b"000", b"0003", b"0006a", b"fff1" + bytes(65521), b" 005a", b"-001", b"1_00"]
)
def test_lengths_that_cannot_be(body: bytes) -> None:
    with pytest.raises(BadRequest):
        list(packets(body))


@pytest.mark.parametrize("size", [0, 1, 65515, 65516, 200_000])
def test_side_bands_are_cut_into_packets(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    stream = io.BytesIO(side_band(DATA, content) + Mark.FLUSH.value)
    protocol = Protocol(stream.read, lambda _: None)
    received = b"".join(part[1:] for part in protocol.read_pkt_seq() if part[:1] == b"\x01")
    assert received == content
