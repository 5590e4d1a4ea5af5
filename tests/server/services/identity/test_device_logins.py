"""Device logins, step by step (RFC 8628)."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.schema import DeviceLogin, Token, User, now
from pytupli_registry.server.errors import BadRequest, Forbidden, NotAuthenticated, NotFound
from pytupli_registry.server.services import device_logins
from pytupli_registry.server.services.accounts import create_user
from pytupli_registry.server.services.callers import authenticate, caller_of_user
from pytupli_registry.server.services.device_logins import DeviceCodes, Grant, OAuthError
from pytupli_registry.server.services.permissions import ANONYMOUS

DAY = 86_400


@pytest.fixture
def alice(database: Database) -> int:
    with database.write() as session:
        return create_user(session, "alice").id


def start(database: Database, expires_s: int = 900) -> DeviceCodes:
    with database.write() as session:
        return device_logins.start(session, "a program", expires_s=expires_s)


def poll(database: Database, code: str) -> Grant | OAuthError:
    with database.write() as session:
        return device_logins.exchange(session, code, expires_s=30 * DAY)


def heard(database: Database, code: str) -> str:
    outcome = poll(database, code)
    return outcome.code if isinstance(outcome, OAuthError) else "granted"


def answer(database: Database, user_id: int, code: str, *, allow: bool = True, writes: bool = True) -> None:
    with database.read() as session:
        caller = caller_of_user(session, user_id, writes=writes)
    with database.write() as session:
        device_logins.answer(session, caller, code, allow=allow)


def wait(database: Database, seconds: float) -> None:
    """Let time pass."""
    span = timedelta(seconds=seconds)
    with database.write() as session:
        for login in session.scalars(select(DeviceLogin)):
            login.expires_at -= span
            login.polled_at = login.polled_at and login.polled_at - span
        for token in session.scalars(select(Token)):
            token.expires_at = token.expires_at and token.expires_at - span


def test_the_usual_way(database: Database, alice: int) -> None:
    codes = start(database)
    assert heard(database, codes.device_code) == "authorization_pending"
    wait(database, 5)
    answer(database, alice, codes.user_code)
    granted = poll(database, codes.device_code)
    assert isinstance(granted, Grant)
    with database.read() as session:
        caller = authenticate(session, granted.access_token)
    assert (caller.name, caller.writes) == ("alice", True)
    assert heard(database, codes.device_code) == "invalid_grant"  # worth one token


def test_impatience(database: Database, alice: int) -> None:
    codes = start(database)
    assert heard(database, codes.device_code) == "authorization_pending"
    assert heard(database, codes.device_code) == "slow_down"
    wait(database, 3.5)
    assert heard(database, codes.device_code) == "slow_down"
    wait(database, 4.5)
    assert heard(database, codes.device_code) == "authorization_pending"


def test_expiry(database: Database, alice: int) -> None:
    codes = start(database)
    wait(database, 901)
    assert heard(database, codes.device_code) == "expired_token"
    with pytest.raises(NotFound):
        answer(database, alice, codes.user_code)
    wait(database, 3600)
    start(database)  # tidies up
    assert heard(database, codes.device_code) == "invalid_grant"


def test_consent_comes_too_late(database: Database, alice: int) -> None:
    codes = start(database)
    answer(database, alice, codes.user_code)
    wait(database, 901)
    assert heard(database, codes.device_code) == "expired_token"


def test_refusal(database: Database, alice: int) -> None:
    codes = start(database)
    answer(database, alice, codes.user_code, allow=False)
    assert heard(database, codes.device_code) == "access_denied"


def test_an_answer_is_given_once(database: Database, alice: int) -> None:
    with database.write() as session:
        bob = create_user(session, "bob").id
    codes = start(database)
    answer(database, alice, codes.user_code)
    with pytest.raises(NotFound):
        answer(database, bob, codes.user_code)
    with pytest.raises(NotFound):
        answer(database, alice, codes.user_code, allow=False)


def test_who_may_answer(database: Database, alice: int) -> None:
    codes = start(database)
    with pytest.raises(Forbidden):
        answer(database, alice, codes.user_code, writes=False)
    with pytest.raises(NotAuthenticated), database.write() as session:
        device_logins.answer(session, ANONYMOUS, codes.user_code, allow=True)


def test_one_who_was_disabled_meanwhile(database: Database, alice: int) -> None:
    codes = start(database)
    answer(database, alice, codes.user_code)
    with database.write() as session:
        session.execute(update(User).values(disabled_at=now()))
    assert heard(database, codes.device_code) == "access_denied"


def refresh(database: Database, code: str) -> Grant | OAuthError:
    with database.write() as session:
        return device_logins.refresh(session, code, expires_s=30 * DAY)


@pytest.fixture
def granted(database: Database, alice: int) -> Grant:
    codes = start(database)
    answer(database, alice, codes.user_code)
    grant = poll(database, codes.device_code)
    assert isinstance(grant, Grant)
    return grant


def test_refreshing_for_as_long_as_it_is_used(database: Database, granted: Grant) -> None:
    for _ in range(3):
        wait(database, 170 * DAY)
        with database.read() as session, pytest.raises(NotAuthenticated):
            authenticate(session, granted.access_token)
        again = refresh(database, granted.refresh_token)
        assert isinstance(again, Grant)
        with database.read() as session:
            assert authenticate(session, again.access_token).name == "alice"
            # What has expired does not pile up.
            assert len(session.scalars(select(Token)).all()) == 2
    wait(database, 211 * DAY)
    assert refresh(database, granted.refresh_token) == device_logins.INVALID


def test_what_does_not_refresh(database: Database, granted: Grant) -> None:
    assert refresh(database, granted.access_token) == device_logins.INVALID
    assert refresh(database, "") == device_logins.INVALID
    with database.write() as session:
        session.execute(update(User).values(disabled_at=now()))
    assert refresh(database, granted.refresh_token) == device_logins.INVALID


@pytest.mark.parametrize("code", ["", "BBBB-BBBB", "b" * 1000, "%", "\x00", "\uff22" * 8])
def test_codes_nobody_has(database: Database, alice: int, code: str) -> None:
    start(database)
    with pytest.raises(NotFound):
        answer(database, alice, code)
    assert heard(database, code) == "invalid_grant"


def test_codes_are_typed_as_people_type(database: Database, alice: int) -> None:
    codes = start(database)
    answer(database, alice, f"  {codes.user_code.lower().replace('-', ' ')}")
    assert heard(database, codes.device_code) == "granted"


@pytest.mark.parametrize("client", ["x" * 256, "a\nb", "\x00"])
def test_impossible_clients(database: Database, client: str) -> None:
    with pytest.raises(BadRequest), database.write() as session:
        device_logins.start(session, client, expires_s=60)
