"""Rewriting history without some files: new trees, new commits, the refs moved to them, the old commits gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import (
    Commit,
    Discussion,
    DiscussionEvent,
    Repository,
)
from pytupli_registry.server.services.commits import touch
from pytupli_registry.server.services.datasets.facts import refresh
from pytupli_registry.server.services.git_objects import keep_trees
from pytupli_registry.server.services.refs import list_refs, lock_ref, move_ref
from pytupli_registry.server.services.revisions import DEFAULT_BRANCH
from pytupli_registry.server.services.trees import read_tree
from pytupli_registry.server.services.webhooks import announce_refs
from pytupli_registry.server.wire.events import UpdatedRef
from pytupli_registry.server.wire.git import EMPTY_TREE, TreeEntry, object_id, serialize_tree

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["without_files"]

AT_ONCE = 500
MAIN = f"refs/heads/{DEFAULT_BRANCH}"


def without_files(session: Session, hub: Hub, repository: Repository, doomed: set[str]) -> None:
    """Rewrite all of a repository's history so that no commit has the git blobs ``doomed``.

    Commits that had none of them, nor any before them, stay what they are. Commits that no ref leads to are
    deleted when they had one.
    """
    heads = _locked_heads(session, repository.id)
    rewriting = _Rewriting(session, hub, repository.id, doomed)
    rewriting.run()
    updated = [
        UpdatedRef(name, oid, rewriting.commits[oid])
        for name, oid in heads.items()
        if rewriting.commits[oid] != oid
    ]
    for ref in updated:
        move_ref(session, repository.id, ref.name, str(ref.old_oid), str(ref.new_oid))
        touch(session, repository, ref.name)
    rewriting.finish()
    if any(ref.name == MAIN for ref in updated):
        refresh(session, hub, repository, None, rewriting.tree_of(rewriting.commits[heads[MAIN]]))
    announce_refs(session, repository, updated) if updated else None


def _locked_heads(session: Session, repository_id: int) -> dict[str, str]:
    # Pull requests first, as merges do.
    names = sorted(
        (ref.name for ref in list_refs(session, repository_id)),
        key=lambda name: (not name.startswith("refs/pr/"), name),
    )
    locked = {name: lock_ref(session, repository_id, name) for name in names}
    return {name: oid for name, oid in locked.items() if oid is not None}


class _Rewriting:
    def __init__(self, session: Session, hub: Hub, repository_id: int, doomed: set[str]) -> None:
        self._session = session
        self._hub = hub
        self._repository_id = repository_id
        self._doomed = doomed
        self._trees: dict[str, str] = {EMPTY_TREE: EMPTY_TREE}
        self._new_trees: dict[str, bytes] = {}
        self._roots: dict[str, str] = {}
        self.commits: dict[str, str] = {}
        """What became of every commit, by its old id."""

    def tree_of(self, commit: str) -> str:
        """Return the root tree of a commit by its new id."""
        return self._roots[commit]

    def run(self) -> None:
        """Write the new trees and commits."""
        for some in _in_pages(self._parents_first()):
            rows = self._session.scalars(
                select(Commit).where(Commit.repository_id == self._repository_id, Commit.oid.in_(some))
            )
            found = {commit.oid: commit for commit in rows}
            new = [row for oid in some if (row := self._rewritten(found[oid])) is not None]
            self._hub.database.insert_missing(self._session, Commit, new)
        keep_trees(self._session, self._hub, self._new_trees)

    def finish(self) -> None:
        """Let pull requests follow, and delete the commits that were rewritten."""
        lost = [old for old, new in self.commits.items() if old != new]
        for some in _in_pages(iter(lost)):
            self._session.execute(
                delete(Commit).where(Commit.repository_id == self._repository_id, Commit.oid.in_(some))
            )
        for discussion in self._session.scalars(self._of_repository(Discussion)):
            discussion.base_oid = self._moved(discussion.base_oid)
            discussion.merge_oid = self._moved(discussion.merge_oid)
        for event in self._session.scalars(
            self._of_repository(DiscussionEvent).where(DiscussionEvent.type == "commit")
        ):
            event.content = {**event.content, "oid": self._moved(event.content["oid"])}
        self._session.flush()

    def _of_repository(self, table: Any) -> Any:  # noqa: ANN401 - two tables that have nothing in common
        return select(table).where(table.repository_id == self._repository_id)

    def _moved(self, oid: str | None) -> str | None:
        return None if oid is None else self.commits.get(oid, oid)

    def _parents_first(self) -> Iterator[str]:
        rows = self._session.execute(
            select(Commit.oid, Commit.parent_oid).where(Commit.repository_id == self._repository_id)
        )
        parents = dict(rows.all())
        done: set[str] = set()
        for tip in parents:
            chain: list[str] = []
            oid: str | None = tip
            while oid is not None and oid in parents and oid not in done:
                chain.append(oid)
                done.add(oid)
                oid = parents[oid]
            yield from reversed(chain)

    def _rewritten(self, commit: Commit) -> dict[str, Any] | None:
        """Note what becomes of a commit; return the new row, or None if it stays what it is."""
        tree = self._tree(commit.tree_oid)
        parent = self._moved(commit.parent_oid)
        if (tree, parent) == (commit.tree_oid, commit.parent_oid):
            self.commits[commit.oid] = commit.oid
            self._roots[commit.oid] = tree
            return None
        raw = commit.raw.replace(b"tree " + commit.tree_oid.encode(), b"tree " + tree.encode(), 1)
        if parent is not None:
            raw = raw.replace(
                b"\nparent " + str(commit.parent_oid).encode(), b"\nparent " + parent.encode(), 1
            )
        oid = object_id("commit", raw)
        self.commits[commit.oid] = oid
        self._roots[oid] = tree
        kept = ("repository_id", "title", "message", "author_id", "author_name", "created_at", "orphaned_at")
        same = {name: getattr(commit, name) for name in kept}
        return {**same, "oid": oid, "tree_oid": tree, "parent_oid": parent, "raw": raw}

    def _tree(self, oid: str) -> str:
        known = self._trees.get(oid)
        if known is None:
            known = self._trees[oid] = self._new_tree(oid)
        return known

    def _new_tree(self, oid: str) -> str:
        old = read_tree(self._session, self._hub, oid)
        new: dict[str, TreeEntry] = {}
        for name, entry in old.items():
            if entry.is_directory:
                below = self._tree(entry.oid)
                if below != EMPTY_TREE:
                    new[name] = TreeEntry(entry.mode, below)
            elif entry.oid not in self._doomed:
                new[name] = entry
        if new == old:
            return oid
        raw = serialize_tree(new)
        changed = object_id("tree", raw)
        if new:
            self._new_trees[changed] = raw
        return changed


def _in_pages(oids: Iterator[str]) -> Iterator[list[str]]:
    page: list[str] = []
    for oid in oids:
        page.append(oid)
        if len(page) == AT_ONCE:
            yield page
            page = []
    if page:
        yield page
