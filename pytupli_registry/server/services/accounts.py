"""Accounts, which are users or organizations: making and finding them, memberships."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Account, Membership, Organization, User
from pytupli_registry.server.errors import Conflict, NotFound
from pytupli_registry.server.services.passwords import hash_password
from pytupli_registry.server.services.permissions import Role
from pytupli_registry.server.wire.names import check_account_name, key_of

__all__ = [
    "add_member",
    "create_organization",
    "create_user",
    "find_account",
    "find_organization",
    "find_user",
    "is_findable",
]

LONGEST_NAME = 96


def create_user(
    session: Session,
    name: str,
    *,
    password: str | None = None,
    password_hash: str | None = None,
    email: str | None = None,
    full_name: str = "",
    is_admin: bool = False,
) -> Account:
    """Create a user.

    Args:
        session: a session for writing.
        name: unique among users and organizations, ignoring case.
        password: None for one who cannot log in by password. Hashing takes long: hash it before the
            transaction begins and give ``password_hash`` where others wait.
        password_hash: what :func:`hash_password` returned.
        email: unique, ignoring case.
        full_name: for people; the name by default.
        is_admin: an administrator of the whole Hub.

    Raises:
        BadRequest: a name or a password that breaks the rules.
        Conflict: the name or the e-mail address is taken.
    """
    account = _create_account(session, "user", name, full_name)
    session.add(
        User(
            account_id=account.id,
            email=email,
            email_key=email.lower() if email else None,
            password_hash=hash_password(password) if password is not None else password_hash,
            is_admin=is_admin,
        )
    )
    _flush(session, f"The e-mail address {email!r} is in use already.")
    return account


def create_organization(
    session: Session,
    name: str,
    creator_id: int | None,
    *,
    default_visibility: str = "private",
    full_name: str = "",
    members_public: bool = False,
) -> Account:
    """Create an organization whose first admin is its creator.

    Raises:
        BadRequest: a name that breaks the rules.
        Conflict: the name is taken.
    """
    account = _create_account(session, "organization", name, full_name)
    session.add(
        Organization(
            account_id=account.id, default_visibility=default_visibility, members_public=members_public
        )
    )
    session.flush()
    if creator_id is not None:
        session.add(Membership(organization_id=account.id, user_id=creator_id, role=Role.ADMIN.value))
        session.flush()
    return account


def add_member(session: Session, organization_id: int, user_id: int, role: Role) -> None:
    """Give a user a role in an organization, replacing the one they had."""
    session.execute(
        delete(Membership).where(Membership.organization_id == organization_id, Membership.user_id == user_id)
    )
    session.add(Membership(organization_id=organization_id, user_id=user_id, role=role.value))
    session.flush()


def find_account(session: Session, name: str) -> Account | None:
    """Return the user or organization of that name, or None; names ignore case."""
    if not is_findable(name):
        return None
    return session.scalar(select(Account).where(Account.name_key == key_of(name)))


def is_findable(name: str) -> bool:
    """Return whether an account could have that name; PostgreSQL cannot even be asked for some."""
    return len(name) <= LONGEST_NAME and name.isascii() and name.isprintable()


def find_user(session: Session, name: str) -> Account:
    """Return the user of that name.

    Raises:
        NotFound: there is none.
    """
    return _find(session, name, "user")


def find_organization(session: Session, name: str) -> Account:
    """Return the organization of that name.

    Raises:
        NotFound: there is none.
    """
    return _find(session, name, "organization")


def _find(session: Session, name: str, kind: str) -> Account:
    account = find_account(session, name)
    if account is None or account.kind != kind:
        raise NotFound(f"There is no {kind} {name[:100]!r}.")
    return account


def _create_account(session: Session, kind: str, name: str, full_name: str = "") -> Account:
    account = Account(
        kind=kind, name=check_account_name(name), name_key=key_of(name), full_name=full_name or name
    )
    session.add(account)
    _flush(session, f"The name {name!r} is taken already.")
    return account


def _flush(session: Session, message: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(message) from error
