"""How a file is to be uploaded: inside the commit, or before it as a large file."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
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
MOST_PATTERNS = 2000
MOST_CHARACTERS = 64 << 10
MOST_COMPARISONS = 2_000_000  # some seconds
NONE = -1
WILD = frozenset("*?[")
TEXT_CONTROLS = b"\t\n\r\f\b\x1b"
NOT_BINARY = bytes(byte for byte in range(256) if byte >= 32 or byte in TEXT_CONTROLS)


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


def _is_large(candidate: Candidate, names: _LargeNames) -> bool:
    if candidate.size == 0:
        return False
    if candidate.size > LARGE or _is_binary(candidate.sample):
        return True
    return names.match(candidate.path)


def _is_binary(sample: bytes) -> bool:
    return bool(sample.translate(None, delete=NOT_BINARY))


def _large_patterns(attributes: str) -> _LargeNames:
    lines = (line.split() for line in attributes.splitlines())
    patterns = [words[0] for words in lines if "filter=lfs" in words[1:]]
    # Many repositories name thousands of files one by one.
    wild = [pattern for pattern in patterns if WILD.intersection(pattern)]
    _check_patterns(wild)
    # Nearly all of them are of the form *.bin.
    suffixes = tuple(pattern[1:] for pattern in wild if _is_suffix(pattern))
    others = [_Pattern.of(pattern) for pattern in wild if not _is_suffix(pattern)]
    return _LargeNames(frozenset(patterns).difference(wild), suffixes, others)


def _is_suffix(pattern: str) -> bool:
    return pattern.startswith("*") and not WILD.union("/!").intersection(pattern[1:])


def _check_patterns(patterns: Sequence[str]) -> None:
    # Each is compiled, and every file of a request is compared with it.
    if len(patterns) > MOST_PATTERNS or sum(map(len, patterns)) > MOST_CHARACTERS:
        raise BadRequest(
            f".gitignore and .gitattributes have at most {MOST_PATTERNS} patterns of together "
            f"{MOST_CHARACTERS} characters here."
        )


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A line of a ``.gitignore``."""

    ignores: bool
    folders_only: bool
    whole_path: bool
    expression: re.Pattern[str]

    @classmethod
    def of(cls, line: str) -> _Pattern:
        pattern = line.removeprefix("!")
        return cls(
            ignores=not line.startswith("!"),
            folders_only=pattern.endswith("/"),
            whole_path="/" in pattern.rstrip("/"),
            expression=re.compile(fnmatch.translate(pattern.strip("/"))),
        )

    def match(self, path: str) -> bool:
        return self.expression.match(path if self.whole_path else path.rpartition("/")[2]) is not None


@dataclass(frozen=True, slots=True)
class _LargeNames:
    """What ``.gitattributes`` says of large files."""

    literal: frozenset[str]
    suffixes: tuple[str, ...]
    patterns: Sequence[_Pattern]

    def match(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        if path in self.literal or name in self.literal or name.endswith(self.suffixes):
            return True
        return any(pattern.match(path) for pattern in self.patterns)


class _Patterns:
    """The lines of a ``.gitignore``; the last one that matches decides."""

    def __init__(self, text: str) -> None:
        lines = [line.rstrip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        _check_patterns(lines)
        self._patterns = [_Pattern.of(line) for line in lines]
        self._of_folders: dict[str, int] = {}
        self._comparisons = 0

    def match(self, path: str) -> bool:
        """Return whether a file is to be left out.

        Raises:
            BadRequest: more files in more folders than can be compared with so many patterns.
        """
        folders = path.split("/")[:-1]
        above = ("/".join(folders[:end]) for end in range(1, len(folders) + 1))
        last = max(self._last(path, is_file=True), *map(self._of_folder, above), NONE)
        return last != NONE and self._patterns[last].ignores

    def _of_folder(self, path: str) -> int:
        if path not in self._of_folders:
            self._of_folders[path] = self._last(path, is_file=False)
        return self._of_folders[path]

    def _last(self, path: str, *, is_file: bool) -> int:
        """Return the place of the last pattern that matches, ``NONE`` if none does."""
        self._comparisons += len(self._patterns)
        if self._comparisons > MOST_COMPARISONS:
            raise BadRequest(
                "These are too many files and folders for so long a .gitignore. Send fewer at once."
            )
        for place in range(len(self._patterns) - 1, -1, -1):
            pattern = self._patterns[place]
            if not (is_file and pattern.folders_only) and pattern.match(path):
                return place
        return NONE
