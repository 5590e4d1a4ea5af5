"""Git's object format: ids, trees and commits (git-scm.com/book, "Git Internals - Git Objects")."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

__all__ = [
    "DIRECTORY",
    "EMPTY_TREE",
    "FILE",
    "CommitObject",
    "TreeEntry",
    "blob_hasher",
    "object_id",
    "parse_tree",
    "serialize_tree",
]

FILE = "100644"
DIRECTORY = "40000"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_TREE = re.compile(rb"(?:[0-7]++ [^\0]++\0.{20})*+", re.DOTALL)
_TREE_LINE = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)


def object_id(kind: str, raw: bytes) -> str:
    """Return the id git gives to an object: SHA-1 over header and content."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(raw)) + raw, usedforsecurity=False).hexdigest()


def blob_hasher(size: int) -> hashlib._Hash:
    """Return a hash to feed a file of ``size`` bytes to, whose result is the blob's id."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


class TreeEntry(NamedTuple):
    """One line of a tree: a file (``100644``) or a directory (``40000``)."""

    mode: str
    oid: str

    @property
    def is_directory(self) -> bool:
        """Whether the entry is a tree."""
        return self.mode == DIRECTORY


def serialize_tree(entries: Mapping[str, TreeEntry]) -> bytes:
    """Return a tree object's content; git sorts directories as if their names ended in a slash."""

    def order(pair: tuple[str, TreeEntry]) -> bytes:
        name = pair[0].encode()
        return name + b"/" if pair[1].is_directory else name

    return b"".join(
        b"%s %s\0%s" % (entry.mode.encode(), name.encode(), bytes.fromhex(entry.oid))
        for name, entry in sorted(entries.items(), key=order)
    )


def parse_tree(raw: bytes) -> dict[str, TreeEntry]:
    """Return the entries of a tree object that we wrote, in git's order.

    Raises:
        ValueError: it is damaged.
    """
    if not _TREE.fullmatch(raw):
        raise ValueError("this is no tree of git's")
    return {name.decode(): TreeEntry(mode.decode(), oid.hex()) for mode, name, oid in _TREE_LINE.findall(raw)}


@dataclass(frozen=True, slots=True)
class CommitObject:
    """What a commit consists of; ``created_at`` counts in whole seconds, as git does."""

    tree: str
    parents: tuple[str, ...]
    author: str
    created_at: datetime
    title: str
    message: str = ""

    def serialize(self) -> bytes:
        """Return the commit object's content. Author and committer are the same account of this Hub."""
        person = f"{self.author} <{self.author}@users.noreply> {int(self.created_at.timestamp())} +0000"
        lines: Iterable[str] = (
            f"tree {self.tree}",
            *(f"parent {parent}" for parent in self.parents),
            f"author {person}",
            f"committer {person}",
            "",
            self.text,
        )
        return "\n".join(lines).encode()

    @property
    def text(self) -> str:
        """Title and message as git stores them: separated by a blank line, ended by a newline."""
        body = f"{self.title}\n\n{self.message}" if self.message else self.title
        return body.rstrip("\n") + "\n"

    @property
    def oid(self) -> str:
        """The commit's id."""
        return object_id("commit", self.serialize())

    @staticmethod
    def clock() -> datetime:
        """Return the time, in UTC and whole seconds."""
        return datetime.now(UTC).replace(microsecond=0)
