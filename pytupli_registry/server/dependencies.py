"""What routes are given: the Hub, who calls, which repository, and how URLs in answers begin."""

from __future__ import annotations

import base64
from enum import StrEnum
from typing import Annotated
from urllib.parse import unquote_to_bytes

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Path, Request
from pydantic import AfterValidator
from starlette.types import Scope

from pytupli_registry.server.errors import NotAuthenticated
from pytupli_registry.server.services.callers import INVALID_CREDENTIALS, identify, recall
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
    "commit_places",
    "long_work",
]

LONGEST_TOKEN = 4096
LONGEST_SEGMENT = 3000


class Family(StrEnum):
    """The three route families, in the plural as paths carry them."""

    DATASETS = "datasets"
    MODELS = "models"
    SPACES = "spaces"

    @property
    def type(self) -> RepoType:
        """The repository type of the family."""
        return RepoType(self.value.removesuffix("s"))


def unquoted(text: str) -> str:
    """Return a segment of a path as it was meant.

    Raises:
        ValueError: it is not UTF-8.
    """
    return unquote_to_bytes(text).decode("utf-8") if "%" in text else text


# Routes match the path as it was sent, percent signs and all: only so does "refs%2Fpr%2F1" stay one segment.
Segment = Annotated[str, Path(max_length=LONGEST_SEGMENT), AfterValidator(unquoted)]
Revision = Segment
EntryPath = Segment


def current_hub(request: Request) -> Hub:
    """Return the Hub of this application."""
    hub: Hub = request.app.state.hub
    return hub


# FastAPI calls plain functions in threads, and getting there takes longer than these do: what never waits is async.
async def _hub(request: Request) -> Hub:
    return current_hub(request)


CurrentHub = Annotated[Hub, Depends(_hub)]


def long_work(request: Request) -> CapacityLimiter:
    """Return the places for work that takes minutes (putting files together): it must never take all threads."""
    limiter: CapacityLimiter = request.app.state.long_work
    return limiter


def commit_places(request: Request) -> CapacityLimiter:
    """Return the places for commits, which wait for each other: all threads in line would keep readers out."""
    limiter: CapacityLimiter = request.app.state.commits
    return limiter


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
    except ValueError as error:  # not ASCII, not base64, not UTF-8
        raise NotAuthenticated(INVALID_CREDENTIALS) from error


async def current_caller(request: Request, hub: CurrentHub) -> Caller:
    """Return who calls; without a token, nobody in particular.

    Raises:
        NotAuthenticated: there is a token, and it is not valid.
    """
    token = bearer_token(request.headers.get("authorization"))
    if token is None:
        return ANONYMOUS
    caller = recall(hub, token)
    if caller is None:
        caller = await to_thread.run_sync(identify, hub, token)
    note_use(request.scope, hub, caller)
    return caller


def note_use(scope: Scope, hub: Hub, caller: Caller) -> None:
    """Note that ``caller``'s token was used, and who it was for the log."""
    if caller.token_id is not None:
        hub.token_uses.note(hub.database, caller.token_id)
    scope.setdefault("state", {})["user"] = caller.name


CurrentCaller = Annotated[Caller, Depends(current_caller)]


def base_url(request: Request, hub: Hub) -> str:
    """Return what URLs in answers begin with: the configured public URL, or what the client called us."""
    if hub.settings.public_url:
        return hub.settings.public_url
    return str(request.base_url).rstrip("/")


async def _base(request: Request) -> str:
    return base_url(request, current_hub(request))


BaseUrl = Annotated[str, Depends(_base)]


def address_of(request: Request) -> str | None:
    """Return the address of the client, as far as the proxies before us are trusted."""
    return request.client.host if request.client else None


async def repo_of_path(family: Family, namespace: Segment, name: Segment) -> RepoId:
    """Return which repository an API path names.

    Raises:
        RepoNotFound: it cannot be the name of one.
    """
    return RepoId.parse(family.type, f"{namespace}/{name}")


RepoOf = Annotated[RepoId, Depends(repo_of_path)]
