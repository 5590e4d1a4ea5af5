"""What the Hub tells of a user or an organization: numbers count what the caller may see, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import (
    Account,
    Discussion,
    Like,
    Membership,
    Organization,
    Repository,
    User,
)
from pytupli_registry.server.errors import NotFound
from pytupli_registry.server.services import organizations
from pytupli_registry.server.services.accounts import find_account
from pytupli_registry.server.services.listing import visible_to
from pytupli_registry.server.services.permissions import (
    Caller,
    OrganizationAction,
    allows_in_organization,
)

__all__ = ["OrganizationOverview", "UserOverview", "organization_overview", "user_overview"]


@dataclass(frozen=True, slots=True)
class UserOverview:
    """A user, to others; ``repositories`` counts by type."""

    name: str
    full_name: str
    details: str
    repositories: Mapping[str, int]
    discussions: int
    likes: int
    organizations: Sequence[Account]


@dataclass(frozen=True, slots=True)
class OrganizationOverview:
    """An organization, to others; ``members`` is None for those who may not know."""

    name: str
    full_name: str
    details: str
    repositories: Mapping[str, int]
    members: int | None


def user_overview(session: Session, caller: Caller, name: str) -> UserOverview:
    """Return what ``caller`` may know of a user.

    Raises:
        NotFound: there is no such user, or it is disabled.
    """
    account = find_account(session, name)
    user = session.get(User, account.id) if account else None
    if account is None or user is None or user.disabled_at is not None:
        raise NotFound(f"There is no user {name[:100]!r}.")
    return UserOverview(
        name=account.name,
        full_name=account.full_name,
        details=account.details,
        repositories=_repositories(session, caller, account.id),
        discussions=_count_discussions(session, caller, account.id),
        likes=_count_likes(session, caller, account.id),
        organizations=_organizations(session, caller, account.id),
    )


def organization_overview(session: Session, caller: Caller, name: str) -> OrganizationOverview:
    """Return what ``caller`` may know of an organization.

    Raises:
        NotFound: there is none, or the caller may not know that.
    """
    account = organizations.find(session, caller, name, OrganizationAction.SEE)
    exposure = organizations.exposure_of(session, account.id)
    lists = allows_in_organization(caller, account.id, exposure, OrganizationAction.LIST)
    return OrganizationOverview(
        name=account.name,
        full_name=account.full_name,
        details=account.details,
        repositories=_repositories(session, caller, account.id),
        members=_count_members(session, account.id) if lists else None,
    )


def _repositories(session: Session, caller: Caller, owner_id: int) -> Mapping[str, int]:
    rows = session.execute(
        select(Repository.type, func.count())
        .where(Repository.owner_id == owner_id, visible_to(caller))
        .group_by(Repository.type)
    )
    return {kind: count for kind, count in rows}  # noqa: C416 - rows are no pairs to dict()


def _count_discussions(session: Session, caller: Caller, author_id: int) -> int:
    counted = (
        select(func.count())
        .select_from(Discussion)
        .join(Repository, Repository.id == Discussion.repository_id)
        .where(Discussion.author_id == author_id, visible_to(caller))
    )
    return session.scalar(counted) or 0


def _count_likes(session: Session, caller: Caller, user_id: int) -> int:
    counted = (
        select(func.count())
        .select_from(Like)
        .join(Repository, Repository.id == Like.repository_id)
        .where(Like.user_id == user_id, visible_to(caller))
    )
    return session.scalar(counted) or 0


def _count_members(session: Session, organization_id: int) -> int:
    counted = (
        select(func.count()).select_from(Membership).where(Membership.organization_id == organization_id)
    )
    return session.scalar(counted) or 0


def _organizations(session: Session, caller: Caller, user_id: int) -> Sequence[Account]:
    shared = select(Account).join(Membership, Membership.organization_id == Account.id)
    shared = shared.where(Membership.user_id == user_id).order_by(Account.name_key)
    if not caller.is_admin:
        known = Organization.members_public | Organization.account_id.in_(tuple(caller.roles))
        shared = shared.join(Organization, Organization.account_id == Account.id).where(known)
    return session.scalars(shared).all()
