"""Users: their details, their passwords, disabling them, and the administrators of the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Account, User, now
from pytupli_registry.server.errors import Conflict, NotFound
from pytupli_registry.server.services.accounts import create_user, find_user
from pytupli_registry.server.services.attempts import address_key
from pytupli_registry.server.services.passwords import hash_password
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.services.sessions import Proof, prove, void_credentials

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = [
    "UserChanges",
    "UserDetails",
    "change_password",
    "change_user",
    "check_registration",
    "list_users",
    "register",
    "set_password",
    "user_details",
]


@dataclass(frozen=True, slots=True)
class UserDetails:
    """What an administrator, and the user, may know of a user."""

    id: int
    name: str
    full_name: str
    email: str | None
    is_admin: bool
    is_disabled: bool
    has_password: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class UserChanges:
    """New details of a user; None leaves one as it is. An empty e-mail address removes it."""

    full_name: str | None = None
    details: str | None = None
    email: str | None = None
    is_admin: bool | None = None
    disabled: bool | None = None


def register(
    hub: Hub, name: str, password: str, *, email: str | None = None, full_name: str = "", address: str | None
) -> None:
    """Create the account of a stranger, where the Hub allows it.

    Raises:
        NotFound: the Hub takes no registrations.
        TooManyRequests: too many from this address.
        BadRequest, Conflict: as :func:`create_user`.
    """
    check_registration(hub)
    hub.attempts.enter("registration", (f"address:{address_key(address)}",), hub.settings.login_attempts)
    with hub.password_checks.slot():
        password_hash = hash_password(password)
    with hub.database.write() as session:
        create_user(session, name, password_hash=password_hash, email=email, full_name=full_name)


def check_registration(hub: Hub) -> None:
    """Raise unless strangers may create accounts.

    Raises:
        NotFound: they may not.
    """
    if not hub.settings.allow_registration:
        raise NotFound("This Hub takes no registrations. Ask its administrator for an account.")


def user_details(session: Session, name: str) -> UserDetails:
    """Return the details of a user.

    Raises:
        NotFound: there is none of that name.
    """
    account = find_user(session, name)
    return _details(account, session.get_one(User, account.id))


def list_users(session: Session, *, after: str = "", limit: int) -> Sequence[UserDetails]:
    """Return up to ``limit`` users whose folded names come after ``after``, by name."""
    rows = session.execute(
        select(Account, User)
        .join(User, User.account_id == Account.id)
        .where(Account.name_key > after)
        .order_by(Account.name_key)
        .limit(limit)
    )
    return [_details(account, user) for account, user in rows]


def _details(account: Account, user: User) -> UserDetails:
    return UserDetails(
        id=account.id,
        name=account.name,
        full_name=account.full_name,
        email=user.email,
        is_admin=user.is_admin,
        is_disabled=user.disabled_at is not None,
        has_password=user.password_hash is not None,
        created_at=account.created_at,
    )


def change_user(session: Session, name: str, changes: UserChanges) -> UserDetails:
    """Change a user. Disabling ends all browser sessions and device logins; tokens rest until it is undone.

    Raises:
        NotFound: there is none of that name.
        Conflict: the e-mail address is taken, or the Hub would be without an administrator.
    """
    account = find_user(session, name)
    weakens = changes.is_admin is False or bool(changes.disabled)
    # Locked: two administrators who remove each other at the same time must not both succeed.
    administered = weakens and bool(_administrators(session))
    user = session.get_one(User, account.id)
    account.full_name = account.full_name if changes.full_name is None else changes.full_name or account.name
    account.details = account.details if changes.details is None else changes.details
    if changes.email is not None:
        user.email, user.email_key = changes.email or None, changes.email.lower() or None
    if changes.is_admin is not None:
        user.is_admin = changes.is_admin
    if changes.disabled is not None:
        _set_disabled(session, user, disabled=changes.disabled)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(f"The e-mail address {changes.email!r} is in use already.") from error
    if administered and not _administrators(session):
        raise Conflict("The Hub would be without an administrator. Make somebody else one first.")
    return _details(account, user)


def _set_disabled(session: Session, user: User, *, disabled: bool) -> None:
    if disabled:
        user.disabled_at = user.disabled_at or now()
        void_credentials(session, user.account_id, personal=False)
    else:
        user.disabled_at = None


def _administrators(session: Session) -> Sequence[int]:
    return session.scalars(
        select(User.account_id)
        .where(User.is_admin, User.disabled_at.is_(None))
        .order_by(User.account_id)
        .with_for_update()
    ).all()


def set_password(session: Session, user_id: int, password_hash: str, *, revoke_tokens: bool = False) -> int:
    """Give a user a password and end their sessions and device logins.

    Args:
        session: a session for writing.
        user_id: of the user.
        password_hash: made by :func:`hash_password` before the transaction began.
        revoke_tokens: end the user's access tokens, too.

    Returns:
        how many sessions, logins and tokens ended.
    """
    session.execute(update(User).where(User.account_id == user_id).values(password_hash=password_hash))
    return void_credentials(session, user_id, personal=revoke_tokens)


def change_password(
    hub: Hub, caller: Caller, current: str, new: str, *, address: str | None, revoke_tokens: bool = False
) -> int:
    """Change the caller's own password; see :func:`set_password`.

    Raises:
        NotAuthenticated: nobody is logged in, or the current password is wrong.
        Forbidden: the token may only read.
        TooManyRequests: too many wrong ones.
        BadRequest: the new one is too short or too long.
    """
    caller.writer()
    new_hash = hash_password(new)
    proof = prove(hub, caller.name, current, address)
    with hub.database.write() as session:
        return replace_password(session, proof, new_hash, revoke_tokens=revoke_tokens)


def replace_password(session: Session, proof: Proof, new_hash: str, *, revoke_tokens: bool) -> int:
    """Change the password that was proven; see :func:`set_password`.

    Raises:
        NotAuthenticated: the proof holds no more.
    """
    proof.check(session)
    return set_password(session, proof.user_id, new_hash, revoke_tokens=revoke_tokens)
