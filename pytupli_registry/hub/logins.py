"""Logins that are remembered on this machine: one token an endpoint, in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytupli_registry.errors import FormatError, UnsafeFile
from pytupli_registry.private_files import locked, replace_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Login", "LoginStore"]

_VERSION = 1
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Login:
    """What is remembered of one endpoint.

    Attributes:
        user: whose token it is.
        token: the access token.
        refresh_token: what a new one is got with, where the login was a device's.
        expires_at: seconds since 1970 when the access token ends; None if that is not known.
        device: name of the device's login on the Hub, by which it can be revoked; None for pasted tokens.
        instead_of: SHA-256 of the token of ``hf auth login`` that was there at the time of this login, or None.
    """

    user: str
    token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    device: str | None = None
    instead_of: str | None = None


class LoginStore:
    """The logins in one directory, in ``logins.json`` with mode 0600.

    Args:
        path: the directory, usually :attr:`ClientConfig.config_path`.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path) / "logins.json"

    def all(self) -> dict[str, Login]:
        """Return every login by endpoint.

        Raises:
            FormatError: the file is not one of ours, or others can read it.
        """
        return self._read()[1]

    def find(self, endpoint: str) -> Login | None:
        """Return the login of an endpoint, None without one."""
        return self.all().get(endpoint)

    def endpoint(self) -> str | None:
        """Return the endpoint that is meant when nobody says which: that of the last login."""
        return self._read()[0]

    def remember(self, endpoint: str, login: Login, *, choose: bool = True) -> None:
        """Keep a login, in the place of an earlier one of that endpoint.

        Args:
            endpoint: whose token it is.
            login: what to keep.
            choose: whether this endpoint is meant from now on.
        """
        with locked(self.path):
            chosen, logins = self._read()
            self._replace(endpoint if choose else chosen, {**logins, endpoint: login})

    def forget(self, endpoint: str) -> Login | None:
        """Forget the login of an endpoint and return what it was; no endpoint is then meant in its place."""
        with locked(self.path):
            chosen, logins = self._read()
            gone = logins.pop(endpoint, None)
            if gone is not None or chosen == endpoint:
                self._replace(None if chosen == endpoint else chosen, logins)
        return gone

    def _read(self) -> tuple[str | None, dict[str, Login]]:
        try:
            with self.path.open("rb") as file:
                _check_private(self.path, os.fstat(file.fileno()))
                content = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return None, {}
        except OSError as error:
            raise FormatError(self.path, f"it cannot be read ({error.strerror})") from error
        return _parsed(self.path, content)

    def _replace(self, endpoint: str | None, logins: Mapping[str, Login]) -> None:
        entries = {url: asdict(login) for url, login in logins.items()}
        content = {"version": _VERSION, "endpoint": endpoint, "logins": entries}
        replace_json(self.path, content)


def _check_private(path: Path, status: os.stat_result) -> None:
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or status.st_uid not in {os.geteuid(), 0}:
        raise UnsafeFile(
            path,
            "others may read it, and it holds tokens",
            hint=f"`chmod 600 {path}`; if others were on this machine, revoke the tokens and log in again.",
        )


def _parsed(path: Path, content: bytes) -> tuple[str | None, dict[str, Login]]:
    try:
        return _entries(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # Without the cause: its text may hold a part of a token.
        hint = "Delete it and log in again: `pytupli login`"
        raise FormatError(path, "it holds no remembered logins", hint=hint) from None


def _entries(content: bytes) -> tuple[str | None, dict[str, Login]]:
    loaded = json.loads(content) if len(content) <= _MAX_BYTES else {}
    if loaded["version"] != _VERSION or not isinstance(loaded["endpoint"], str | None):
        raise ValueError("of another version")
    return loaded["endpoint"], {url: _login(entry) for url, entry in loaded["logins"].items()}


def _login(entry: dict[str, Any]) -> Login:
    texts = [value for key, value in entry.items() if key != "expires_at"]
    if not all(isinstance(text, str | None) for text in texts) or None in (entry["user"], entry["token"]):
        raise TypeError("no text")
    if not isinstance(entry.get("expires_at"), int | float | None):
        raise TypeError("no time")
    return Login(**entry)
