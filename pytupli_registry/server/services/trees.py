"""Trees: reading, walking and changing them. Tree objects are git's own, stored raw and parsed once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Tree, now
from pytupli_registry.server.errors import Unprocessable
from pytupli_registry.server.wire.git import (
    DIRECTORY,
    EMPTY_TREE,
    TreeEntry,
    object_id,
    parse_tree,
    serialize_tree,
)

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["PathEntry", "change_tree", "entry_at", "read_tree", "walk"]

MOST_IN_A_FOLDER = 100_000  # every commit writes the whole list of a folder that it touches


@dataclass(frozen=True, slots=True)
class PathEntry:
    """An entry with its whole path."""

    path: str
    entry: TreeEntry


_TREES = Tree.__table__.c
_RAW = select(_TREES.raw).where(_TREES.oid == bindparam("oid"))


def read_tree(session: Session, hub: Hub, oid: str) -> Mapping[str, TreeEntry]:
    """Return the entries of a tree by name, in git's order. Never change the mapping: it is shared."""
    if oid == EMPTY_TREE:
        return {}
    known = hub.caches.trees.get(oid)
    if known is not None:
        return known
    raw: bytes | None = session.scalar(_RAW, {"oid": oid})
    if raw is None:
        raise LookupError(f"tree {oid} is missing from the database")  # damage: fsck tells more
    entries = parse_tree(raw)
    hub.caches.trees.put(oid, entries, 1 + len(entries))
    return entries


def entry_at(session: Session, hub: Hub, tree_oid: str, path: str) -> TreeEntry | None:
    """Return what lies at ``path`` ("" is the root itself), or None."""
    entry = TreeEntry(DIRECTORY, tree_oid)
    for name in path.split("/") if path else ():
        if not entry.is_directory:
            return None
        found = read_tree(session, hub, entry.oid).get(name)
        if found is None:
            return None
        entry = found
    return entry


def walk(
    session: Session, hub: Hub, tree_oid: str, *, prefix: str = "", recursive: bool = True, after: str = ""
) -> Iterator[PathEntry]:
    """Yield what is in a tree, depth first in git's order, directories before what is in them.

    Args:
        session: where trees are read.
        hub: for its cache.
        tree_oid: the tree to begin with.
        prefix: its path, "" or ending in a slash.
        recursive: descend into directories.
        after: begin after this path, which must have come from such a walk.
    """
    skipping = after.removeprefix(prefix).partition("/")[0] if after.startswith(prefix) else ""
    for name, entry in read_tree(session, hub, tree_oid).items():
        path = prefix + name
        inside = ""
        if skipping:
            if name != skipping:
                continue
            skipping = ""
            inside = after if after != path else ""
        if not inside and path != after:
            yield PathEntry(path, entry)
        if recursive and entry.is_directory:
            yield from walk(session, hub, entry.oid, prefix=f"{path}/", after=inside)


@dataclass(slots=True)
class _Change:
    """What happens at one path and below it.

    Attributes:
        deleted: what was there goes first.
        entry: the file that is put there.
        below: changes of what is inside.
    """

    deleted: bool = False
    entry: TreeEntry | None = None
    below: dict[str, _Change] = field(default_factory=dict)

    @property
    def adds(self) -> bool:
        return any(change.entry is not None or change.adds for change in self.below.values())


def change_tree(
    session: Session,
    hub: Hub,
    tree_oid: str,
    changes: Mapping[str, TreeEntry | None],
    replaced: Collection[str] = (),
) -> str:
    """Return the tree that results from ``changes``, writing the tree objects that are new.

    ``changes`` maps paths to the file to put there, or to None to delete the file or whole folder; a folder
    may be deleted and filled anew at the same time. What is at a path of ``replaced`` goes before its change.

    Raises:
        Unprocessable: a file would have to be a folder at the same time.
    """
    writing = _Writing(session, hub, {})
    oid = writing.tree(tree_oid, _nested(changes, replaced).below, "")
    hub.database.upsert(
        session,
        Tree,
        [{"oid": oid, "raw": raw, "touched_at": now()} for oid, raw in sorted(writing.written.items())],
        update=("touched_at",),
    )
    return oid


def _nested(changes: Mapping[str, TreeEntry | None], replaced: Collection[str]) -> _Change:
    root = _Change()
    for path, entry in changes.items():
        place = root
        for name in path.split("/"):
            place = place.below.setdefault(name, _Change())
        place.entry = entry
        place.deleted = place.deleted or entry is None or path in replaced
    return root


@dataclass(frozen=True, slots=True)
class _Writing:
    session: Session
    hub: Hub
    written: dict[str, bytes]

    def tree(self, oid: str, changes: Mapping[str, _Change], place: str) -> str:
        entries = dict(read_tree(self.session, self.hub, oid))
        for name, change in changes.items():
            entry = self.entry(entries.get(name), change, f"{place}{name}")
            if entry is None:
                entries.pop(name, None)
            else:
                entries[name] = entry
        if not entries:
            return EMPTY_TREE
        if len(entries) > MOST_IN_A_FOLDER:
            raise Unprocessable(
                f"The folder {place!r} would have more than {MOST_IN_A_FOLDER} entries. Use subfolders."
            )
        raw = serialize_tree(entries)
        changed = object_id("tree", raw)
        self.written[changed] = raw
        return changed

    def entry(self, there: TreeEntry | None, change: _Change, path: str) -> TreeEntry | None:
        old = None if change.deleted else there
        if change.below:
            old = self.folder(old, change, path)
        if change.entry is None:
            return old
        if old is not None and old.is_directory:
            raise Unprocessable(f"Cannot write {path!r}: there is a folder of that name. Delete it first.")
        return change.entry

    def folder(self, old: TreeEntry | None, change: _Change, path: str) -> TreeEntry | None:
        if old is not None and not old.is_directory:
            if change.adds:
                raise Unprocessable(f"Cannot write below {path!r}: it is a file. Delete it first.")
            return old
        oid = self.tree(old.oid if old else EMPTY_TREE, change.below, f"{path}/")
        return None if oid == EMPTY_TREE else TreeEntry(DIRECTORY, oid)
