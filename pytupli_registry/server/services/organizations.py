"""Organizations: who may know of them, their settings, their members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from pytupli_registry.server.database.schema import Account, Membership, Organization, Repository, User
from pytupli_registry.server.errors import BadRequest, Conflict, Forbidden, NotAuthenticated, NotFound
from pytupli_registry.server.services.accounts import find_account
from pytupli_registry.server.services.permissions import (
    Caller,
    Exposure,
    OrganizationAction,
    Role,
    allows_in_organization,
)

__all__ = [
    "Member",
    "OrganizationChanges",
    "OrganizationDetails",
    "change",
    "delete_organization",
    "details",
    "exposure_of",
    "find",
    "is_known_to",
    "list_members",
    "list_organizations",
    "remove_member",
    "set_role",
]

VISIBILITIES = ("public", "private")


@dataclass(frozen=True, slots=True)
class OrganizationDetails:
    """An organization as its members know it; ``role`` is the caller's own, None for outsiders."""

    id: int
    name: str
    full_name: str
    details: str
    default_visibility: str
    members_public: bool
    role: Role | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OrganizationChanges:
    """New settings of an organization; None leaves one as it is."""

    full_name: str | None = None
    details: str | None = None
    default_visibility: str | None = None
    members_public: bool | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an organization."""

    user_id: int
    name: str
    full_name: str
    role: Role
    is_disabled: bool
    since: datetime


def find(session: Session, caller: Caller, name: str, action: OrganizationAction) -> Account:
    """Return the organization of that name, if ``caller`` may do ``action`` to it.

    Raises:
        NotFound: there is none, or the caller may not know that (or who its members are).
        NotAuthenticated: it can be seen, but ``action`` needs a user.
        Forbidden: it can be seen, but the caller may not do this.
    """
    account = find_account(session, name)
    if account is None or account.kind != "organization":
        raise _missing(name, action)
    exposure = exposure_of(session, account.id)
    if allows_in_organization(caller, account.id, exposure, action):
        return account
    hides = action is OrganizationAction.LIST  # who one may not list has no members
    if hides or not allows_in_organization(caller, account.id, exposure, OrganizationAction.SEE):
        raise _missing(name, action)
    raise _refusal(caller, account, action)


def is_known_to(session: Session, caller: Caller, account: Account) -> bool:
    """Return whether ``caller`` may know that an account exists; users are known to everybody."""
    if account.kind == "user" or account.id in caller.roles:
        return True
    return allows_in_organization(
        caller, account.id, exposure_of(session, account.id), OrganizationAction.SEE
    )


def exposure_of(session: Session, organization_id: int) -> Exposure:
    """Return how much of an organization outsiders may know."""
    if session.scalar(select(Organization.members_public).where(Organization.account_id == organization_id)):
        return Exposure.OPEN
    shows = session.scalar(select(_shows(organization_id)))
    return Exposure.NAMED if shows else Exposure.HIDDEN


def _shows(owner_id: int | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    return exists().where(Repository.owner_id == owner_id, Repository.visibility == "public")


def _missing(name: str, action: OrganizationAction) -> NotFound:
    if action is OrganizationAction.LIST:
        return NotFound(f"There is no organization {name[:100]!r}, or its members are private.")
    return NotFound(f"There is no organization {name[:100]!r}.")


def _refusal(caller: Caller, account: Account, action: OrganizationAction) -> Forbidden | NotAuthenticated:
    if not caller.is_known:
        return NotAuthenticated(f"Log in first: you may not {action} {account.name} anonymously.")
    if not caller.writes:
        return Forbidden("This access token may only read. Use one with the role 'write'.")
    return Forbidden(f"You may not {action} the organization {account.name}. Ask one of its admins.")


def list_organizations(
    session: Session, caller: Caller, *, everything: bool = False
) -> Sequence[OrganizationDetails]:
    """Return the caller's organizations by name; all that the caller may know of if ``everything``."""
    chosen: ColumnElement[bool] = Account.id.in_(tuple(caller.roles))
    if everything:
        chosen = or_(
            chosen, Organization.members_public, _shows(Account.id), true() if caller.is_admin else chosen
        )
    rows = session.execute(
        select(Account, Organization)
        .join(Organization, Organization.account_id == Account.id)
        .where(chosen)
        .order_by(Account.name_key)
    )
    return [_details(account, organization, caller) for account, organization in rows]


def details(session: Session, caller: Caller, name: str) -> OrganizationDetails:
    """Return an organization's details, for those who may know its members.

    Raises:
        NotFound: there is none, or the caller may not know.
    """
    account = find(session, caller, name, OrganizationAction.LIST)
    return _details(account, session.get_one(Organization, account.id), caller)


def _details(account: Account, organization: Organization, caller: Caller) -> OrganizationDetails:
    return OrganizationDetails(
        id=account.id,
        name=account.name,
        full_name=account.full_name,
        details=account.details,
        default_visibility=organization.default_visibility,
        members_public=organization.members_public,
        role=caller.roles.get(account.id),
        created_at=account.created_at,
    )


def change(session: Session, caller: Caller, name: str, changes: OrganizationChanges) -> OrganizationDetails:
    """Change an organization's settings.

    Raises:
        NotFound, NotAuthenticated, Forbidden: as :func:`find`.
        BadRequest: an unknown visibility.
    """
    account = find(session, caller, name, OrganizationAction.ADMINISTER)
    organization = session.get_one(Organization, account.id)
    if changes.full_name is not None:
        account.full_name = changes.full_name or account.name
    if changes.details is not None:
        account.details = changes.details
    if changes.default_visibility is not None:
        organization.default_visibility = check_default_visibility(changes.default_visibility)
    if changes.members_public is not None:
        organization.members_public = changes.members_public
    session.flush()
    return _details(account, organization, caller)


def check_default_visibility(visibility: str) -> str:
    """Return ``visibility`` if new repositories can have it.

    Raises:
        BadRequest: they cannot.
    """
    if visibility not in VISIBILITIES:
        raise BadRequest(f"The visibility {visibility[:40]!r} is unknown: use 'public' or 'private'.")
    return visibility


def delete_organization(session: Session, caller: Caller, name: str) -> None:
    """Delete an organization that has no repositories.

    Raises:
        NotFound, NotAuthenticated, Forbidden: as :func:`find`.
        Conflict: it has repositories.
    """
    account = find(session, caller, name, OrganizationAction.ADMINISTER)
    count = session.scalar(
        select(func.count()).select_from(Repository).where(Repository.owner_id == account.id)
    )
    if count:
        raise Conflict(
            f"The organization {account.name} has {count} repositories. Move or delete them first."
        )
    session.execute(delete(Account).where(Account.id == account.id))


def list_members(
    session: Session, organization_id: int, *, after: str = "", limit: int | None = None
) -> Sequence[Member]:
    """Return up to ``limit`` members whose folded names come after ``after``, by name."""
    rows = session.execute(
        select(Account, Membership, User.disabled_at)
        .join(Membership, Membership.user_id == Account.id)
        .join(User, User.account_id == Account.id)
        .where(Membership.organization_id == organization_id, Account.name_key > after)
        .order_by(Account.name_key)
        .limit(limit)
    )
    return [
        Member(account.id, account.name, account.full_name, Role(m.role), disabled is not None, m.created_at)
        for account, m, disabled in rows
    ]


def set_role(session: Session, caller: Caller, name: str, user_name: str, role: Role) -> Account:
    """Make a user a member, or give a member another role; return the user's account.

    Raises:
        NotFound, NotAuthenticated, Forbidden: as :func:`find`; NotFound, too, if there is no such user.
        Conflict: no admin would be left.
    """
    account = _locked(session, caller, name)
    user = _user(session, user_name)
    membership = session.get(Membership, (account.id, user.id))
    was = membership.role if membership else None
    if membership is None:
        session.add(Membership(organization_id=account.id, user_id=user.id, role=role.value))
    else:
        membership.role = role.value
    session.flush()
    if was == Role.ADMIN.value and role is not Role.ADMIN:
        _check_admins(session, account)
    return user


def remove_member(session: Session, caller: Caller, name: str, user_name: str) -> None:
    """Take a member out of an organization; members may leave by themselves.

    Raises:
        NotFound, NotAuthenticated, Forbidden: as :func:`find`; NotFound, too, if the user is no member.
        Conflict: no admin would be left.
    """
    account = _locked(session, caller, name, leaving=user_name)
    user = _user(session, user_name)
    membership = session.get(Membership, (account.id, user.id))
    if membership is None:
        raise NotFound(f"{user.name} is no member of {account.name}.")
    session.delete(membership)
    session.flush()
    if membership.role == Role.ADMIN.value:
        _check_admins(session, account)


def _locked(session: Session, caller: Caller, name: str, *, leaving: str = "") -> Account:
    # The row is locked: two admins who remove each other at the same time must not both succeed.
    leaves = caller.is_known and caller.writes and leaving.lower() == caller.name.lower()
    action = OrganizationAction.LIST if leaves else OrganizationAction.ADMINISTER
    account = find(session, caller, name, action)
    session.execute(
        select(Organization.account_id).where(Organization.account_id == account.id).with_for_update()
    )
    return account


def _user(session: Session, name: str) -> Account:
    account = find_account(session, name)
    if account is None or account.kind != "user":
        raise NotFound(f"There is no user {name[:100]!r}.")
    return account


def _check_admins(session: Session, account: Account) -> None:
    admins = session.scalar(
        select(func.count())
        .select_from(Membership)
        .join(User, User.account_id == Membership.user_id)
        .where(
            Membership.organization_id == account.id,
            Membership.role == Role.ADMIN.value,
            User.disabled_at.is_(None),
        )
    )
    if not admins:
        raise Conflict(
            f"The organization {account.name} would be without an admin. Make somebody else one first."
        )
