"""The large files of a repository, over all its history: where they lie, and getting rid of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Blob, Commit, Ref, Repository, RepositoryBlob
from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services.refs import list_refs
from pytupli_registry.server.services.revisions import DEFAULT_BRANCH
from pytupli_registry.server.services.storage_history.rewriting import without_files
from pytupli_registry.server.services.trees import read_tree
from pytupli_registry.server.wire.git import EMPTY_TREE, object_id
from pytupli_registry.server.wire.lfs import Pointer

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["LargeFile", "delete_large_files", "list_large_files"]

AT_ONCE = 500
ORDER = (f"refs/heads/{DEFAULT_BRANCH}", "refs/heads/", "refs/tags/", "refs/pr/")


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A large file that some commit of the repository has, or had.

    Attributes:
        sha256: of its bytes.
        path: where it lies, or lay last; it may lie elsewhere too.
        ref: a ref whose history has it; None if none has it any more.
        size: bytes.
        pushed_at: when it came to the repository.
    """

    sha256: str
    path: str
    ref: str | None
    size: int
    pushed_at: datetime


def list_large_files(
    session: Session, hub: Hub, repository_id: int, *, after: str, count: int
) -> list[LargeFile]:
    """Return the large files by SHA-256, the first ``count`` from behind ``after`` on."""
    belonging = _belonging(session, repository_id)
    pointers = {_pointer_oid(sha256, size): sha256 for sha256, (size, _) in belonging.items()}
    places = {pointers[oid]: place for oid, place in _places(session, hub, repository_id, pointers).items()}
    chosen = sorted(sha256 for sha256 in places if sha256 > after)[:count]
    return [LargeFile(sha256, *places[sha256], *belonging[sha256]) for sha256 in chosen]


def _belonging(session: Session, repository_id: int) -> dict[str, tuple[int, datetime]]:
    rows = session.execute(
        select(RepositoryBlob.sha256, Blob.size, RepositoryBlob.created_at)
        .join(Blob, Blob.sha256 == RepositoryBlob.sha256)
        .where(RepositoryBlob.repository_id == repository_id)
    )
    return {sha256: (size, time) for sha256, size, time in rows}


def _pointer_oid(sha256: str, size: int) -> str:
    return object_id("blob", Pointer(sha256, size).encoded())


def _places(
    session: Session, hub: Hub, repository_id: int, wanted: Collection[str]
) -> dict[str, tuple[str, str | None]]:
    """Return path and ref of those git blobs that are found in any commit, newest first."""
    places: dict[str, tuple[str, str | None]] = {}
    seen: set[str] = set()
    for tree, ref in _root_trees(session, repository_id):
        for path, oid in _new_files(session, hub, tree, seen):
            if oid in wanted:
                places.setdefault(oid, (path, ref))
        if len(places) == len(wanted):
            break
    return places


def _root_trees(session: Session, repository_id: int) -> Iterator[tuple[str, str | None]]:
    """Yield the trees of all commits: ref after ref, then of those that no ref leads to."""
    rows = session.execute(
        select(Commit.oid, Commit.parent_oid, Commit.tree_oid).where(Commit.repository_id == repository_id)
    )
    commits = {oid: (parent, tree) for oid, parent, tree in rows}
    for ref in sorted(list_refs(session, repository_id), key=_rank):
        oid: str | None = ref.commit_oid
        while oid is not None and oid in commits:
            oid, tree = commits.pop(oid)
            yield tree, ref.name
    yield from ((tree, None) for _, tree in commits.values())


def _rank(ref: Ref) -> tuple[int, str]:
    rank = next((place for place, prefix in enumerate(ORDER) if ref.name.startswith(prefix)), len(ORDER))
    return rank if rank or ref.name == ORDER[0] else 1, ref.name


def _new_files(
    session: Session, hub: Hub, tree: str, seen: set[str], prefix: str = ""
) -> Iterator[tuple[str, str]]:
    if tree in seen or tree == EMPTY_TREE:
        return
    seen.add(tree)
    for name, entry in read_tree(session, hub, tree).items():
        if entry.is_directory:
            yield from _new_files(session, hub, entry.oid, seen, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", entry.oid


def delete_large_files(
    session: Session, hub: Hub, repository: Repository, blobs: Iterable[str], *, rewrite: bool
) -> int:
    """Take large files out of a repository for good, and return how many it had.

    Args:
        session: must write.
        hub: where trees are.
        repository: the caller's right to administer it has been checked.
        blobs: SHA-256s; what the repository does not have is left out.
        rewrite: take them out of every commit too, which changes the ids of these and all later commits.

    Raises:
        BadRequest: a branch still leads to one of them, and ``rewrite`` is not allowed.
    """
    # Commits that are being made may name these files: after them, or before they look what belongs here.
    session.execute(
        select(Ref.name).where(Ref.repository_id == repository.id).order_by(Ref.name).with_for_update()
    ).all()
    wanted = set(blobs)
    belonging = {blob: facts for blob, facts in _belonging(session, repository.id).items() if blob in wanted}
    if not belonging:
        return 0
    pointers = {_pointer_oid(sha256, size) for sha256, (size, _) in belonging.items()}
    if rewrite:
        without_files(session, hub, repository, pointers)
    else:
        _check_unused(session, hub, repository, pointers)
    _forget(session, repository, {sha256: size for sha256, (size, _) in belonging.items()})
    return len(belonging)


def _check_unused(session: Session, hub: Hub, repository: Repository, pointers: set[str]) -> None:
    used = [path for path, ref in _places(session, hub, repository.id, pointers).values() if ref is not None]
    if used:
        raise BadRequest(
            f"{len(used)} of these files are still part of the history, among them {used[0]!r}. "
            "Let the history be rewritten (rewrite_history=True), or squash it first."
        )


def _forget(session: Session, repository: Repository, sizes: dict[str, int]) -> None:
    blobs = sorted(sizes)
    for first in range(0, len(blobs), AT_ONCE):
        session.execute(
            delete(RepositoryBlob).where(
                RepositoryBlob.repository_id == repository.id,
                RepositoryBlob.sha256.in_(blobs[first : first + AT_ONCE]),
            )
        )
    session.execute(
        update(Repository)
        .where(Repository.id == repository.id)
        .values(used_storage=Repository.used_storage - sum(sizes.values()))
    )
