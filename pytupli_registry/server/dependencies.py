"""What routes are given: the Hub, who calls, which repository, and how URLs in answers begin."""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum
from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Path, Request
from pydantic import AfterValidator

from pytupli_registry.server.errors import NotAuthenticated
from pytupli_registry.server.services.callers import INVALID_CREDENTIALS, authenticate
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import ANONYMOUS, Caller
from pytupli_registry.server.wire.names import RepoId, RepoType

__all__ = [
    "BaseUrl",
    "CurrentCaller",
    "CurrentHub",
    "EntryPath",
    "Family",
    "RepoOf",
    "Revision",
    "Segment",
    "address_of",
    "base_url",
    "bearer_token",
]

LONGEST_TOKEN = 4096


class Family(StrEnum):
    """The three route families, in the plural as paths carry them."""

    DATASETS = "datasets"
    MODELS = "models"
    SPACES = "spaces"

    @property
    def type(self) -> RepoType:
        """The repository type of the family."""
        return RepoType(self.value.removesuffix("s"))


def _unquoted(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8")  # a UnicodeDecodeError is a ValueError: answered with 400


# Routes match the path as it was sent, percent signs and all: only so does "refs%2Fpr%2F1" stay one segment.
Segment = Annotated[str, Path(max_length=3000), AfterValidator(_unquoted)]
Revision = Segment
EntryPath = Segment


def current_hub(request: Request) -> Hub:
    """Return the Hub of this application."""
    hub: Hub = request.app.state.hub
    return hub


CurrentHub = Annotated[Hub, Depends(current_hub)]


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an ``Authorization`` header: ``Bearer``, or the password of ``Basic`` (git).

    Raises:
        NotAuthenticated: the header is of another kind or cannot be read.
    """
    if not authorization:
        return None
    scheme, _, rest = authorization.partition(" ")
    token = rest.strip()
    if scheme.lower() == "basic":
        token = _basic_password(token)
    elif scheme.lower() != "bearer":
        raise NotAuthenticated(INVALID_CREDENTIALS)
    if not token or len(token) > LONGEST_TOKEN:
        raise NotAuthenticated(INVALID_CREDENTIALS)
    return token


def _basic_password(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise NotAuthenticated(INVALID_CREDENTIALS) from error


def current_caller(request: Request, hub: CurrentHub) -> Caller:
    """Return who calls; without a token, nobody in particular.

    Raises:
        NotAuthenticated: there is a token, and it is not valid.
    """
    token = bearer_token(request.headers.get("authorization"))
    if token is None:
        return ANONYMOUS
    with hub.database.read() as session:
        caller = authenticate(session, token)
    if caller.token_id is not None:
        hub.token_uses.note(hub.database, caller.token_id)
    request.state.user = caller.name  # for the log
    return caller


CurrentCaller = Annotated[Caller, Depends(current_caller)]


def base_url(request: Request, hub: CurrentHub) -> str:
    """Return what URLs in answers begin with: the configured public URL, or what the client called us."""
    if hub.settings.public_url:
        return hub.settings.public_url
    return str(request.base_url).rstrip("/")


BaseUrl = Annotated[str, Depends(base_url)]


def address_of(request: Request) -> str | None:
    """Return the address of the client, as far as the proxies before us are trusted."""
    return request.client.host if request.client else None


def repo_of_path(family: Family, namespace: Segment, name: Segment) -> RepoId:
    """Return which repository an API path names.

    Raises:
        RepoNotFound: it cannot be the name of one.
    """
    return RepoId.parse(family.type, f"{namespace}/{name}")


RepoOf = Annotated[RepoId, Depends(repo_of_path)]
