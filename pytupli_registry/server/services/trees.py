"""Trees: reading, walking and changing them. Tree objects are git's own, stored raw and parsed once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.prepared import Prepared, PreparedForMany
from pytupli_registry.server.database.schema import Tree
from pytupli_registry.server.errors import Unprocessable
from pytupli_registry.server.services.git_objects import keep_trees
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

__all__ = ["PathEntry", "all_files", "change_tree", "entry_at", "read_tree", "walk"]

MOST_IN_A_FOLDER = 100_000  # every commit writes the whole list of a folder that it touches


AHEAD = 100


class PathEntry(NamedTuple):
    """An entry with its whole path."""

    path: str
    entry: TreeEntry


_TREES = Tree.__table__.c
_ONE = Prepared(select(_TREES.raw).where(_TREES.oid == bindparam("oid")))
_SOME = PreparedForMany(select(_TREES.oid, _TREES.raw), _TREES.oid)


def read_tree(session: Session, hub: Hub, oid: str) -> Mapping[str, TreeEntry]:
    """Return the entries of a tree by name, in git's order. Never change the mapping: it is shared."""
    if oid == EMPTY_TREE:
        return {}
    known = hub.caches.trees.get(oid)
    return _parsed(hub, oid, _ONE.value(session, {"oid": oid})) if known is None else known


def _read_trees(session: Session, hub: Hub, oids: Iterable[str]) -> dict[str, Mapping[str, TreeEntry]]:
    found = {oid: {} if oid == EMPTY_TREE else hub.caches.trees.get(oid) for oid in oids}
    known = {oid: entries for oid, entries in found.items() if entries is not None}
    unknown = found.keys() - known.keys()
    raw: dict[str, bytes] = {row[0]: row[1] for row in _SOME.rows(session, unknown)}
    return known | {oid: _parsed(hub, oid, raw.get(oid)) for oid in unknown}


def _parsed(hub: Hub, oid: str, raw: bytes | None) -> Mapping[str, TreeEntry]:
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
    return _walk(session, hub, read_tree(session, hub, tree_oid), prefix, recursive, after)


def _walk(
    session: Session, hub: Hub, entries: Mapping[str, TreeEntry], prefix: str, recursive: bool, after: str
) -> Iterator[PathEntry]:
    first = after.removeprefix(prefix).partition("/")[0] if after.startswith(prefix) else ""
    left = list(entries.items())
    if first:
        left = left[next((place for place, name in enumerate(entries) if name == first), len(left)) :]
    folders = _folders(session, hub, [entry.oid for _, entry in left if entry.is_directory])
    for name, entry in left:
        path = prefix + name
        inside = after if name == first and path != after else ""
        if not inside and path != after:
            yield PathEntry(path, entry)
        if recursive and entry.is_directory:
            yield from _walk(session, hub, next(folders), f"{path}/", recursive, inside)


def all_files(session: Session, hub: Hub, tree_oid: str) -> list[tuple[str, str]]:
    """Return path and git id of every file in a tree, in the order of :func:`walk`."""
    trees: dict[str, Mapping[str, TreeEntry]] = {}
    wanted = [tree_oid]
    while wanted:  # a level at a time
        trees |= zip(wanted, _folders(session, hub, wanted), strict=True)
        inside = {entry.oid for oid in wanted for entry in trees[oid].values() if entry.mode == DIRECTORY}
        wanted = [oid for oid in inside if oid not in trees]
    found: list[tuple[str, str]] = []
    _collect(trees, tree_oid, "", found)
    return found


def _collect(
    trees: Mapping[str, Mapping[str, TreeEntry]], oid: str, prefix: str, found: list[tuple[str, str]]
) -> None:
    for name, entry in trees[oid].items():
        if entry.mode == DIRECTORY:
            _collect(trees, entry.oid, f"{prefix}{name}/", found)
        else:
            found.append((prefix + name, entry.oid))


def _folders(session: Session, hub: Hub, oids: Sequence[str]) -> Iterator[Mapping[str, TreeEntry]]:
    """Yield trees, reading some ahead: a question for each would take most of the time of a walk."""
    for first in range(0, len(oids), AHEAD):
        some = oids[first : first + AHEAD]
        trees = _read_trees(session, hub, some)
        yield from (trees[oid] for oid in some)


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
        Unprocessable: a file would have to be a folder at the same time, or a folder has too many entries.
    """
    writing = _Writing(session, hub, {})
    oid = writing.tree(tree_oid, _nested(changes, replaced).below, "")
    keep_trees(session, hub, writing.written)
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
