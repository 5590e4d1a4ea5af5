"""Copying a repository with its history under another name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Commit, GitBlob, Ref, Repository
from pytupli_registry.server.services import repositories
from pytupli_registry.server.services.blobs import give
from pytupli_registry.server.services.commits import commit_tree
from pytupli_registry.server.services.datasets.facts import refresh
from pytupli_registry.server.services.datasets.guard import guarded_tree
from pytupli_registry.server.services.permissions import Action, Caller
from pytupli_registry.server.services.refs import create_ref, list_refs, move_ref
from pytupli_registry.server.services.revisions import DEFAULT_BRANCH, tree_of
from pytupli_registry.server.services.trees import read_tree
from pytupli_registry.server.wire.git import EMPTY_TREE
from pytupli_registry.server.wire.names import RepoId

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["duplicate"]

AT_ONCE = 500
COPIED = ("refs/heads/", "refs/tags/")
COLUMNS = (
    "oid",
    "tree_oid",
    "parent_oid",
    "title",
    "message",
    "author_id",
    "author_name",
    "created_at",
    "raw",
)
MAIN = f"refs/heads/{DEFAULT_BRANCH}"


def duplicate(
    session: Session, hub: Hub, caller: Caller, source: RepoId, target: RepoId, *, visibility: str | None
) -> Repository:
    """Create a repository with branches, tags, their history and files of another one; no bytes are copied.

    Discussions, pull requests, likes and access requests stay behind.

    Raises:
        RepoNotFound, GatedRepo: as ``repositories.find``: its files must be readable.
        BadRequest, Conflict, NotAuthenticated, Forbidden, NotFound: as ``repositories.create``.
    """
    caller.writer()
    original = repositories.find(session, caller, source, Action.READ)
    # Nobody deletes the original meanwhile, nor does gc take from it what will be the copy's, too.
    held = select(Repository.id).where(Repository.id == original.id)
    if session.scalar(held.with_for_update(read=True, key_share=True)) is None:
        raise repositories.missing()
    copy = repositories.create(
        session, hub, caller, target, visibility=visibility or original.visibility, sdk=original.sdk
    )
    copy.gated = original.gated  # who was let in shall not open the gate for others by accident
    first = _head(session, copy.id)
    commits = _copy_commits(session, hub, original.id, copy.id)
    for ref in _copied_refs(session, original.id):
        if ref.name == MAIN:
            move_ref(session, copy.id, MAIN, first, ref.commit_oid)
        else:
            create_ref(session, copy.id, ref.name, ref.commit_oid, ref.message)
    if first not in commits:
        session.execute(delete(Commit).where(Commit.repository_id == copy.id, Commit.oid == first))
    give(session, hub, copy.id, _blobs_of(session, hub, set(commits.values())), user_id=caller.user_id)
    _derive(session, hub, copy, caller)
    return copy


def _derive(session: Session, hub: Hub, copy: Repository, caller: Caller) -> None:
    head = _head(session, copy.id)
    tree = tree_of(session, copy.id, head)
    guarded = guarded_tree(session, hub, copy, EMPTY_TREE, tree)
    if guarded != tree:
        commit_tree(session, hub, copy, caller, MAIN, head, guarded, "Describe the namespace")
    refresh(session, hub, copy, None, guarded)


def _head(session: Session, repository_id: int) -> str:
    return session.get_one(Ref, (repository_id, MAIN)).commit_oid


def _copied_refs(session: Session, repository_id: int) -> list[Ref]:
    return [ref for ref in list_refs(session, repository_id) if ref.name.startswith(COPIED)]


def _copy_commits(session: Session, hub: Hub, source_id: int, target_id: int) -> dict[str, str]:
    """Copy the commits that branches and tags lead to; return their trees by id."""
    rows = session.execute(
        select(Commit.oid, Commit.parent_oid, Commit.tree_oid).where(Commit.repository_id == source_id)
    )
    known = {oid: (parent, tree) for oid, parent, tree in rows}
    copied: dict[str, str] = {}
    for ref in _copied_refs(session, source_id):
        oid: str | None = ref.commit_oid
        while oid is not None and oid in known and oid not in copied:
            parent, copied[oid] = known[oid]
            oid = parent
    for some in _pages(list(copied)):
        columns = [getattr(Commit, name) for name in COLUMNS]
        found = session.execute(
            select(*columns).where(Commit.repository_id == source_id, Commit.oid.in_(some))
        )
        new = [{"repository_id": target_id, **dict(zip(COLUMNS, row, strict=True))} for row in found]
        hub.database.insert_missing(session, Commit, new)
    return copied


def _blobs_of(session: Session, hub: Hub, trees: set[str]) -> set[str]:
    """Return the blobs of the object store that are reached from trees: only what the caller may read already."""
    files: set[str] = set()
    seen: set[str] = set()
    waiting = list(trees)
    while waiting:
        tree = waiting.pop()
        if tree in seen or tree == EMPTY_TREE:
            continue
        seen.add(tree)
        for entry in read_tree(session, hub, tree).values():
            (waiting.append if entry.is_directory else files.add)(entry.oid)
    blobs: set[str] = set()
    for some in _pages(sorted(files)):
        rows = session.scalars(
            select(GitBlob.sha256).where(GitBlob.oid.in_(some), GitBlob.sha256.is_not(None))
        )
        blobs.update(sha256 for sha256 in rows if sha256 is not None)
    return blobs


def _pages(oids: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(oids), AT_ONCE):
        yield oids[first : first + AT_ONCE]
