"""What the environment says, read when a call needs it and never at import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ClientConfig"]


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Where the client keeps its files, and what the user allows once for all.

    Attributes:
        datasets_path: root of the local store. It is Minari's own root, so both see the same datasets.
        cache_path: what can be made again: verification stamps and, for remote data, mirror files.
        config_path: what the user decided, such as consent to run code.
        allowed_modules: module prefixes whose environments and wrappers may be built from data.
    """

    datasets_path: Path
    cache_path: Path
    config_path: Path
    allowed_modules: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls) -> ClientConfig:
        """Read the environment's variables; one that is empty counts as unset.

        ``PYTUPLI_DATASETS_PATH`` (or ``MINARI_DATASETS_PATH``), ``PYTUPLI_CACHE_PATH`` (or below ``XDG_CACHE_HOME``),
        ``PYTUPLI_CONFIG_PATH`` (or below ``XDG_CONFIG_HOME``), ``PYTUPLI_ALLOWED_MODULES`` (separated by commas).
        """
        datasets = os.environ.get("PYTUPLI_DATASETS_PATH") or os.environ.get("MINARI_DATASETS_PATH")
        allowed = os.environ.get("PYTUPLI_ALLOWED_MODULES", "").split(",")
        return cls(
            datasets_path=Path(datasets) if datasets else Path.home() / ".minari" / "datasets",
            cache_path=_directory("PYTUPLI_CACHE_PATH", "XDG_CACHE_HOME", ".cache"),
            config_path=_directory("PYTUPLI_CONFIG_PATH", "XDG_CONFIG_HOME", ".config"),
            allowed_modules=tuple(name.strip() for name in allowed if name.strip()),
        )


def _directory(ours: str, common: str, default: str) -> Path:
    if own := os.environ.get(ours):
        return Path(own)
    shared = os.environ.get(common)
    return (Path(shared) if shared else Path.home() / default) / "pytupli"
