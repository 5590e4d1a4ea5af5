from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.hub.multipart import BadParts, boundary_of, parts_of

CONTENT = bytes(range(256)) * 20
SIZE = len(CONTENT)
BOUNDARY = "gc0pJq0M08jU534c0p"


def body_of(ranges, boundary=BOUNDARY, size=SIZE, preamble=b"\r\n", extra=""):
    """Write an answer as the example in section 14.6 of RFC 9110 does."""
    written = b""
    for number, (start, stop) in enumerate(ranges):
        written += b"\r\n" if number else preamble
        written += f"--{boundary}\r\nContent-type: application/pdf\r\n{extra}".encode()
        written += f"Content-range: bytes {start}-{stop - 1}/{size}\r\n\r\n".encode() + CONTENT[start:stop]
    return written + f"\r\n--{boundary}--\r\n".encode()


def cut(body, places):
    """Return the body as it may come over the network."""
    bounds = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return (body[first:last] for first, last in pairwise(bounds))


def collect(pieces, ranges, size=SIZE):
    found = [bytearray() for _ in ranges]
    starts = [start for start, _ in ranges]
    for place, piece in parts_of(pieces, BOUNDARY.encode(), ranges, size):
        number = max(n for n, start in enumerate(starts) if start <= place)
        assert place == starts[number] + len(found[number])
        found[number] += piece
    return [bytes(part) for part in found]


ranges_ = (
    st.lists(st.integers(0, len(CONTENT)), min_size=4, max_size=12, unique=True)
    .map(sorted)
    .map(lambda places: [(a, b) for a, b in zip(places[::2], places[1::2], strict=False)])
)


@settings(max_examples=100, deadline=None)
@given(ranges_, st.lists(st.integers(0, 10**6), max_size=30), st.sampled_from([b"", b"\r\n"]))
def test_parts_come_however_they_are_cut(ranges, places, preamble):
    body = body_of(ranges, preamble=preamble, extra="X-More: of it\r\n")
    assert collect(cut(body, places), ranges) == [CONTENT[start:stop] for start, stop in ranges]


@settings(max_examples=200, deadline=None)
@given(ranges_, st.data())
def test_a_damaged_answer_is_refused_or_has_the_same_places(ranges, data):
    body = bytearray(body_of(ranges))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= 1 << data.draw(st.integers(0, 7))
    body = body[: data.draw(st.integers(len(body) // 2, len(body)))]
    try:
        found = collect(iter([bytes(body)]), ranges)
    except BadParts:
        return
    assert [len(part) for part in found] == [stop - start for start, stop in ranges]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (body_of([(0, 10), (21, 30)]), "not the one"),
        (body_of([(0, 10)]), "no head|too soon|does not end"),
        (body_of([(20, 30), (0, 10)]), "not the one"),
        (body_of([(0, 30)]), "not the one"),
        (body_of([(0, 10), (20, 30)], size=77), "another size"),
        (body_of([(0, 10), (20, 30)], boundary="other"), "no head"),
        (body_of([(0, 10), (20, 30)], extra="X: " + "y" * 5000 + "\r\n"), "does not end"),
        (b"", "too soon"),
        (CONTENT, "does not end|no head"),
    ],
)
def test_other_parts_than_those_asked_for(body, problem):
    with pytest.raises(BadParts, match=problem):
        collect(iter([body]), [(0, 10), (20, 30)])


def test_the_whole_body_is_read():
    pieces = iter([body_of([(0, 10), (20, 30)])[:-4], b"--", b"\r\n"])
    collect(pieces, [(0, 10), (20, 30)])
    assert next(pieces, None) is None


@pytest.mark.parametrize("text", ['multipart/byteranges; boundary="a b"', "Multipart/ByteRanges;boundary=a"])
def test_a_boundary(text):
    assert boundary_of(206, {"content-type": text}) in (b"a b", b"a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text/plain",
        "multipart/mixed; boundary=a",
        "multipart/byteranges",
        f"multipart/byteranges; boundary={'x' * 71}",
    ],
)
def test_no_boundary(text):
    with pytest.raises(BadParts):
        boundary_of(206, {"content-type": text})


def test_a_whole_file_has_no_parts():
    with pytest.raises(BadParts, match="200"):
        boundary_of(200, {"content-type": "multipart/byteranges; boundary=a"})
