"""Who looks at a page: a browser's session."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import CurrentHub, base_url, current_hub
from pytupli_registry.server.services.callers import caller_of_session
from pytupli_registry.server.services.permissions import ANONYMOUS, Caller
from pytupli_registry.server.services.sessions import SESSION_S
from pytupli_registry.server.web.pages import root_of

__all__ = ["Visitor", "forget_session", "remember_session", "session_cookie", "set_cookie"]

SESSION_COOKIE = "pytupli_session"
LONGEST_COOKIE = 200


def session_cookie(request: Request) -> str:
    """Return what the browser says its session is, "" for none."""
    cookie = request.cookies.get(SESSION_COOKIE, "")
    return cookie if len(cookie) <= LONGEST_COOKIE else ""


def current_visitor(request: Request, hub: CurrentHub) -> Caller:
    """Return whose browser this is. Access tokens mean nothing here, and cookies mean nothing to the API."""
    cookie = session_cookie(request)
    visitor = ANONYMOUS
    if cookie:
        with hub.database.read() as session:
            visitor = caller_of_session(session, cookie) or ANONYMOUS
    request.state.visitor = visitor
    request.state.user = visitor.name  # for the log
    return visitor


Visitor = Annotated[Caller, Depends(current_visitor)]


def remember_session(request: Request, response: Response, cookie: str) -> None:
    """Give the browser its session."""
    set_cookie(request, response, SESSION_COOKIE, cookie, seconds=SESSION_S)


def forget_session(request: Request, response: Response) -> None:
    """Take the session's cookie away."""
    response.delete_cookie(SESSION_COOKIE, path=f"{root_of(request)}/")


def set_cookie(request: Request, response: Response, name: str, value: str, *, seconds: int) -> None:
    """Give the browser a cookie that no script reads and no other site's form carries."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=f"{root_of(request)}/",
        secure=base_url(request, current_hub(request)).startswith("https://"),
        httponly=True,
        samesite="lax",
    )
