"""What the environment says, read when a call needs it and never at import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ClientConfig"]


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Where the client keeps its files.

    Attributes:
        datasets_path: root of the local store. It is Minari's own root, so both see the same datasets.
        cache_path: what can be made again: verification stamps and, for remote data, mirror files.
    """

    datasets_path: Path
    cache_path: Path

    @classmethod
    def from_environment(cls) -> ClientConfig:
        """Read ``PYTUPLI_DATASETS_PATH``, ``MINARI_DATASETS_PATH``, ``PYTUPLI_CACHE_PATH``, ``XDG_CACHE_HOME``."""
        home = Path.home()
        datasets = os.environ.get("PYTUPLI_DATASETS_PATH") or os.environ.get("MINARI_DATASETS_PATH")
        cache_home = os.environ.get("XDG_CACHE_HOME")
        cache = os.environ.get("PYTUPLI_CACHE_PATH")
        return cls(
            datasets_path=Path(datasets) if datasets else home / ".minari" / "datasets",
            cache_path=Path(cache)
            if cache
            else (Path(cache_home) if cache_home else home / ".cache") / "pytupli",
        )
