"""The objects of a fetch as a pack: named first, so that they can be counted, then sent a few at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Commit, GitBlob, Tree
from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.services.git_protocol.negotiation import History, Selection
from pytupli_registry.server.services.trees import read_tree
from pytupli_registry.server.wire.git import EMPTY_TREE
from pytupli_registry.server.wire.lfs import Pointer
from pytupli_registry.server.wire.packfile import ObjectType, PackStream

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["Contents", "contents_of", "pack"]

Found = TypeVar("Found")
MOST_OBJECTS = 5_000_000
AT_ONCE = {ObjectType.COMMIT: 200, ObjectType.TREE: 20, ObjectType.BLOB: 50}


class Contents:
    """Which objects a pack has. Trees and blobs are those that a commit adds to its parent's.

    Attributes:
        commits: ids of commits.
        trees: ids of trees.
        blobs: ids of blobs.
    """

    def __init__(self, session: Session, hub: Hub) -> None:
        self._session = session
        self._hub = hub
        self._seen: set[str] = set()
        self.commits: list[str] = []
        self.trees: list[str] = []
        self.blobs: list[str] = []

    def __len__(self) -> int:
        return len(self.commits) + len(self.trees) + len(self.blobs)

    def add_commit(self, oid: str, tree: str, parent_tree: str) -> None:
        """Add a commit and what it has that its parent has not (or all, if that is the empty tree).

        Raises:
            BadRequest: these are more objects than git can be sent.
        """
        self.commits.append(oid)
        if tree not in self._seen:
            self._add_tree(tree, parent_tree)

    def _add_tree(self, oid: str, known: str) -> None:
        if oid == known != EMPTY_TREE:
            return
        self._seen.add(oid)
        self.trees.append(oid)
        if len(self) > MOST_OBJECTS:
            raise BadRequest("This history is too large for git. Use --depth 1, or huggingface_hub.")
        there = read_tree(self._session, self._hub, known)
        for name, entry in read_tree(self._session, self._hub, oid).items():
            old = there.get(name)
            if old == entry or entry.oid in self._seen:
                continue
            if entry.is_directory:
                self._add_tree(entry.oid, old.oid if old is not None and old.is_directory else EMPTY_TREE)
            else:
                self._seen.add(entry.oid)
                self.blobs.append(entry.oid)


def contents_of(session: Session, hub: Hub, history: History, selection: Selection) -> Contents:
    """Return what a pack must hold for a client to have what it selected.

    Raises:
        BadRequest: as :meth:`Contents.add_commit`.
    """
    contents = Contents(session, hub)
    there = selection.commits | selection.known
    for oid in _parents_first(history, selection.commits):
        parent = None if oid in selection.edges else history.parent(oid)
        known = history.tree(parent) if parent is not None and parent in there else EMPTY_TREE
        contents.add_commit(oid, history.tree(oid), known)
    return contents


def _parents_first(history: History, commits: set[str]) -> Iterator[str]:
    """Yield commits so that a tree is compared with one that was looked at just before, in memory still."""
    done: set[str] = set()
    for tip in sorted(commits):
        chain: list[str] = []
        oid: str | None = tip
        while oid is not None and oid in commits and oid not in done:
            chain.append(oid)
            done.add(oid)
            oid = history.parent(oid)
        yield from reversed(chain)


def pack(hub: Hub, repository_id: int, contents: Contents) -> Iterator[bytes]:
    """Yield a pack. Objects are read a few at a time, each time in a session of its own.

    Raises:
        Unavailable: database or object store do not answer.
        LookupError: the database is damaged; fsck tells more.
    """
    stream = PackStream(len(contents))
    yield stream.begin()
    for oids in _some(contents.commits, ObjectType.COMMIT):
        for raw in _commits(hub, repository_id, oids):
            yield stream.add(ObjectType.COMMIT, raw)
    for oids in _some(contents.trees, ObjectType.TREE):
        for raw in _trees(hub, oids):
            yield stream.add(ObjectType.TREE, raw)
    for oids in _some(contents.blobs, ObjectType.BLOB):
        for size, blocks in _blobs(hub, oids):
            yield from stream.stream(ObjectType.BLOB, size, blocks)
    yield stream.end()


def _some(oids: Sequence[str], type_: ObjectType) -> Iterator[list[str]]:
    remaining = iter(oids)
    while some := list(islice(remaining, AT_ONCE[type_])):
        yield some


def _commits(hub: Hub, repository_id: int, oids: list[str]) -> Sequence[bytes]:
    with hub.database.read() as session:
        query = select(Commit.raw).where(Commit.repository_id == repository_id, Commit.oid.in_(oids))
        return _all(session.scalars(query).all(), oids)


def _trees(hub: Hub, oids: list[str]) -> Sequence[bytes]:
    with hub.database.read() as session:
        stored = session.scalars(select(Tree.raw).where(Tree.oid.in_(oids), Tree.oid != EMPTY_TREE)).all()
    return _all([*stored, *(b"" for oid in oids if oid == EMPTY_TREE)], oids)


def _blobs(hub: Hub, oids: list[str]) -> Iterator[tuple[int, Iterable[bytes]]]:
    columns = (GitBlob.size, GitBlob.lfs, GitBlob.sha256, GitBlob.content)
    with hub.database.read() as session:
        rows = _all(session.execute(select(*columns).where(GitBlob.oid.in_(oids))).all(), oids)
    for size, lfs, sha256, content in rows:
        if sha256 is None:
            yield size, (content or b"",)
        elif lfs:
            pointer = Pointer(sha256, size).encoded()
            yield len(pointer), (pointer,)
        else:
            yield size, hub.objects.read(blob_key(sha256))


def _all(found: Sequence[Found], oids: list[str]) -> Sequence[Found]:
    if len(found) != len(oids):
        raise LookupError("git objects are missing from the database")
    return found
