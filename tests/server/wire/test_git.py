"""Our object ids against git's own."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.server.wire.git import (
    DIRECTORY,
    EMPTY_TREE,
    FILE,
    CommitObject,
    TreeEntry,
    blob_hasher,
    object_id,
    parse_tree,
    serialize_tree,
)

if TYPE_CHECKING:
    from pathlib import Path

names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20
).filter(lambda name: name not in (".", "..") and name.lower() != ".git")
entries = st.builds(
    TreeEntry, st.sampled_from([FILE, DIRECTORY]), st.binary(min_size=20, max_size=20).map(bytes.hex)
)


def git(directory: Path, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", *arguments], cwd=directory, input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("git")
    git(directory, "init", "-q")
    return directory


@pytest.mark.parametrize("content", [b"", b"hello\n", bytes(range(256)) * 50])
def test_blob_ids_are_gits(repository: Path, content: bytes) -> None:
    hasher = blob_hasher(len(content))
    hasher.update(content)
    assert object_id("blob", content) == git(repository, "hash-object", "--stdin", stdin=content)
    assert hasher.hexdigest() == object_id("blob", content)


def test_tree_ids_are_gits_also_where_folders_sort_as_with_a_slash(repository: Path) -> None:
    blob = git(repository, "hash-object", "-w", "--stdin", stdin=b"x")
    sub = git(repository, "mktree", stdin=f"100644 blob {blob}\tinner\n".encode())
    assert object_id("tree", serialize_tree({"inner": TreeEntry(FILE, blob)})) == sub
    ours = {
        "a": TreeEntry(DIRECTORY, sub),
        "a.b": TreeEntry(FILE, blob),
        "a-b": TreeEntry(FILE, blob),
        "a0": TreeEntry(FILE, blob),
        "é": TreeEntry(FILE, blob),
        "Z": TreeEntry(DIRECTORY, sub),
    }
    lines = "".join(
        f"{'040000 tree' if entry.is_directory else '100644 blob'} {entry.oid}\t{name}\0"
        for name, entry in ours.items()
    )
    assert object_id("tree", serialize_tree(ours)) == git(repository, "mktree", "-z", stdin=lines.encode())


def test_the_empty_tree(repository: Path) -> None:
    assert object_id("tree", serialize_tree({})) == EMPTY_TREE == git(repository, "mktree", stdin=b"")


@pytest.mark.parametrize("message", ["", "why\n\nand how"])
@pytest.mark.parametrize("parents", [0, 1])
def test_commit_ids_are_gits_and_git_finds_nothing_wrong(
    repository: Path, message: str, parents: int
) -> None:
    tree = git(repository, "mktree", stdin=b"")
    time = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    first = CommitObject(tree, (), "alice", time, "begin")
    git(repository, "hash-object", "-t", "commit", "-w", "--stdin", stdin=first.serialize())
    commit = CommitObject(tree, (first.oid,) * parents, "alice", time, "Größe <x>", message)
    written = git(repository, "hash-object", "-t", "commit", "-w", "--stdin", stdin=commit.serialize())
    assert commit.oid == written
    shown = git(repository, "show", "-s", "--format=%T|%P|%an|%at|%s|%b", commit.oid)
    body = message.strip()
    assert (
        shown == f"{tree}|{' '.join(commit.parents)}|alice|{int(time.timestamp())}|Größe <x>|{body}".strip()
    )


@settings(max_examples=200)
@given(st.dictionaries(names, entries, max_size=12))
def test_trees_survive_being_written_and_read(tree: dict[str, TreeEntry]) -> None:
    assert parse_tree(serialize_tree(tree)) == tree


@given(st.dictionaries(names, entries, min_size=1, max_size=3), st.data())
def test_damaged_trees_are_not_read(tree: dict[str, TreeEntry], data: st.DataObject) -> None:
    raw = serialize_tree(tree)
    sizes = [len(serialize_tree({name: entry})) for name, entry in parse_tree(raw).items()]
    cut = data.draw(st.integers(1, sizes[-1] - 1))
    with pytest.raises(ValueError, match="no tree"):
        parse_tree(raw[:-cut])
