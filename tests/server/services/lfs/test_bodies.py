import asyncio
import gc
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytupli_registry.server.errors import BadRequest, StorageFull, TooLarge, Unprocessable
from pytupli_registry.server.services.lfs.bodies import BLOCK, announced_length, receive


async def pieces(*contents):
    for content in contents:
        await asyncio.sleep(0)
        yield content


@given(st.lists(st.binary(max_size=40).map(lambda content: content * 20_000), max_size=5))
def test_everything_arrives_in_order(contents):
    taken = bytearray()
    asyncio.run(receive(pieces(*contents), sum(map(len, contents)), taken.extend))
    assert taken == b"".join(contents)


@pytest.mark.parametrize(("length", "why"), [(5, "fewer"), (3, "more")])
def test_another_length_than_announced_is_refused(length, why):
    with pytest.raises(BadRequest, match=why):
        asyncio.run(receive(pieces(b"ab", b"cd"), length, lambda block: None))


def test_reading_ends_with_the_first_byte_too_many():
    read = []

    async def endless():
        while True:
            read.append(1)
            yield b"x" * 1000

    with pytest.raises(BadRequest, match="more"):
        asyncio.run(receive(endless(), 5000, lambda block: None))
    assert len(read) == 6


def test_no_more_than_a_block_waits_for_a_slow_consumer():
    sent, taken, most = 0, 0, 0

    async def body():
        nonlocal sent, most
        for _ in range(40):
            sent += BLOCK // 4
            most = max(most, sent - taken)
            yield bytes(BLOCK // 4)

    def slow(block):
        nonlocal taken
        time.sleep(0.01)
        taken += len(block)

    asyncio.run(receive(body(), 10 * BLOCK, slow))
    assert taken == 10 * BLOCK
    assert most <= 2 * BLOCK + BLOCK // 4


def test_an_error_of_the_consumer_is_the_error_and_ends_reading():
    def full(block):
        raise StorageFull("no space")

    with pytest.raises(StorageFull):
        asyncio.run(receive(pieces(*[bytes(BLOCK)] * 10), 10 * BLOCK, full))
    gc.collect()  # an exception that nobody asked for would be reported now


def test_the_consumer_is_done_when_an_error_arrives():
    running = threading.Event()
    done = threading.Event()

    def slow(block):
        running.set()
        time.sleep(0.1)
        done.set()

    async def breaks_off():
        yield bytes(BLOCK)
        await asyncio.to_thread(running.wait, 5)
        raise BadRequest("the connection broke off")

    with pytest.raises(BadRequest, match="broke off"):
        asyncio.run(receive(breaks_off(), 2 * BLOCK, slow))
    assert done.is_set()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, BadRequest),
        ("", BadRequest),
        ("-1", BadRequest),
        ("1e3", BadRequest),
        ("١", BadRequest),  # noqa: RUF001 - a digit, but not of HTTP
        ("101", TooLarge),
        ("9" * 5000, TooLarge),
        ("99", Unprocessable),
    ],
)
def test_lengths_that_are_not_taken(text, error):
    with pytest.raises(error):
        announced_length(text, limit=100, expected=100)


def test_a_length_that_is_taken():
    assert announced_length("100", limit=100, expected=100) == 100
    assert announced_length("0", limit=100) == 0
