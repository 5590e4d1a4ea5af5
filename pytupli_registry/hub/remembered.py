"""What this machine has learned about repositories: for offline mode, and so that nothing small travels twice."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Remembered", "RemoteFile", "git_blob_id"]

_MAX_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository at a commit.

    Attributes:
        path: in the repository.
        size: its bytes.
        blob_id: git's name of it (of its pointer where it is a large file).
        sha256: of a large file (LFS) in hexadecimal; None for others.
    """

    path: str
    size: int
    blob_id: str
    sha256: str | None = None

    @property
    def key(self) -> str:
        """What names the content: the SHA-256 of large files, git's name of others."""
        return self.sha256 or self.blob_id

    def hasher(self) -> Any:  # noqa: ANN401 - of hashlib
        """Return the hash that gives :attr:`key` once the content went through it."""
        if self.sha256 is not None:
            return hashlib.sha256()
        kind = hashlib.sha1 if len(self.blob_id) == 40 else hashlib.sha256
        return kind(b"blob %d\0" % self.size)

    def matches(self, content: bytes) -> bool:
        """Whether these bytes are the file's."""
        hasher = self.hasher()
        hasher.update(content)
        return len(content) == self.size and hasher.hexdigest() == self.key


def git_blob_id(content: bytes) -> str:
    """Return git's name of some bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324 - git's own


class Remembered:
    """Revisions, file facts and small files, below the client's cache; losing any of it costs only time.

    Args:
        cache: directory of the client's cache.
        endpoint: the Hub; what is known of one says nothing of another.
    """

    def __init__(self, cache: Path, endpoint: str) -> None:
        self._root = cache / "hub"
        self._facts = self._root / quote(endpoint, safe="")

    def commit(self, repo: str, revision: str) -> str | None:
        """Return the commit that a revision was resolved to the last time."""
        found = _load(self._place(repo, "revisions", revision))
        commit = found.get("commit")
        return commit if isinstance(commit, str) else None

    def keep_commit(self, repo: str, revision: str, commit: str) -> None:
        """Remember what a revision was resolved to."""
        if self.commit(repo, revision) != commit:
            _keep(self._place(repo, "revisions", revision), {"commit": commit})

    def files(self, repo: str, commit: str) -> dict[str, RemoteFile | None]:
        """Return what is known of the files at a commit by path; None for one that is known to be missing."""
        found: dict[str, RemoteFile | None] = {}
        for path, said in _load(self._place(repo, "commits", commit)).items():
            try:
                found[path] = None if said is None else RemoteFile(path, int(said[0]), said[1], said[2])
            except (TypeError, ValueError, LookupError):
                return {}
        return found

    def keep_files(self, repo: str, commit: str, files: dict[str, RemoteFile | None]) -> None:
        """Remember more files at a commit."""
        known = {**self.files(repo, commit), **files}
        said = {
            path: None if file is None else [file.size, file.blob_id, file.sha256]
            for path, file in known.items()
        }
        _keep(self._place(repo, "commits", commit), said)

    def forget(self, repo: str, commit: str) -> None:
        """Forget the files at a commit, so that the Hub is asked again."""
        self._place(repo, "commits", commit).unlink(missing_ok=True)

    def blob(self, file: RemoteFile) -> Path:
        """Return where a small file is kept, whatever repositories have it."""
        return self._root / "blobs" / file.key[:2] / file.key

    def content(self, file: RemoteFile) -> bytes | None:
        """Return a small file, None where it is not here or damaged."""
        try:
            content = self.blob(file).read_bytes()
        except OSError:
            return None
        return content if file.matches(content) else None

    def keep_content(self, file: RemoteFile, content: bytes) -> Path | None:
        """Keep a small file, and return where; None where the cache cannot be written."""
        place = self.blob(file)
        return place if _replace(place, content) else None

    def _place(self, repo: str, kind: str, name: str) -> Path:
        return self._facts / quote(repo, safe="") / kind / f"{quote(name, safe='')}.json"


def _load(path: Path) -> dict[str, Any]:
    """Return what :func:`_keep` has kept; nothing where any bit of it has changed."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            return {}
        check, _, content = path.read_bytes().partition(b"\n")
        if check != hashlib.sha256(content).hexdigest().encode():
            return {}
        found = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(path: Path, said: dict[str, Any]) -> bool:
    content = json.dumps(said).encode()
    return _replace(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def _replace(path: Path, content: bytes) -> bool:
    """Write a file in one step; a cache that cannot be written is no error."""
    partial = path.with_name(f".{secrets.token_hex(6)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        return False
    return True
