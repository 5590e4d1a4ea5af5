"""Who calls, and what every client asks in passing."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from pytupli_registry.server.dependencies import BaseUrl, CurrentCaller, CurrentHub
from pytupli_registry.server.routes.answers import date_text
from pytupli_registry.server.services.organizations import list_organizations
from pytupli_registry.server.services.tokens import find_token
from pytupli_registry.server.services.users import user_details

router = APIRouter(tags=["identity"])


def avatar(base: str, kind: str) -> str:
    """Return the URL of the picture that all accounts of a kind share."""
    return f"{base}/static/{kind}.svg"


@router.get("/api/whoami-v2")
def whoami(hub: CurrentHub, caller: CurrentCaller, base: BaseUrl) -> dict[str, Any]:
    """Tell who calls, with which token, and which organizations they belong to."""
    caller.known()
    with hub.database.read() as session:
        user = user_details(session, caller.name)
        organizations = list_organizations(session, caller)
        token = find_token(session, caller.token_id) if caller.token_id is not None else None
    return {
        "type": "user",
        "id": f"{user.id:024x}",
        "name": user.name,
        "fullname": user.full_name,
        "email": user.email,
        "emailVerified": False,
        "isAdmin": user.is_admin,
        "isPro": False,
        "canPay": False,
        "avatarUrl": avatar(base, "user"),
        "orgs": [
            {
                "type": "org",
                "id": f"{organization.id:024x}",
                "name": organization.name,
                "fullname": organization.full_name,
                "roleInOrg": organization.role,
                "avatarUrl": avatar(base, "organization"),
                "isEnterprise": False,
            }
            for organization in organizations
        ],
        "auth": {
            "type": "access_token",
            "accessToken": {
                # The client stores the token under this name: two names alike would overwrite each other.
                "displayName": token.name if token else None,
                "role": "write" if caller.writes else "read",
                "createdAt": date_text(token.created_at) if token else None,
                "expiresAt": date_text(token.expires_at) if token and token.expires_at else None,
            },
        },
    }


@router.get("/api/agent-harnesses")
def agent_harnesses() -> dict[str, Any]:
    """Name no agents: clients ask nearly every time, and remember an answer for a day."""
    return {"standardEnvVars": [], "harnesses": {}}


@router.head("/api/telemetry/{topic:path}")
def telemetry(topic: str) -> Response:
    """Take note of nothing."""
    del topic
    return Response(status_code=204)
