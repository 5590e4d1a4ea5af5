"""Access requests of gated repositories."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, Field

from pytupli_registry.server.dependencies import BaseUrl, CurrentCaller, CurrentHub, RepoOf, Segment
from pytupli_registry.server.routes.answers import date_text, page_of, page_response, read_cursor
from pytupli_registry.server.services import access_requests
from pytupli_registry.server.services.access_requests import Requested
from pytupli_registry.server.services.permissions import Action
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.wire.texts import Line, Prose

router = APIRouter(tags=["access requests"])

PLACE = "/api/{family}/{namespace}/{name}/user-access-request"
Answer = Line | bool | int | None
MOST_FIELDS = 100


def _few(fields: object) -> object:
    # Before each of them is looked at: an error for every one of a million would fill the memory.
    if isinstance(fields, dict) and len(fields) > MOST_FIELDS:
        raise ValueError(f"at most {MOST_FIELDS} answers are taken")
    return fields


class AskedFor(BaseModel):
    """The answers to what the repository's owners want to know."""

    fields: Annotated[dict[Line, Answer], BeforeValidator(_few)] = Field(default_factory=dict)


class Decision(BaseModel):
    """What becomes of a request; either the user or the request is named."""

    user: Line | None = None
    request_id: Line | None = Field(default=None, alias="requestId")
    status: Line
    rejection_reason: Prose | None = Field(default=None, alias="rejectionReason")


class Grant(BaseModel):
    """Who is let in."""

    user: Line


@router.get(PLACE + "/{status}")
def list_requests(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    repo_id: RepoOf,
    status: Segment,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Response:
    """List the requests that are ``pending``, ``accepted`` or ``rejected``."""
    after, count = read_cursor(cursor), page_of(hub, limit)
    with hub.database.read() as session:
        repository = find(session, caller, repo_id, Action.ADMINISTER)
        access_requests.check_gated(repository)
        found = access_requests.list_requests(session, repository.id, status, after=after, count=count + 1)
    shown = [_shown(one) for one in found[:count]]
    return page_response(request, base, shown, found[count - 1][0].id if len(found) > count else None)


@router.post(PLACE + "/handle")
def handle(hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, body: Decision) -> dict[str, Any]:
    """Accept or reject a request, or make it pending again."""
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.ADMINISTER)
        decided = access_requests.decide(
            session,
            repository,
            body.status,
            user_name=body.user,
            request_id=body.request_id,
            reason=body.rejection_reason,
        )
        return {"requestId": decided.id, "status": decided.status}


@router.post(PLACE + "/grant")
def grant(hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, body: Grant) -> dict[str, Any]:
    """Let a user in who need not have asked."""
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.ADMINISTER)
        granted = access_requests.grant(session, repository, body.user)
        return {"requestId": granted.id, "status": granted.status}


@router.post("/api/{family}/{namespace}/{name}/ask-access")
def ask(
    hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, body: AskedFor | None = None
) -> dict[str, Any]:
    """Ask for access to the files; where the gate is ``auto`` it is given at once."""
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.SEE)
        asked = access_requests.ask(session, repository, caller, dict(body.fields) if body else {})
        return {"requestId": asked.id, "status": asked.status}


def _shown(requested: Requested) -> dict[str, Any]:
    access, account, email = requested
    user = {
        "user": account.name,
        "fullname": account.full_name,
        "type": "user",
        # Who asks agrees to share it; who was let in without asking was never told.
        "email": None if access.granted else email,
    }
    shown: dict[str, Any] = {
        "requestId": access.id,
        "status": access.status,
        "timestamp": date_text(access.created_at),
        "user": user,
    }
    if access.fields:
        shown["fields"] = access.fields
    if access.rejection_reason:
        shown["rejectionReason"] = access.rejection_reason
    return shown
