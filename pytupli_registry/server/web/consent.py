"""Consent to a device's login: a person types or compares the code that the program shows."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Query, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import CurrentHub
from pytupli_registry.server.errors import NotFound
from pytupli_registry.server.services.device_logins import answer, pending
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.web.forms import OURS, form_page
from pytupli_registry.server.web.pages import page_router
from pytupli_registry.server.web.visitors import Visitor

router = page_router()

POLICY = "device-code"


@router.get("/oauth/consent")
def ask(
    request: Request,
    hub: CurrentHub,
    visitor: Visitor,
    user_code: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Ask for the code, or show what waits under it."""
    visitor.known()
    if not user_code:
        return form_page(request, "consent.html", {"step": "type"})
    _count(hub, visitor)
    try:
        with hub.database.read() as session:
            login = pending(session, user_code)
    except NotFound as error:
        return form_page(request, "consent.html", {"step": "type"}, problem=error)
    _forgive(hub, visitor)
    return form_page(request, "consent.html", {"step": "confirm", "login": login})


@router.post("/oauth/consent", dependencies=[OURS])
def decide(
    request: Request,
    hub: CurrentHub,
    visitor: Visitor,
    user_code: Annotated[str, Form(max_length=40)],
    decision: Annotated[Literal["allow", "refuse"], Form()],
) -> Response:
    """Let the program in, or not."""
    visitor.writer()
    _count(hub, visitor)
    try:
        with hub.database.write() as session:
            answer(session, visitor, user_code, allow=decision == "allow")
    except NotFound as error:
        return form_page(request, "consent.html", {"step": "type"}, problem=error)
    _forgive(hub, visitor)
    return form_page(request, "consent.html", {"step": "done", "allowed": decision == "allow"})


def _count(hub: Hub, visitor: Caller) -> None:
    # Whoever guesses another's code could give that program access to an account of their own.
    hub.attempts.enter(POLICY, (str(visitor.user_id),), hub.settings.login_attempts)


def _forgive(hub: Hub, visitor: Caller) -> None:
    hub.attempts.forgive(POLICY, str(visitor.user_id))
