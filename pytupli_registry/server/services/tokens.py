"""Access tokens: made once, shown once, kept as a digest, void at once when revoked."""

from __future__ import annotations

import secrets
import string
from datetime import datetime
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Token, now
from pytupli_registry.server.errors import BadRequest, Conflict, Forbidden, NotFound
from pytupli_registry.server.services.callers import token_digest
from pytupli_registry.server.services.permissions import Caller

__all__ = [
    "Kind",
    "check_lifetime",
    "create_token",
    "find_token",
    "forget_expired",
    "is_over",
    "list_tokens",
    "revoke_token",
]

Kind = Literal["personal", "session", "login", "device"]

PREFIXES: dict[Kind, str] = {
    "personal": "hf_",  # clients and secret scanners know access tokens by it
    "device": "hf_",
    "login": "hf_refresh_",
    "session": "session_",
}
ROLES = ("read", "write")
LETTERS = string.ascii_letters + string.digits
LENGTH = 43  # 256 bits
LONGEST_NAME = 96
LONGEST_YEARS = 100
PASSING: tuple[Kind, ...] = ("session", "login", "device")


def create_token(
    session: Session,
    user_id: int,
    name: str,
    *,
    role: str = "write",
    expires_at: datetime | None = None,
    kind: Kind = "personal",
    parent_id: int | None = None,
) -> str:
    """Create a token and return its text, which nobody can find out again.

    Args:
        session: a session for writing.
        user_id: whose it is.
        name: by which its user knows it.
        role: ``read`` or ``write``.
        expires_at: None for a token that lives until it is revoked.
        kind: see :class:`Token`.
        parent_id: the login that an access token of a device belongs to.

    Raises:
        BadRequest: an unknown role, an impossible name, or an expiry that is over.
        Conflict: the user has a token of that name.
    """
    if role not in ROLES:
        raise BadRequest(f"The role {role[:40]!r} is unknown: tokens have the role 'read' or 'write'.")
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadRequest(f"A token's name has 1 to {LONGEST_NAME} printable characters.")
    if expires_at is not None:
        _check_expiry(expires_at)
    text = PREFIXES[kind] + "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    token = Token(
        user_id=user_id, name=name, role=role, kind=kind, parent_id=parent_id, expires_at=expires_at
    )
    token.digest = token_digest(text)
    session.add(token)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(
            f"There is a token named {name!r} already. Revoke it, or choose another name."
        ) from error
    return text


def _check_expiry(expires_at: datetime) -> None:
    if expires_at <= now():
        raise BadRequest("The token would have expired already.")
    if expires_at.year > now().year + LONGEST_YEARS:
        raise BadRequest(
            f"A token expires within {LONGEST_YEARS} years, or never: leave the expiry out for that."
        )


def check_lifetime(session: Session, caller: Caller, expires_at: datetime | None) -> None:
    """Refuse a token that would outlive the one that makes it: a stolen token must not become eternal.

    Raises:
        Forbidden: it would.
    """
    own = session.get(Token, caller.token_id) if caller.token_id is not None else None
    if own is None or own.kind == "session" or own.expires_at is None:
        return
    if expires_at is None or expires_at > own.expires_at:
        raise Forbidden(
            f"The token in use expires at {own.expires_at.isoformat(timespec='seconds')}, and what it makes may not "
            "live longer. Choose an earlier expiry, or log in with your password."
        )


def list_tokens(session: Session, user_id: int) -> list[Token]:
    """Return a user's tokens, logins and browser sessions, newest first."""
    listed = select(Token).where(Token.user_id == user_id, Token.kind != "device")
    return list(session.scalars(listed.order_by(Token.id.desc())))


def find_token(session: Session, token_id: int) -> Token | None:
    """Return a token as its user knows it: for the access token of a device, its login."""
    token = session.get(Token, token_id)
    return token if token is None or token.parent_id is None else session.get(Token, token.parent_id)


def revoke_token(session: Session, user_id: int, name: str) -> None:
    """Make a token void from this moment on; a login ends with all of its access tokens.

    Raises:
        NotFound: the user has none of that name.
    """
    revoked = session.scalars(
        delete(Token).where(Token.user_id == user_id, Token.name == name).returning(Token.id)
    ).all()
    if not revoked:
        raise NotFound(f"There is no token named {name[:LONGEST_NAME]!r}.")


def is_over(token: Token) -> bool:
    """Return whether a token's time is over."""
    return token.expires_at is not None and token.expires_at <= now()


def forget_expired(session: Session, user_id: int) -> None:
    """Remove a user's sessions and logins whose time is over; personal tokens stay, shown as expired."""
    session.execute(
        delete(Token).where(Token.user_id == user_id, Token.kind.in_(PASSING), Token.expires_at <= now())
    )
