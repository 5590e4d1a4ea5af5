"""Tokens: what is kept of them, when they work, and how they end."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.schema import Token, User
from pytupli_registry.server.errors import BadRequest, Conflict, NotAuthenticated, NotFound
from pytupli_registry.server.services.accounts import add_member, create_organization, create_user
from pytupli_registry.server.services.callers import authenticate, caller_of_session, caller_of_user
from pytupli_registry.server.services.permissions import Role
from pytupli_registry.server.services.token_uses import TokenUses
from pytupli_registry.server.services.tokens import create_token, forget_expired, list_tokens, revoke_token


@pytest.fixture
def alice(database: Database) -> int:
    with database.write() as session:
        return create_user(session, "Alice").id


def make(database: Database, user_id: int, name: str = "one", **said) -> str:
    with database.write() as session:
        return create_token(session, user_id, name, **said)


def works(database: Database, text: str) -> bool:
    with database.read() as session:
        try:
            authenticate(session, text)
        except NotAuthenticated:
            return False
        return True


def test_who_a_token_stands_for(database: Database, alice: int) -> None:
    text = make(database, alice, role="read")
    with database.write() as session:
        acme = create_organization(session, "acme", alice).id
        guild = create_organization(session, "guild", None).id
        add_member(session, guild, alice, Role.READ)
    with database.read() as session:
        caller = authenticate(session, text)
        same = caller_of_user(session, alice, writes=False)
    assert (caller.user_id, caller.name, caller.writes, caller.is_admin) == (alice, "Alice", False, False)
    assert caller.roles == same.roles == {acme: Role.ADMIN, guild: Role.READ}


def test_the_text_is_kept_nowhere(database: Database, alice: int) -> None:
    text = make(database, alice)
    with database.read() as session:
        row = session.scalars(select(Token)).one()
    kept = [str(getattr(row, column.name)) for column in Token.__table__.columns]
    assert not any(text in value or text[3:] in value for value in kept)


def test_texts_are_long_and_never_the_same(database: Database, alice: int) -> None:
    texts = {make(database, alice, f"t{number}") for number in range(20)}
    assert len(texts) == 20
    assert all(text.startswith("hf_") and len(text) == 46 and text[3:].isalnum() for text in texts)


@pytest.mark.parametrize("text", ["", "hf_", "hf_" + "x" * 43, "\ud800", "a\x00b", "'; DROP TABLE tokens"])
def test_what_never_was_a_token(database: Database, alice: int, text: str) -> None:
    make(database, alice)
    assert not works(database, text)


def test_what_is_said_of_a_token_that_does_not_work(database: Database, alice: int) -> None:
    with database.read() as session, pytest.raises(NotAuthenticated) as caught:
        authenticate(session, "hf_nothing")
    assert caught.value.message == "Invalid credentials in Authorization header"  # clients compare it


def test_a_token_expires(database: Database, alice: int) -> None:
    text = make(database, alice, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert works(database, text)
    with database.write() as session:
        session.execute(update(Token).values(expires_at=datetime.now(UTC) - timedelta(milliseconds=1)))
    assert not works(database, text)


def test_a_revoked_token_is_void_at_once(database: Database, alice: int) -> None:
    texts = [make(database, alice, name) for name in ("one", "two")]
    with database.write() as session:
        revoke_token(session, alice, "one")
    assert [works(database, text) for text in texts] == [False, True]
    with pytest.raises(NotFound), database.write() as session:
        revoke_token(session, alice, "one")
    assert works(database, make(database, alice, "one"))  # the name is free again


def test_a_tokens_id_never_comes_again(database: Database, alice: int) -> None:
    """What was signed for a revoked token (an upload) must not hold for the next one."""
    ids = []
    for _ in range(3):
        make(database, alice)
        with database.write() as session:
            ids.append(session.scalars(select(Token.id)).one())
            revoke_token(session, alice, "one")
    assert len(set(ids)) == 3


def test_revoking_is_for_ones_own(database: Database, alice: int) -> None:
    text = make(database, alice)
    with database.write() as session:
        bob = create_user(session, "bob").id
    with pytest.raises(NotFound), database.write() as session:
        revoke_token(session, bob, "one")
    assert works(database, text)


def test_a_disabled_users_token_rests(database: Database, alice: int) -> None:
    text = make(database, alice)
    for disabled_at, expected in ((datetime.now(UTC), False), (None, True)):
        with database.write() as session:
            session.execute(update(User).values(disabled_at=disabled_at))
        assert works(database, text) is expected


def test_only_access_tokens_are_access_tokens(database: Database, alice: int) -> None:
    login = make(database, alice, "login", kind="login")
    cookie = make(database, alice, "browser", kind="session")
    with database.read() as session:
        parent_id = session.scalars(select(Token.id).where(Token.kind == "login")).one()
    device = make(database, alice, "device", kind="device", parent_id=parent_id)
    assert [works(database, text) for text in (login, cookie, device)] == [False, False, True]
    with database.read() as session:
        assert caller_of_session(session, cookie).name == "Alice"
        assert caller_of_session(session, device) is None
        assert [token.name for token in list_tokens(session, alice)] == ["browser", "login"]
    with database.write() as session:
        revoke_token(session, alice, "login")
    assert not works(database, device)  # it ends with its login


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 97, "\x00", "\ud800"])
def test_impossible_names(database: Database, alice: int, name: str) -> None:
    with pytest.raises(BadRequest, match="printable"):
        make(database, alice, name)


def test_what_cannot_be_made(database: Database, alice: int) -> None:
    make(database, alice)
    with pytest.raises(Conflict, match="already"):
        make(database, alice)
    with pytest.raises(BadRequest, match="'read' or 'write'"):
        make(database, alice, "two", role="admin")
    with pytest.raises(BadRequest, match="expired already"):
        make(database, alice, "two", expires_at=datetime.now(UTC) - timedelta(seconds=1))


def test_passing_credentials_are_forgotten_and_tokens_are_not(database: Database, alice: int) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    for name, kind in (("one", "personal"), ("browser", "session"), ("login", "login")):
        make(database, alice, name, kind=kind, expires_at=soon)
    make(database, alice, "later", kind="session", expires_at=soon + timedelta(days=1))
    with database.write() as session:
        session.execute(
            update(Token).where(Token.name != "later").values(expires_at=soon - timedelta(hours=1))
        )
        forget_expired(session, alice)
        assert {token.name for token in list_tokens(session, alice)} == {"one", "later"}


def last_used(database: Database) -> datetime | None:
    with database.read() as session:
        return session.scalars(select(Token.last_used_at)).one()


def test_uses_are_noted_once_an_hour(database: Database, alice: int) -> None:
    make(database, alice)
    with database.read() as session:
        token_id = session.scalars(select(Token.id)).one()
    uses = TokenUses()
    uses.note(database, token_id)
    uses.close()  # waits for the writer
    first = last_used(database)
    assert abs(datetime.now(UTC) - first) < timedelta(seconds=20)
    uses.note(database, token_id)
    uses.close()
    assert last_used(database) == first
    again = TokenUses()  # another process does not write it either
    again.note(database, token_id)
    again.close()
    assert last_used(database) == first
    with database.write() as session:
        session.execute(update(Token).values(last_used_at=first - timedelta(hours=2)))
    later = TokenUses()
    later.note(database, token_id)
    later.close()
    assert last_used(database) >= first


def test_noting_a_use_waits_for_nobody(database: Database, alice: int) -> None:
    make(database, alice)
    uses = TokenUses()
    with database.write() as session:
        token_id = session.scalars(select(Token.id).with_for_update()).one()
        began = datetime.now(UTC)
        uses.note(database, token_id)
        assert datetime.now(UTC) - began < timedelta(seconds=0.5)
    uses.close()
    assert last_used(database) is not None
