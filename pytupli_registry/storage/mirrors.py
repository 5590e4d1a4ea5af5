"""The mirrors on this machine: opened, listed, and deleted when nobody uses them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import WriteError
from pytupli_registry.storage.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MirrorFacts", "Mirrors"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_SMALL = 1 << 16


@dataclass(frozen=True, slots=True)
class MirrorFacts:
    """A mirror, for people.

    Attributes:
        sha256: of the whole file.
        directory: where it is.
        size: bytes of the whole file; None where that was not noted.
        held: bytes that it takes on the disk; 0 for a whole one, which lies in the cache of ``huggingface_hub``.
        whole: where the whole file is, or None.
        used_at: when it was last opened, in seconds since 1970.
        origin: ``endpoint``, ``repo``, ``path`` and ``commit`` of its last load, as far as noted.
    """

    sha256: str
    directory: Path
    size: int | None
    held: int
    whole: str | None
    used_at: float
    origin: Mapping[str, Any]


class Mirrors:
    """All mirrors below a cache directory.

    Args:
        cache: the client's cache.
    """

    def __init__(self, cache: Path) -> None:
        self.root = cache / "mirrors"

    @classmethod
    def from_environment(cls) -> Mirrors:
        """Return those of the cache that the environment names."""
        return cls(ClientConfig.from_environment().cache_path)

    def open(self, sha256: str, size: int) -> Mirror:
        """Open the mirror of a file, an empty one if there is none.

        Raises:
            WriteError: the cache cannot be written.
        """
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"{sha256!r:.80} is no SHA-256")
        return Mirror(self.root / sha256[:2] / sha256, sha256, size)

    def reopen(self, facts: MirrorFacts) -> Mirror | None:
        """Open a mirror that was listed; None where it is gone, or what was noted of it is not true."""
        place = facts.directory / "data" if facts.whole is None else Path(facts.whole)
        try:
            if facts.size is None or place.stat().st_size != facts.size:
                return None  # opened under another size, it would begin anew
            return self.open(facts.sha256, facts.size)
        except (OSError, WriteError):
            return None

    def list(self) -> Sequence[MirrorFacts]:
        """Return every mirror, those used last first."""
        found = [
            _facts(directory)
            for directory in self.root.glob("??/*")
            if _SHA256.fullmatch(directory.name) and (directory / "use").is_file()
        ]
        return sorted(found, key=lambda facts: -facts.used_at)

    def prune(self, *, to: int | None = None, unused_for: float | None = None) -> Sequence[MirrorFacts]:
        """Delete mirrors that nobody uses, those used longest ago first, and return them.

        Args:
            to: delete until those that are left take at most so many bytes.
            unused_for: delete those that were not opened for so many seconds.
        """
        mirrors = self.list()
        held, deleted = sum(facts.held for facts in mirrors), []
        now = time.time()
        for facts in reversed(mirrors):
            is_old = unused_for is not None and now - facts.used_at >= unused_for
            is_much = to is not None and held > to and facts.held > 0
            if (is_old or is_much) and _delete(facts.directory):
                held -= facts.held
                deleted.append(facts)
        return deleted


def _facts(directory: Path) -> MirrorFacts:
    whole, origin = _noted(directory / "whole").get("path"), _noted(directory / "origin")
    data, size = directory / "data", origin.get("size")
    used = (directory / "use").stat()
    held = data.stat().st_blocks * 512 if data.is_file() else 0
    return MirrorFacts(
        directory.name,
        directory,
        size if isinstance(size, int) else None,
        held,
        whole if isinstance(whole, str) else None,
        used.st_mtime,
        origin,
    )


def _noted(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes()) if path.stat().st_size <= _MAX_SMALL else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _delete(directory: Path) -> bool:
    """Delete a mirror unless somebody has it open; returns whether it is gone."""
    try:
        handle = os.open(directory / "use", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Out of sight first: who opens this mirror from now on begins a new one.
        doomed = directory.with_name(f".{directory.name}.{os.getpid()}")
        directory.rename(doomed)
        shutil.rmtree(doomed)
    except OSError:  # it is in use, or not ours to delete
        return False
    finally:
        os.close(handle)
    return True
