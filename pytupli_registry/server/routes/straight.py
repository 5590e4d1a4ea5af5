"""Routes that are asked so often that what FastAPI does before a call would take most of their time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from pytupli_registry.server.dependencies import (
    LONGEST_SEGMENT,
    Family,
    current_caller,
    current_hub,
    unquoted,
)
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.wire.names import RepoId

__all__ = ["Plain", "straight"]


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


def straight(answer: Answer, flags: frozenset[str] = frozenset()) -> type[APIRoute]:
    """Return the class of a route that ``answer`` answers, where the query has no parameters but ``flags``.

    Everything else, and what is malformed, takes the usual way through the route's own function. Both must answer
    alike.
    """

    class StraightRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            usual = super().get_route_handler()

            async def handle(request: Request) -> Response:
                plain = await _plain(request, flags)
                return await usual(request) if plain is None else await answer(plain)

            return handle

    return StraightRoute


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
