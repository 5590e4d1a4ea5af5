"""All that can be reached from commits: trees, git blobs, and the blobs behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import GitBlob, Tree
from pytupli_registry.server.services.maintenance.marks import Marks, chunks
from pytupli_registry.server.wire.git import EMPTY_TREE, TreeEntry, parse_tree

__all__ = ["BLOBS", "FILES", "TREES", "Closure"]

# Names of the sets.
TREES = "trees of one repository"
FILES = "git blobs of one repository"
BLOBS = "blobs of one repository"


class Closure:
    """What the commits of one repository reach, in the sets :data:`TREES`, :data:`FILES` and :data:`BLOBS`.

    Args:
        session: where objects are read.
        marks: where the sets are.
        missing: called with kind and id of what does not exist though something names it.
    """

    def __init__(self, session: Session, marks: Marks, missing: Callable[[str, str], None]) -> None:
        self._session = session
        self._marks = marks
        self._missing = missing

    def clear(self) -> None:
        """Begin with another repository."""
        for kind in (TREES, FILES, BLOBS):
            self._marks.clear(kind)

    def add(self, tree_oids: Iterable[str]) -> None:
        """Add everything below some trees."""
        waiting = self._marks.add(TREES, (oid for oid in tree_oids if oid != EMPTY_TREE))
        while waiting:
            # The last ones first: so there are never many more than one folder has.
            now, waiting = waiting[-100:], waiting[:-100]
            waiting += self._open(now)

    def _open(self, oids: list[str]) -> list[str]:
        """Mark what is in some trees, and return the trees among it that are new."""
        rows = self._session.execute(select(Tree.oid, Tree.raw).where(Tree.oid.in_(oids))).all()
        for oid in set(oids) - {row.oid for row in rows}:
            self._missing("tree", oid)
        folders: list[str] = []
        files: list[str] = []
        for row in rows:
            for entry in self._entries(row.oid, row.raw):
                (folders if entry.is_directory else files).append(entry.oid)
        self._add_files(files)
        return self._marks.add(TREES, folders)

    def _entries(self, oid: str, raw: bytes) -> list[TreeEntry]:
        try:
            return list(parse_tree(raw).values())
        except ValueError:  # not what was written
            self._missing("tree", oid)
            return []

    def _add_files(self, oids: list[str]) -> None:
        for chunk in chunks(self._marks.add(FILES, oids)):
            query = select(GitBlob.oid, GitBlob.sha256).where(GitBlob.oid.in_(chunk))
            found = {row[0]: row[1] for row in self._session.execute(query)}
            for oid in set(chunk) - found.keys():
                self._missing("git blob", oid)
            self._marks.add(BLOBS, (sha256 for sha256 in found.values() if sha256 is not None))
