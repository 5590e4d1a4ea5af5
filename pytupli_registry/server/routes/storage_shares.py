"""What the repositories of an account take (``hf repos ls``)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import BaseUrl, CurrentCaller, CurrentHub, Segment
from pytupli_registry.server.routes.answers import date_text, page_of, page_response, read_row_cursor
from pytupli_registry.server.services.storage_shares import (
    StorageShare,
    organization_of_member,
    storage_shares,
)

__all__ = ["router"]

router = APIRouter(tags=["repositories"])

Limit = Annotated[int | None, Query(ge=1)]


@router.get("/api/settings/repositories")
def own_repositories(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    limit: Limit = None,
    cursor: str | None = None,
) -> Response:
    """List the caller's own repositories."""
    after, count = read_row_cursor(cursor), page_of(hub, limit)
    with hub.database.read() as session:
        found = storage_shares(session, caller.known(), after=after, count=count + 1)
    return _page(request, base, found, count)


@router.get("/api/organizations/{organization}/settings/repositories")
def organization_repositories(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    organization: Segment,
    limit: Limit = None,
    cursor: str | None = None,
) -> Response:
    """List the repositories of an organization that the caller belongs to."""
    after, count = read_row_cursor(cursor), page_of(hub, limit)
    with hub.database.read() as session:
        owner_id = organization_of_member(session, caller, organization)
        found = storage_shares(session, owner_id, after=after, count=count + 1)
    return _page(request, base, found, count)


def _page(request: Request, base: str, found: list[StorageShare], count: int) -> Response:
    shown = [_shown(share) for share in found[:count]]
    following = str(found[count - 1].repository.id) if len(found) > count else None
    return page_response(request, base, shown, following)


def _shown(share: StorageShare) -> dict[str, Any]:
    repository = share.repository
    return {
        "id": repository.full_name,
        "type": repository.type,
        "updatedAt": date_text(repository.updated_at),
        "visibility": repository.visibility,
        "storage": repository.used_storage,
        "storagePercent": share.percent,
    }
