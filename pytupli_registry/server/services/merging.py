"""Comparing trees and merging them, file by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from pytupli_registry.server.services.trees import entry_at, read_tree
from pytupli_registry.server.wire.git import EMPTY_TREE, TreeEntry

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["FileChange", "changed_files", "conflicts", "result_of"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that differs between two trees; None where it does not exist."""

    path: str
    old: TreeEntry | None
    new: TreeEntry | None


def changed_files(
    session: Session, hub: Hub, old_tree: str, new_tree: str, prefix: str = ""
) -> Iterator[FileChange]:
    """Yield the files that differ between two trees, by name; equal subtrees are not looked into."""
    if old_tree == new_tree:
        return
    old, new = read_tree(session, hub, old_tree), read_tree(session, hub, new_tree)
    differing = {name for name, _ in old.items() ^ new.items()}
    for name in sorted(differing):
        yield from _changed(session, hub, f"{prefix}{name}", old.get(name), new.get(name))


def _changed(
    session: Session, hub: Hub, path: str, old: TreeEntry | None, new: TreeEntry | None
) -> Iterator[FileChange]:
    if _is_file(old) or _is_file(new):
        yield FileChange(path, old if _is_file(old) else None, new if _is_file(new) else None)
    yield from changed_files(session, hub, _tree(old), _tree(new), f"{path}/")


def _is_file(entry: TreeEntry | None) -> bool:
    return entry is not None and not entry.is_directory


def _tree(entry: TreeEntry | None) -> str:
    return entry.oid if entry is not None and entry.is_directory else EMPTY_TREE


def result_of(changes: Mapping[str, FileChange]) -> dict[str, TreeEntry | None]:
    """Return what the changes make of each path, as ``trees.change_tree`` wants it."""
    return {path: change.new for path, change in changes.items()}


def conflicts(
    session: Session, hub: Hub, base_tree: str, our_tree: str, theirs: Mapping[str, FileChange]
) -> list[str]:
    """Return the files that were changed in different ways since ``base_tree``.

    Args:
        session: where trees are read.
        hub: for its cache.
        base_tree: what both sides began with.
        our_tree: what became of it on the branch.
        theirs: what the other side changed, by path.
    """
    return [
        path
        for path, change in theirs.items()
        if _contradicts(
            change, entry_at(session, hub, base_tree, path), entry_at(session, hub, our_tree, path)
        )
        or (change.new is not None and _lies_below_file(session, hub, our_tree, path, theirs))
    ]


def _contradicts(change: FileChange, base: TreeEntry | None, ours: TreeEntry | None) -> bool:
    return ours not in (base, change.new)


def _lies_below_file(
    session: Session, hub: Hub, our_tree: str, path: str, theirs: Mapping[str, FileChange]
) -> bool:
    """Return whether our side has a file where theirs has a folder."""
    parts = path.split("/")
    for end in range(1, len(parts)):
        above = "/".join(parts[:end])
        entry = entry_at(session, hub, our_tree, above)
        if entry is None:
            return False
        if not entry.is_directory:
            return above not in theirs
    return False
