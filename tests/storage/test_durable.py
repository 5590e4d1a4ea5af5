"""What is written in one step, in directories that may come from a stranger."""

import os

import pytest

from pytupli_registry.storage.durable import hold_lock, replacement, write_durably


def test_what_is_written_replaces_what_was_there(tmp_path):
    path = tmp_path / "said.json"
    for content in ("first, and longer", "é"):
        write_durably(path, content)
        assert path.read_text(encoding="utf-8") == content
    assert [path.name for path in tmp_path.iterdir()] == ["said.json"]
    beside = tmp_path / "beside"
    beside.touch()
    assert path.stat().st_mode == beside.stat().st_mode  # as the umask says, like any other file


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "said.json"
    write_durably(path, "first")
    with pytest.raises(UnicodeEncodeError):
        write_durably(path, "\ud800")
    with pytest.raises(ZeroDivisionError), replacement(path) as file:
        file.write(bytes(1 // (len("first") - 5)))
    assert path.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["said.json"]


def test_links_that_lie_ready_are_not_written_through(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    directory = tmp_path / "from a stranger"
    directory.mkdir()
    for name in ("said.json", ".said.json.partial", f".said.json.{os.getpid()}"):
        (directory / name).symlink_to(precious)
    write_durably(directory / "said.json", "theirs")
    assert precious.read_text() == "mine"
    assert (directory / "said.json").read_text() == "theirs"


def test_a_lock_that_is_a_link_locks_and_makes_nothing(tmp_path):
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), hold_lock(tmp_path / "lock", wait=True):
        pass
    assert not (tmp_path / "elsewhere").exists()
