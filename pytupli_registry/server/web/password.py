"""Changing one's password."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import CurrentHub, address_of
from pytupli_registry.server.errors import BadRequest, HubError
from pytupli_registry.server.services.users import change_password
from pytupli_registry.server.web.forms import OURS, form_page
from pytupli_registry.server.web.pages import page_router
from pytupli_registry.server.web.visitors import Visitor, forget_session

router = page_router()

Password = Annotated[str, Form(max_length=1024)]


@router.get("/settings/password")
def show_form(request: Request, visitor: Visitor) -> Response:
    """Ask for the old and the new password."""
    visitor.known()
    return form_page(request, "password.html")


@router.post("/settings/password", dependencies=[OURS])
def change(
    request: Request,
    hub: CurrentHub,
    visitor: Visitor,
    current: Password,
    password: Password,
    again: Password,
    revoke: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Change the password; all sessions end, this one included."""
    try:
        if password != again:
            raise BadRequest("The new passwords differ.")
        ended = change_password(
            hub, visitor, current, password, address=address_of(request), revoke_tokens=bool(revoke)
        )
    except HubError as error:
        return form_page(request, "password.html", problem=error)
    answer = form_page(request, "password.html", {"ended": ended, "revoked": bool(revoke)})
    forget_session(request, answer)
    return answer
