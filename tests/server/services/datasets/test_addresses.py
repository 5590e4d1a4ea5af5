"""Names that Minari's ids begin with lead to their repository, or the change is refused."""

from __future__ import annotations

import json

import pytest

from pytupli_registry.server.errors import Conflict
from pytupli_registry.server.services import accounts, repositories
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.permissions import Action, Role
from pytupli_registry.server.wire.names import RepoId, RepoType

METADATA = {"total_episodes": 2, "total_steps": 10, "dataset_size": 0.1, "minari_version": "0.5.4"}


def dataset(namespace, name):
    return {
        f"{name}/data/metadata.json": json.dumps({"dataset_id": f"{namespace}/{name}", **METADATA}).encode(),
        f"{name}/data/main_data.hdf5": b"HDF5",
    }


@pytest.fixture
def walker(workshop):
    """The namespace acme/walker, and a second organization."""
    with workshop.hub.database.write() as session:
        other = accounts.create_organization(session, "other", None)
        accounts.add_member(session, other.id, workshop.alice, Role.ADMIN)
    with workshop.hub.database.read() as session:
        workshop.caller = caller_of_user(session, workshop.alice)
    workshop.create("walker")
    workshop.commit("walker", {"namespace_metadata.json": b"{}", **dataset("walker", "a-v0")})
    return workshop


def parsed(text, type_=RepoType.DATASET):
    return RepoId.parse(type_, text)


def move(workshop, source, target):
    with workshop.hub.database.write() as session:
        repositories.move(session, workshop.hub, workshop.caller, parsed(source), parsed(target))


def create(workshop, name, type_=RepoType.DATASET):
    with workshop.hub.database.write() as session:
        repositories.create(
            session, workshop.hub, workshop.caller, parsed(name, type_), visibility="public", sdk="static"
        )


def leads_to(workshop, name):
    with workshop.hub.database.read() as session:
        try:
            return repositories.find(session, workshop.caller, parsed(name), Action.READ).full_name
        except repositories.Moved as moved:
            return moved.new


def test_a_former_name_is_free_again_when_no_id_uses_it(walker):
    move(walker, "acme/walker", "acme/runner")
    with pytest.raises(Conflict, match="minari list remote"):
        create(walker, "acme/Walker")
    create(walker, "acme/walker", RepoType.SPACE)
    create(walker, "other/walker")
    walker.commit("runner", dict.fromkeys(dataset("walker", "a-v0")))
    create(walker, "acme/walker")
    assert leads_to(walker, "acme/walker") == "acme/walker"


def test_others_do_not_move_there_and_it_comes_back(walker):
    move(walker, "acme/walker", "acme/runner")
    create(walker, "acme/crawler")
    with pytest.raises(Conflict, match="minari list remote"):
        move(walker, "acme/crawler", "acme/walker")
    move(walker, "acme/runner", "acme/walker")
    assert leads_to(walker, "acme/walker") == leads_to(walker, "acme/runner") == "acme/walker"


def test_every_name_leads_to_it_in_the_organization_it_moves_to(walker):
    walker.create("plain")
    move(walker, "acme/walker", "acme/runner")
    walker.commit("runner", dataset("runner", "b-v0"))
    move(walker, "acme/runner", "other/swimmer")
    assert {leads_to(walker, f"other/{name}") for name in ("walker", "runner")} == {"other/swimmer"}
    create(walker, "acme/walker")  # nothing in acme has ids that begin with it any more
    move(walker, "acme/plain", "other/plain")
    with pytest.raises(Conflict, match="begin with 'walker'"):
        move(walker, "other/swimmer", "acme/swimmer")
    assert leads_to(walker, "other/walker") == "other/swimmer"
