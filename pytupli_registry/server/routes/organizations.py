"""Organizations: what the Hub's protocol tells of them, and our own interface for their admins."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import BaseUrl, CurrentCaller, CurrentHub, Segment
from pytupli_registry.server.routes.accounts import read_name_cursor
from pytupli_registry.server.routes.answers import date_text, page_of, page_response, truth
from pytupli_registry.server.routes.identity import avatar
from pytupli_registry.server.services import accounts, organizations
from pytupli_registry.server.services.organizations import Member
from pytupli_registry.server.services.overviews import organization_overview
from pytupli_registry.server.services.permissions import OrganizationAction, Role
from pytupli_registry.server.wire.administration import (
    MemberRole,
    NewOrganization,
    OrganizationAnswer,
    OrganizationUpdate,
)
from pytupli_registry.server.wire.names import key_of

router = APIRouter(tags=["organizations"])


@router.get("/api/organizations/{organization}/overview")
def overview(hub: CurrentHub, caller: CurrentCaller, base: BaseUrl, organization: Segment) -> dict[str, Any]:
    """Tell about an organization."""
    with hub.database.read() as session:
        found = organization_overview(session, caller, organization)
    counted = {
        f"num{kind.capitalize()}s": found.repositories.get(kind, 0) for kind in ("model", "dataset", "space")
    }
    return {
        "name": found.name,
        "fullname": found.full_name,
        "avatarUrl": avatar(base, "organization"),
        "type": "org",
        "details": found.details,
        "isVerified": False,
        "isFollowing": False,
        "numUsers": found.members,
        **counted,
        "numFollowers": 0,
        "numPapers": 0,
        "plan": None,
    }


@router.get("/api/organizations/{organization}/followers")
def followers(hub: CurrentHub, caller: CurrentCaller, organization: Segment) -> list[Any]:
    """List nobody: nobody follows anybody here."""
    with hub.database.read() as session:
        organizations.find(session, caller, organization, OrganizationAction.SEE)
    return []


@router.get("/api/organizations/{organization}/members")
def list_members(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    organization: Segment,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Response:
    """List an organization's members by name, with their roles."""
    after = read_name_cursor(cursor)
    count = page_of(hub, limit)
    with hub.database.read() as session:
        account = organizations.find(session, caller, organization, OrganizationAction.LIST)
        found = organizations.list_members(session, account.id, after=after, limit=count + 1)
    shown = [_member_json(base, member) for member in found[:count]]
    return page_response(request, base, shown, key_of(found[count - 1].name) if len(found) > count else None)


def _member_json(base: str, member: Member) -> dict[str, Any]:
    return {
        "type": "user",
        "user": member.name,
        "fullname": member.full_name,
        "avatarUrl": avatar(base, "user"),
        "role": member.role,
        "isDisabled": member.is_disabled,
        "since": date_text(member.since),
    }


@router.get("/api/organizations")
def list_organizations(
    hub: CurrentHub, caller: CurrentCaller, everything: Annotated[str | None, Query(alias="all")] = None
) -> list[OrganizationAnswer]:
    """List the organizations that the caller belongs to; with ``all``, those that the caller may know of."""
    caller.known()
    with hub.database.read() as session:
        found = organizations.list_organizations(session, caller, everything=truth(everything))
    return [OrganizationAnswer.model_validate(organization) for organization in found]


@router.post("/api/organizations", status_code=201)
def create_organization(hub: CurrentHub, caller: CurrentCaller, body: NewOrganization) -> OrganizationAnswer:
    """Create an organization; its creator is its first admin."""
    user_id = caller.writer()
    with hub.database.write() as session:
        account = accounts.create_organization(
            session,
            body.name,
            user_id,
            default_visibility=body.default_visibility,
            full_name=body.full_name,
            members_public=body.members_public,
        )
    return OrganizationAnswer(
        name=account.name,
        full_name=account.full_name,
        details=account.details,
        default_visibility=body.default_visibility,
        members_public=body.members_public,
        role=Role.ADMIN,
        created_at=account.created_at,
    )


@router.get("/api/organizations/{organization}")
def details(hub: CurrentHub, caller: CurrentCaller, organization: Segment) -> OrganizationAnswer:
    """Tell about an organization's settings, to those who may know its members."""
    with hub.database.read() as session:
        return OrganizationAnswer.model_validate(organizations.details(session, caller, organization))


@router.patch("/api/organizations/{organization}")
def change_organization(
    hub: CurrentHub, caller: CurrentCaller, organization: Segment, body: OrganizationUpdate
) -> OrganizationAnswer:
    """Change an organization's settings; for its admins."""
    changes = organizations.OrganizationChanges(**body.model_dump())
    with hub.database.write() as session:
        return OrganizationAnswer.model_validate(organizations.change(session, caller, organization, changes))


@router.delete("/api/organizations/{organization}", status_code=204)
def delete_organization(hub: CurrentHub, caller: CurrentCaller, organization: Segment) -> Response:
    """Delete an organization that has no repositories; for its admins."""
    with hub.database.write() as session:
        organizations.delete_organization(session, caller, organization)
    return Response(status_code=204)


@router.put("/api/organizations/{organization}/members/{user}")
def set_role(
    hub: CurrentHub, caller: CurrentCaller, organization: Segment, user: Segment, body: MemberRole
) -> dict[str, str]:
    """Make a user a member, or give a member another role; for the organization's admins."""
    with hub.database.write() as session:
        account = organizations.set_role(session, caller, organization, user, Role(body.role))
    return {"user": account.name, "role": body.role}


@router.delete("/api/organizations/{organization}/members/{user}", status_code=204)
def remove_member(hub: CurrentHub, caller: CurrentCaller, organization: Segment, user: Segment) -> Response:
    """Take a member out of an organization; for its admins, and for members who leave."""
    with hub.database.write() as session:
        organizations.remove_member(session, caller, organization, user)
    return Response(status_code=204)
