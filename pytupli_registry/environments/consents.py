"""Consents to run code, remembered by hash on this machine."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytupli_registry.errors import EnvironmentRefused, FormatError, UnsafeFile
from pytupli_registry.private_files import locked, replace_json

__all__ = ["Consent", "ConsentStore"]

_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES = 16 << 20
_MAX_WHAT = 500


@dataclass(frozen=True, slots=True)
class Consent:
    """The user's word that something may run.

    Attributes:
        sha256: of the code or file, in hexadecimal.
        what: what it was for.
        at: when, in UTC and ISO 8601.
    """

    sha256: str
    what: str
    at: str


class ConsentStore:
    """The consents in one directory, in ``consents.json``, which only its owner may write.

    Args:
        path: the directory, usually :attr:`ClientConfig.config_path`.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path) / "consents.json"

    def list(self) -> tuple[Consent, ...]:
        """Return every consent, the oldest first.

        Raises:
            FormatError: the file is not one of ours, or others may write it.
        """
        try:
            with self.path.open("rb") as file:
                _check_owner(self.path, os.fstat(file.fileno()))
                content = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise FormatError(self.path, f"it cannot be read ({error.strerror})") from error
        return _parsed(self.path, content)

    def remember(self, sha256: str, what: str) -> None:
        """Keep the consent to a hash; one that is there already keeps its date.

        Raises:
            EnvironmentRefused: this is no SHA-256.
            FormatError: the file is not one of ours, or others may write it.
        """
        if _SHA256.fullmatch(sha256) is None:
            raise EnvironmentRefused(f"{sha256!a:.120} is no hash that could be consented to.")
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with locked(self.path):
            kept = self.list()
            if not any(consent.sha256 == sha256 for consent in kept):
                self._replace((*kept, Consent(sha256, _printable(what), at)))

    def forget(self, sha256: str) -> bool:
        """Withdraw a consent; tell whether there was one.

        Raises:
            FormatError: the file is not one of ours, or others may write it.
        """
        with locked(self.path):
            known = self.list()
            kept = tuple(consent for consent in known if consent.sha256 != sha256)
            if len(kept) < len(known):
                self._replace(kept)
        return len(kept) < len(known)

    def _replace(self, consents: tuple[Consent, ...]) -> None:
        content = {"version": _VERSION, "consents": [asdict(consent) for consent in consents]}
        replace_json(self.path, content)


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or status.st_uid not in {os.geteuid(), 0}:
        raise UnsafeFile(
            path,
            "others may write it, so what it says is not your consent",
            hint=f"Look at what it says, then `chmod 600` it or delete it: {path}",
        )


def _parsed(path: Path, content: bytes) -> tuple[Consent, ...]:
    try:
        return tuple(_consent(entry) for entry in _entries(content))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FormatError(
            path,
            "it holds no remembered consents",
            hint="Nothing in it counts as consent. Delete it, then consent again where you are asked.",
        ) from error


def _entries(content: bytes) -> list[dict[str, Any]]:
    loaded = json.loads(content) if len(content) <= _MAX_BYTES else {}
    if loaded["version"] != _VERSION or not isinstance(loaded["consents"], list):
        raise ValueError("of another version")
    return loaded["consents"]


def _consent(entry: dict[str, Any]) -> Consent:
    consent = Consent(**entry)
    if not all(isinstance(text, str) for text in asdict(consent).values()):
        raise TypeError("no text")
    if _SHA256.fullmatch(consent.sha256) is None:
        raise ValueError("no hash")
    return consent


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_WHAT])
