"""The application: routes, one error handler, and the paths as they were sent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from anyio import CapacityLimiter
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from pytupli_registry.server.errors import HubError, Moved, NotImplementedHere
from pytupli_registry.server.observability.watching import watched
from pytupli_registry.server.routes import ROUTERS
from pytupli_registry.server.routes.index import RouteIndex
from pytupli_registry.server.routes.resolve import FilesFirst
from pytupli_registry.server.routes.straight import StraightFirst
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.webhook_delivery import delivering
from pytupli_registry.server.web import PAGES

__all__ = ["create_app"]

_PLAIN_REF = re.compile(
    r"/(resolve|raw|tree|revision|commit|preupload|paths-info|commits|super-squash|xet-write-token)"
    r"/refs/(pr|convert|heads|tags)/([^/]+)"
)
_REPO_WITHOUT_OWNER = re.compile(
    r"/api/(datasets|models|spaces)/[^/]+(/(revision|tree|refs|commits)(/.*)?)?|(/(datasets|spaces))?/[^/]+/resolve/.*"
)
_NOT_IN_HEADERS = re.compile(r"[^\x20-\x7e]+")
_LONGEST_HEADER = 1000
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")


def create_app(hub: Hub) -> ASGIApp:
    """Return the ASGI application of ``hub``."""
    app = FastAPI(
        title="PyTupli Registry Hub",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_running,
    )
    app.state.hub = hub
    app.state.long_work = CapacityLimiter(max(1, hub.settings.threads // 4))
    app.state.commits = CapacityLimiter(max(1, hub.settings.threads // 2))
    app.add_exception_handler(HubError, _answer_hub_error)
    app.add_exception_handler(Moved, _answer_moved)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(Exception, _answer_failure)
    routes = [route for router in (*ROUTERS, *PAGES) for route in router.routes]
    index = RouteIndex(routes)
    app.router.routes += [index, *routes]  # included routers would be searched twice, and slowly
    first = StraightFirst(FilesFirst(app, hub, _answer_own_error), app, index, _answer_own_error)
    answering = ServerErrorMiddleware(first, handler=_answer_failure)
    return _RawPaths(watched(answering, app, hub), hub.settings.public_url)


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    async with delivering(app.state.hub):
        yield


def _has_plain_host(scope: Scope) -> bool:
    # URLs in answers begin with it, and what is none ends in errors of the framework.
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    return len(hosts) <= 1 and all(_HOST.fullmatch(host) for host in hosts)


class _RawPaths:
    """Lets routes match the path as it was sent, so that a quoted slash stays inside its segment."""

    def __init__(self, app: ASGIApp, public_url: str | None) -> None:
        self.app = app
        self._prefix = "/" + public_url.split("://", 1)[1].partition("/")[2] if public_url else "/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if not _has_plain_host(scope):
                await JSONResponse({"error": "The Host header names no host."}, 400)(scope, receive, send)
                return
            path = scope.get("raw_path", scope["path"].encode()).decode("ascii", "replace").partition("?")[0]
            if self._prefix != "/" and path.startswith(self._prefix + "/"):
                path = path[len(self._prefix) :]  # a proxy that does not take the prefix away
            scope = {
                **scope,
                "path": _PLAIN_REF.sub(r"/\1/refs%2F\2%2F\3", path),
                "root_path": "",
            }
        await self.app(scope, receive, send)


def error_response(
    status: int,
    message: str,
    *,
    code: str | None = None,
    headers: dict[str, str] | None = None,
    fields: dict[str, Any] | None = None,
) -> Response:
    """Return an error in the form that clients read: JSON, and the same in headers."""
    shown = _NOT_IN_HEADERS.sub(" ", message)[:_LONGEST_HEADER].strip()
    answer = {"X-Error-Message": shown, **(headers or {})}
    if code:
        answer["X-Error-Code"] = code
    return JSONResponse({"error": message, **(fields or {})}, status_code=status, headers=answer)


async def _answer_own_error(request: Request, error: HubError) -> Response:
    return await (_answer_moved if isinstance(error, Moved) else _answer_hub_error)(request, error)


async def _answer_hub_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)  # noqa: S101 - registered for nothing else
    if error.status >= 500 and not isinstance(error, NotImplementedHere):
        # What the message hides (its cause) belongs into the log.
        request.state.failure = error
    return error_response(
        error.status, error.message, code=error.code, headers=error.headers, fields=error.fields
    )


async def _answer_moved(request: Request, error: Exception) -> Response:
    assert isinstance(error, Moved)  # noqa: S101
    path = _moved_path(request.scope["path"], error)
    if path is None:  # the old name stood in the body: there is no other address to send the client to
        return error_response(404, f"{error.message} Use its new name.", code="RepoNotFound")
    # Without a host, since clients follow such redirects only; old clients take the path as it stands.
    query = request.url.query
    prefix = urlsplit(request.app.state.hub.settings.public_url or "").path
    location = f"{prefix}{path}" + (f"?{query}" if query else "")
    return error_response(307, error.message, headers={"Location": location})


def _moved_path(path: str, moved: Moved) -> str | None:
    """Return the path with the new name instead of the old one, or None if that is not in it."""
    segments = path.split("/")
    named = [unquote(segment).lower() for segment in segments]
    owner, name = moved.old.lower().split("/")
    for place, pair in enumerate(pairwise(named)):
        if pair in ((owner, name), (owner, f"{name}.git")):
            suffix = ".git" if pair[1].endswith(".git") else ""
            return "/".join([*segments[:place], quote(moved.new) + suffix, *segments[place + 2 :]])
    return None


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 404 and _REPO_WITHOUT_OWNER.fullmatch(request.scope["path"]):
        return error_response(404, "Repository not found", code="RepoNotFound")
    return error_response(error.status_code, str(error.detail), headers=dict(error.headers or {}))


async def _answer_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    if any(problem["loc"] == ("path", "family") for problem in error.errors()):
        return error_response(404, "There is nothing at this address.")
    problems = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:10]]
    return error_response(400, "; ".join(problems))


async def _answer_failure(request: Request, error: Exception) -> Response:
    del error  # raised again after this answer, and logged by whoever watches requests
    message = (
        f"The server failed. Tell its administrator the number of this request: {request.state.request_id}."
    )
    return error_response(500, message)
