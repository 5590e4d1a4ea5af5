"""Organizations: who may know of them, and that somebody is always left to look after them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.schema import Repository
from pytupli_registry.server.errors import Conflict, Forbidden, HubError, NotAuthenticated, NotFound
from pytupli_registry.server.services import accounts, organizations, users
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.organizations import OrganizationChanges
from pytupli_registry.server.services.overviews import organization_overview, user_overview
from pytupli_registry.server.services.permissions import ANONYMOUS, Caller, OrganizationAction, Role
from pytupli_registry.server.services.users import UserChanges


class World:
    """People, and an organization of theirs."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.write() as session:
            self.ids = {
                name: accounts.create_user(session, name, is_admin=name == "root").id
                for name in ("root", "ada", "ben", "eve")
            }
            self.acme = accounts.create_organization(session, "acme", self.ids["ada"]).id
            accounts.add_member(session, self.acme, self.ids["ben"], Role.READ)

    def caller(self, name: str | None, *, writes: bool = True) -> Caller:
        if name is None:
            return ANONYMOUS
        with self.database.read() as session:
            return caller_of_user(session, self.ids[name], writes=writes)

    def roles(self) -> dict[str, str]:
        with self.database.read() as session:
            return {m.name: m.role.value for m in organizations.list_members(session, self.acme)}

    def set_role(self, by: str, whom: str, role: Role) -> None:
        caller = self.caller(by)
        with self.database.write() as session:
            organizations.set_role(session, caller, "acme", whom, role)

    def remove(self, by: str, whom: str) -> None:
        caller = self.caller(by)
        with self.database.write() as session:
            organizations.remove_member(session, caller, "acme", whom)

    def publish(self, visibility: str) -> None:
        with self.database.write() as session:
            session.add(
                Repository(type="dataset", owner_id=self.acme, name="d", name_key="d", visibility=visibility)
            )

    def change(self, **said) -> None:
        caller = self.caller("ada")
        with self.database.write() as session:
            organizations.change(session, caller, "acme", OrganizationChanges(**said))


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@contextmanager
def missing(name: str = "acme") -> Iterator[None]:
    """What is said is said of an organization that does not exist, too."""
    with pytest.raises(NotFound) as caught:
        yield
    assert caught.value.message.startswith(f"There is no organization {name!r}")


def known(world: World, name: str | None) -> set[str]:
    """What a caller may know."""
    found = set()
    caller = world.caller(name)
    with world.database.read() as session:
        for action in (OrganizationAction.SEE, OrganizationAction.LIST):
            try:
                organizations.find(session, caller, "ACME", action)
            except NotFound as error:
                said = error.message.replace("ACME", "no-such-thing")
                with pytest.raises(NotFound) as other:
                    organizations.find(session, caller, "no-such-thing", action)
                assert other.value.message == said
            else:
                found.add(action.value)
    return found


@pytest.mark.parametrize("name", [None, "eve"])
def test_what_outsiders_know(world: World, name: str | None) -> None:
    assert known(world, name) == set()
    world.publish("private")
    assert known(world, name) == set()
    with world.database.write() as session:
        session.query(Repository).update({"visibility": "public"})
    assert known(world, name) == {"see"}
    world.change(members_public=True)
    assert known(world, name) == {"see", "list"}


@pytest.mark.parametrize("name", ["ada", "ben", "root"])
def test_what_members_and_administrators_know(world: World, name: str) -> None:
    assert known(world, name) == {"see", "list"}


def test_numbers_count_what_one_may_see(world: World) -> None:
    world.publish("private")
    world.change(members_public=True)
    with world.database.read() as session:
        inside = organization_overview(session, world.caller("ben"), "acme")
        outside = organization_overview(session, world.caller("eve"), "acme")
    assert (inside.repositories, inside.members) == ({"dataset": 1}, 2)
    assert (outside.repositories, outside.members) == ({}, 2)


def test_a_users_organizations_are_told_to_those_who_know_them(world: World) -> None:
    def told(name: str | None) -> list[str]:
        with world.database.read() as session:
            return [o.name for o in user_overview(session, world.caller(name), "ben").organizations]

    assert (told("ada"), told("root"), told("ben")) == (["acme"], ["acme"], ["acme"])
    assert (told("eve"), told(None)) == ([], [])
    world.publish("public")  # that shows its name, not its members
    assert told("eve") == []
    world.change(members_public=True)
    assert told(None) == ["acme"]


def test_a_disabled_user_is_no_user(world: World) -> None:
    with world.database.write() as session:
        users.change_user(session, "ben", UserChanges(disabled=True))
    with world.database.read() as session, pytest.raises(NotFound):
        user_overview(session, ANONYMOUS, "ben")


def test_who_administers(world: World) -> None:
    with missing():
        world.set_role("eve", "eve", Role.ADMIN)
    with pytest.raises(Forbidden):
        world.set_role("ben", "ben", Role.ADMIN)
    with world.database.write() as session, missing():
        organizations.set_role(session, ANONYMOUS, "acme", "eve", Role.READ)
    weak = world.caller("ada", writes=False)
    with world.database.write() as session, pytest.raises(Forbidden, match="only read"):
        organizations.set_role(session, weak, "acme", "eve", Role.READ)
    world.change(members_public=True)
    with world.database.write() as session, pytest.raises(NotAuthenticated):
        organizations.set_role(session, ANONYMOUS, "acme", "eve", Role.READ)
    with pytest.raises(Forbidden):
        world.set_role("eve", "eve", Role.ADMIN)
    world.set_role("root", "eve", Role.WRITE)
    assert world.roles() == {"ada": "admin", "ben": "read", "eve": "write"}


def test_members_leave_by_themselves_and_nobody_else(world: World) -> None:
    world.set_role("ada", "eve", Role.WRITE)
    with pytest.raises(Forbidden):
        world.remove("ben", "eve")
    with pytest.raises(Forbidden):
        world.remove("eve", "ada")
    world.remove("ben", "BEN")
    with pytest.raises(NotFound, match="no member"):
        world.remove("ada", "ben")


@pytest.mark.parametrize("name", ["ada", "root"])
def test_the_last_admin_stays(world: World, name: str) -> None:
    for change in (lambda: world.remove(name, "ada"), lambda: world.set_role(name, "ada", Role.WRITE)):
        with pytest.raises(Conflict, match="without an admin"):
            change()
    assert world.roles()["ada"] == "admin"


def test_a_disabled_admin_does_not_count(world: World) -> None:
    world.set_role("ada", "eve", Role.ADMIN)
    with world.database.write() as session:
        users.change_user(session, "eve", UserChanges(disabled=True))
    with pytest.raises(Conflict, match="without an admin"):
        world.remove("ada", "ada")
    world.set_role("ada", "ben", Role.ADMIN)
    world.remove("ada", "ada")
    assert world.roles() == {"ben": "admin", "eve": "admin"}


def at_once(*steps) -> list[str]:
    def outcome(step) -> str:
        try:
            step()
        except HubError as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(len(steps)) as pool:
        return [future.result() for future in [pool.submit(outcome, step) for step in steps]]


def test_two_admins_who_remove_each_other(world: World) -> None:
    for _ in range(5):
        world.set_role("root", "ada", Role.ADMIN)
        world.set_role("root", "eve", Role.ADMIN)
        outcomes = at_once(
            lambda: world.remove("root", "eve"), lambda: world.set_role("root", "ada", Role.READ)
        )
        assert outcomes.count("done") == 1
        assert "admin" in world.roles().values()


def test_two_administrators_who_disable_each_other(world: World) -> None:
    def disable(name: str) -> None:
        with world.database.write() as session:
            users.change_user(session, name, UserChanges(disabled=True))

    for _ in range(5):
        with world.database.write() as session:
            for name in ("root", "ada"):
                users.change_user(session, name, UserChanges(is_admin=True, disabled=False))
        outcomes = at_once(lambda: disable("root"), lambda: disable("ada"))
        assert outcomes.count("done") == 1


def test_an_organization_with_repositories_is_not_deleted(world: World) -> None:
    world.publish("private")
    caller = world.caller("ada")
    with pytest.raises(Conflict, match="1 repositories"), world.database.write() as session:
        organizations.delete_organization(session, caller, "acme")
    with world.database.write() as session:
        session.query(Repository).delete()
        organizations.delete_organization(session, caller, "acme")
    with world.database.read() as session, missing():
        organizations.find(session, world.caller("root"), "acme", OrganizationAction.SEE)


def test_pages_of_members(world: World) -> None:
    with world.database.write() as session:
        for number in range(5):
            user = accounts.create_user(session, f"user-{number}").id
            accounts.add_member(session, world.acme, user, Role.READ)
    with world.database.read() as session:
        first = organizations.list_members(session, world.acme, limit=3)
        rest = organizations.list_members(session, world.acme, after=first[-1].name, limit=99)
    assert [m.name for m in (*first, *rest)] == ["ada", "ben", *(f"user-{number}" for number in range(5))]


def test_listing(world: World) -> None:
    def listed(name: str, *, everything: bool) -> list[str]:
        with world.database.read() as session:
            return [
                o.name
                for o in organizations.list_organizations(session, world.caller(name), everything=everything)
            ]

    with world.database.write() as session:
        accounts.create_organization(session, "open", None, members_public=True)
        accounts.create_organization(session, "hidden", None)
    assert listed("ben", everything=False) == ["acme"]
    assert listed("ben", everything=True) == ["acme", "open"]
    assert listed("eve", everything=True) == ["open"]
    assert listed("root", everything=True) == ["acme", "hidden", "open"]
    world.publish("public")
    assert listed("eve", everything=True) == ["acme", "open"]
