"""Finding the route of a request among many: only those are tried whose fixed segments it has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

__all__ = ["RouteIndex"]

MOST_SHAPES = 10_000
DEEPEST = 15  # no route has so many fixed segments


class RouteIndex(BaseRoute):
    """Stands before all routes and leads to the first that fits; what fits none of them goes on to the others.

    Args:
        routes: in the order in which they are to be tried.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes = [(_segments(route.path), route) for route in routes if isinstance(route, APIRoute)]
        self._fixed = {name for segments, _ in self._routes for name in segments if name is not None}
        self._by_shape: dict[tuple[str | None, ...], Sequence[APIRoute]] = {}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return the match of the first route that fits path and method."""
        if scope["type"] != "http":
            return Match.NONE, {}
        for route in self._candidates(scope["path"]):
            match, child_scope = route.matches(scope)
            if match is Match.FULL:
                return match, child_scope
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route answer; it has put itself into the scope."""
        await scope["route"].handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> NoReturn:
        """Leave that to the routes themselves."""
        raise NoMatchFound(name, dict(path_params))

    def _candidates(self, path: str) -> Sequence[APIRoute]:
        shape = tuple(part if part in self._fixed else None for part in path.split("/", DEEPEST))
        found = self._by_shape.get(shape)
        if found is None:
            found = [route for segments, route in self._routes if _fits(segments, shape)]
            if len(self._by_shape) < MOST_SHAPES:
                self._by_shape[shape] = found
        return found


def _segments(path: str) -> tuple[str | None, ...]:
    """Return the fixed segments of a route's path, None for a parameter and for what is partly one."""
    return tuple(None if "{" in part else part for part in path.split("/"))


def _fits(segments: Sequence[str | None], shape: Sequence[str | None]) -> bool:
    # A parameter at the end may take several segments, and none.
    open_ended = segments[-1] is None and len(shape) >= len(segments) - 1
    if not open_ended and len(segments) != len(shape):
        return False
    return all(fixed is None or fixed == part for fixed, part in zip(segments, shape, strict=False))
