"""Routes that are asked so often that what FastAPI does before a call would take most of their time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, NamedTuple
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from pytupli_registry.server.dependencies import (
    LONGEST_SEGMENT,
    Family,
    current_caller,
    current_hub,
    unquoted,
)
from pytupli_registry.server.errors import HubError
from pytupli_registry.server.routes.index import RouteIndex
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.wire.names import RepoId

__all__ = ["Plain", "StraightFirst", "straight"]


class Plain(NamedTuple):
    """A request about a repository that asks for nothing unusual.

    Attributes:
        request: the request.
        hub: the Hub.
        caller: who asks.
        repo_id: about which repository.
        path: further parameters of the route's path.
        query: its query; no parameter was given twice.
    """

    request: Request
    hub: Hub
    caller: Caller
    repo_id: RepoId
    path: dict[str, str]
    query: dict[str, str]


Answer = Callable[[Plain], Awaitable[Response]]


class StraightRoute(APIRoute):
    """A route whose plain requests are answered before the framework has a part in them; made by :func:`straight`."""

    answer: ClassVar[Answer]
    flags: ClassVar[frozenset[str]]

    async def straight_answer(self, request: Request) -> Response | None:
        """Return the answer to a plain request, or None for what takes the usual way."""
        plain = await _plain(request, self.flags)
        return None if plain is None else await type(self).answer(plain)


def straight(answer: Answer, flags: frozenset[str] = frozenset()) -> type[StraightRoute]:
    """Return the class of a route that ``answer`` answers, where the query has no parameters but ``flags``.

    Everything else, and what is malformed, takes the usual way through the route's own function. Both must answer
    alike.
    """
    return type("Straight", (StraightRoute,), {"answer": staticmethod(answer), "flags": flags})


class StraightFirst:
    """Answers plain requests to such routes, and gives all others on.

    Args:
        others: answers these.
        app: what requests belong to.
        index: finds the route of a request.
        answer_error: answers what goes wrong, as everywhere.
    """

    def __init__(
        self,
        others: ASGIApp,
        app: FastAPI,
        index: RouteIndex,
        answer_error: Callable[[Request, HubError], Awaitable[Response]],
    ) -> None:
        self._others = others
        self._app = app
        self._index = index
        self._answer_error = answer_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_api = scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith("/api/")
        response = await self._answer(scope) if is_api else None
        await (self._others if response is None else response)(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response | None:
        _, found = self._index.matches(scope)
        route = found.get("route")
        if not isinstance(route, StraightRoute):
            return None
        scope.update(found, app=self._app)
        try:
            return await route.straight_answer(Request(scope))
        except HubError as error:
            return await self._answer_error(Request(scope), error)


async def _plain(request: Request, flags: frozenset[str]) -> Plain | None:
    query = _query(request.scope["query_string"], flags)
    if query is None or len(request.scope["path"]) > LONGEST_SEGMENT:
        return None
    try:
        path = {name: unquoted(value) for name, value in request.path_params.items()}
        family = Family(path.pop("family"))
    except ValueError:
        return None
    hub = current_hub(request)
    caller = await current_caller(request, hub)
    repo_id = RepoId.parse(family.type, f"{path.pop('namespace')}/{path.pop('name')}")
    return Plain(request, hub, caller, repo_id, path, query)


def _query(text: bytes, flags: frozenset[str]) -> dict[str, str] | None:
    if not text:
        return {}
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=len(flags))
    except ValueError:
        return None
    query = dict(pairs)
    return query if len(query) == len(pairs) and query.keys() <= flags else None
