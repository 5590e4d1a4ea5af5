"""Files of a repository as regular files of this machine, for code that takes a directory and refuses links."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import HubError, UnsafeFile
from pytupli_registry.storage.durable import make_directories, replacement

if TYPE_CHECKING:
    from pathlib import Path

    from pytupli_registry.hub.snapshots import RemoteFile, Snapshot

__all__ = ["RepositoryCopy"]

_SMALL = 1 << 24  # bytes: what is smaller is not worth a place in the cache of huggingface_hub
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class RepositoryCopy:
    """A directory in the client's cache with those files of a commit that were asked for.

    Attributes:
        snapshot: the repository at the commit.
    """

    snapshot: Snapshot

    @property
    def directory(self) -> Path:
        """Where the files lie, under their paths in the repository."""
        root = ClientConfig.from_environment().cache_path / "repositories"
        return root.joinpath(
            quote(self.snapshot.hub.endpoint, safe=""), *self.snapshot.repo.split("/"), self.snapshot.commit
        )

    def file(self, path: str) -> Path:
        """Bring a file here, unless it is, and return it: a regular file, checked against its hash.

        Raises:
            FileNotInRepository: there is no such file.
            NotCached: offline, and it is not on this machine.
            ChecksumError: what came has another hash.
            UnsafeFile: the path leads elsewhere.
            HubError: the Hub refuses, cannot be reached, or the cache cannot be written.
        """
        target = self.directory / self._checked(path)
        remote = self.snapshot.file(path)
        if _holds(target, remote):
            return target
        source = self._fetched(path, remote)
        try:
            make_directories(target.parent)
            with source.open("rb") as content, replacement(target) as copy:
                shutil.copyfileobj(content, copy, _BLOCK)
        except OSError as error:
            raise HubError(f"{target} cannot be written ({error.strerror}).") from error
        return target

    def _fetched(self, path: str, remote: RemoteFile) -> Path:
        small = self.snapshot.local(path) if remote.size < _SMALL else None
        return self.snapshot.download(path) if small is None else small

    def _checked(self, path: str) -> str:
        segments = path.split("/")
        if any(segment in {"", ".", ".."} for segment in segments) or "\\" in path or "\0" in path:
            raise UnsafeFile(self.directory, f"{path!r:.160} leads out of the repository")
        return path


def _holds(place: Path, remote: RemoteFile) -> bool:
    hasher = remote.hasher()
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_size != remote.size:
            return False
        while block := file.read(_BLOCK):
            hasher.update(block)
    return bool(hasher.hexdigest() == remote.key)
