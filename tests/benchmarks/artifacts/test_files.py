"""Artifacts are stored whole or not at all, and nothing is read that is not what its entry says."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from pytupli_registry.benchmarks.artifacts.files import open_verified, store_artifact, verified_path
from pytupli_registry.benchmarks.specification import ArtifactEntry
from pytupli_registry.errors import ArtifactError, FormatError, UnsafeFile

CONTENT = bytes(range(256)) * 10_000  # 2.56 MB: three pieces


def entry_of(content: bytes = CONTENT, file_name: str = "wind.csv") -> ArtifactEntry:
    sha256 = hashlib.sha256(content).hexdigest()
    return ArtifactEntry(sha256=sha256, size=len(content), codec="file", file_name=file_name)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.csv"
    path.write_bytes(CONTENT)
    return path


def files_in(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_it_lies_where_its_entry_says(tmp_path, source):
    entry, bench = entry_of(), tmp_path / "bench"
    assert store_artifact(source, entry, bench)
    path = verified_path(entry, bench)
    assert path == bench / "artifacts" / entry.sha256[:16] / "wind.csv"
    assert path.read_bytes() == CONTENT
    assert files_in(bench) == [
        "artifacts",
        f"artifacts/{entry.sha256[:16]}",
        f"artifacts/{entry.sha256[:16]}/wind.csv",
    ]


def test_what_is_there_is_left_alone(tmp_path, source):
    entry, bench = entry_of(), tmp_path / "bench"
    store_artifact(source, entry, bench)
    before = (bench / entry.path).stat()
    source.unlink()
    assert not store_artifact(source, entry, bench)
    after = (bench / entry.path).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_is_damaged_is_replaced(tmp_path, source):
    entry, bench = entry_of(), tmp_path / "bench"
    store_artifact(source, entry, bench)
    (bench / entry.path).write_bytes(b"x" * len(CONTENT))
    assert store_artifact(source, entry, bench)
    assert verified_path(entry, bench).read_bytes() == CONTENT


@pytest.mark.parametrize("changed", [CONTENT[:-1], CONTENT + b"x", b"y" + CONTENT[1:], b""])
def test_a_source_that_changed_leaves_nothing(tmp_path, source, changed):
    source.write_bytes(changed)
    bench = tmp_path / "bench"
    with pytest.raises(ArtifactError, match=r"wind\.csv.* has changed since"):
        store_artifact(source, entry_of(), bench)
    assert files_in(bench) == []


def test_a_source_that_grows_for_ever_is_not_followed(tmp_path, source):
    os.truncate(source, 1 << 40)  # sparse: reading it all would take hours
    with pytest.raises(ArtifactError, match=r"wind\.csv.* has changed since"):
        store_artifact(source, entry_of(), tmp_path / "bench")


def test_a_source_that_is_gone(tmp_path, source):
    source.unlink()
    with pytest.raises(ArtifactError, match="There is no file"):
        store_artifact(source, entry_of(), tmp_path / "bench")
    assert files_in(tmp_path / "bench") == []


def test_others_in_the_directory_stay_when_one_fails(tmp_path, source):
    bench, other = tmp_path / "bench", entry_of(file_name="other.csv")
    store_artifact(source, other, bench)
    source.write_bytes(b"")
    with pytest.raises(ArtifactError):
        store_artifact(source, entry_of(), bench)
    assert verified_path(other, bench).read_bytes() == CONTENT


CHILD = textwrap.dedent(
    """
    import os, resource, signal, sys
    from pathlib import Path
    from pytupli_registry.benchmarks.artifacts.files import store_artifact
    from pytupli_registry.benchmarks.specification import ArtifactEntry
    from pytupli_registry.errors import ArtifactError

    source, directory, entry, fault, number = sys.argv[1:]
    entry = ArtifactEntry.model_validate_json(entry)
    if fault == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(number), resource.RLIM_INFINITY))
    else:
        left = iter(range(int(number)))
        def count(event, arguments):
            if event in ("open", "os.rename", "os.mkdir", "os.remove") and next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
    try:
        store_artifact(Path(source), entry, Path(directory))
    except ArtifactError as error:
        print(error)
        sys.exit(3)
    """
)


def run_child(source: Path, bench: Path, fault: str, number: int) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        CHILD,
        str(source),
        str(bench),
        entry_of().model_dump_json(),
        fault,
        str(number),
    ]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("limit", [0, 1, 1 << 20, len(CONTENT) - 1])
def test_a_full_disk_leaves_nothing(tmp_path, source, limit):
    bench = tmp_path / "bench"
    finished = run_child(source, bench, "full", limit)
    assert finished.returncode == 3, finished.stderr
    assert "could not be written" in finished.stdout
    assert files_in(bench) == []


def test_a_disk_that_is_just_large_enough(tmp_path, source):
    assert run_child(source, tmp_path / "bench", "full", len(CONTENT)).returncode == 0
    assert verified_path(entry_of(), tmp_path / "bench").read_bytes() == CONTENT


@pytest.mark.slow
def test_killed_at_any_step_it_is_there_whole_or_not_at_all(tmp_path, source):
    entry, steps = entry_of(), 0
    while True:
        bench = tmp_path / f"bench-{steps}"
        finished = run_child(source, bench, "kill", steps)
        if finished.returncode == 0:
            break
        assert finished.returncode == -signal.SIGKILL, finished.stderr
        if (bench / entry.path).exists():
            assert verified_path(entry, bench).read_bytes() == CONTENT
        store_artifact(source, entry, bench)  # the next one gets through, and nothing is left of the first
        assert [path for path in files_in(bench) if "partial" in path] == []
        assert verified_path(entry, bench).read_bytes() == CONTENT
        steps += 1
    assert steps > 5


def test_what_a_killed_process_left_is_written_over(tmp_path, source):
    entry, bench = entry_of(), tmp_path / "bench"
    partial = (bench / entry.path).with_name(".wind.csv.partial")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"z" * (len(CONTENT) + 5))
    assert store_artifact(source, entry, bench)
    assert verified_path(entry, bench).read_bytes() == CONTENT
    assert not partial.exists()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.link(path.parents[3] / "source.csv", path)])
def test_what_lies_in_the_way_of_the_partial_file_is_not_written_to(tmp_path, source, make):
    entry, bench = entry_of(), tmp_path / "bench"
    partial = (bench / entry.path).with_name(".wind.csv.partial")
    partial.parent.mkdir(parents=True)
    make(partial)
    assert store_artifact(source, entry, bench)
    assert verified_path(entry, bench).read_bytes() == source.read_bytes() == CONTENT
    assert (bench / entry.path).stat().st_nlink == 1


def test_many_at_once_store_it_once(tmp_path, source):
    entry, bench = entry_of(), tmp_path / "bench"
    start, made = threading.Barrier(8), []

    def store() -> None:
        start.wait()
        made.append(store_artifact(source, entry, bench))

    threads = [threading.Thread(target=store) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]
    assert verified_path(entry, bench).read_bytes() == CONTENT
    assert [path for path in files_in(bench) if "partial" in path] == []


@pytest.fixture
def stored(tmp_path: Path, source: Path) -> tuple[ArtifactEntry, Path]:
    entry, bench = entry_of(), tmp_path / "bench"
    store_artifact(source, entry, bench)
    return entry, bench


def test_another_hash_names_both(stored):
    entry, bench = stored
    changed = b"y" + CONTENT[1:]
    (bench / entry.path).write_bytes(changed)
    with pytest.raises(FormatError, match=r"wind\.csv") as caught:
        verified_path(entry, bench)
    assert entry.sha256 in caught.value.message
    assert hashlib.sha256(changed).hexdigest() in caught.value.message


@pytest.mark.parametrize("size", [0, len(CONTENT) - 1, len(CONTENT) + 1, 1 << 40])
def test_another_size_is_not_even_read(stored, size):
    entry, bench = stored
    os.truncate(bench / entry.path, size)
    with pytest.raises(FormatError, match=f"of {size} bytes instead of {len(CONTENT)}"):
        verified_path(entry, bench)


def test_missing(stored):
    entry, bench = stored
    (bench / entry.path).unlink()
    with pytest.raises(FormatError, match="missing"):
        verified_path(entry, bench)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_link_anywhere_below_the_directory_is_refused(stored, tmp_path, depth, source):
    entry, bench = stored
    path = [bench / entry.path, *(bench / entry.path).parents][depth]
    moved = tmp_path / "elsewhere"
    path.rename(moved)
    path.symlink_to(moved)
    with pytest.raises(UnsafeFile):
        verified_path(entry, bench)
    with pytest.raises(UnsafeFile):
        store_artifact(source, entry, bench)


def test_the_directory_itself_may_be_behind_a_link(stored, tmp_path):
    entry, bench = stored
    (tmp_path / "link").symlink_to(bench)
    assert verified_path(entry, tmp_path / "link").read_bytes() == CONTENT


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_and_does_not_block(stored, make):
    entry, bench = stored
    (bench / entry.path).unlink()
    make(bench / entry.path)
    with pytest.raises(UnsafeFile, match="no regular file"):
        verified_path(entry, bench)


def test_what_was_checked_is_what_is_read(stored):
    entry, bench = stored
    with open_verified(entry, bench) as file:
        (bench / "other").write_bytes(b"another content")
        (bench / "other").replace(bench / entry.path)
        assert file.read() == CONTENT


def test_no_descriptor_is_left_open(stored, source):
    entry, bench = stored

    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    verified_path(entry, bench)
    (bench / entry.path).write_bytes(b"short")
    with pytest.raises(FormatError):
        verified_path(entry, bench)
    store_artifact(source, entry, bench)
    assert count() == before


def test_it_is_read_a_piece_at_a_time(tmp_path):
    """A gigabyte (of zeros) goes through in far less memory."""
    source = tmp_path / "large.bin"
    source.touch()
    os.truncate(source, 300 << 20)
    with source.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    entry = ArtifactEntry(sha256=sha256, size=300 << 20, codec="file", file_name="large.bin")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    store_artifact(source, entry, tmp_path / "bench")
    verified_path(entry, tmp_path / "bench")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10  # KiB
