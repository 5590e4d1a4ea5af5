"""Accounts: one namespace, reserved names, case; and what PyTupli got wrong here."""

import pytest

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.schema import Token
from pytupli_registry.server.errors import BadRequest, Conflict, NotFound
from pytupli_registry.server.services import accounts, users
from pytupli_registry.server.services.passwords import hash_password, verify_password
from pytupli_registry.server.services.users import UserChanges


def test_users_and_organizations_share_one_namespace(database: Database) -> None:
    with database.write() as session:
        accounts.create_user(session, "Alice")
    for make in (
        lambda session: accounts.create_user(session, "alice"),
        lambda session: accounts.create_organization(session, "ALICE", None),
    ):
        with pytest.raises(Conflict, match="taken"), database.write() as session:
            make(session)
    with database.read() as session:
        assert accounts.find_account(session, "aLiCe").name == "Alice"
        with pytest.raises(NotFound):
            accounts.find_organization(session, "alice")


@pytest.mark.parametrize(
    "name", ["api", "Datasets", "models", "LOGIN", "settings", "static", "oauth", "none", "null"]
)
def test_reserved_names(database: Database, name: str) -> None:
    with pytest.raises(BadRequest, match="reserved"), database.write() as session:
        accounts.create_user(session, name)
    with pytest.raises(BadRequest, match="reserved"), database.write() as session:
        accounts.create_organization(session, name, None)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "a/b",
        "..",
        "a..b",
        "-a",
        "a-",
        "a.b",
        "a--b",
        "ä",
        "x" * 97,
        "a\n",
        "a\x00b",
        "\uff20dmin",
        "\u0430dmin",
    ],
)
def test_impossible_names(database: Database, name: str) -> None:
    with pytest.raises(BadRequest), database.write() as session:
        accounts.create_user(session, name)
    with database.read() as session:
        assert accounts.find_account(session, name) is None


def test_e_mail_addresses_are_unique(database: Database) -> None:
    with database.write() as session:
        accounts.create_user(session, "alice", email="A@example.org")
        accounts.create_user(session, "bob")
    with pytest.raises(Conflict, match="in use"), database.write() as session:
        accounts.create_user(session, "carl", email="a@EXAMPLE.org")
    with pytest.raises(Conflict, match="in use"), database.write() as session:
        users.change_user(session, "bob", UserChanges(email="a@example.org"))
    with database.write() as session:
        assert users.change_user(session, "alice", UserChanges(email="")).email is None
        assert users.change_user(session, "bob", UserChanges(email="a@example.org")).email == "a@example.org"


def test_a_change_leaves_the_rest_alone(database: Database) -> None:
    with database.write() as session:
        accounts.create_user(session, "alice", email="a@example.org", full_name="Alice", is_admin=True)
    with database.write() as session:
        changed = users.change_user(session, "alice", UserChanges(details="hello"))
    assert (changed.full_name, changed.email, changed.is_admin, changed.is_disabled) == (
        "Alice",
        "a@example.org",
        True,
        False,
    )


def test_pages_of_users(database: Database) -> None:
    with database.write() as session:
        for name in ("Delta", "alpha", "Charlie", "bravo"):
            accounts.create_user(session, name)
    with database.read() as session:
        first = users.list_users(session, limit=3)
        rest = users.list_users(session, after=first[-1].name.lower(), limit=3)
    assert [user.name for user in (*first, *rest)] == ["alpha", "bravo", "Charlie", "Delta"]


def test_impossible_tokens_cannot_be_stored(database: Database) -> None:
    with database.write() as session:
        alice = accounts.create_user(session, "alice").id
    for wrong in (
        {"kind": "eternal"},
        {"role": "admin"},
        {"kind": "device"},  # without its login
        {"kind": "personal", "parent_id": 1},
    ):
        row = {"user_id": alice, "name": "x", "digest": "d", "role": "read", **wrong}
        with pytest.raises(Conflict), database.write() as session:
            session.add(Token(**row))


def test_passwords() -> None:
    stored = hash_password("correct horse")
    assert stored.startswith("$argon2id$")
    assert verify_password(stored, "correct horse")
    assert not verify_password(stored, "correct horse ")
    assert not verify_password(None, "correct horse")
    assert not verify_password(stored, "x" * 2000)
    assert not verify_password("not a hash", "correct horse")
    for wrong in ("short", "x" * 1025, "\ud800" * 12):
        with pytest.raises(BadRequest):
            hash_password(wrong)
