"""Who one is on a Hub: logging in, out, and asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import HubError
from pytupli_registry.hub.administration import Administration
from pytupli_registry.hub.connection import Connection
from pytupli_registry.hub.credentials import digest_of, named_endpoint, normal, resolve, stock_token
from pytupli_registry.hub.logins import Login, LoginStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytupli_registry.hub.credentials import Access

__all__ = ["Identity", "log_in", "log_out", "whoami"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token stands for.

    Attributes:
        endpoint: the Hub.
        name: the user; None where one is nobody there.
        full_name: for people.
        organizations: one's role in each organization; None where the Hub does not tell.
        token_name: by which the token is known on the Hub.
        token_role: ``read``, ``write``, or the Hub's own word.
        source: where the token came from: ``HF_TOKEN``, ``hf auth login``, ``pytupli login``; None without one.
    """

    endpoint: str
    name: str | None
    full_name: str = ""
    organizations: Mapping[str, str | None] = field(default_factory=dict)
    token_name: str | None = None
    token_role: str | None = None
    source: str | None = None


def whoami(endpoint: str | None = None, token: str | bool | None = None) -> Identity:
    """Ask a Hub who one is; without a token nobody is asked.

    Raises:
        HubError: the token is void there.
        HubUnreachable: no Hub answers.
    """
    access = resolve(endpoint, token)
    if access.token is None:
        return Identity(access.endpoint, None)
    connection = Connection(access.endpoint, access.token, any_hub=True)
    try:
        return _identity(access, connection.request("GET", "/api/whoami-v2"))
    except HubError as error:
        if error.status not in (401, 403):
            raise
        raise HubError(
            f"{access.endpoint} does not take the token of {access.source}: {error.message}",
            status=error.status,
            hint=f"Log in again: pytupli login {access.endpoint}",
        ) from error


def log_in(
    endpoint: str,
    token: str,
    *,
    refresh_token: str | None = None,
    expires_at: float | None = None,
    device_code: str | None = None,
) -> Identity:
    """Verify a token with its Hub, remember it, and mean that Hub from now on.

    Args:
        endpoint: the Hub; the token goes nowhere else.
        token: an access token.
        refresh_token: of a device's login.
        expires_at: when the token ends, in seconds since 1970.
        device_code: the code that a person has typed, by which the Hub names the login.

    Raises:
        HubError: the Hub does not know the token. Nothing is remembered then.
        HubUnreachable: no Hub answers.
    """
    url = normal(endpoint)
    text = token.strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise HubError("This is no access token: it is empty, or holds what no token does.")
    identity = whoami(url, text)
    here = url == (named_endpoint() or url)
    stock = stock_token() if here else None
    login = Login(
        user=str(identity.name),
        token=text,
        refresh_token=refresh_token,
        expires_at=expires_at,
        device=f"device {device_code}" if device_code else None,
        instead_of=digest_of(stock) if stock else None,
    )
    _store().remember(url, login)
    return identity


def log_out(endpoint: str | None = None) -> tuple[str, bool]:
    """Forget the login of a Hub; one that was made by consent in a browser is revoked there as well.

    Returns:
        the endpoint, and whether there was a login.

    Raises:
        FormatError: the file of logins is damaged.
    """
    store = _store()
    url = resolve(endpoint, token=False).endpoint
    gone = store.forget(url)
    if gone is not None and gone.device is not None:
        _revoke(url, gone)
    return url, gone is not None


def _revoke(url: str, login: Login) -> None:
    try:
        Administration(url, login.token).revoke_token(str(login.device), login.user)
    except HubError:  # offline, or revoked already: what mattered is that this machine forgets it
        return


def _store() -> LoginStore:
    return LoginStore(ClientConfig.from_environment().config_path)


def _identity(access: Access, said: Any) -> Identity:  # noqa: ANN401 - what a Hub answers
    if not isinstance(said, dict) or not isinstance(said.get("name"), str):
        raise HubError(f"{access.endpoint} does not say who one is.")
    token = _inside(_inside(said, "auth"), "accessToken")
    organizations = said.get("orgs")
    return Identity(
        endpoint=access.endpoint,
        name=said["name"],
        full_name=str(said.get("fullname") or ""),
        organizations={
            str(one["name"]): one.get("roleInOrg")
            for one in (organizations if isinstance(organizations, list) else [])
            if isinstance(one, dict) and "name" in one
        },
        token_name=token.get("displayName"),
        token_role=token.get("role"),
        source=access.source,
    )


def _inside(said: dict[str, Any], key: str) -> dict[str, Any]:
    found = said.get(key)
    return found if isinstance(found, dict) else {}
