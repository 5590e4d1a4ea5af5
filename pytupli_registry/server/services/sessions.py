"""Logging in by password, and what ends when the password changes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Account, DeviceLogin, Token, User, now
from pytupli_registry.server.errors import NotAuthenticated
from pytupli_registry.server.services.accounts import is_findable
from pytupli_registry.server.services.attempts import address_key
from pytupli_registry.server.services.callers import token_digest
from pytupli_registry.server.services.passwords import verify_password
from pytupli_registry.server.services.tokens import create_token, forget_expired
from pytupli_registry.server.wire.names import key_of

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["SESSION_S", "Proof", "end_session", "prove", "start_session", "void_credentials"]

SESSION_S = 7 * 86_400
POLICY = "login"


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody knew a user's password.

    Attributes:
        user_id: whose.
        password_hash: what was proven; a password that changes meanwhile makes the proof worthless.
    """

    user_id: int
    password_hash: str

    def check(self, session: Session) -> None:
        """Raise unless the proof still holds; the row stays as it is until the transaction ends.

        Raises:
            NotAuthenticated: the password has changed or the user was disabled meanwhile.
        """
        holds = session.scalar(
            select(User.account_id)
            .where(
                User.account_id == self.user_id,
                User.password_hash == self.password_hash,
                User.disabled_at.is_(None),
            )
            .with_for_update()
        )
        if holds is None:
            raise _wrong()


def prove(hub: Hub, name: str, password: str, address: str | None) -> Proof:
    """Check a name and a password. It takes long on purpose, so no transaction is open meanwhile.

    Args:
        hub: the Hub.
        name: of the user.
        password: as typed.
        address: of the client, for counting.

    Raises:
        NotAuthenticated: no such user, a wrong password or a disabled user; all look alike and take as long.
        TooManyRequests: too many failures for this name or from this address, or too many at the same time.
    """
    with hub.password_checks.slot(), _counted(hub, key_of(name)[:200], address_key(address)):
        user = _stored(hub, name)
        right = verify_password(user.password_hash if user else None, password)
        if user is None or user.password_hash is None or not right or user.disabled_at is not None:
            raise _wrong()
        return Proof(user.account_id, user.password_hash)


@contextmanager
def _counted(hub: Hub, name: str, address: str) -> Iterator[None]:
    # Counted before it is known how it ends: attempts made at the same time must not all pass.
    hub.attempts.enter(POLICY, (f"name:{name}", f"address:{address}"), hub.settings.login_attempts)
    yield
    hub.attempts.forgive(POLICY, f"name:{name}", all_of_them=True)
    hub.attempts.forgive(POLICY, f"address:{address}")


def _stored(hub: Hub, name: str) -> User | None:
    if not is_findable(name):
        return None
    with hub.database.read() as session:
        return session.scalar(
            select(User).join(Account, Account.id == User.account_id).where(Account.name_key == key_of(name))
        )


def _wrong() -> NotAuthenticated:
    return NotAuthenticated("The name or the password is wrong.")


def start_session(session: Session, proof: Proof) -> str:
    """Begin a browser's session and return the text of its cookie.

    Raises:
        NotAuthenticated: the proof holds no more.
    """
    proof.check(session)
    forget_expired(session, proof.user_id)
    return create_token(
        session,
        proof.user_id,
        f"browser {secrets.token_hex(4)}",
        expires_at=now() + timedelta(seconds=SESSION_S),
        kind="session",
    )


def end_session(session: Session, cookie: str) -> None:
    """Make a browser's session void."""
    session.execute(delete(Token).where(Token.digest == token_digest(cookie), Token.kind == "session"))


def void_credentials(session: Session, user_id: int, *, personal: bool) -> int:
    """End a user's browser sessions and device logins, and personal tokens if told so; return how many ended."""
    session.execute(delete(DeviceLogin).where(DeviceLogin.user_id == user_id))
    kinds = ["session", "login", *(["personal"] if personal else [])]
    ended = session.scalars(
        delete(Token).where(Token.user_id == user_id, Token.kind.in_(kinds)).returning(Token.id)
    )
    return len(ended.all())
