"""git is the judge: it applies every diff, and gets the new text."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.server.wire.diff import FileText, file_diff
from pytupli_registry.server.wire.git import object_id

if TYPE_CHECKING:
    from pathlib import Path

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "d\r", "\x0be"]), max_size=25)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))


def side(text: str | None) -> FileText | None:
    return None if text is None else FileText("100644", object_id("blob", text.encode()), text)


def applied(directory: Path, name: str, old: str | None, diff: str) -> str | None:
    place = directory / name
    place.unlink(missing_ok=True)
    if old is not None:
        place.write_bytes(old.encode())
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"],
        input=diff.encode(),
        cwd=directory,
        check=True,
        capture_output=True,
    )
    return place.read_bytes().decode() if place.exists() else None


@settings(max_examples=60, deadline=None)
@given(old=TEXTS, new=TEXTS)
def test_git_makes_the_new_text_of_the_old(
    tmp_path_factory: pytest.TempPathFactory, old: str, new: str
) -> None:
    if old == new:
        return
    directory = tmp_path_factory.mktemp("apply")
    assert applied(directory, "file", old, file_diff("file", side(old), side(new))) == new


@pytest.mark.parametrize("name", ["with blank.txt", 'quo"te', "back\\slash", "übung.md"])
def test_files_come_and_go_under_any_name(tmp_path: Path, name: str) -> None:
    assert applied(tmp_path, name, None, file_diff(name, None, side("one\ntwo"))) == "one\ntwo"
    assert applied(tmp_path, name, "one\ntwo", file_diff(name, side("one\ntwo"), None)) is None
    assert applied(tmp_path, name, None, file_diff(name, None, side(""))) == ""


def test_the_shortest_edit_is_shown() -> None:
    diff = file_diff("f", side("a\nb\nc\na\nb\nb\na\n"), side("c\nb\na\nb\na\nc\n"))
    signs = [line[0] for line in diff.splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")]
    assert len(signs) == 5  # the example of Myers' paper


def test_distant_changes_are_shown_apart() -> None:
    old = [f"{number}\n" for number in range(100)]
    new = [*old[:10], "new\n", *old[11:80], *old[85:]]
    diff = file_diff("f", side("".join(old)), side("".join(new)))
    assert [line for line in diff.splitlines() if line.startswith("@@")] == [
        "@@ -8,7 +8,7 @@",
        "@@ -78,11 +78,6 @@",
    ]


def test_what_is_no_text_is_only_named() -> None:
    binary = FileText("100644", "0" * 40, None)
    assert file_diff("f", side("a"), binary).endswith("Binary files a/f and b/f differ\n")
    assert file_diff("f", None, binary).endswith("Binary files /dev/null and b/f differ\n")


def test_hostile_texts_take_no_time() -> None:
    old = "".join(f"{number % 7}\n" for number in range(1400))
    new = "".join(f"{number * 3 % 11}\n" for number in range(1400))
    start = time.monotonic()
    diff = file_diff("f", side(old), side(new))
    assert time.monotonic() - start < 2
    assert diff.count("\n-") > 200
