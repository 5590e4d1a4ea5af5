"""Trees against a dictionary, and against git itself."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.server.database.schema import Base
from pytupli_registry.server.errors import Unprocessable
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.trees import change_tree, entry_at, walk
from pytupli_registry.server.settings import Settings
from pytupli_registry.server.wire.git import EMPTY_TREE, FILE, TreeEntry, object_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    directory = tmp_path_factory.mktemp("hub")
    settings_ = Settings(
        directory=directory,
        database_url=f"sqlite:///{directory}/hub.sqlite3",
        objects_url=(directory / "objects").as_uri(),
        secret="s" * 32,
        fsync=False,
    )
    opened = Hub.open(settings_)
    Base.metadata.create_all(opened.database.engine)
    yield opened
    opened.close()


def oid(text: str) -> str:
    return object_id("blob", text.encode())


def change(hub: Hub, tree: str, changes: Mapping[str, str | None]) -> str:
    with hub.database.write() as session:
        entries = {
            path: None if text is None else TreeEntry(FILE, oid(text)) for path, text in changes.items()
        }
        return change_tree(session, hub, tree, entries)


def files(hub: Hub, tree: str) -> dict[str, str]:
    with hub.database.read() as session:
        return {one.path: one.entry.oid for one in walk(session, hub, tree) if not one.entry.is_directory}


parts = st.sampled_from(["a", "b", "a.b", "a-b", "a0"])
paths = st.lists(parts, min_size=1, max_size=4).map("/".join)
texts = st.sampled_from(["1", "2", "3"])


def model_of(before: dict[str, str], changes: dict[str, str | None]) -> dict[str, str] | None:
    """What a directory would hold afterwards; None if a file would have to be a folder."""
    deleted = [path for path, text in changes.items() if text is None]
    after = {
        path: text
        for path, text in before.items()
        if not any(path == gone or path.startswith(f"{gone}/") for gone in deleted)
    }
    after |= {path: text for path, text in changes.items() if text is not None}
    clash = any(other.startswith(f"{path}/") for path in after for other in after)
    return None if clash else after


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(paths, st.none() | texts, min_size=1, max_size=6), min_size=1, max_size=5))
def test_changes_do_what_they_do_to_a_directory(hub: Hub, steps: list[dict[str, str | None]]) -> None:
    tree, model = EMPTY_TREE, dict[str, str]()
    for changes in steps:
        after = model_of(model, changes)
        if after is None:
            with pytest.raises(Unprocessable):
                change(hub, tree, changes)
            continue
        tree, model = change(hub, tree, changes), after
        assert files(hub, tree) == {path: oid(text) for path, text in model.items()}


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(paths, texts, min_size=1, max_size=12), st.integers(1, 4))
def test_a_walk_in_pieces_is_the_whole_walk(hub: Hub, wanted: dict[str, str], size: int) -> None:
    if model_of({}, dict(wanted)) is None:
        return
    tree = change(hub, EMPTY_TREE, dict(wanted))
    with hub.database.read() as session:
        whole = [one.path for one in walk(session, hub, tree)]
        pieces: list[str] = []
        for _ in range(len(whole) + 1):
            after = pieces[-1] if pieces else ""
            rest = [one.path for one in walk(session, hub, tree, after=after)]
            assert rest == whole[len(pieces) :]
            pieces += rest[:size]
            if not rest:
                break
        assert pieces == whole
        folders = [path for path in whole if entry_at(session, hub, tree, path).is_directory]
        for folder in folders:
            inside = [
                one.path
                for one in walk(session, hub, entry_at(session, hub, tree, folder).oid, prefix=f"{folder}/")
            ]
            assert inside == [path for path in whole if path.startswith(f"{folder}/")]


def test_git_makes_the_same_tree_of_the_same_files(hub: Hub, tmp_path: Path) -> None:
    wanted = {"README.md": "1", "a/b/c.txt": "2", "a.b": "3", "a/b.txt": "1", "z/ü": "2"}
    for path, text in wanted.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    made = subprocess.run(["git", "write-tree"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert change(hub, EMPTY_TREE, dict(wanted)) == made.stdout.strip()


def test_a_file_gives_way_to_a_folder_only_when_it_is_deleted(hub: Hub) -> None:
    tree = change(hub, EMPTY_TREE, {"a": "1", "b/c": "2"})
    with pytest.raises(Unprocessable, match="'a'"):
        change(hub, tree, {"a/x": "1"})
    with pytest.raises(Unprocessable, match="'b'"):
        change(hub, tree, {"b": "1"})
    assert files(hub, change(hub, tree, {"a": None, "a/x": "1"})) == {"a/x": oid("1"), "b/c": oid("2")}
    assert files(hub, change(hub, tree, {"b": None, "b/d": "3"})) == {"a": oid("1"), "b/d": oid("3")}
    assert files(hub, change(hub, tree, {"b/c": None, "b": "3"})) == {"a": oid("1"), "b": oid("3")}


def test_folders_vanish_with_their_last_file(hub: Hub) -> None:
    tree = change(hub, EMPTY_TREE, {"keep": "1", "x/y/z": "2"})
    assert files(hub, change(hub, tree, {"x/y/z": None})) == {"keep": oid("1")}
    assert change(hub, tree, {"x": None, "keep": None}) == EMPTY_TREE
