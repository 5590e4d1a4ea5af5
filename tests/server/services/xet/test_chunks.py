"""The map of a xorb's chunks, against the simplest model: a list of what each byte is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.server.services.xet.chunks import ChunkMap, Run, packed_lengths

BLOBS = ["a" * 64, "b" * 64]


@st.composite
def maps(draw):
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=12))
    bounds = st.tuples(st.integers(0, len(lengths)), st.integers(0, len(lengths))).map(sorted)
    runs = draw(
        st.lists(
            st.builds(
                lambda chunks, sha256, offset: Run(chunks[0], chunks[1], sha256, offset),
                bounds.filter(lambda chunks: chunks[0] < chunks[1]),
                st.sampled_from(BLOBS),
                st.integers(0, 50),
            ),
            max_size=6,
        )
    )
    return lengths, runs, draw(st.sampled_from([None, "xorbs/1/" + "c" * 64]))


def model(lengths, runs, xorb):
    """For each chunk where its first byte is: (object, offset)."""
    starts = [sum(lengths[:index]) for index in range(len(lengths))]
    where = [(xorb, start) for start in starts]
    for run in runs:
        for index in range(run.first, run.end):
            where[index] = (f"blobs/{run.sha256}", run.offset + starts[index] - starts[run.first])
    return where


@given(maps(), st.data())
def test_every_chunk_is_found_where_it_is(made, choice):
    lengths, runs, xorb = made
    chunks = ChunkMap(packed_lengths(lengths), runs, xorb)
    first, end = sorted(
        (choice.draw(st.integers(0, len(lengths))), choice.draw(st.integers(0, len(lengths))))
    )
    expected = model(lengths, runs, xorb)
    position = first
    for place in chunks.places(first, end):
        assert (place.first, place.start) == (position, expected[position][1])
        assert place.length == sum(lengths[place.first : place.end])
        for index in range(place.first, place.end):
            assert expected[index][0] == place.key
        assert place.in_xorb == (place.key is not None and place.key == xorb)
        position = place.end
    assert position == end


@given(maps())
def test_runs_are_in_order_and_say_the_same_again(made):
    lengths, runs, xorb = made
    chunks = ChunkMap(packed_lengths(lengths), runs, xorb)
    again = ChunkMap(packed_lengths(lengths), chunks.runs, xorb)
    assert again.runs == chunks.runs
    assert list(again.places(0, len(lengths))) == list(chunks.places(0, len(lengths)))
    assert all(before.end <= after.first for before, after in zip(chunks.runs, chunks.runs[1:], strict=False))
    covered = {index for run in runs for index in range(run.first, run.end)}
    assert chunks.is_covered == (len(covered) == len(lengths))


def test_chunks_that_follow_each_other_in_a_blob_are_one_run():
    chunks = ChunkMap(packed_lengths([5, 6, 7]), [Run(1, 2, BLOBS[0], 105), Run(0, 1, BLOBS[0], 100)], None)
    assert chunks.runs == [Run(0, 2, BLOBS[0], 100)]
    assert not chunks.is_covered


@pytest.mark.parametrize("count", [1, 8192])
def test_the_largest_xorb_fits(count):
    chunks = ChunkMap(packed_lengths([8192] * count), [Run(0, count, BLOBS[0], 0)], None)
    (place,) = chunks.places(0, count)
    assert (place.start, place.length) == (0, 8192 * count)
