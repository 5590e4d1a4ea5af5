import contextlib
import hashlib
import io
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.server.wire.xet.errors import XetFormatError
from pytupli_registry.server.wire.xet.hashes import hash_text, parse_hash
from pytupli_registry.server.wire.xet.shard import MAX_FILES, ChunkRange, Shard
from pytupli_registry.server.wire.xet.xorb import XorbUnpacker
from tests.server.support.xet_formats import LIST_END, SHARD_HEADER, SHARD_MARK, file_records


def parse(body):
    shard = Shard(io.BytesIO(body))
    return [(file, list(shard.ranges(file))) for file in shard.files()]


def test_files_of_the_real_client_are_put_together_from_its_xorbs(recording):
    xorbs = {}
    for url_hash, body in recording.xorbs.items():
        xorbs[parse_hash(url_hash)] = [bytes(content) for content in XorbUnpacker().feed(body)]
    seen = set()
    for file, ranges in (pair for body in recording.shards for pair in parse(body)):
        content = b"".join(b"".join(xorbs[part.xorb][part.first : part.end]) for part in ranges)
        assert hashlib.sha256(content).hexdigest() == file.sha256
        assert len(content) == file.size
        seen.add(file.sha256)
    assert seen == recording.sha256_of_files()


HASHES = st.binary(min_size=32, max_size=32)
RANGES = st.builds(
    lambda xorb, length, first, more: (xorb, length, first, first + more),
    HASHES,
    st.integers(1, 64 << 20),
    st.integers(0, 8191),
    st.just(1),
)


@given(
    st.lists(
        st.tuples(st.lists(RANGES, max_size=5), st.none() | HASHES.map(hash_text), st.booleans()), max_size=5
    ),
    st.binary(max_size=100),
)
def test_what_is_written_is_read(files, after):
    body = (
        SHARD_HEADER
        + b"".join(file_records(ranges, sha256, verification=verified) for ranges, sha256, verified in files)
        + LIST_END
        + after
    )
    read = parse(body)
    assert [ranges for _, ranges in read] == [[ChunkRange(*part) for part in file[0]] for file in files]
    assert [file.sha256 for file, _ in read] == [file[1] for file in files]
    assert [file.size for file, _ in read] == [sum(part[1] for part in file[0]) for file in files]


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_cleanly(body):
    with pytest.raises(XetFormatError):
        parse(body)
    with contextlib.suppress(XetFormatError):
        parse(SHARD_HEADER + body)


def test_every_cut_of_a_real_shard_is_refused(recording):
    body = recording.shards[0]
    end = body.index(b"\xff" * 32) + 48
    for cut in range(0, end, 7):
        with pytest.raises(XetFormatError, match="cut off"):
            parse(body[:cut])


ONE = bytes(32)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"PK" + SHARD_HEADER[2:] + LIST_END, "not a Xet shard"),
        (SHARD_MARK + struct.pack("<QQ", 3, 0) + LIST_END, "version 3"),
        (SHARD_HEADER + file_records([(ONE, 5, 3, 3)]) + LIST_END, "chunks 3 to 3"),
        (SHARD_HEADER + file_records([(ONE, 5, 4, 3)]) + LIST_END, "chunks 4 to 3"),
        (SHARD_HEADER + file_records([(ONE, 5, 0, 8193)]) + LIST_END, "at most 8192 chunks"),
        (SHARD_HEADER + file_records([(ONE, 0, 0, 1)]) + LIST_END, r"\(0 bytes\)"),
        (SHARD_HEADER + file_records([(ONE, (64 << 20) + 1, 0, 1)]) + LIST_END, "67108864 bytes in one"),
        (SHARD_HEADER + file_records([], count=1) + LIST_END, "chunks 0 to 0"),
    ],
)
def test_what_is_wrong_is_said(body, why):
    with pytest.raises(XetFormatError, match=why):
        parse(body)


def test_a_number_of_ranges_that_is_a_lie_takes_neither_memory_nor_time():
    body = SHARD_HEADER + file_records([(ONE, 5, 0, 1)] * 2000, count=0xFFFFFFFF)
    tracemalloc.start()
    with pytest.raises(XetFormatError, match="cut off"):
        parse(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_file_of_many_ranges_is_read_in_bounded_memory():
    body = SHARD_HEADER + file_records([(ONE, 5, 0, 1)] * 50_000) + LIST_END
    shard = Shard(io.BytesIO(body))
    tracemalloc.start()
    (file,) = shard.files()
    assert sum(1 for _ in shard.ranges(file)) == 50_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert file.size == 250_000
    assert peak < 1 << 20


@pytest.mark.parametrize("count", [MAX_FILES, MAX_FILES + 1])
def test_files_are_counted(count):
    body = SHARD_HEADER + file_records([]) * count + LIST_END
    if count <= MAX_FILES:
        assert sum(1 for _ in Shard(io.BytesIO(body)).files()) == count
    else:
        with pytest.raises(XetFormatError, match="fewer at a time"):
            list(Shard(io.BytesIO(body)).files())
