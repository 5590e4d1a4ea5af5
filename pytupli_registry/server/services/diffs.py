"""The text of what a pull request changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import GitBlob
from pytupli_registry.server.services.merging import FileChange
from pytupli_registry.server.wire.diff import FileText, file_diff
from pytupli_registry.server.wire.git import TreeEntry
from pytupli_registry.server.wire.lfs import Pointer

__all__ = ["diff_text"]

MOST_FILES = 300
MOST_CHANGED_LINES = 10_000
LONGEST_DIFF = 1 << 20
AT_ONCE = 20


def diff_text(session: Session, changes: Iterable[FileChange]) -> str:
    """Return a ``git diff`` of files: pointers for large ones, and no more than a page can show."""
    parts: list[str] = []
    length = changed_lines = 0
    for number, part in enumerate(_parts(session, changes)):
        if number == MOST_FILES or length + len(part) > LONGEST_DIFF or changed_lines > MOST_CHANGED_LINES:
            parts.append(
                "# There are further changes, which are not shown here. Fetch the branch to see them.\n"
            )
            break
        parts.append(part)
        length += len(part)
        changed_lines += part.count("\n+") + part.count("\n-")
    return "".join(parts)


def _parts(session: Session, changes: Iterable[FileChange]) -> Iterator[str]:
    remaining = iter(changes)
    while some := list(islice(remaining, AT_ONCE)):
        texts = _texts(session, {entry.oid for change in some for entry in (change.old, change.new) if entry})
        for change in some:
            yield file_diff(change.path, _side(change.old, texts), _side(change.new, texts))


def _side(entry: TreeEntry | None, texts: dict[str, str]) -> FileText | None:
    return None if entry is None else FileText(entry.mode, entry.oid, texts.get(entry.oid))


def _texts(session: Session, oids: set[str]) -> dict[str, str]:
    """Return those git blobs that are text and small: by id, as git sees them."""
    rows = session.execute(
        select(GitBlob.oid, GitBlob.lfs, GitBlob.sha256, GitBlob.size, GitBlob.content).where(
            GitBlob.oid.in_(sorted(oids))
        )
    )
    texts: dict[str, str] = {}
    for oid, lfs, sha256, size, content in rows:
        text = _decoded(Pointer(sha256, size).encoded() if lfs and sha256 else content)
        if text is not None:
            texts[oid] = text
    return texts


def _decoded(content: bytes | None) -> str | None:
    if content is None or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
