"""Merging of trees, against the same on plain mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytupli_registry.server.services.merging import changed_files, conflicts, result_of
from pytupli_registry.server.services.trees import change_tree, walk
from pytupli_registry.server.wire.git import EMPTY_TREE, FILE, TreeEntry
from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

PATHS = ("a", "b", "a/x", "a/y", "a/y/z", "c/d/e", "c/d")
Files = dict[str, str]


def is_tree(files: Files) -> bool:
    """No file is a folder at the same time."""
    return not any(other.startswith(f"{path}/") for path in files for other in files)


FILES = st.dictionaries(st.sampled_from(PATHS), st.sampled_from("123")).filter(is_tree)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    hub = LiveHub(tmp_path_factory.mktemp("hub"))
    yield hub
    hub.hub.close()


def entry(content: str) -> TreeEntry:
    return TreeEntry(FILE, content * 40)


def tree_of(session: Session, live: LiveHub, files: Files) -> str:
    return change_tree(session, live.hub, EMPTY_TREE, {path: entry(text) for path, text in files.items()})


def files_of(session: Session, live: LiveHub, tree: str) -> Files:
    return {
        found.path: found.entry.oid[0]
        for found in walk(session, live.hub, tree)
        if not found.entry.is_directory
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=FILES, ours=FILES, theirs=FILES)
def test_merging_is_that_of_mappings(live: LiveHub, base: Files, ours: Files, theirs: Files) -> None:
    changed = {path for path in PATHS if base.get(path) != theirs.get(path)}
    merged = {
        path: text for path in PATHS if (text := (theirs if path in changed else ours).get(path)) is not None
    }
    contradictory = any(ours.get(path) not in (base.get(path), theirs.get(path)) for path in changed)
    with live.hub.database.write() as session:
        trees = [tree_of(session, live, files) for files in (base, ours, theirs)]
        changes = {change.path: change for change in changed_files(session, live.hub, trees[0], trees[2])}
        assert set(changes) == changed
        found = conflicts(session, live.hub, trees[0], trees[1], changes)
        assert set(found) <= changed
        if contradictory or not is_tree(merged):
            assert found
        elif not found:
            result = change_tree(session, live.hub, trees[1], result_of(changes))
            assert files_of(session, live, result) == merged
        else:
            # More careful than it must be only where a file takes the place of a folder that both have changed.
            assert all(any(old.startswith(f"{path}/") for old in base | ours) for path in found)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=FILES, new=FILES)
def test_changes_lead_from_one_tree_to_the_other(live: LiveHub, old: Files, new: Files) -> None:
    with live.hub.database.write() as session:
        before, after = tree_of(session, live, old), tree_of(session, live, new)
        changes = list(changed_files(session, live.hub, before, after))
        for change in changes:
            assert (change.old and change.old.oid[0], change.new and change.new.oid[0]) == (
                old.get(change.path),
                new.get(change.path),
            )
        result = change_tree(session, live.hub, before, {change.path: change.new for change in changes})
        assert result == after
