"""One's own tokens: what there is, making one, revoking one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Form, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import CurrentHub
from pytupli_registry.server.errors import HubError
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.services.tokens import create_token, is_over, list_tokens, revoke_token
from pytupli_registry.server.web.forms import OURS, form_page
from pytupli_registry.server.web.pages import page_router, redirect
from pytupli_registry.server.web.visitors import Visitor

router = page_router()

Days = Literal["7", "30", "90", "365", "never"]


@router.get("/settings/tokens")
def show_tokens(request: Request, hub: CurrentHub, visitor: Visitor) -> Response:
    """List one's tokens, logins and sessions."""
    return form_page(request, "tokens.html", _listed(hub, visitor))


@router.post("/settings/tokens", dependencies=[OURS])
def make_token(
    request: Request,
    hub: CurrentHub,
    visitor: Visitor,
    name: Annotated[str, Form(max_length=96)],
    role: Annotated[Literal["read", "write"], Form()],
    days: Annotated[Days, Form()],
) -> Response:
    """Make a token and show it, this once."""
    user_id = visitor.writer()
    expires_at = None if days == "never" else datetime.now(UTC) + timedelta(days=int(days))
    try:
        with hub.database.write() as session:
            text = create_token(session, user_id, name, role=role, expires_at=expires_at)
    except HubError as error:
        return form_page(request, "tokens.html", {**_listed(hub, visitor), "name": name}, problem=error)
    return form_page(request, "tokens.html", {**_listed(hub, visitor), "made": text})


@router.post("/settings/tokens/revoke", dependencies=[OURS])
def end_token(
    request: Request, hub: CurrentHub, visitor: Visitor, name: Annotated[str, Form(max_length=96)]
) -> Response:
    """Revoke a token, a login or a session."""
    user_id = visitor.writer()
    with hub.database.write() as session:
        revoke_token(session, user_id, name)
    return redirect(request, "/settings/tokens")


def _listed(hub: Hub, visitor: Caller) -> dict[str, object]:
    user_id = visitor.known()
    with hub.database.read() as session:
        found = list_tokens(session, user_id)
    return {"tokens": found, "own": visitor.token_id, "is_over": is_over}
