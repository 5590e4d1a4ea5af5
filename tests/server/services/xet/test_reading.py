"""Whose chunks may be used: those in blobs that the user may read somewhere."""

import pytest
from sqlalchemy import select, update

from pytupli_registry.server.database.schema import AccessRequest, Account, Blob, Repository, RepositoryBlob
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.permissions import ANONYMOUS
from pytupli_registry.server.services.xet.reading import ownerless_blobs, readable_blobs

BLOBS = {name: name[0] * 64 for name in ("a-public", "b-private", "c-gated", "d-nowhere")}


@pytest.fixture
def hub(live_hub):
    """acme has a public, a private and a gated dataset, with a blob each."""
    live_hub.person("root", is_admin=True)
    with live_hub.hub.database.write() as session:
        acme = session.scalar(select(Account.id).where(Account.name == "acme"))
        for name, sha256 in BLOBS.items():
            session.add(Blob(sha256=sha256, size=1))
            session.flush()
            if name == "d-nowhere":
                continue
            repository = Repository(
                type="dataset",
                owner_id=acme,
                name=name,
                name_key=name,
                visibility="private" if name == "b-private" else "public",
                gated="manual" if name == "c-gated" else "no",
            )
            session.add(repository)
            session.flush()
            session.add(RepositoryBlob(repository_id=repository.id, sha256=sha256))
    return live_hub


def readable(hub, name):
    with hub.hub.database.read() as session:
        caller = caller_of_user(session, hub.person(name).user_id) if name else ANONYMOUS
        return sorted(sha256[0] for sha256 in readable_blobs(session, caller, BLOBS.values()))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("alice", ["a", "b", "c"]), ("root", ["a", "b", "c"]), ("bob", ["a"]), (None, ["a"])],
)
def test_what_is_readable(hub, name, expected):
    assert readable(hub, name) == expected


def test_a_gate_opens_and_closes(hub):
    user_id = hub.person("bob").user_id
    with hub.hub.database.write() as session:
        gated = session.scalar(select(Repository.id).where(Repository.gated == "manual"))
        session.add(AccessRequest(id="1", repository_id=gated, user_id=user_id, status="accepted"))
    assert readable(hub, "bob") == ["a", "c"]
    with hub.hub.database.write() as session:
        session.execute(update(AccessRequest).values(status="rejected"))
    assert readable(hub, "bob") == ["a"]


def test_many_blobs_at_once(hub):
    with hub.hub.database.read() as session:
        caller = caller_of_user(session, hub.person("alice").user_id)
        unknown = [f"{number:064x}" for number in range(2000)]
        assert readable_blobs(session, caller, [*unknown, BLOBS["a-public"]]) == {BLOBS["a-public"]}


def test_what_lies_in_no_repository_any_more(hub):
    with hub.hub.database.read() as session:
        assert ownerless_blobs(session, [*BLOBS.values(), "e" * 64]) == {BLOBS["d-nowhere"]}
