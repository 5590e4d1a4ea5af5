"""OAuth device logins (RFC 8628): a program asks, a person consents in a browser, the program gets its token."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import DeviceLogin, Token, User, now
from pytupli_registry.server.errors import BadRequest, Conflict, NotFound
from pytupli_registry.server.services.callers import token_digest
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.services.tokens import create_token, forget_expired

__all__ = [
    "INTERVAL_S",
    "INVALID",
    "DeviceCodes",
    "Grant",
    "OAuthError",
    "answer",
    "exchange",
    "is_known",
    "pending",
    "refresh",
    "start",
]

INTERVAL_S = 5  # what RFC 8628 says if nobody says anything
EARLIEST_S = 4  # networks are not punctual
REFRESH_S = 180 * 86_400
KEPT_S = 3600  # so that a late program hears "expired" and not "unknown"
CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ"  # no words, nothing that looks like something else
HALF = 4


@dataclass(frozen=True, slots=True)
class DeviceCodes:
    """What begins a login: the program keeps one code, the person types the other."""

    device_code: str
    user_code: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a program gets when its user has consented."""

    access_token: str
    refresh_token: str
    expires_s: int


@dataclass(frozen=True, slots=True)
class OAuthError:
    """What a program hears instead: a code of RFC 6749 or 8628, and a sentence."""

    code: str
    description: str


PENDING = OAuthError("authorization_pending", "Nobody has consented yet.")
SLOW_DOWN = OAuthError("slow_down", f"Ask every {INTERVAL_S} seconds, not more often.")
EXPIRED = OAuthError("expired_token", "The code has expired. Begin anew.")
DENIED = OAuthError("access_denied", "The login was refused.")
INVALID = OAuthError("invalid_grant", "The code or token is unknown, expired or was revoked. Log in again.")


def start(session: Session, client: str, *, expires_s: int) -> DeviceCodes:
    """Begin a login.

    Args:
        session: a session for writing.
        client: the program's id, as it says; proves nothing.
        expires_s: seconds until the codes are void.

    Raises:
        BadRequest: an id that cannot be shown.
        Conflict: the code for the person is in use, by chance; trying again helps.
    """
    if len(client) > 255 or not client.isprintable():
        raise BadRequest("client_id has at most 255 printable characters.")
    time = now()
    session.execute(delete(DeviceLogin).where(DeviceLogin.expires_at < time - timedelta(seconds=KEPT_S)))
    codes = DeviceCodes(secrets.token_urlsafe(32), _user_code())
    login = DeviceLogin(
        device_digest=token_digest(codes.device_code),
        user_code=codes.user_code,
        client=client,
        expires_at=time + timedelta(seconds=expires_s),
    )
    session.add(login)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("Try again.") from error
    return codes


def _user_code() -> str:
    letters = "".join(secrets.choice(CONSONANTS) for _ in range(2 * HALF))
    return f"{letters[:HALF]}-{letters[HALF:]}"


def pending(session: Session, user_code: str, *, change: bool = False) -> DeviceLogin:
    """Return the login that waits under a code, as a person types it.

    Args:
        session: must write if the login is to be changed.
        user_code: the code, in any case, with any signs between its letters.
        change: lock the login until the transaction ends.

    Raises:
        NotFound: none does.
    """
    letters = re.sub(r"[^A-Z]", "", user_code[:40].upper())
    waiting = select(DeviceLogin).where(
        DeviceLogin.user_code == f"{letters[:HALF]}-{letters[HALF:]}",
        DeviceLogin.user_id.is_(None),
        DeviceLogin.denied.is_(False),
        DeviceLogin.expires_at > now(),
    )
    login = session.scalar(waiting.with_for_update() if change else waiting)
    if login is None:
        raise NotFound(
            "No login waits under this code. It may have expired: begin anew, and check the letters."
        )
    return login


def answer(session: Session, caller: Caller, user_code: str, *, allow: bool) -> None:
    """Note what a person says to a login.

    Raises:
        NotFound: none waits under this code.
        NotAuthenticated, Forbidden: nobody is logged in, or somebody who may only read.
    """
    user_id = caller.writer()
    login = pending(session, user_code, change=True)
    if allow:
        login.user_id = user_id
    else:
        login.denied = True
    session.flush()


def is_known(session: Session, code: str) -> bool:
    """Return whether ``code`` is the device code or the refresh token of any login."""
    digest = token_digest(code)
    waiting = exists().where(DeviceLogin.device_digest == digest)
    begun = exists().where(Token.digest == digest, Token.kind == "login")
    return bool(session.scalar(select(or_(waiting, begun))))


def exchange(session: Session, device_code: str, *, expires_s: int) -> Grant | OAuthError:
    """Give a program its token, if its user has consented. Each code is worth one token.

    Errors are returned, not raised, for the time of the question is to be remembered.
    """
    login = session.scalar(
        select(DeviceLogin).where(DeviceLogin.device_digest == token_digest(device_code)).with_for_update()
    )
    if login is None:
        return INVALID
    refusal = _refusal(session, login)
    if refusal is not None:
        return refusal
    session.delete(login)
    session.flush()
    return _grant(session, login, expires_s)


def _refusal(session: Session, login: DeviceLogin) -> OAuthError | None:
    time = now()
    earlier, login.polled_at = login.polled_at, time
    if login.expires_at <= time:
        return EXPIRED
    if earlier is not None and time - earlier < timedelta(seconds=EARLIEST_S):
        return SLOW_DOWN
    if login.denied:
        return DENIED
    if login.user_id is None:
        return PENDING
    return None if _is_active(session, login.user_id) else DENIED


def _is_active(session: Session, user_id: int) -> bool:
    user = session.get(User, user_id)
    return user is not None and user.disabled_at is None


def _grant(session: Session, login: DeviceLogin, expires_s: int) -> Grant:
    assert login.user_id is not None  # noqa: S101 - or it would have been refused
    forget_expired(session, login.user_id)
    name = f"device {login.user_code}"
    expires_at = now() + timedelta(seconds=expires_s + REFRESH_S)
    text = create_token(session, login.user_id, name, expires_at=expires_at, kind="login")
    return _access(session, _by_digest(session, text), text, expires_s)


def _access(session: Session, login: Token | None, text: str, expires_s: int) -> Grant:
    assert login is not None  # noqa: S101 - made or found by the callers
    expires_at = now() + timedelta(seconds=expires_s)
    access = create_token(
        session,
        login.user_id,
        secrets.token_hex(16),
        expires_at=expires_at,
        kind="device",
        parent_id=login.id,
    )
    return Grant(access, text, expires_s)


def _by_digest(session: Session, refresh_token: str) -> Token | None:
    found = select(Token).where(Token.digest == token_digest(refresh_token), Token.kind == "login")
    return session.scalar(found.with_for_update())


def refresh(session: Session, refresh_token: str, *, expires_s: int) -> Grant | OAuthError:
    """Give a program a new access token; the earlier ones live on until they expire, for uploads under way.

    The refresh token stays the same: were it replaced, a lost answer would end the login.
    """
    login = _by_digest(session, refresh_token)
    if login is None or (login.expires_at is not None and login.expires_at <= now()):
        return INVALID
    if not _is_active(session, login.user_id):
        return INVALID
    forget_expired(session, login.user_id)
    session.execute(
        update(Token)
        .where(Token.id == login.id)
        .values(expires_at=now() + timedelta(seconds=expires_s + REFRESH_S), last_used_at=now())
    )
    return _access(session, login, refresh_token, expires_s)
