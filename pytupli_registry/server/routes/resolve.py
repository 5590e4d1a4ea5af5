"""Files: HEAD tells about them, GET sends them, whole or in ranges."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from pytupli_registry.server.dependencies import (
    LONGEST_SEGMENT,
    CurrentHub,
    EntryPath,
    Family,
    Revision,
    Segment,
    base_url,
    bearer_token,
    note_use,
    unquoted,
)
from pytupli_registry.server.errors import HubError, NotFound
from pytupli_registry.server.routes.offers import Offer, answer, offer
from pytupli_registry.server.services.caches import SinceCommit
from pytupli_registry.server.services.callers import has_expired, identify, recall
from pytupli_registry.server.services.downloads import Wanted, find_download
from pytupli_registry.server.services.files import keep_content
from pytupli_registry.server.services.permissions import ANONYMOUS
from pytupli_registry.server.wire.names import RESERVED, RepoId, RepoType, key_of

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["FilesFirst", "router"]

router = APIRouter(tags=["files"])

REMEMBERED = 20_000
_PATH = re.compile(r"/(?:(datasets|spaces)/)?([^/]+)/([^/]+)/resolve/([^/]+)/(.*)")
_METHODS = frozenset({"GET", "HEAD"})


@router.head("/{family}/{namespace}/{name}/resolve/{revision}/{path:path}", include_in_schema=False)
@router.get("/{family}/{namespace}/{name}/resolve/{revision}/{path:path}")
async def resolve_file(
    request: Request,
    hub: CurrentHub,
    family: Family,
    namespace: Segment,
    name: Segment,
    revision: Revision,
    path: EntryPath,
) -> Response:
    """Send a file of a dataset or a space."""
    if family is Family.MODELS:
        raise NotFound("Models are resolved without a prefix.")
    repo_id = RepoId.parse(family.type, f"{namespace}/{name}")
    return await _resolve(request, hub, Wanted(repo_id, revision, path))


@router.head("/{namespace}/{name}/resolve/{revision}/{path:path}", include_in_schema=False)
@router.get("/{namespace}/{name}/resolve/{revision}/{path:path}")
async def resolve_model_file(
    request: Request,
    hub: CurrentHub,
    namespace: Segment,
    name: Segment,
    revision: Revision,
    path: EntryPath,
) -> Response:
    """Send a file of a model."""
    repo_id = RepoId.parse(RepoType.MODEL, f"{namespace}/{name}")
    return await _resolve(request, hub, Wanted(repo_id, revision, path))


_ROUTES = {"{family}" in route.path: route for route in router.routes if isinstance(route, APIRoute)}


async def _resolve(request: Request, hub: Hub, wanted: Wanted) -> Response:
    offered = await to_thread.run_sync(_look_up, request, hub, wanted)
    return await answer(
        hub, request.method, dict(request.scope["headers"]), offered, _pinned(request, hub, offered)
    )


def _pinned(request: Request, hub: Hub, offered: Offer) -> str:
    """Return the URL of the same file at the commit that was found.

    Clients ask with HEAD first, and then for the bytes at ``location``: without it, a file that is replaced between
    the two has another size than they were told. Whoever calls us by another name than the public one is told
    nothing: clients send their token to no other host than the one they know.
    """
    path = request.scope["path"]
    revision = _PATH.fullmatch(path)
    if revision is None or request.method != "HEAD":
        return ""
    base = base_url(request, hub)
    if hub.settings.public_url and urlsplit(base).netloc.lower() != request.headers.get("host", "").lower():
        return ""
    before, after = path[: revision.start(4)], path[revision.end(4) :]
    return f"{base}{before}{offered.download.commit}{after}"


def _look_up(request: Request, hub: Hub, wanted: Wanted) -> Offer:
    token = bearer_token(request.headers.get("authorization"))
    caller = ANONYMOUS if token is None else recall(hub, token) or identify(hub, token)
    note_use(request.scope, hub, caller)
    with hub.database.read() as session:
        found = find_download(session, hub, caller, wanted)
        if found.file.sha256 is None and request.method == "GET":
            keep_content(session, hub, found.file.oid)
    return offer(hub, found, wanted.path)


class FilesFirst:
    """Answers plain requests for files before the framework looks for a route.

    Finding and calling one takes longer than the answer, and nothing is asked for as often. What was found is
    remembered until anything in the database changes, so that the parts of a file are looked up once.

    Args:
        app: answers everything else.
        hub: has the files.
        answer_error: answers what goes wrong, as everywhere.
    """

    def __init__(
        self, app: FastAPI, hub: Hub, answer_error: Callable[[Request, HubError], Awaitable[Response]]
    ) -> None:
        self._app = app
        self._hub = hub
        self._answer_error = answer_error
        self._offers: SinceCommit[Offer] = SinceCommit(REMEMBERED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        plain = _plain(scope)
        if plain is None:
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        try:
            response = await self._answer(scope, plain)
        except HubError as error:
            response = await self._answer_error(Request(scope), error)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, plain: tuple[str, ...]) -> Response:
        asked = dict(scope["headers"])
        version = self._hub.database.version()
        key = (scope["path"], _said_who(scope))
        offered = self._offers.get(key, version)
        if offered is None or has_expired(offered.download.caller):
            wanted = _wanted(plain)
            offered = await to_thread.run_sync(_look_up, Request(scope), self._hub, wanted)
            self._offers.put(key, version, offered)
        else:
            note_use(scope, self._hub, offered.download.caller)
        pinned = _pinned(Request(scope), self._hub, offered)
        return await answer(self._hub, scope["method"], asked, offered, pinned)


def _said_who(scope: Scope) -> bytes:
    """Return a digest of all credentials that were sent: with several, nobody must get the answer to one of them."""
    said = [value for name, value in scope["headers"] if name == b"authorization"]
    return sha256(b"\n".join(said)).digest()


def _plain(scope: Scope) -> tuple[str, ...] | None:
    """Return family ("" for models), namespace, name, revision and path; None for what the routes are asked."""
    found = _PATH.fullmatch(scope["path"]) if scope.get("method") in _METHODS else None
    if found is None or (found[1] is None and key_of(found[2]) in RESERVED):
        return None
    segments = found.groups(default="")
    if len(scope["path"]) > LONGEST_SEGMENT:
        return None
    try:
        family, namespace, name, revision, path = (unquoted(segment) for segment in segments)
    except ValueError:
        return None
    scope["route"] = _ROUTES[bool(family)]
    scope["path_params"] = {"namespace": namespace, "name": name} | ({"family": family} if family else {})
    return family, namespace, name, revision, path


def _wanted(plain: tuple[str, ...]) -> Wanted:
    family, namespace, name, revision, path = plain
    type_ = RepoType(family.removesuffix("s")) if family else RepoType.MODEL
    return Wanted(RepoId.parse(type_, f"{namespace}/{name}"), revision, path)
