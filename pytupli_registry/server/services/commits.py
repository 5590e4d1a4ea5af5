"""Commits: changes become trees, trees a commit, and the branch moves to it, all in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Commit, Repository, now
from pytupli_registry.server.errors import BadRequest, EntryNotFound, StaleParent, Unprocessable
from pytupli_registry.server.services.blobs import belonging
from pytupli_registry.server.services.datasets.facts import refresh
from pytupli_registry.server.services.datasets.guard import guarded_tree
from pytupli_registry.server.services.git_objects import keep_pointers
from pytupli_registry.server.services.intake import Change, SmallFile, hold_contents, keep_contents
from pytupli_registry.server.services.refs import create_ref, lock_ref, move_ref
from pytupli_registry.server.services.revisions import DEFAULT_BRANCH, not_found, tree_of
from pytupli_registry.server.services.trees import change_tree, entry_at
from pytupli_registry.server.services.webhooks import announce_refs
from pytupli_registry.server.wire.card import first_space_card
from pytupli_registry.server.wire.events import UpdatedRef
from pytupli_registry.server.wire.git import EMPTY_TREE, FILE, CommitObject, TreeEntry, object_id
from pytupli_registry.server.wire.lfs import Pointer
from pytupli_registry.server.wire.operations import PutLargeFile

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub
    from pytupli_registry.server.services.permissions import Caller

__all__ = ["INITIAL_TITLE", "Draft", "apply", "commit_initial", "commit_tree", "write_commit"]

INITIAL_TITLE = "initial commit"
LARGE_FILES = [
    "*.7z",
    "*.arrow",
    "*.avro",
    "*.bin",
    "*.bz2",
    "*.ckpt",
    "*.d3",
    "*.ftz",
    "*.gz",
    "*.h5",
    "*.hdf5",
    "*.joblib",
    "*.lz4",
    "*.mds",
    "*.mlmodel",
    "*.model",
    "*.msgpack",
    "*.npy",
    "*.npz",
    "*.onnx",
    "*.ot",
    "*.parquet",
    "*.pb",
    "*.pickle",
    "*.pkl",
    "*.pt",
    "*.pth",
    "*.rar",
    "*.safetensors",
    "*.tar",
    "*.tar.*",
    "*.tflite",
    "*.tgz",
    "*.wasm",
    "*.xz",
    "*.zip",
    "*.zst",
    "*tfevents*",
    "*.pcm",
    "*.sam",
    "*.raw",
    "*.aac",
    "*.flac",
    "*.mp3",
    "*.ogg",
    "*.wav",
    "*.bmp",
    "*.gif",
    "*.png",
    "*.tiff",
    "*.jpg",
    "*.jpeg",
    "*.webp",
    "*.mp4",
    "*.webm",
]
GITATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LARGE_FILES)


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit that is to be made.

    Attributes:
        title: the first line of its message.
        message: the rest.
        parent: the (abbreviated) commit that the branch must point at, or None if any will do.
        changes: what becomes of each path.
        replaced: paths whose old content, be it a whole folder, goes before they are written.
    """

    title: str
    message: str = ""
    parent: str | None = None
    changes: Mapping[str, Change] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()


def apply(session: Session, hub: Hub, repository: Repository, caller: Caller, ref: str, draft: Draft) -> str:
    """Make a commit on a branch or pull request and return its id.

    A draft that changes nothing returns the head, so that sending a commit again does no harm.

    Args:
        session: must write; the branch stays locked until its transaction ends.
        hub: where contents are.
        repository: the repository; the caller's right to commit has been checked.
        caller: becomes the author.
        ref: full name of the branch or pull request.
        draft: the commit.

    Raises:
        RevisionNotFound: there is no such branch.
        StaleParent: the branch does not point at the parent any more.
        EntryNotFound: a path that is to be deleted does not exist.
        Unprocessable: a file that was never uploaded to this repository, or paths that exclude each other.
        Conflict: contents that were kept early are gone by now.
        BadRequest: README.md is not what the Hub accepts, or the result would break ``minari list remote`` for
            the whole organization.
    """
    head = lock_ref(session, repository.id, ref)
    if head is None:
        raise not_found(ref.removeprefix("refs/heads/"))
    keep_contents(session, hub, draft.changes, repository_id=repository.id, user_id=caller.user_id)
    hold_contents(session, repository.id, draft.changes)
    if draft.parent is not None and not head.startswith(draft.parent):
        return _replayed(session, hub, repository, caller, head, draft)
    old_tree = tree_of(session, repository.id, head)
    new_tree = _tree_with(session, hub, repository, old_tree, draft)
    if new_tree == old_tree:
        return head
    return commit_tree(session, hub, repository, caller, ref, head, new_tree, draft.title, draft.message)


def _replayed(
    session: Session, hub: Hub, repository: Repository, caller: Caller, head: str, draft: Draft
) -> str:
    """Return the head if it is this very commit, sent again because its answer was lost."""
    commit = session.get_one(Commit, (repository.id, head))
    parent = commit.parent_oid
    if parent is None or not parent.startswith(draft.parent or "-") or commit.author_id != caller.user_id:
        raise StaleParent
    before = tree_of(session, repository.id, parent)
    if _tree_with(session, hub, repository, before, draft) != commit.tree_oid:
        raise StaleParent
    return head


def commit_tree(
    session: Session,
    hub: Hub,
    repository: Repository,
    caller: Caller,
    ref: str,
    head: str,
    tree_oid: str,
    title: str,
    message: str = "",
) -> str:
    """Make a commit of a whole tree on top of ``head``, move the branch to it, and return its id.

    What the Hub knows of ``main`` follows it. That the tree may be put there was for ``guarded_tree`` to say.

    Raises:
        StaleParent: the branch does not point at ``head`` any more.
    """
    oid = write_commit(session, repository.id, caller, tree_oid, (head,), title, message)
    move_ref(session, repository.id, ref, head, oid)
    announce_refs(session, repository, [UpdatedRef(ref, head, oid)])
    touch(session, repository, ref)
    if ref == f"refs/heads/{DEFAULT_BRANCH}":
        refresh(session, hub, repository, tree_of(session, repository.id, head), tree_oid)
    return oid


def touch(session: Session, repository: Repository, ref: str) -> None:
    """Note that a branch has moved."""
    if ref == f"refs/heads/{DEFAULT_BRANCH}":
        session.execute(update(Repository).where(Repository.id == repository.id).values(updated_at=now()))


def write_commit(
    session: Session,
    repository_id: int,
    caller: Caller,
    tree_oid: str,
    parents: tuple[str, ...],
    title: str,
    message: str = "",
) -> str:
    """Write a commit without moving anything to it, and return its id."""
    made = CommitObject(tree_oid, parents, caller.name or "anonymous", CommitObject.clock(), title, message)
    raw = made.serialize()
    oid = object_id("commit", raw)
    if session.get(Commit, (repository_id, oid)) is None:
        session.add(
            Commit(
                repository_id=repository_id,
                oid=oid,
                tree_oid=tree_oid,
                parent_oid=parents[0] if parents else None,
                title=title,
                message=message,
                author_id=caller.user_id,
                author_name=caller.name,
                created_at=made.created_at,
                raw=raw,
            )
        )
        session.flush()
    return oid


def commit_initial(session: Session, hub: Hub, repository: Repository, caller: Caller) -> str:
    """Make the first commit of a new repository: clients and Minari fail on one without any."""
    contents = {".gitattributes": GITATTRIBUTES.encode()}
    if repository.type == "space":
        contents["README.md"] = first_space_card(repository.name, repository.sdk)
    files = {path: SmallFile(object_id("blob", content), content) for path, content in contents.items()}
    keep_contents(session, hub, files, repository_id=repository.id, user_id=caller.user_id)
    entries = {path: TreeEntry(FILE, file.oid) for path, file in files.items()}
    tree = change_tree(session, hub, EMPTY_TREE, entries)
    oid = write_commit(session, repository.id, caller, tree, (), INITIAL_TITLE)
    create_ref(session, repository.id, f"refs/heads/{DEFAULT_BRANCH}", oid)
    if "README.md" in files:
        refresh(session, hub, repository, None, tree)
    return oid


def _tree_with(session: Session, hub: Hub, repository: Repository, tree_oid: str, draft: Draft) -> str:
    large = _large_files(session, hub, repository, draft.changes)
    entries: dict[str, TreeEntry | None] = {}
    for path, change in draft.changes.items():
        if (change is None or path in draft.replaced) and entry_at(session, hub, tree_oid, path) is None:
            raise EntryNotFound(f"A file with this name doesn't exist: {path}")
        match change:
            case None:
                entries[path] = None
            case SmallFile(oid):
                entries[path] = TreeEntry(FILE, oid)
            case PutLargeFile(path=path, sha256=sha256):
                entries[path] = TreeEntry(FILE, large[sha256])
    new_tree = change_tree(session, hub, tree_oid, entries, draft.replaced)
    return guarded_tree(session, hub, repository, tree_oid, new_tree)


def _large_files(
    session: Session, hub: Hub, repository: Repository, changes: Mapping[str, Change]
) -> dict[str, str]:
    """Return the git ids of the pointers of all large files, which must belong to the repository."""
    wanted = [change for change in changes.values() if isinstance(change, PutLargeFile)]
    sizes = belonging(session, repository.id, (change.sha256 for change in wanted))
    pointers: dict[str, Pointer] = {}
    for change in wanted:
        size = sizes.get(change.sha256)
        if size is None:
            raise Unprocessable(
                f"The file {change.path!r} with the SHA-256 {change.sha256} was not uploaded to "
                f"{repository.full_name}. Upload it first."
            )
        if change.size not in (None, size):
            raise Unprocessable(f"The file {change.path!r} has {size} bytes, not {change.size}.")
        pointers[change.sha256] = Pointer(change.sha256, size)
    oids = {sha256: object_id("blob", pointer.encoded()) for sha256, pointer in pointers.items()}
    keep_pointers(session, hub, {oid: (sha256, sizes[sha256]) for sha256, oid in oids.items()})
    return oids


def commit_at(session: Session, repository_id: int, oid: str) -> Commit:
    """Return a commit of a repository.

    Raises:
        RevisionNotFound: there is none of that id.
    """
    commit = session.scalar(select(Commit).where(Commit.repository_id == repository_id, Commit.oid == oid))
    if commit is None:
        raise not_found(oid)
    return commit


def check_title(title: str) -> str:
    """Return ``title`` if it can be a commit's.

    Raises:
        BadRequest: it is empty.
    """
    if not title.strip():
        raise BadRequest("A commit needs a title.")
    return title
