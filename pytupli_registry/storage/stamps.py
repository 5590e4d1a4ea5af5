"""What this machine has verified, so that it need not be verified at every open.

A stamp says: the index at this path describes the data file at that path, and both are still the files that were
verified. Stamps are a cache: without them everything works, slower.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytupli_registry.storage.columns import FileIdentity

__all__ = ["Stamp", "Stamps", "sha256_of"]

_VERSION = 1
_MAX_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Stamp:
    """An index that was found to describe a data file.

    Attributes:
        index_path: the index; beside the data, or in the cache where the data's directory cannot be written.
        data_sha256: hash of the data file.
    """

    index_path: Path
    data_sha256: str


class Stamps:
    """The stamps below a cache directory, one small file a dataset."""

    __slots__ = ("_root",)

    def __init__(self, cache_path: Path) -> None:
        self._root = cache_path / "stamps"

    def record(self, data_path: Path, index_path: Path, data_sha256: str) -> None:
        """Remember that the index describes the data file, both as they are now.

        Call it only after a verification, or right after writing both. A cache that cannot be written is no error.
        """
        try:
            said = {
                "version": _VERSION,
                "data": {"path": str(data_path.resolve()), **asdict(FileIdentity.of(data_path))},
                "index": {"path": str(index_path.resolve()), **asdict(FileIdentity.of(index_path))},
                "data_sha256": data_sha256,
                "index_sha256": sha256_of(index_path),
            }
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            place = self._place(data_path)
            partial = place.with_name(f"{place.name}.{os.getpid()}")
            partial.write_text(json.dumps(said), encoding="utf-8")
            partial.replace(place)
        except OSError:
            return

    def find(self, data_path: Path) -> Stamp | None:
        """Return what was verified about a data file, or None if nothing was or a file changed since."""
        try:
            place = self._place(data_path)
            if place.stat().st_size > _MAX_BYTES:
                return None
            said = json.loads(place.read_bytes())
            data, index = said["data"], said["index"]
            if said["version"] != _VERSION or data["path"] != str(data_path.resolve()):
                return None
            index_path = Path(index["path"])
            if not _unchanged(data_path, data, said["data_sha256"]):
                return None
            if not _unchanged(index_path, index, said["index_sha256"]):
                return None
            return Stamp(index_path, str(said["data_sha256"]))
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None

    def forget(self, data_path: Path) -> None:
        """Remove the stamp of a data file, and its index if that lies in the cache."""
        try:
            self._place(data_path).unlink(missing_ok=True)
            self.fallback_index(data_path).unlink(missing_ok=True)
        except OSError:
            return

    def fallback_index(self, data_path: Path) -> Path:
        """Return where the index is kept when the data's directory cannot be written."""
        return self._place(data_path).with_suffix(".parquet")

    def _place(self, data_path: Path) -> Path:
        return self._root / (hashlib.sha256(os.fsencode(data_path.resolve())).hexdigest()[:40] + ".json")


def _unchanged(path: Path, said: dict[str, Any], sha256: str) -> bool:
    """Whether a file is the one that was verified: by its identity, or else (touched, moved back) by its hash."""
    now = asdict(FileIdentity.of(path))
    if all(said.get(name) == value for name, value in now.items()):
        return True
    return said.get("size") == now["size"] and sha256_of(path) == sha256


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
