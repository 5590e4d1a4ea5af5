"""Logging in and out, and registration where the Hub allows it."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Form, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import CurrentHub, address_of
from pytupli_registry.server.errors import BadRequest, HubError
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.sessions import end_session, prove, start_session
from pytupli_registry.server.services.users import check_registration, register
from pytupli_registry.server.web.forms import OURS, form_page
from pytupli_registry.server.web.pages import page_router, redirect
from pytupli_registry.server.web.visitors import (
    Visitor,
    forget_session,
    remember_session,
    session_cookie,
)

router = page_router()

START = "/settings/tokens"
# A path of ours and nothing else: "//elsewhere" and "/\elsewhere" are other hosts to browsers.
_LOCAL = re.compile(r"/(?![/\\])[A-Za-z0-9._~/?=&%+-]*")

Name = Annotated[str, Form(max_length=96)]
Password = Annotated[str, Form(max_length=1024)]
Next = Annotated[str, Form(max_length=1000)]


def local_path(text: str) -> str:
    """Return a path that is safe to be sent to after logging in."""
    return text if _LOCAL.fullmatch(text) else START


@router.get("/login")
def show_login(request: Request, hub: CurrentHub, visitor: Visitor, next: str = START) -> Response:  # noqa: A002
    """Ask for name and password."""
    if visitor.is_known:
        return redirect(request, local_path(next))
    return form_page(request, "login.html", _login_fields(hub, next))


@router.post("/login", dependencies=[OURS])
def log_in(request: Request, hub: CurrentHub, name: Name, password: Password, next: Next = START) -> Response:  # noqa: A002
    """Begin a session."""
    try:
        cookie = _new_session(request, hub, name, password)
    except HubError as error:
        return form_page(request, "login.html", {**_login_fields(hub, next), "name": name}, problem=error)
    answer = redirect(request, local_path(next))
    remember_session(request, answer, cookie)
    return answer


def _login_fields(hub: Hub, next: str) -> dict[str, object]:  # noqa: A002
    return {"next": local_path(next), "may_register": hub.settings.allow_registration}


def _new_session(request: Request, hub: Hub, name: str, password: str) -> str:
    proof = prove(hub, name, password, address_of(request))
    with hub.database.write() as session:
        if old := session_cookie(request):
            end_session(session, old)
        return start_session(session, proof)


@router.post("/logout", dependencies=[OURS])
def log_out(request: Request, hub: CurrentHub) -> Response:
    """End the session, on the server, too."""
    if cookie := session_cookie(request):
        with hub.database.write() as session:
            end_session(session, cookie)
    answer = redirect(request, "/login")
    forget_session(request, answer)
    return answer


@router.get("/join")
def show_join(request: Request, hub: CurrentHub, visitor: Visitor) -> Response:
    """Ask for a name and a password of a new user."""
    check_registration(hub)
    return redirect(request, START) if visitor.is_known else form_page(request, "join.html")


@router.post("/join", dependencies=[OURS])
def join(request: Request, hub: CurrentHub, name: Name, password: Password, again: Password) -> Response:
    """Create a user and log in."""
    check_registration(hub)
    try:
        if password != again:
            raise BadRequest("The passwords differ.")
        register(hub, name, password, address=address_of(request))
        cookie = _new_session(request, hub, name, password)
    except HubError as error:
        return form_page(request, "join.html", {"name": name}, problem=error)
    answer = redirect(request, START)
    remember_session(request, answer, cookie)
    return answer
