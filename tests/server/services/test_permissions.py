"""The tables themselves, read as a person would state the rules; and SQL says the same as the table."""

import itertools
from pathlib import Path

import pytest
from sqlalchemy import select

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.schema import Account, Base, Repository
from pytupli_registry.server.errors import Forbidden, NotAuthenticated
from pytupli_registry.server.services.listing import visible_to
from pytupli_registry.server.services.permissions import (
    ALLOWED,
    ALLOWED_IN_ORGANIZATION,
    ANONYMOUS,
    Action,
    Caller,
    Exposure,
    OrganizationAction,
    Ownership,
    Role,
    Standing,
    allows,
    allows_in_organization,
    standing_in,
    standing_of,
)

ME, OTHER, ORGANIZATION = 1, 2, 3
ROLES = {role: Caller(ME, "me", writes=True, roles={ORGANIZATION: role}) for role in Role}
STRANGER = Caller(ME, "me", writes=True)
ADMIN = Caller(ME, "me", writes=True, is_admin=True)


def test_the_tables_are_complete() -> None:
    assert set(ALLOWED) == set(itertools.product(Standing, ("public", "private")))
    standings = set(Standing) - {Standing.CREATOR}  # of repositories only
    assert set(ALLOWED_IN_ORGANIZATION) == set(itertools.product(standings, Exposure))


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_a_stronger_role_may_more(visibility: str) -> None:
    ladder = (Standing.STRANGER, Standing.READER, Standing.CONTRIBUTOR, Standing.WRITER, Standing.OWNER)
    for weaker, stronger in itertools.pairwise(ladder):
        assert ALLOWED[weaker, visibility] <= ALLOWED[stronger, visibility]


def test_private_is_never_more_than_public() -> None:
    for standing in Standing:
        assert ALLOWED[standing, "private"] <= ALLOWED[standing, "public"]


def test_what_may_be_done_may_be_seen() -> None:
    for allowed in ALLOWED.values():
        assert not allowed or Action.SEE in allowed
    for known in ALLOWED_IN_ORGANIZATION.values():
        assert not known or OrganizationAction.SEE in known


@pytest.mark.parametrize(
    ("role", "created", "expected"),
    [
        (Role.READ, False, Standing.READER),
        (Role.READ, True, Standing.READER),  # one who was a contributor once
        (Role.CONTRIBUTOR, False, Standing.CONTRIBUTOR),
        (Role.CONTRIBUTOR, True, Standing.CREATOR),
        (Role.WRITE, True, Standing.WRITER),
        (Role.ADMIN, False, Standing.OWNER),
    ],
)
def test_standing_of_members(role: Role, created: bool, expected: Standing) -> None:
    repository = Ownership(ORGANIZATION, "private", ME if created else OTHER)
    assert standing_of(ROLES[role], repository) is expected


def test_standing_of_others() -> None:
    own, others = Ownership(ME, "private", ME), Ownership(OTHER, "private", OTHER)
    assert standing_of(STRANGER, own) is Standing.OWNER
    assert standing_of(STRANGER, others) is Standing.STRANGER
    assert (
        standing_of(STRANGER, Ownership(OTHER, "private", ME)) is Standing.STRANGER
    )  # moved to somebody else
    assert standing_of(ADMIN, others) is Standing.OWNER
    assert standing_of(ANONYMOUS, others) is Standing.NOBODY
    # Nobody's missing id matches no missing creator.
    assert standing_of(ANONYMOUS, Ownership(OTHER, "private", None)) is Standing.NOBODY


@pytest.mark.parametrize("action", list(Action))
def test_a_read_token_only_reads(action: Action) -> None:
    weak = Caller(ME, "me", writes=False, is_admin=True)
    assert allows(weak, Ownership(ME, "private", ME), action) is (action in (Action.SEE, Action.READ))


def test_contributors_own_what_they_create_and_nothing_else() -> None:
    mine = Ownership(ORGANIZATION, "private", ME)
    others = Ownership(ORGANIZATION, "private", OTHER)
    caller = ROLES[Role.CONTRIBUTOR]
    assert all(allows(caller, mine, action) for action in Action)
    assert [a for a in Action if allows(caller, others, a)] == [
        Action.SEE,
        Action.READ,
        Action.DISCUSS,
        Action.PROPOSE,
    ]


@pytest.mark.parametrize("role", list(Role))
def test_what_members_may_do_to_their_organization(role: Role) -> None:
    expected = {OrganizationAction.SEE, OrganizationAction.LIST}
    if role is not Role.READ:
        expected.add(OrganizationAction.CREATE)
    if role is Role.ADMIN:
        expected.add(OrganizationAction.ADMINISTER)
    for exposure in Exposure:
        found = {
            action
            for action in OrganizationAction
            if allows_in_organization(ROLES[role], ORGANIZATION, exposure, action)
        }
        assert found == expected


@pytest.mark.parametrize("caller", [ANONYMOUS, STRANGER], ids=["nobody", "stranger"])
def test_what_outsiders_may_know_of_an_organization(caller: Caller) -> None:
    known = {
        exposure: [
            action
            for action in OrganizationAction
            if allows_in_organization(caller, ORGANIZATION, exposure, action)
        ]
        for exposure in Exposure
    }
    assert known == {
        Exposure.HIDDEN: [],
        Exposure.NAMED: [OrganizationAction.SEE],
        Exposure.OPEN: [OrganizationAction.SEE, OrganizationAction.LIST],
    }


def test_who_is_asked_to_log_in_and_who_is_refused() -> None:
    with pytest.raises(NotAuthenticated):
        ANONYMOUS.writer()
    with pytest.raises(NotAuthenticated):
        ANONYMOUS.administrator()
    with pytest.raises(Forbidden):
        Caller(ME, "me", writes=False).writer()
    with pytest.raises(Forbidden):
        STRANGER.administrator()
    assert ADMIN.administrator() == ME


def test_sql_says_the_same_as_the_table(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}", synchronous=False)
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        for number in (ME, OTHER, ORGANIZATION):
            session.add(Account(id=number, kind="user", name=f"a{number}", name_key=f"a{number}"))
        session.flush()
        for owner, visibility in itertools.product((ME, OTHER, ORGANIZATION), ("public", "private")):
            name = f"{visibility}{owner}"
            session.add(
                Repository(type="dataset", owner_id=owner, name=name, name_key=name, visibility=visibility)
            )
    with database.read() as session:
        everything = session.scalars(select(Repository)).all()
        assert len(everything) == 6
        for caller in (ANONYMOUS, STRANGER, ADMIN, *ROLES.values()):
            found = set(session.scalars(select(Repository).where(visible_to(caller))))
            expected = {
                r
                for r in everything
                if allows(caller, Ownership(r.owner_id, r.visibility, r.created_by), Action.SEE)
            }
            assert found == expected, caller
    database.dispose()


def test_standing_towards_a_namespace() -> None:
    assert standing_in(STRANGER, ME) is Standing.OWNER
    assert standing_in(ROLES[Role.WRITE], ORGANIZATION) is Standing.WRITER
    assert standing_in(STRANGER, ORGANIZATION) is Standing.STRANGER
