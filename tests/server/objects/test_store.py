"""What holds of every store."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytupli_registry.server.errors import Unprocessable
from pytupli_registry.server.objects import BLOCK, InvalidKey, ObjectNotFound

MISSING = f"blobs/{'0' * 64}"
BAD_KEYS = [
    "",
    "/",
    "blobs",
    "blobs/",
    "blobs/../x",
    "parts/u/1/2",
    "staging/x",
    "parts/./1",
    "/blobs/1",
    "blobs\x00",
]


def put(store, content: bytes, key: str | None = None) -> str:
    with store.stage() as staged:
        staged.write(content)
        key = key or f"blobs/{staged.sha256}"
        staged.publish(key)
    return key


def get(store, key: str, *where) -> bytes:
    return b"".join(store.read(key, *where))


class TestPublishing:
    def test_bytes_come_back(self, store):
        key = put(store, b"observations")
        assert get(store, key) == b"observations"
        assert store.size(key) == 12

    def test_hash_and_size_run_along(self, store):
        with store.stage() as staged:
            assert (staged.size, staged.sha256) == (0, hashlib.sha256(b"").hexdigest())
            staged.write(b"abc")
            staged.write(memoryview(b"xdefx")[1:4])
            staged.write(bytearray(b""))
            assert (staged.size, staged.sha256) == (6, hashlib.sha256(b"abcdef").hexdigest())

    def test_an_empty_object(self, store):
        key = put(store, b"")
        assert store.size(key) == 0
        assert get(store, key) == b""

    def test_several_parts(self, store):
        content = os.urandom(BLOCK) * 19 + b"end"
        key = put(store, content)
        assert store.size(key) == len(content)
        assert hashlib.sha256(get(store, key)).hexdigest() == key.removeprefix("blobs/")

    def test_nothing_is_seen_before(self, store):
        with store.stage() as staged:
            staged.write(b"abc")
            key = f"blobs/{staged.sha256}"
            assert store.size(key) is None
            assert list(store.list()) == []
            staged.publish(key)
            assert store.size(key) == 3

    def test_what_is_not_published_is_gone(self, store):
        with store.stage() as staged:
            staged.write(b"abc")
        assert store.size(f"blobs/{staged.sha256}") is None
        assert list(store.list()) == []

    def test_an_error_inside_discards_and_passes(self, store):
        def receive():
            with store.stage() as staged:
                staged.write(b"abc")
                raise ConnectionResetError("the client went away")

        with pytest.raises(ConnectionResetError):
            receive()
        assert list(store.list()) == []

    @pytest.mark.parametrize("size", [3, 9 << 20])
    def test_an_object_is_written_once(self, store, size):
        put(store, b"1" * size, "parts/upload/1")
        put(store, b"2" * size, "parts/upload/1")
        assert get(store, "parts/upload/1", 0, 3) == b"111"

    def test_the_name_of_a_blob_is_its_hash(self, store):
        with store.stage() as staged:
            staged.write(b"abc")
            with pytest.raises(Unprocessable, match="SHA-256"):
                staged.publish(MISSING)
        assert list(store.list()) == []

    def test_bytes_that_are_not_hashed_become_no_blob(self, store):
        with store.stage(hashed=False) as staged:
            staged.write(b"abc")
            assert staged.size == 3
            with pytest.raises(ValueError, match="not hashed"):
                staged.publish(f"blobs/{hashlib.sha256(b'abc').hexdigest()}")
            staged.publish(key := f"xorbs/u/{'ab' * 32}")
        assert get(store, key) == b"abc"
        assert [found.key for found in store.list()] == [key]

    def test_a_refused_name_does_not_end_it(self, store):
        with store.stage() as staged:
            staged.write(b"abc")
            with pytest.raises(InvalidKey):
                staged.publish("blobs/abc")
            staged.publish("parts/u/1")
        assert get(store, "parts/u/1") == b"abc"

    def test_nothing_is_added_after_publishing(self, store):
        with store.stage() as staged:
            staged.publish("parts/u/1")
            with pytest.raises(ValueError, match="published"):
                staged.write(b"abc")
            with pytest.raises(ValueError, match="published"):
                staged.publish("parts/u/2")
        assert [found.key for found in store.list()] == ["parts/u/1"]

    def test_one_object_from_many_threads(self, store):
        content = os.urandom(100_000)
        barrier = Barrier(16)

        def publish(_):
            with store.stage() as staged:
                staged.write(content)
                barrier.wait(20)
                staged.publish(key := f"blobs/{staged.sha256}")
            return get(store, key) == content

        with ThreadPoolExecutor(16) as threads:
            assert all(threads.map(publish, range(16)))
        assert len(list(store.list())) == 1

    def test_many_objects_from_many_threads(self, store):
        contents = [str(number).encode() * 1000 for number in range(48)]
        with ThreadPoolExecutor(16) as threads:
            keys = list(threads.map(lambda content: put(store, content), contents))
        assert [get(store, key) for key in keys] == contents
        assert {found.key for found in store.list("blobs")} == set(keys)


class TestReading:
    def test_what_is_missing(self, store):
        assert store.size(MISSING) is None
        assert store.path(MISSING) is None
        with pytest.raises(ObjectNotFound) as caught:
            store.read(MISSING)  # at once, not with the first block
        assert caught.value.key == MISSING
        for where in ((0, 0), (5, None), (5, 5)):
            with pytest.raises(ObjectNotFound):
                store.read(MISSING, *where)

    def test_blocks_are_small(self, store):
        key = put(store, bytes(range(256)) * (12 << 10))
        sizes = [len(block) for block in store.read(key)]
        assert sum(sizes) == 3 << 20
        assert max(sizes) <= BLOCK
        assert 0 not in sizes

    def test_blocks_are_bytes(self, store):
        assert {type(block) for block in store.read(put(store, b"abc"))} == {bytes}

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(start=st.integers(0, 40), length=st.none() | st.integers(0, 40))
    def test_ranges_are_slices(self, store, start, length):
        content = bytes(range(23))
        put(store, content, "parts/u/1")
        expected = content[start:] if length is None else content[start : start + length]
        assert get(store, "parts/u/1", start, length) == expected

    @pytest.mark.parametrize("huge", [2**31, 2**63 - 1, 2**63, 2**64, 10**30])
    def test_ranges_beyond_every_size(self, store, huge):
        key = put(store, b"abc")
        assert get(store, key, 1, huge) == b"bc"
        assert get(store, key, huge) == b""
        assert get(store, key, huge, huge) == b""

    @pytest.mark.parametrize("where", [(-1,), (0, -1), (-(10**30), 3)])
    def test_negative_ranges(self, store, where):
        key = put(store, b"abc")
        with pytest.raises(ValueError, match="start"):
            store.read(key, *where)

    def test_readers_that_go_away(self, store):
        key = put(store, b"abc" * BLOCK)
        for _ in range(50):
            store.read(key)  # never begun
            next(store.read(key))  # left half-way
        assert get(store, key, 0, 3) == b"abc"

    def test_a_reader_outlives_deletion(self, store, request):
        key = put(store, b"abc")
        blocks = store.read(key)
        store.delete(key)
        assert b"".join(blocks) == b"abc"


class TestListing:
    def test_descriptions(self, store):
        key = put(store, b"abc")
        (found,) = store.list()
        assert (found.key, found.size) == (key, 3)
        assert found.modified.tzinfo is not None
        assert abs(found.modified - datetime.now(UTC)) < timedelta(minutes=1)

    def test_prefixes_are_whole_segments(self, store):
        blob = put(store, b"abc")
        xorb = put(store, b"abc", f"xorbs/user-1/{'ab' * 32}")
        put(store, b"abc", f"xorbs/user-10/{'ab' * 32}")
        parts = {put(store, b"abc", f"parts/u/{number}") for number in (1, 2, 10)}
        keys = {
            prefix: {found.key for found in store.list(prefix)}
            for prefix in ("blobs", "xorbs/user-1/", "parts/u")
        }
        assert keys == {"blobs": {blob}, "xorbs/user-1/": {xorb}, "parts/u": parts}
        assert len(list(store.list())) == 6
        assert list(store.list("parts/nobody")) == []

    @pytest.mark.parametrize(
        "prefix", ["..", "blobs/../", "parts/u/1", "blob", "staging", "/", "//", "blobs//", "parts/."]
    )
    def test_no_prefix(self, store, prefix):
        with pytest.raises(InvalidKey):
            store.list(prefix)

    def test_more_than_a_page(self, store):
        keys = {put(store, b"", f"parts/u/{number}") for number in range(60)}
        assert {found.key for found in store.list("parts")} == keys


class TestDeleting:
    def test_it_is_gone(self, store):
        key = put(store, b"abc")
        store.delete(key)
        assert store.size(key) is None
        assert list(store.list()) == []

    def test_twice_is_no_error(self, store):
        store.delete(MISSING)
        store.delete("parts/u/1")

    def test_it_can_be_stored_again(self, store):
        key = put(store, b"abc")
        store.delete(key)
        assert put(store, b"abc") == key
        assert get(store, key) == b"abc"

    def test_parts_one_by_one(self, store):
        for number in (1, 2):
            put(store, b"abc", f"parts/u/{number}")
        store.delete("parts/u/1")
        assert [found.key for found in store.list("parts/u")] == ["parts/u/2"]
        store.delete("parts/u/2")
        put(store, b"xyz", "parts/u/1")
        assert get(store, "parts/u/1") == b"xyz"


class TestKeys:
    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_every_method_refuses(self, store, key):
        with store.stage() as staged, pytest.raises(InvalidKey):
            staged.publish(key)
        for method in (store.read, store.size, store.path, store.delete):
            with pytest.raises(InvalidKey):
                method(key)
        with pytest.raises(InvalidKey):
            store.url(key, expires_s=60, filename="f", content_type="text/plain")


class TestReadiness:
    def test_it_is_ready(self, store):
        store.check()
        assert list(store.list()) == []

    def test_nothing_to_sweep(self, store):
        put(store, b"abc")
        with store.stage() as staged:
            staged.write(b"abc")
            assert store.sweep_stale(timedelta(0)) == 0
            staged.publish("parts/u/1")
        assert len(list(store.list())) == 2

    def test_readers_are_not_sent_away_unless_asked(self, store):
        assert store.url(put(store, b"abc"), expires_s=60, filename="f", content_type="text/plain") is None
