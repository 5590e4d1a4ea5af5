"""Spools: what survives a torn write, and who may touch them."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import zlib
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from pytupli_registry.errors import FormatError, WriteError
from pytupli_registry.storage.forms import Form
from pytupli_registry.storage.spool import Journal, Spool, lock_spool, read_journal

FORMS = (Form("observations", np.dtype("<f8"), (2,)), Form("rewards", np.dtype("<f8"), ()))
INFO = Form("infos/x", np.dtype("<i8"), ())


def values(steps: int) -> list[memoryview]:
    rows = np.arange((steps + 1) * 2, dtype=np.float64) + steps
    return [rows.view(np.uint8).data, (np.ones(steps) * steps).view(np.uint8).data]


def fill(directory: Path, lengths: list[int]) -> None:
    with closing(Spool(directory)) as spool:
        for steps in lengths:
            spool.append(steps, FORMS, values(steps), json.dumps({"steps": steps}))


def check(journal: Journal, lengths: list[int]) -> None:
    assert journal.lengths.tolist() == lengths
    assert [facts["steps"] for facts in journal.facts] == lengths
    for number, form in enumerate(FORMS):
        records, raw = journal.leaves[form.path], journal.leaves[form.path].file.read_bytes()
        at = 0
        for steps, size, checksum in zip(lengths, records.sizes, records.checksums, strict=True):
            assert raw[at : at + size] == bytes(values(steps)[number])
            assert zlib.crc32(raw[at : at + size]) == checksum
            at += size


def test_what_was_appended_is_there(tmp_path: Path) -> None:
    fill(tmp_path, [3, 1, 7])
    journal = read_journal(tmp_path)
    check(journal, [3, 1, 7])
    assert journal.uniform("rewards") == FORMS[1]


def test_every_torn_end_of_the_journal_leaves_the_episodes_before_it(tmp_path: Path) -> None:
    fill(tmp_path, [3, 1, 7])
    whole = (tmp_path / "journal").read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")][len(FORMS) :]
    for cut in range(len(whole)):
        (tmp_path / "journal").write_bytes(whole[:cut])
        assert len(read_journal(tmp_path).lengths) == sum(end <= cut for end in ends)
    (tmp_path / "journal").write_bytes(whole)
    check(read_journal(tmp_path), [3, 1, 7])


def test_an_episode_whose_bytes_are_missing_is_not_complete(tmp_path: Path) -> None:
    fill(tmp_path, [3, 1, 7])
    with (tmp_path / "leaf-1").open("r+b") as file:
        file.truncate((3 + 1 + 7) * 8 - 1)
    assert read_journal(tmp_path).lengths.tolist() == [3, 1]


def test_bytes_without_a_line_are_ignored(tmp_path: Path) -> None:
    fill(tmp_path, [3, 1])
    with (tmp_path / "leaf-0").open("ab") as file:
        file.write(b"half an episode")
    check(read_journal(tmp_path), [3, 1])


def test_a_damaged_line_is_told(tmp_path: Path) -> None:
    fill(tmp_path, [3, 1])
    lines = (tmp_path / "journal").read_bytes().splitlines(keepends=True)
    (tmp_path / "journal").write_bytes(b"".join([*lines[:3], b"\0\0\0\n", *lines[3:]]))
    with pytest.raises(FormatError, match="journal is damaged"):
        read_journal(tmp_path)


def test_an_empty_spool_has_no_episodes(tmp_path: Path) -> None:
    assert len(read_journal(tmp_path).lengths) == 0


def test_forms_that_change_make_a_leaf_irregular(tmp_path: Path) -> None:
    with closing(Spool(tmp_path)) as spool:
        for number in range(4):
            forms = (*FORMS, INFO) if number % 2 else FORMS
            extra = [np.full(3, number).view(np.uint8).data] if number % 2 else []
            spool.append(2, forms, [*values(2), *extra], "{}")
    journal = read_journal(tmp_path)
    assert journal.uniform("infos/x") is None
    assert list(journal.leaves["infos/x"].episodes) == [1, 3]
    assert journal.uniform("observations") == FORMS[0]


def test_a_full_disk_leaves_the_spool_as_it_was(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(Spool(tmp_path)) as spool:
        spool.append(3, FORMS, values(3), '{"steps": 3}')
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            with pytest.raises(OSError, match="too large"):
                spool.append(500, FORMS, values(500), '{"steps": 500}')
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert (tmp_path / "leaf-0").stat().st_size == 4 * 16
        spool.append(5, FORMS, values(5), '{"steps": 5}')
    check(read_journal(tmp_path), [3, 5])


def test_only_one_may_hold_a_spool(tmp_path: Path) -> None:
    with lock_spool(tmp_path), pytest.raises(WriteError, match="in use"), lock_spool(tmp_path):
        pass
    with lock_spool(tmp_path):
        pass


def _interrupt_write(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Interrupt the process at its ``number``-th write from now on."""
    write, left = os.write, iter(range(number - 1))

    def interrupted(handle: int, data: bytes) -> int:
        if next(left, None) is None:
            write(handle, bytes(data)[: len(data) // 2])
            raise KeyboardInterrupt
        return write(handle, data)

    monkeypatch.setattr(os, "write", interrupted)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_episode_that_was_interrupted_does_not_shift_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with closing(Spool(tmp_path)) as spool:
        spool.append(3, FORMS, values(3), '{"steps": 3}')
        with monkeypatch.context() as patch:
            _interrupt_write(patch, number)
            with pytest.raises(KeyboardInterrupt):
                spool.append(5, FORMS, values(5), '{"steps": 5}')
        spool.append(2, FORMS, values(2), '{"steps": 2}')
    check(read_journal(tmp_path), [3, 2])


def test_leaves_that_could_not_be_declared_leave_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Form("infos/y", np.dtype("<i8"), ())
    info = np.arange(3, dtype=np.int64).view(np.uint8).data
    with closing(Spool(tmp_path)) as spool:
        spool.append(3, FORMS, values(3), '{"steps": 3}')
        with monkeypatch.context() as patch:
            _interrupt_write(patch, 1)
            with pytest.raises(KeyboardInterrupt):
                spool.append(2, (*FORMS, INFO), [*values(2), info], '{"steps": 2}')
        spool.append(2, (*FORMS, other), [*values(2), info], '{"steps": 2}')
    journal = read_journal(tmp_path)
    check(journal, [3, 2])
    assert journal.leaves["infos/y"].file.read_bytes() == bytes(info)


def test_a_child_that_was_forked_does_not_keep_the_lock(tmp_path: Path) -> None:
    with lock_spool(tmp_path):
        child = subprocess.Popen(["sleep", "30"], pass_fds=_descriptors_of(tmp_path / "lock"))
    try:
        with lock_spool(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


def _descriptors_of(path: Path) -> list[int]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if entry.readlink() == path:
                found.append(int(entry.name))
    return found
