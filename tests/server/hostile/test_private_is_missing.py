"""What a stranger may not see answers as if it did not exist: on every route that reads, in every way to ask."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import httpx2
import pytest
from fastapi.routing import APIRoute

from pytupli_registry.server.errors import RepoNotFound
from pytupli_registry.server.routes import ROUTERS
from pytupli_registry.server.services.callers import caller_of_user
from pytupli_registry.server.services.downloads import Wanted, find_download
from pytupli_registry.server.services.permissions import Action, Caller
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.services.sight import look, look_at
from pytupli_registry.server.web import PAGES
from pytupli_registry.server.wire.names import RepoId, RepoType
from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import Session

    from pytupli_registry.server.services.hub import Hub

# Of one length, so that answers differ in nothing but the name.
SECRET, MOVED, ABSENT = "secret", "before", "absent"
ROUTES = sorted(
    {
        route.path
        for router in (*PAGES, *ROUTERS)
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in route.methods
    }
)
OF_REPOSITORY = [path for path in ROUTES if "{namespace}" in path and "{name}" in path]
VARIED = frozenset({"date", "x-request-id", "set-cookie", "server"})
FORM_KEY = re.compile(r'name="form" value="[^"]*"')


class Secrets:
    """A Hub with a private repository, full of things that somebody could ask for."""

    def __init__(self, hub: LiveHub) -> None:
        hub.organization("acme", alice="admin")
        hub.organization("hidden", alice="admin")
        hub.person("mallory")
        api = hub.api("alice")
        for family in ("dataset", "model", "space"):
            space = {"space_sdk": "static"} if family == "space" else {}
            api.create_repo("acme/shown1", repo_type=family, private=False, **space)
            api.create_repo(f"acme/{MOVED}", repo_type=family, private=True, **space)
            self.commit = self._fill(hub, f"acme/{MOVED}", family)
            api.move_repo(f"acme/{MOVED}", f"acme/{SECRET}", repo_type=family)
        api.create_repo("hidden/inner1", repo_type="dataset", private=True)
        self.hub = hub
        self.client = httpx2.Client(base_url=hub.endpoint, timeout=20)

    def _fill(self, hub: LiveHub, repo_id: str, family: str) -> str:
        api = hub.api("alice")
        readme = b"---\ntags: [quokka]\n---\n"
        api.upload_file(path_or_fileobj=readme, path_in_repo="README.md", repo_id=repo_id, repo_type=family)
        made = api.upload_file(
            path_or_fileobj=b"x", path_in_repo="d/a.txt", repo_id=repo_id, repo_type=family
        )
        api.create_tag(repo_id, tag="v1", repo_type=family)
        api.create_discussion(repo_id, "wombat question", repo_type=family)
        return str(made.oid)

    def ask(self, who: str | None, method: str, path: str, **sent: str) -> tuple[object, ...]:
        """Return all of an answer that may not differ."""
        headers = {"Authorization": f"Bearer {self.hub.person(who).token}"} if who else {}
        answer = self.client.request(method, path, headers=headers, **sent)
        kept = sorted((k, v) for k, v in answer.headers.items() if k not in VARIED)
        return answer.status_code, kept, FORM_KEY.sub("", answer.text)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secrets]:
    hub = LiveHub(tmp_path_factory.mktemp("private") / "hub").start()
    found = Secrets(hub)
    yield found
    found.client.close()
    hub.stop()


def addresses(route: str, name: str, commit: str) -> Iterator[str]:
    """Give the ways to ask a route about a repository: for what it has and for what it has not."""
    for family in ("datasets", "models") if "{family}" in route else ("",):
        for revision in ("main", "v1", commit, "nonesuch"):
            for path in ("d/a.txt", "nothing"):
                for number in ("1", "999"):
                    filled = route.replace("{family}", family).replace("{namespace}", "acme")
                    filled = filled.replace("{name}", name).replace("{revision}", revision)
                    filled = re.sub(r"\{path(:path)?\}", path, filled).replace("{number}", number)
                    yield re.sub(r"\{[a-z_]+(:path)?\}", "x", filled)


def test_the_table_of_routes_is_read() -> None:
    assert len(OF_REPOSITORY) >= 20


@pytest.mark.parametrize("route", OF_REPOSITORY)
def test_a_private_repository_answers_as_a_missing_one(secrets: Secrets, route: str) -> None:
    missing = dict.fromkeys(addresses(route, ABSENT, secrets.commit))
    for address in missing:
        for who in (None, "mallory"):
            wanted = secrets.ask(who, "GET", address)
            assert wanted[0] in (303, 400, 401, 403, 404, 501), address
            for name in (SECRET, MOVED):
                found = secrets.ask(who, "GET", address.replace(f"acme/{ABSENT}", f"acme/{name}"))
                assert str(found).replace(name, ABSENT) == str(wanted), (who, address, name)


def test_nor_does_the_way_it_is_written_matter(secrets: Secrets) -> None:
    for written in ("acme/{}", "ACME/{}", "%61cme/{}", "acme/{}.git"):
        for pattern in ("/api/datasets/{}", "/datasets/{}/resolve/main/d/a.txt", "/datasets/{}/info/refs"):
            asked = [pattern.replace("{}", written.format(name)) for name in (SECRET, MOVED, ABSENT)]
            query = "?service=git-upload-pack"
            answers = [str(secrets.ask("mallory", "GET", one + query)) for one in asked]
            plain = [
                one.replace(name, ABSENT) for one, name in zip(answers, (SECRET, MOVED, ABSENT), strict=True)
            ]
            assert len(set(plain)) == 1, written


def statements(secrets: Secrets, ask: Callable[[Session, Hub, Caller, RepoId], object], name: str) -> int:
    """Count the questions to the database until it is known that there is nothing."""
    asked: list[str] = []
    hub = secrets.hub.hub
    with hub.database.read() as session:
        caller = caller_of_user(session, secrets.hub.person("mallory").user_id)
        driver = session.connection().connection.driver_connection
        driver.set_trace_callback(asked.append)
        try:
            with pytest.raises(RepoNotFound):
                ask(session, hub, caller, RepoId(RepoType.DATASET, "acme", name))
        finally:
            driver.set_trace_callback(None)
    return len(asked)


@pytest.mark.parametrize(
    "ask",
    [
        lambda session, _, caller, repo: find(session, caller, repo, Action.READ),
        lambda session, _, caller, repo: look(session, caller, repo, None),
        lambda session, _, caller, repo: look_at(session, caller, repo, "main", Action.READ),
        lambda session, hub, caller, repo: find_download(
            session, hub, caller, Wanted(repo, "main", "d/a.txt")
        ),
    ],
    ids=["find", "look", "look at", "download"],
)
def test_nor_do_more_questions(
    secrets: Secrets, ask: Callable[[Session, Hub, Caller, RepoId], object]
) -> None:
    """Who measures the time of an answer learns nothing: each is asked for in as many steps."""
    counts = {name: statements(secrets, ask, name) for name in (SECRET, MOVED, ABSENT)}
    assert len(set(counts.values())) == 1, counts


def test_nothing_that_lists_tells_of_it(secrets: Secrets) -> None:
    """Names, ids, tags and words of the private repository are in no answer to a stranger."""
    queries = ("", "?search=secret", "?filter=quokka", "?author=acme&full=true", "?tag=quokka", "?sort=likes")
    for route in ROUTES:
        if "{namespace}" in route or "{chunk_hash}" in route:
            continue
        names = ("acme", "alice", "hidden", "datasets")
        plain = "{" not in route or route == "/api/{family}"
        addresses = [re.sub(r"\{[a-z_]+(:path)?\}", one, route) for one in names]
        for address in dict.fromkeys(a + query for a in addresses for query in (queries if plain else ("",))):
            for who in (None, "mallory"):
                answer = str(secrets.ask(who, "GET", address)).lower()
                for word in (f"acme/{SECRET}", f"acme/{MOVED}", secrets.commit, "wombat", "inner1"):
                    assert word not in answer, (address, who, word)


def test_a_hidden_organization_is_a_missing_one(secrets: Secrets) -> None:
    for route in ROUTES:
        if "{organization}" not in route:
            continue
        for who in (None, "mallory"):
            found, missing = (
                str(secrets.ask(who, "GET", route.replace("{organization}", name)))
                for name in ("hidden", "absent")
            )
            assert found.replace("hidden", "absent") == missing, (route, who)


def test_counts_leave_it_out(secrets: Secrets) -> None:
    for kind in ("users/alice", "organizations/acme"):
        told = secrets.client.get(f"/api/{kind}/overview").json()
        assert [told[f"num{one}s"] for one in ("Dataset", "Model", "Space")] in ([1, 1, 1], [0, 0, 0])
        assert told.get("numDiscussions", 0) == 0
        assert [org["name"] for org in told.get("orgs", [])] == []


def test_hashes_give_nothing(secrets: Secrets) -> None:
    """The id of a commit of somebody else's is none in one's own repository, nor in a public one."""
    for family in ("datasets", "models"):
        for revision in (secrets.commit, secrets.commit[:8]):
            answer = secrets.client.get(f"/api/{family}/acme/shown1/revision/{revision}")
            assert (answer.status_code, answer.headers["x-error-code"]) == (404, "RevisionNotFound")
            cursor = "?cursor=" + base64.urlsafe_b64encode(secrets.commit.encode()).decode()
            answer = secrets.client.get(f"/api/{family}/acme/shown1/commits/main{cursor}")
            assert answer.status_code == 400
