import contextlib
import struct
import tracemalloc

import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.server.wire.xet.errors import XetFormatError
from pytupli_registry.server.wire.xet.hashes import hash_text
from pytupli_registry.server.wire.xet.xorb import MAX_XORB_CHUNKS, XorbUnpacker
from tests.server.support.xet_formats import chunk, packed

KIB = 1 << 10


def unpack(body: bytes, piece: int = 1 << 20):
    unpacker = XorbUnpacker()
    chunks = [
        bytes(content)
        for start in range(0, len(body), piece)
        for content in unpacker.feed(body[start : start + piece])
    ]
    return chunks, unpacker.finish()


@pytest.mark.parametrize("piece", [1 << 20, 65_536, 1013])
def test_the_real_clients_xorbs_unpack_to_the_hash_in_their_url(recording, piece):
    for url_hash, body in recording.xorbs.items():
        chunks, xorb = unpack(body, piece)
        assert hash_text(xorb.hash) == url_hash
        assert [len(content) for content in chunks] == list(xorb.lengths)


def test_the_real_client_used_every_scheme(recording):
    # Otherwise the test above proves less than it seems to.
    schemes = set()
    for body in recording.xorbs.values():
        position = 0
        while position < len(body):
            schemes.add(body[position + 4])
            position += 8 + int.from_bytes(body[position + 1 : position + 4], "little")
    assert schemes == {0, 1, 2}


@given(
    st.lists(
        st.tuples(st.binary(min_size=1, max_size=300), st.sampled_from([0, 1, 2])), min_size=1, max_size=20
    ),
    st.integers(1, 400),
    st.sampled_from([b"", b"XETBLOB", b"XETBLOB" + bytes(700)]),
)
def test_whatever_the_pieces_the_chunks_come_out_as_they_went_in(chunks, piece, footer):
    body = b"".join(chunk(content, scheme) for content, scheme in chunks) + footer
    unpacked, xorb = unpack(body, piece)
    assert unpacked == [content for content, _ in chunks]
    assert xorb.lengths == tuple(len(content) for content, _ in chunks)


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=60), st.data())
def test_any_change_of_content_changes_the_hash(chunks, choice):
    _, xorb = unpack(b"".join(map(chunk, chunks)))
    changed = choice.draw(st.integers(0, len(chunks) - 1))
    chunks[changed] = bytes([chunks[changed][0] ^ 1]) + chunks[changed][1:]
    _, other = unpack(b"".join(map(chunk, chunks)))
    assert xorb.hash != other.hash


@settings(max_examples=300)
@given(st.binary(max_size=400), st.integers(1, 64))
def test_arbitrary_bytes_are_refused_cleanly(body, piece):
    with pytest.raises(XetFormatError):
        unpack(b"\x01" + body, piece)
    with contextlib.suppress(XetFormatError):
        unpack(b"\x00" + body, piece)


@settings(max_examples=300)
@given(st.integers(0, 2), st.binary(min_size=1, max_size=300), st.data())
def test_damaged_chunks_are_refused_or_give_what_they_announce(scheme, content, choice):
    body = bytearray(chunk(content, scheme))
    for _ in range(choice.draw(st.integers(1, 4))):
        body[choice.draw(st.integers(0, len(body) - 1))] = choice.draw(st.integers(0, 255))
    try:
        chunks, xorb = unpack(bytes(body))
    except XetFormatError:
        return
    assert tuple(map(len, chunks)) == xorb.lengths


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no chunks"),
        (b"XETBLOB", "no chunks"),
        (chunk(b"abc")[:-1], "middle of a chunk"),
        (chunk(b"abc") + b"\x00\x01", "middle of a chunk"),
        (packed(0, b"abc", 4), "announces 4 bytes and has 3"),
        (packed(0, b"", 0), "a chunk of 0 bytes"),
        (packed(1, b"", 5), "a chunk of 5 bytes"),
        (packed(0, b"abc", 3, version=1), "version 1"),
        (packed(3, b"abc", 3), "unknown scheme 3"),
        (packed(99, b"abc", 3), "unknown scheme 99"),
        (packed(1, b"abcdefgh", 3), "not an LZ4 frame"),
        (packed(1, lz4.frame.compress(b"abc") + b"!", 3), "does not unpack to the 3 bytes"),
        (packed(1, lz4.frame.compress(b"abc") * 2, 6), "does not unpack to the 6 bytes"),
        (packed(1, lz4.frame.compress(b"abcd"), 3), "does not unpack to the 3 bytes"),
        (packed(1, lz4.frame.compress(b"abc")[:-6], 3), "does not unpack to the 3 bytes"),
        (packed(0, bytes(128 * KIB + 1), 128 * KIB + 1), "at most 131072"),
        (chunk(b"a") * (MAX_XORB_CHUNKS + 1), "8192 chunks"),
        (chunk(b"a") + b"XETBLOB" + bytes(1 << 20), "a footer of more than"),
    ],
)
def test_what_is_wrong_is_said(body, why):
    with pytest.raises(XetFormatError, match=why):
        unpack(body)


def test_a_bomb_takes_no_memory():
    bomb = lz4.frame.compress(bytes(64 << 20))[: 256 * KIB]
    tracemalloc.start()
    for length in (1, 128 * KIB):
        with pytest.raises(XetFormatError, match="does not unpack"):
            unpack(packed(1, bomb, length))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_frame_that_lies_about_its_size_takes_no_memory():
    honest = bytearray(lz4.frame.compress(b"abc" * 100, store_size=True))
    honest[6:14] = struct.pack("<Q", 1 << 60)
    with pytest.raises(XetFormatError):
        unpack(packed(1, bytes(honest), 300))


def test_many_small_chunks_may_not_exceed_the_size_of_a_xorb():
    full = chunk(bytes(128 * KIB), scheme=1)
    unpacker = XorbUnpacker()
    for _ in range(512):
        for content in unpacker.feed(full):
            assert len(content) == 128 * KIB
    with pytest.raises(XetFormatError, match="more than 67108864 bytes"):
        list(unpacker.feed(full))
