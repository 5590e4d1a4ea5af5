"""Who gets a file: what may not be read answers alike, and what was remembered is never older than the database."""

from __future__ import annotations

import random
import socket
import time
import urllib.request
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from pytupli_registry.server.database.schema import now
from pytupli_registry.server.services import accounts, callers, organizations, tokens, users
from pytupli_registry.server.services.hub import Hub
from tests.server.support.s3 import S3Server
from tests.server.support.served import Line, ServedHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILES = {"a.txt": b"first", "d/big.bin": random.Random(3).randbytes(90_001)}
NUMBERS = count(1)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    hub = ServedHub(tmp_path_factory.mktemp("access") / "hub").start()
    yield hub
    hub.stop()


def add(api: HfApi, repo: str, files: dict[str, bytes], **how: object) -> None:
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    api.create_commit(repo, operations, commit_message="files", repo_type="dataset", **how)


class Place:
    """A private repository of acme with two files, and changes of all that it depends on.

    carol is a member of acme, bob is not.
    """

    def __init__(self, hub: ServedHub) -> None:
        self.hub = hub
        self.api = hub.api("alice")
        self.repo = f"acme/r{next(NUMBERS)}"
        self.api.create_repo(self.repo, repo_type="dataset", private=True)
        add(self.api, self.repo, FILES)
        self.member("carol", "read")
        self.token: str | None = hub.token("carol", label=self.repo)

    def path(self, name: str = "d/big.bin", revision: str = "main") -> str:
        return f"/datasets/{self.repo}/resolve/{revision}/{name}"

    def member(self, name: str, role: str | None) -> None:
        with self.hub.hub.database.write() as session:
            alice = callers.caller_of_user(session, self.hub.person("alice").user_id)
            if role is None:
                organizations.remove_member(session, alice, "acme", name)
            else:
                organizations.set_role(session, alice, "acme", name, accounts.Role(role))

    def change(self, **settings: object) -> None:
        self.api.update_repo_settings(self.repo, repo_type="dataset", **settings)


@pytest.fixture
def place(hub: ServedHub) -> Place:
    return Place(hub)


def revoke(place: Place) -> None:
    with place.hub.hub.database.write() as session:
        tokens.revoke_token(session, place.hub.person("carol").user_id, place.repo)


def revoke_elsewhere(place: Place) -> None:
    """As `pytupli-server` does it, with connections of its own."""
    other = Hub.open(place.hub.settings)
    with other.database.write() as session:
        tokens.revoke_token(session, place.hub.person("carol").user_id, place.repo)
    other.close()


def expire(place: Place) -> None:
    place.token = place.hub.token("carol", label="short", expires_at=now() + timedelta(seconds=0.4))


def disable(place: Place) -> None:
    with place.hub.hub.database.write() as session:
        users.change_user(session, "carol", users.UserChanges(disabled=True))


def leave(place: Place) -> None:
    place.member("carol", None)


def delete(place: Place) -> None:
    place.api.delete_repo(place.repo, repo_type="dataset")


def move(place: Place) -> None:
    place.api.move_repo(place.repo, f"{place.repo}-moved", repo_type="dataset")


def delete_file(place: Place) -> None:
    operations = [CommitOperationDelete("d/", is_folder=True)]
    place.api.create_commit(place.repo, operations, commit_message="less", repo_type="dataset")


def nothing(place: Place) -> None:
    del place


@pytest.fixture
def carol_again(hub: ServedHub) -> Iterator[None]:
    yield
    with hub.hub.database.write() as session:
        users.change_user(session, "carol", users.UserChanges(disabled=False))


@pytest.mark.usefixtures("carol_again")
@pytest.mark.parametrize(
    ("change", "status"),
    [
        (nothing, 206),
        (revoke, 401),
        (revoke_elsewhere, 401),
        (disable, 401),
        (leave, 404),
        (delete, 404),
        (move, 307),
        (delete_file, 404),
    ],
)
def test_a_change_holds_for_the_very_next_request(
    hub: ServedHub, place: Place, change: Callable[[Place], None], status: int
) -> None:
    with Line(hub) as line:
        for _ in range(3):
            assert line.get(place.path(), place.token, Range="bytes=5-8").body == FILES["d/big.bin"][5:9]
        change(place)
        told = line.get(place.path(), place.token, Range="bytes=5-8")
        assert told.status == status
        assert (FILES["d/big.bin"][5:9] in told.body) == (status == 206)
        assert line.head(place.path(), place.token).status == {206: 200}.get(status, status)


def test_a_token_ends_in_its_time(hub: ServedHub, place: Place) -> None:
    """Nothing changes in the database then."""
    expire(place)
    statuses = []
    with Line(hub) as line:
        began = time.monotonic()
        while not statuses or statuses[-1] == 200:
            statuses.append(line.get(place.path(), place.token).status)
            assert time.monotonic() < began + 10
            time.sleep(0.05)
    assert len(statuses) > 2
    assert statuses[-1] == 401


def test_strangers_see_what_was_public_no_more(hub: ServedHub, place: Place) -> None:
    place.change(private=False)
    with Line(hub) as anyone, Line(hub, "bob") as bob:
        for line in (anyone, bob):
            for _ in range(2):
                assert line.get(place.path()).body == FILES["d/big.bin"]
        place.change(gated="manual")
        assert [line.get(place.path()).status for line in (anyone, bob)] == [403, 403]
        assert bob.head(place.path()).headers["x-error-code"] == "GatedRepo"
        assert bob.get(place.path(), hub.person("alice").token).body == FILES["d/big.bin"]
        place.api.grant_access(place.repo, "bob", repo_type="dataset")
        assert bob.get(place.path()).body == bob.get(place.path()).body == FILES["d/big.bin"]
        place.api.reject_access_request(place.repo, "bob", repo_type="dataset", rejection_reason=None)
        assert bob.get(place.path()).status == 403
        place.change(gated=False)
        assert bob.get(place.path()).status == bob.get(place.path()).status == 200
        place.change(private=True)
        missing = place.path().replace(place.repo, "acme/never")
        for line in (anyone, bob):
            told = line.get(place.path())
            assert told == line.get(missing)
            assert told.status in (401, 404)


def test_a_branch_moves_and_a_commit_does_not(hub: ServedHub, place: Place) -> None:
    with Line(hub, "carol") as line:
        first = line.head(place.path("a.txt")).headers["x-repo-commit"]
        place.api.create_branch(place.repo, branch="dev", repo_type="dataset")
        for content in (b"second", b"third"):
            for _ in range(2):
                line.get(place.path("a.txt"))
            add(place.api, place.repo, {"a.txt": content})
            assert line.get(place.path("a.txt")).body == content
            assert line.get(place.path("a.txt", first)).body == b"first"
            assert line.get(place.path("a.txt", "dev")).body == b"first"
        place.api.delete_branch(place.repo, branch="dev", repo_type="dataset")
        assert line.get(place.path("a.txt", "dev")).headers["x-error-code"] == "RevisionNotFound"


def test_a_name_that_is_used_again(hub: ServedHub, place: Place) -> None:
    with Line(hub, "carol") as line:
        assert line.get(place.path("a.txt")).body == line.get(place.path("a.txt")).body == b"first"
        delete(place)
        assert line.get(place.path("a.txt")).status == 404
        place.api.create_repo(place.repo, repo_type="dataset", private=True)
        add(place.api, place.repo, {"a.txt": b"another"})
        assert line.get(place.path("a.txt")).body == b"another"


def test_what_is_missing_is_missed_no_longer_than_it_is(hub: ServedHub, place: Place) -> None:
    with Line(hub, "carol") as line:
        for name, revision in (("new.txt", "main"), ("new.txt", "new")):
            for _ in range(2):
                assert line.get(place.path(name, revision)).status == 404
        add(place.api, place.repo, {"new.txt": b"new"})
        assert line.get(place.path("new.txt")).body == b"new"
        place.api.create_branch(place.repo, branch="new", repo_type="dataset")
        assert line.get(place.path("new.txt", "new")).body == b"new"


def test_nobody_gets_the_answer_to_somebody_else(hub: ServedHub, place: Place) -> None:
    """Not even with several credentials at once, of which one counts and another could be remembered."""
    carol = b"Authorization: Bearer " + hub.person("carol").token.encode()
    bob = b"Authorization: Bearer " + hub.person("bob").token.encode()
    for headers in ([carol, b"Authorization:"], [carol, bob], [b"Authorization:", carol], [bob, carol]):
        lines = [b"GET %s HTTP/1.1" % place.path().encode(), b"Host: hub.example", *headers]
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", hub.port), timeout=10) as raw:
                raw.sendall(b"\r\n".join((*lines, b"Connection: close", b"", b"")))
                raw.makefile("rb").read()
        with Line(hub) as anyone, Line(hub, "bob") as stranger:
            for line in (anyone, stranger):
                assert line.get(place.path()).status in (401, 404), headers


def test_closed_gates_do_not_tell_what_is_behind_them(hub: ServedHub, place: Place) -> None:
    place.change(private=False, gated="auto")
    addresses = [
        place.path(),
        place.path("nothing"),
        place.path(revision="nonesuch"),
        place.path(revision="0" * 40),
    ]
    for who in (None, "bob"):
        with Line(hub, who) as line:
            for method in ("GET", "HEAD"):
                told = [
                    line.ask(method, address, If_None_Match="*", Range="bytes=0-1") for address in addresses
                ]
                assert told[0].headers["x-error-code"] == "GatedRepo"
                assert all(one == told[0] for one in told)
                assert "etag" not in told[0].headers


def test_who_may_not_see_a_move_sees_nothing(hub: ServedHub, place: Place) -> None:
    old = place.path("d/big.bin", "refs%2Fheads%2Fmain")
    move(place)
    new = f"{place.repo}-moved"
    with Line(hub, "carol") as carol, Line(hub, "bob") as bob:
        for method in ("GET", "HEAD"):
            told = carol.ask(method, f"{old}?download=true")
            assert (told.status, told.headers["location"]) == (
                307,
                f"{old.replace(place.repo, new)}?download=true",
            )
        assert carol.get(told.headers["location"]).body == FILES["d/big.bin"]
        assert bob.get(old) == bob.get(old.replace(place.repo, "acme/never"))


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.mark.parametrize("redirects", [True, False])
def test_files_in_a_cloud(tmp_path_factory: pytest.TempPathFactory, s3: S3Server, redirects: bool) -> None:
    """Large files come from there, through us or not; the small ones, ranges and conditions are as ever."""
    directory = tmp_path_factory.mktemp("cloud") / "hub"
    directory.mkdir()
    hub = ServedHub(
        directory, objects_url=s3.url(), objects_options=s3.options(), redirect_downloads=redirects
    ).start()
    try:
        place, big = Place(hub), FILES["d/big.bin"]
        with Line(hub, "carol") as line:
            assert line.get(place.path("a.txt"), Range="bytes=1-2").body == b"ir"
            told = line.head(place.path())
            assert (told.status, told.headers["content-length"]) == (200, str(len(big)))
            assert line.get(place.path(), If_None_Match=told.headers["etag"]).status == 304
            for text, wanted in (("bytes=5-8", big[5:9]), ("bytes=-3", big[-3:]), ("bytes=7-", big[7:])):
                assert fetched(line, place, redirects, text) == wanted
            assert fetched(line, place, redirects, None) == big
            assert "x-max-ranges" not in told.headers  # a store sends all of the file for several
            if not redirects:
                several = line.get(place.path(), Range="bytes=1-2,5-8")
                assert several.status == 206
                assert [several.body.count(part) for part in (big[1:3], big[5:9])] == [1, 1]
            place.member("carol", None)
            assert line.get(place.path()).status == 404
    finally:
        hub.stop()


def fetched(line: Line, place: Place, redirects: bool, text: str | None) -> bytes:
    """Return the bytes of the large file, from where its answer says."""
    said = {"Range": text} if text else {}
    told = line.get(place.path(), **said)
    assert told.headers["etag"]
    assert told.headers["x-linked-size"] == str(len(FILES["d/big.bin"]))
    if not redirects:
        assert told.status == (206 if text else 200)
        return told.body
    assert (told.status, told.body) == (302, b"")
    with urllib.request.urlopen(
        urllib.request.Request(told.headers["location"], headers=said), timeout=10
    ) as answer:
        content: bytes = answer.read()
        return content
