"""What the environment says, read when a call needs it and never at import."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ClientConfig", "parse_size"]

_UNITS = {
    "": 1,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "KI": 2**10,
    "MI": 2**20,
    "GI": 2**30,
    "TI": 2**40,
}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?I?)B?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Where the client keeps its files, and what the user allows once for all.

    Attributes:
        datasets_path: root of the local store. It is Minari's own root, so both see the same datasets.
        cache_path: what can be made again: verification stamps and, for remote data, mirror files.
        config_path: what the user decided, such as consent to run code.
        allowed_modules: module prefixes whose environments and wrappers may be built from data.
        is_offline: whether no network may be asked.
        cache_size: bytes that mirrors of remote data may take; None for no bound.
    """

    datasets_path: Path
    cache_path: Path
    config_path: Path
    allowed_modules: tuple[str, ...] = ()
    is_offline: bool = False
    cache_size: int | None = None

    @classmethod
    def from_environment(cls) -> ClientConfig:
        """Read the environment's variables; one that is empty counts as unset.

        ``PYTUPLI_DATASETS_PATH`` (or ``MINARI_DATASETS_PATH``), ``PYTUPLI_CACHE_PATH`` (or below ``XDG_CACHE_HOME``),
        ``PYTUPLI_CONFIG_PATH`` (or below ``XDG_CONFIG_HOME``), ``PYTUPLI_ALLOWED_MODULES`` (separated by commas),
        ``PYTUPLI_OFFLINE`` (or ``HF_HUB_OFFLINE``; 1, true, yes or on), ``PYTUPLI_CACHE_SIZE`` (as ``20GB``).

        Raises:
            ValueError: ``PYTUPLI_CACHE_SIZE`` is no size.
        """
        datasets = os.environ.get("PYTUPLI_DATASETS_PATH") or os.environ.get("MINARI_DATASETS_PATH")
        allowed = os.environ.get("PYTUPLI_ALLOWED_MODULES", "").split(",")
        return cls(
            datasets_path=Path(datasets) if datasets else Path.home() / ".minari" / "datasets",
            cache_path=_directory("PYTUPLI_CACHE_PATH", "XDG_CACHE_HOME", ".cache"),
            config_path=_directory("PYTUPLI_CONFIG_PATH", "XDG_CONFIG_HOME", ".config"),
            allowed_modules=tuple(name.strip() for name in allowed if name.strip()),
            is_offline=_is_set("PYTUPLI_OFFLINE") or _is_set("HF_HUB_OFFLINE"),
            cache_size=_size("PYTUPLI_CACHE_SIZE"),
        )


def parse_size(text: str) -> int:
    """Return the bytes that ``500``, ``20GB`` or ``1.5 GiB`` stand for.

    Raises:
        ValueError: the text is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r:.80} is no size such as 500MB or 20GiB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}


def _size(name: str) -> int | None:
    text = os.environ.get(name)
    try:
        return parse_size(text) if text else None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _directory(ours: str, common: str, default: str) -> Path:
    if own := os.environ.get(ours):
        return Path(own)
    shared = os.environ.get(common)
    return (Path(shared) if shared else Path.home() / default) / "pytupli"
