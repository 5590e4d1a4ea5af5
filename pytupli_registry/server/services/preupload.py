"""How a file is to be uploaded: inside the commit, or before it as a large file."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services.files import content_of, files_of
from pytupli_registry.server.services.trees import entry_at

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["Advice", "Candidate", "advise"]

LARGE = 10 << 20  # the Hub's own limit for files inside git
LONGEST_PATTERNS = 1 << 20
MOST_PATTERNS = 1000
LONGEST_PATTERN = 200
TEXT_CONTROLS = b"\t\n\r\f\b\x1b"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that a client is about to upload, with its first bytes."""

    path: str
    size: int
    sample: bytes


@dataclass(frozen=True, slots=True)
class Advice:
    """What the client shall do with a file.

    Attributes:
        path: which file.
        large: upload it before the commit.
        ignored: ``.gitignore`` says to leave it out.
        oid: what is at that path now: SHA-256 of a large file, git's id of a regular one, None if nothing.
    """

    path: str
    large: bool
    ignored: bool
    oid: str | None


def advise(
    session: Session, hub: Hub, tree_oid: str, candidates: Sequence[Candidate], git_ignore: str | None
) -> list[Advice]:
    """Return what to do with each file, given the tree it would be added to."""
    attributes = _large_patterns(_text_at(session, hub, tree_oid, ".gitattributes"))
    ignored = _Patterns(
        git_ignore if git_ignore is not None else _text_at(session, hub, tree_oid, ".gitignore")
    )
    entries = {candidate.path: entry_at(session, hub, tree_oid, candidate.path) for candidate in candidates}
    files = files_of(session, hub, [e.oid for e in entries.values() if e is not None and not e.is_directory])
    advice = []
    for candidate in candidates:
        entry = entries[candidate.path]
        known = files.get(entry.oid) if entry is not None else None
        advice.append(
            Advice(
                candidate.path,
                _is_large(candidate, attributes),
                ignored.match(candidate.path),
                known.etag if known else None,
            )
        )
    return advice


def _text_at(session: Session, hub: Hub, tree_oid: str, path: str) -> str:
    entry = entry_at(session, hub, tree_oid, path)
    if entry is None or entry.is_directory:
        return ""
    file = files_of(session, hub, [entry.oid])[entry.oid]
    if file.sha256 is not None or file.size > LONGEST_PATTERNS:
        return ""
    return content_of(session, entry.oid).decode("utf-8", "replace")


def _is_large(candidate: Candidate, patterns: Iterable[str]) -> bool:
    if candidate.size == 0:
        return False
    if candidate.size > LARGE or _is_binary(candidate.sample):
        return True
    name = candidate.path.rpartition("/")[2]
    return any(
        fnmatch.fnmatchcase(candidate.path if "/" in pattern else name, pattern) for pattern in patterns
    )


def _is_binary(sample: bytes) -> bool:
    return any(byte < 32 and byte not in TEXT_CONTROLS for byte in sample)


def _large_patterns(attributes: str) -> list[str]:
    lines = (line.split() for line in attributes.splitlines())
    patterns = [words[0] for words in lines if "filter=lfs" in words[1:]]
    _check_patterns(patterns)
    return patterns


def _check_patterns(patterns: Sequence[str]) -> None:
    # Every file of a request is compared with every pattern.
    if len(patterns) > MOST_PATTERNS or any(len(pattern) > LONGEST_PATTERN for pattern in patterns):
        raise BadRequest(
            f".gitignore and .gitattributes have at most {MOST_PATTERNS} patterns of {LONGEST_PATTERN} "
            "characters each here."
        )


class _Patterns:
    """The lines of a ``.gitignore``; the last one that matches decides."""

    def __init__(self, text: str) -> None:
        lines = (line.rstrip() for line in text.splitlines())
        self._lines = [line for line in lines if line and not line.startswith("#")]
        _check_patterns(self._lines)

    def match(self, path: str) -> bool:
        ignored = False
        for line in self._lines:
            negated = line.startswith("!")
            if _ignores(line.removeprefix("!"), path):
                ignored = not negated
        return ignored


def _ignores(pattern: str, path: str) -> bool:
    folders_only = pattern.endswith("/")
    bare = pattern.strip("/")
    parts = path.split("/")
    prefixes = ["/".join(parts[:end]) for end in range(1, len(parts) + (0 if folders_only else 1))]
    if "/" in pattern.rstrip("/"):
        return any(fnmatch.fnmatchcase(prefix, bare) for prefix in prefixes)
    return any(fnmatch.fnmatchcase(prefix.rpartition("/")[2], bare) for prefix in prefixes)
