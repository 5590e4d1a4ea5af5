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

    def record(
        self, data_path: Path, index_path: Path, data_sha256: str, verified: FileIdentity | None = None
    ) -> None:
        """Remember that the index describes the data file.

        Call it only after a verification, or right after writing both. A cache that cannot be written is no error.

        Args:
            data_path: the data file.
            index_path: the index.
            data_sha256: hash of the data file.
            verified: what the data file was when its verification began; what it is now by default.
        """
        try:
            said = {
                "version": _VERSION,
                "data": {"path": str(data_path.resolve()), **asdict(verified or FileIdentity.of(data_path))},
                "index": {"path": str(index_path.resolve()), **asdict(FileIdentity.of(index_path))},
                "data_sha256": data_sha256,
                "index_sha256": sha256_of(index_path),
            }
            self._write(self._place(data_path), said)
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
            verified = {
                "data": {**data, **_verified(data_path, data, said["data_sha256"])},
                "index": {**index, **_verified(Path(index["path"]), index, said["index_sha256"])},
            }
            if any(said[name] != identity for name, identity in verified.items()):
                self._write(place, {**said, **verified})  # hashed this once, not at every open
            return Stamp(Path(index["path"]), str(said["data_sha256"]))
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

    def _write(self, place: Path, said: dict[str, Any]) -> None:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = place.with_name(f"{place.name}.{os.getpid()}")
        partial.write_text(json.dumps(said), encoding="utf-8")
        partial.replace(place)

    def _place(self, data_path: Path) -> Path:
        return self._root / (hashlib.sha256(os.fsencode(data_path.resolve())).hexdigest()[:40] + ".json")


def _verified(path: Path, said: dict[str, Any], sha256: str) -> dict[str, Any]:
    """Return the identity of a file that holds the verified bytes: the one it had then, or else one just hashed.

    Raises:
        ValueError: its bytes are others.
    """
    now = asdict(FileIdentity.of(path))
    if any(said.get(name) != value for name, value in now.items()) and (
        said.get("size") != now["size"] or sha256_of(path) != sha256
    ):
        raise ValueError(f"{path} is not what was verified")
    return now


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
