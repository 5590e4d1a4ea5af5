from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytupli_registry.errors import WriteError
from pytupli_registry.storage.intervals import Intervals
from pytupli_registry.storage.mirror import CHECKED, RECEIVED, Mirror
from pytupli_registry.storage.mirrors import Mirrors

SIZE = 5000
CONTENT = np.random.default_rng(7).integers(0, 256, SIZE, dtype=np.uint8).tobytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def one(start, stop):
    return Intervals.of(np.array([start], np.int64), np.array([stop], np.int64))


def fill(mirror, start, stop, kind=CHECKED):
    with mirror.filling():
        mirror.write(start, CONTENT[start:stop])
        mirror.mark(one(start, stop), kind)


def members(intervals):
    return {
        n
        for a, b in zip(intervals.starts.tolist(), intervals.stops.tolist(), strict=True)
        for n in range(a, b)
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, SIZE - 1), st.integers(1, 900), st.sampled_from([CHECKED, RECEIVED]), st.booleans()
        ),
        max_size=8,
    ),
    st.integers(0, 40),
)
def test_the_map_is_what_was_marked_whoever_reads_it(tmp_path, steps, torn):
    directory = tmp_path / os.urandom(6).hex()
    mirrors = [Mirror(directory, SHA256, SIZE), Mirror(directory, SHA256, SIZE)]
    expected = {CHECKED: set(), RECEIVED: set()}
    for start, length, kind, other in steps:
        stop = min(start + length, SIZE)
        fill(mirrors[other], start, stop, kind)
        expected[kind] |= set(range(start, stop))
        with (directory / "map").open("ab") as file:  # what somebody left who was killed
            file.write(os.urandom(torn)[: min(torn, 31)])
    fresh = Mirror(directory, SHA256, SIZE)
    for mirror in (*mirrors, fresh):
        mirror.refresh()
        assert members(mirror.checked) == expected[CHECKED]
        assert members(mirror.received) == expected[CHECKED] | expected[RECEIVED]
        assert members(mirror.missing) == set(range(SIZE)) - members(mirror.received)
        for place in list(members(mirror.received))[:5]:
            assert mirror.read(place, place + 1) == CONTENT[place : place + 1]


def test_a_whole_mirror_is_promoted_once(tmp_path):
    mirrors = Mirrors(tmp_path)
    mirror, other = mirrors.open(SHA256, SIZE), mirrors.open(SHA256, SIZE)
    fill(mirror, 0, 3000)
    fill(other, 3000, SIZE, RECEIVED)
    place = tmp_path / "hub" / "blob"
    place.parent.mkdir()
    with mirror.filling():
        assert mirror.finish(lambda path: path.rename(place))
    assert mirror.is_whole
    assert place.read_bytes() == CONTENT
    other.refresh()
    assert other.is_whole
    assert other.read(10, 20) == CONTENT[10:20]
    assert len(other.missing) == 0
    again = mirrors.open(SHA256, SIZE)
    assert again.is_whole
    assert again.path == place
    place.unlink()
    lost = mirrors.open(SHA256, SIZE)
    assert not lost.is_whole
    assert lost.missing.total == SIZE


def test_a_wrong_file_is_not_promoted(tmp_path):
    mirror = Mirrors(tmp_path).open(SHA256, SIZE)
    with mirror.filling():
        mirror.write(0, CONTENT[:-1] + b"x" if CONTENT[-1:] != b"x" else CONTENT[:-1] + b"y")
        mirror.mark(one(0, SIZE), RECEIVED)
        assert not mirror.finish(lambda path: pytest.fail(f"{path} was moved"))
        mirror.forget(Intervals.nothing())
    assert mirror.missing.total == SIZE


def test_a_byte_that_changes_on_the_disk_is_found(tmp_path):
    mirror = Mirrors(tmp_path).open(SHA256, SIZE)
    fill(mirror, 0, 100)
    fill(mirror, 200, 700)
    assert len(mirror.verify()) == 0
    content = bytearray(mirror.path.read_bytes())
    content[300] ^= 4
    with mirror.path.open("r+b") as file:
        file.write(content)
    damaged = mirror.verify()
    assert (damaged.starts.tolist(), damaged.stops.tolist()) == ([200], [700])
    assert members(mirror.checked) == set(range(100))
    assert members(Mirrors(tmp_path).open(SHA256, SIZE).checked) == set(range(100))


def test_what_somebody_else_changes_is_not_believed(tmp_path):
    """Whoever opens it, and whoever fills it next, has the bytes checked that others have written to."""
    mirror = Mirrors(tmp_path).open(SHA256, SIZE)
    fill(mirror, 0, 100)
    fill(mirror, 200, 700)
    for place in (300, 50):
        content = bytearray(mirror.path.read_bytes())
        content[place] ^= 4
        with mirror.path.open("r+b") as file:
            file.write(content)
        if place == 300:
            assert members(Mirrors(tmp_path).open(SHA256, SIZE).checked) == set(range(100))
        else:
            with mirror.filling():
                assert members(mirror.checked) == set()


def test_a_mirror_that_nobody_touched_is_not_read_to_be_opened(tmp_path, monkeypatch):
    mirrors = Mirrors(tmp_path)
    fill(mirrors.open(SHA256, SIZE), 0, 500)
    monkeypatch.setattr(Mirror, "_crc", lambda *_: pytest.fail("it is read"))
    assert mirrors.open(SHA256, SIZE).checked.total == 500


@pytest.mark.parametrize("seal", [b"", b"{}", b"[" * 50_000, b"null", b"\xff"])
def test_a_seal_that_is_none(tmp_path, seal):
    mirrors = Mirrors(tmp_path)
    mirror = mirrors.open(SHA256, SIZE)
    fill(mirror, 0, 500)
    mirror.directory.joinpath("seal").write_bytes(seal)
    assert mirrors.open(SHA256, SIZE).checked.total == 500


def test_a_damaged_whole_file_is_found(tmp_path):
    mirrors = Mirrors(tmp_path)
    mirror = mirrors.open(SHA256, SIZE)
    fill(mirror, 0, SIZE)
    mirror.finish(lambda path: path.rename(tmp_path / "blob"))
    assert len(mirror.verify()) == 0
    place = tmp_path / "blob"
    place.write_bytes(CONTENT[:50] + bytes([CONTENT[50] ^ 1]) + CONTENT[51:])
    assert mirrors.open(SHA256, SIZE).missing.total == SIZE
    assert mirror.verify().total == SIZE


def test_pruning_spares_what_is_in_use(tmp_path):
    mirrors = Mirrors(tmp_path)
    held = []
    for number in range(3):
        mirror = mirrors.open(hashlib.sha256(b"%d" % number).hexdigest(), 1 << 20)
        with mirror.filling():
            mirror.write(0, os.urandom(1 << 16))
            mirror.mark(one(0, 1 << 16), CHECKED)
        held.append(mirror)
        os.utime(mirror.directory / "use", (number, number))
    assert mirrors.prune(to=0) == []
    used, middle, last = (mirror.sha256 for mirror in held)
    del held[1:], mirror
    assert [facts.sha256 for facts in mirrors.prune(to=1 << 17)] == [middle]
    assert [facts.sha256 for facts in mirrors.list()] == [last, used]
    assert [facts.sha256 for facts in mirrors.prune(unused_for=60)] == [last]
    assert held[0].read(0, 10) == Mirrors(tmp_path).open(used, 1 << 20).read(0, 10)


def test_a_cache_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "mirrors").write_text("no directory")
    with pytest.raises(WriteError, match="PYTUPLI_CACHE_PATH"):
        Mirrors(tmp_path).open(SHA256, SIZE)


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[2])
import numpy as np
from pathlib import Path
from pytupli_registry.storage.intervals import Intervals
from pytupli_registry.storage.mirrors import Mirrors
content = np.random.default_rng(7).integers(0, 256, 5000, dtype=np.uint8).tobytes()
mirror = Mirrors(Path(sys.argv[1])).open({sha!r}, 5000)
order = np.random.default_rng(time.time_ns()).permutation(125)
print("filling", flush=True)
for number in order.tolist():
    with mirror.filling():
        for place in range(number * 40, number * 40 + 40, 20):
            mirror.write(place, content[place : place + 20])
        mirror.mark(Intervals(np.array([number * 40]), np.array([number * 40 + 40])), 1)
"""


def test_whoever_is_killed_leaves_a_map_that_is_true(tmp_path):
    code = textwrap.dedent(KILLED).replace("{sha!r}", repr(SHA256))
    root = str(Path(__file__).parents[2])
    marked = 0
    for round_ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), root], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout.readline() == b"filling\n"
            time.sleep(0.01 + 0.015 * round_)
            child.send_signal(signal.SIGKILL)
        mirror = Mirrors(tmp_path).open(SHA256, SIZE)
        for start, stop in zip(mirror.checked.starts.tolist(), mirror.checked.stops.tolist(), strict=True):
            assert mirror.read(start, stop) == CONTENT[start:stop]
        assert mirror.checked.total >= marked
        marked = mirror.checked.total
    assert marked > 0


def test_two_processes_fill_one_mirror(tmp_path):
    code = textwrap.dedent(KILLED).replace("{sha!r}", repr(SHA256))
    root = str(Path(__file__).parents[2])
    children = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), root]) for _ in range(2)]
    assert [child.wait(60) for child in children] == [0, 0]
    mirror = Mirrors(tmp_path).open(SHA256, SIZE)
    assert mirror.checked.total == SIZE
    assert mirror.finish(lambda path: path)
