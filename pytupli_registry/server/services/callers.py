"""From a credential to who is calling."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Account, Membership, Token, User, now
from pytupli_registry.server.errors import NotAuthenticated
from pytupli_registry.server.services.permissions import Caller, Role

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = [
    "INVALID_CREDENTIALS",
    "authenticate",
    "caller_of_session",
    "caller_of_user",
    "has_expired",
    "identify",
    "recall",
    "token_digest",
]

# The client compares this sentence to tell a bad token from a missing repository.
INVALID_CREDENTIALS = "Invalid credentials in Authorization header"

_TOKENS = Token.__table__
_USERS = User.__table__
_ACCOUNTS = Account.__table__
_MEMBERSHIPS = Membership.__table__

# Every request begins with this statement. Built once and over tables, it takes a seventh of the time that
# building it from mapped classes does.
_HOLDER = (
    select(
        _TOKENS.c.id,
        _TOKENS.c.role,
        _TOKENS.c.expires_at,
        _USERS.c.account_id,
        _USERS.c.is_admin,
        _ACCOUNTS.c.name,
        _MEMBERSHIPS.c.organization_id,
        _MEMBERSHIPS.c.role.label("membership"),
    )
    .join_from(_TOKENS, _USERS, _USERS.c.account_id == _TOKENS.c.user_id)
    .join(_ACCOUNTS, _ACCOUNTS.c.id == _USERS.c.account_id)
    .join(_MEMBERSHIPS, _MEMBERSHIPS.c.user_id == _USERS.c.account_id, isouter=True)
    .where(
        _TOKENS.c.digest == bindparam("digest"),
        or_(_TOKENS.c.expires_at.is_(None), _TOKENS.c.expires_at > bindparam("now")),
        _USERS.c.disabled_at.is_(None),
    )
)
# Not "IN": SQLAlchemy writes the list of values anew each time, which takes half as long again.
_HOLDER_OF_TOKEN = _HOLDER.where(or_(_TOKENS.c.kind == "personal", _TOKENS.c.kind == "device"))
_HOLDER_OF_SESSION = _HOLDER.where(_TOKENS.c.kind == "session")


def token_digest(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def authenticate(session: Session, token: str) -> Caller:
    """Return who holds an access token.

    Raises:
        NotAuthenticated: it is unknown, expired, revoked, or its user is disabled; all look alike.
    """
    rows = session.execute(_HOLDER_OF_TOKEN, {"digest": token_digest(token), "now": now()}).all()
    if not rows:
        raise NotAuthenticated(INVALID_CREDENTIALS)
    return _caller(rows)


def recall(hub: Hub, token: str) -> Caller | None:
    """Return who holds an access token, if the database has not changed since it was last asked; never waits."""
    caller = hub.caches.callers.get(token_digest(token), hub.database.version())
    return None if caller is None or has_expired(caller) else caller


def identify(hub: Hub, token: str) -> Caller:
    """Return who holds an access token, and remember it for :func:`recall`.

    Raises:
        NotAuthenticated: as :func:`authenticate`.
    """
    version = hub.database.version()
    with hub.database.read() as session:
        caller = authenticate(session, token)
    hub.caches.callers.put(token_digest(token), version, caller)
    return caller


def has_expired(caller: Caller) -> bool:
    """Return whether the token that a caller used has ended meanwhile."""
    return caller.expires_at is not None and caller.expires_at <= now()


def caller_of_session(session: Session, cookie: str) -> Caller | None:
    """Return whose browser sent ``cookie``, or None if the session has ended."""
    rows = session.execute(_HOLDER_OF_SESSION, {"digest": token_digest(cookie), "now": now()}).all()
    return _caller(rows) if rows else None


def _caller(rows: Sequence[Any]) -> Caller:
    first = rows[0]
    return Caller(
        user_id=first.account_id,
        name=first.name,
        writes=first.role == "write",
        is_admin=first.is_admin,
        roles={row.organization_id: Role(row.membership) for row in rows if row.organization_id is not None},
        token_id=first.id,
        expires_at=first.expires_at,
    )


def caller_of_user(session: Session, user_id: int, *, writes: bool = True) -> Caller:
    """Return the caller that a user is without a token (an administrator's command).

    Raises:
        NotAuthenticated: there is no such user, or the user is disabled.
    """
    user = session.execute(
        select(User.account_id, User.is_admin, Account.name)
        .join(Account, Account.id == User.account_id)
        .where(User.account_id == user_id, User.disabled_at.is_(None))
    ).one_or_none()
    if user is None:
        raise NotAuthenticated(INVALID_CREDENTIALS)
    memberships = session.execute(
        select(Membership.organization_id, Membership.role).where(Membership.user_id == user_id)
    )
    roles = {organization: Role(role) for organization, role in memberships}
    return Caller(user.account_id, user.name, writes, user.is_admin, roles)
