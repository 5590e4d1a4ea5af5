"""OAuth device logins, as ``hf auth login`` uses them (RFC 8628)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse, Response

from pytupli_registry.server.dependencies import BaseUrl, CurrentHub, address_of
from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services import device_logins
from pytupli_registry.server.services.attempts import address_key
from pytupli_registry.server.services.device_logins import Grant, OAuthError
from pytupli_registry.server.services.hub import Hub

router = APIRouter(tags=["oauth"])

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant
LOGINS_PER_ATTEMPT = 3  # one address may begin so many times as many logins as it may fail
UNSUPPORTED = OAuthError(
    "unsupported_grant_type",
    "This Hub knows device logins and refresh tokens only. Programs without a person use HF_TOKEN.",
)
# RFC 6749, section 5.1: what holds tokens is kept nowhere.
UNCACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@router.post("/oauth/device")
def begin_login(
    request: Request, hub: CurrentHub, base: BaseUrl, client_id: Annotated[str, Form(max_length=255)] = ""
) -> JSONResponse:
    """Begin a login: the program keeps one code, the person opens a page and types the other."""
    address = address_key(address_of(request))
    limit = hub.settings.login_attempts * LOGINS_PER_ATTEMPT
    hub.attempts.enter("device", (f"address:{address}",), limit)
    expires_s = hub.settings.device_code_expires_s
    with hub.database.write() as session:
        codes = device_logins.start(session, client_id, expires_s=expires_s)
    page = f"{base}/oauth/consent"
    answer = {
        "device_code": codes.device_code,
        "user_code": codes.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={codes.user_code}",
        "interval": device_logins.INTERVAL_S,
        "expires_in": expires_s,
    }
    return JSONResponse(answer, headers=UNCACHED)


@router.post("/oauth/token")
def exchange(
    hub: CurrentHub,
    grant_type: Annotated[str, Form(max_length=255)] = "",
    device_code: Annotated[str, Form(max_length=255)] = "",
    refresh_token: Annotated[str, Form(max_length=255)] = "",
) -> Response:
    """Give a program its token once its user has consented, or a new one for a refresh token."""
    outcome = _outcome(hub, grant_type, device_code, refresh_token)
    if isinstance(outcome, OAuthError):
        fields = {"error": outcome.code, "error_description": outcome.description}
        raise BadRequest(outcome.description, headers=UNCACHED, fields=fields)
    return JSONResponse(_grant_json(outcome), headers=UNCACHED)


def _outcome(hub: Hub, grant_type: str, device_code: str, refresh_token: str) -> Grant | OAuthError:
    expires_s = hub.settings.access_token_expires_s
    if grant_type not in (DEVICE_CODE, REFRESH_TOKEN):
        return UNSUPPORTED
    refreshes = grant_type == REFRESH_TOKEN
    with hub.database.read() as session:
        if not device_logins.is_known(session, refresh_token if refreshes else device_code):
            return device_logins.INVALID  # strangers must not make writers wait
    with hub.database.write() as session:
        if refreshes:
            return device_logins.refresh(session, refresh_token, expires_s=expires_s)
        return device_logins.exchange(session, device_code, expires_s=expires_s)


def _grant_json(grant: Grant) -> dict[str, Any]:
    return {
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "token_type": "bearer",
        "expires_in": grant.expires_s,
        "scope": "read-repos write-repos",
    }
