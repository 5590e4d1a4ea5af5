"""Logging in through a browser: OAuth's device flow (RFC 8628), which Hubs of ours offer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytupli_registry.errors import HubError, HubUnreachable
from pytupli_registry.hub.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DeviceLogin", "Grant", "begin", "finish", "refresh"]

CLIENT_ID = "pytupli"
_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER_S = 5  # RFC 8628, section 3.5
_SHORTEST_S, _LONGEST_S = 1, 60
_LONGEST_WAIT_S = 3600
# What ends the waiting; all else, as a proxy's error or too many requests, may pass.
_FINAL = frozenset(
    {
        "access_denied",
        "expired_token",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "unsupported_grant_type",
    }
)


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """A login that waits for a person.

    Attributes:
        endpoint: the Hub.
        page: what the person opens.
        code: what the person types there.
        interval_s: how often one may ask.
        expires_in_s: how long the code is good.
        secret: what the program asks with.
    """

    endpoint: str
    page: str
    code: str
    interval_s: float
    expires_in_s: float
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a consent is worth; ``expires_at`` in seconds since 1970."""

    token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: float | None


def begin(endpoint: str) -> DeviceLogin:
    """Begin a login.

    Raises:
        HubError: the Hub offers no such login, or has had enough of them for now.
        HubUnreachable: nobody answers, or what answers is no such Hub.
    """
    said = _post(endpoint, "/oauth/device", {"client_id": CLIENT_ID})
    if "error" in said:
        raise HubError(f"{endpoint} offers no login in the browser: {said['error']!s:.200}.")
    page, code, secret = (said.get(key) for key in ("verification_uri", "user_code", "device_code"))
    page = said.get("verification_uri_complete") or page
    if not (isinstance(page, str) and isinstance(code, str) and isinstance(secret, str)):
        raise HubError(f"What {endpoint} says about a login in the browser cannot be understood.")
    interval = min(max(_seconds(said.get("interval"), 5.0), _SHORTEST_S), _LONGEST_S)
    return DeviceLogin(
        endpoint, page, code, interval, min(_seconds(said.get("expires_in"), 900.0), _LONGEST_WAIT_S), secret
    )


def finish(login: DeviceLogin, *, pending: Callable[[], None] = lambda: None) -> Grant:
    """Wait until the person has consented.

    Args:
        login: what :func:`begin` returned.
        pending: called each time that nobody has consented yet.

    Raises:
        HubError: it was refused, or the code has expired.
    """
    interval, deadline = login.interval_s, time.monotonic() + login.expires_in_s
    body = {"grant_type": _DEVICE_CODE, "device_code": login.secret, "client_id": CLIENT_ID}
    while time.monotonic() < deadline:
        time.sleep(interval)
        try:
            said = _post(login.endpoint, "/oauth/token", body)
        except HubUnreachable:  # the network may come back while the code is good
            continue
        if said.get("error") in _FINAL or "access_token" in said:
            return _grant(said)
        interval += _SLOWER_S if said.get("error") == "slow_down" else 0
        pending()
    raise HubError("The code has expired.", hint="Begin anew: `pytupli login`")


def refresh(endpoint: str, refresh_token: str) -> Grant:
    """Exchange a refresh token for a new access token.

    Raises:
        HubError: it is void; log in again.
        HubUnreachable: nobody answers.
    """
    body = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": CLIENT_ID}
    grant = _grant(_post(endpoint, "/oauth/token", body))
    return grant if grant.refresh_token else Grant(grant.token, refresh_token, grant.expires_at)


def _post(endpoint: str, path: str, form: dict[str, str]) -> dict[str, Any]:
    _, said = Connection(endpoint, token=False, any_hub=True).post_form(path, form)
    return said if isinstance(said, dict) else {}


def _grant(said: dict[str, Any]) -> Grant:
    token, again = said.get("access_token"), said.get("refresh_token")
    if not isinstance(token, str):
        problem = said.get("error_description") or said.get("error") or "what it sent is no token"
        raise HubError(f"The login has failed: {problem!s:.200}", hint="Begin anew: `pytupli login`")
    left = _seconds(said.get("expires_in"), 0.0)
    return Grant(token, again if isinstance(again, str) else None, time.time() + left if left else None)


def _seconds(value: object, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 40:
        return default
    return float(value)
