"""Which Hub is meant, and with which token: the one place that decides.

The endpoint is the one a call names, then ``HF_ENDPOINT``, then the one of the last ``pytupli login``, then
huggingface.co. A token goes to no other endpoint than its own: ``HF_TOKEN`` and the token of ``hf auth login``
belong to the endpoint that the environment names (huggingface.co where it names none), those of ``pytupli login``
to the endpoint they were given for. Where there are several, ``HF_TOKEN`` wins, then the later login.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from huggingface_hub import constants, get_token

from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import HubError
from pytupli_registry.hub.logins import Login, LoginStore

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PUBLIC_ENDPOINT", "Access", "digest_of", "named_endpoint", "normal", "resolve"]

PUBLIC_ENDPOINT = "https://huggingface.co"
REFRESH_MARGIN_S = 86_400
_TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE")


@dataclass(frozen=True, slots=True)
class Access:
    """A Hub and who asks.

    Attributes:
        endpoint: its URL without a slash at the end.
        token: None asks as nobody.
        source: where the token came from, for people: ``HF_TOKEN``, ``hf auth login``, ``pytupli login``; or None.
    """

    endpoint: str
    token: str | None = field(repr=False)
    source: str | None = None

    @property
    def is_public_hub(self) -> bool:
        """Whether this is huggingface.co."""
        return self.endpoint == PUBLIC_ENDPOINT


def resolve(endpoint: str | None = None, token: str | bool | None = None) -> Access:
    """Return the Hub that is meant and the token for it.

    Args:
        endpoint: its URL; None takes ``HF_ENDPOINT``, or what ``pytupli login`` remembers, or huggingface.co.
        token: None or True takes the one that was given for this endpoint; False takes none.

    Raises:
        HubError: this is no URL of a Hub.
        FormatError: the file of remembered logins is damaged, or open to others.
    """
    store = LoginStore(ClientConfig.from_environment().config_path)
    url = normal(endpoint) if endpoint else (named_endpoint() or store.endpoint() or PUBLIC_ENDPOINT)
    if token is False:
        return Access(url, None)
    if isinstance(token, str):
        return Access(url, token, "an argument")
    login = store.find(url)
    if url == (named_endpoint() or PUBLIC_ENDPOINT):
        access = _of_environment(url, login)
        if access is not None:
            return access
    if login is None:
        return Access(url, None)
    return Access(url, _fresh(store, url, login).token, "pytupli login")


def named_endpoint() -> str | None:
    """Return the endpoint that the environment names, None if it names none."""
    said = os.environ.get("HF_ENDPOINT", "").strip()
    if said:
        return normal(said)
    # The client's own constant differs from its default where a program has set it after the import.
    known = constants.ENDPOINT.rstrip("/")
    return None if known == PUBLIC_ENDPOINT else normal(known)


def normal(endpoint: str) -> str:
    """Return a Hub's URL as it is compared and remembered; ``https`` where no scheme is given.

    Raises:
        HubError: it is no URL of a Hub.
    """
    text = endpoint.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    usable = parts.scheme in {"http", "https"} and host and text.isprintable() and " " not in text
    if not usable or "@" in parts.netloc or parts.query or parts.fragment:
        raise HubError(
            f"{endpoint!r:.160} is no URL of a Hub.", hint="Write it like this: https://data.acme.example"
        )
    shown = f"[{host}]" if host and ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    place = f"{shown}:{port}" if port not in (None, default) else shown
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


def is_unencrypted(endpoint: str) -> bool:
    """Whether others on the way can read what is sent: plain HTTP to another machine."""
    parts = urlsplit(endpoint)
    if parts.scheme == "https" or parts.hostname in (None, "localhost"):
        return False
    try:
        return not ipaddress.ip_address(str(parts.hostname)).is_loopback
    except ValueError:
        return True


def digest_of(token: str) -> str:
    """Return what stands for a token where the token itself must not."""
    return hashlib.sha256(token.encode()).hexdigest()


def stock_token() -> str | None:
    """Return the token of ``hf auth login``, ``HF_TOKEN``, or whatever else the stock client knows."""
    return get_token() or None


def _of_environment(url: str, login: Login | None) -> Access | None:
    token = stock_token()
    if token is None:
        return None
    if any(os.environ.get(name) for name in _TOKEN_VARIABLES):
        return Access(url, token, "HF_TOKEN")
    # One who logs in here although that token was there already means this login; a later one changes the token.
    if login is not None and login.instead_of == digest_of(token):
        return None
    return Access(url, token, "hf auth login")


def _fresh(store: LoginStore, url: str, login: Login, clock: Callable[[], float] = time.time) -> Login:
    """Return the login with a token that is still good; the old one where no new one can be had now."""
    if login.refresh_token is None or login.expires_at is None:
        return login
    if login.expires_at - clock() > REFRESH_MARGIN_S:
        return login
    from pytupli_registry.hub.device_login import refresh  # noqa: PLC0415 - it needs a connection, which needs us

    try:
        grant = refresh(url, login.refresh_token)
    except HubError:  # offline, or revoked: the Hub will say so when the token is used
        return login
    renewed = replace(
        login, token=grant.token, refresh_token=grant.refresh_token, expires_at=grant.expires_at
    )
    store.remember(url, renewed, choose=False)
    return renewed
