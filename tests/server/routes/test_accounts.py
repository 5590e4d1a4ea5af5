"""Users and organizations over HTTP: what the stock client reads, pages, and what does not belong into a database."""

from collections.abc import Iterator

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from tests.server.support.live import LiveHub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path_factory.mktemp("accounts") / "hub", page_size=3).start()
    live.person("root", is_admin=True)
    members = {f"member-{number}": "read" for number in range(7)}
    live.organization("acme", alice="admin", **members)
    live.person("stranger")
    yield live
    live.stop()


@pytest.fixture(scope="module")
def root(hub: LiveHub) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {hub.person('root').token}"}
    with httpx2.Client(base_url=hub.endpoint, headers=headers) as client:
        yield client


def test_overview_of_a_user(hub: LiveHub) -> None:
    api = hub.api("alice")
    api.create_repo("alice/open", repo_type="dataset", private=False)
    api.create_repo("alice/closed", repo_type="dataset", private=True)
    api.create_repo("alice/policy", private=False)
    api.create_discussion("alice/open", "hello", repo_type="dataset")
    api.create_discussion("alice/closed", "hello", repo_type="dataset")
    own, others = api.get_user_overview("Alice"), hub.api("stranger").get_user_overview("alice")
    assert (own.username, own.user_type) == ("alice", "user")
    assert (own.num_datasets, own.num_models, own.num_discussions) == (2, 1, 2)
    assert (others.num_datasets, others.num_models, others.num_discussions) == (1, 1, 1)
    assert [org.name for org in own.orgs] == ["acme"]
    assert others.orgs == []
    assert httpx2.get(own.avatar_url).headers["content-type"] == "image/svg+xml"


def test_overview_of_an_organization(hub: LiveHub) -> None:
    found = hub.api("member-1").get_organization_overview("ACME")
    assert (found.name, found.num_users, found.num_datasets) == ("acme", 8, 0)
    with pytest.raises(HfHubHTTPError) as caught:
        hub.api("stranger").get_organization_overview("acme")
    assert caught.value.response.status_code == 404


def test_members_over_several_pages(hub: LiveHub) -> None:
    found = [member.username for member in hub.api("alice").list_organization_members("acme")]
    assert found == ["alice", *(f"member-{number}" for number in range(7))]
    assert list(hub.api("alice").list_organization_followers("acme")) == []
    assert list(hub.api().list_user_followers("alice")) == []
    assert list(hub.api().list_user_following("alice")) == []


@pytest.mark.parametrize("cursor", ["x", "%00", "/w==", "AAAA", "gICA", "4pyT"])
def test_cursors_that_are_none(root: httpx2.Client, cursor: str) -> None:
    for path in ("/api/users", "/api/organizations/acme/members"):
        assert root.get(path, params={"cursor": cursor}).status_code in (200, 400)


NASTY = (
    "\x00",
    "\ud800",
    "a\x00b",
    "\u202e\x1b[31m",
    "x" * 300_000,
    "\n",
    1 << 80,
    -1,
    1e400,
    True,
    [],
    {},
    None,
)


@pytest.mark.parametrize(
    ("method", "path", "member"),
    [
        ("POST", "/api/users", "name"),
        ("POST", "/api/users", "email"),
        ("POST", "/api/users", "fullName"),
        ("POST", "/api/users", "password"),
        ("PATCH", "/api/users/stranger", "details"),
        ("PATCH", "/api/users/stranger", "email"),
        ("PATCH", "/api/users/stranger", "disabled"),
        ("POST", "/api/users/root/tokens", "name"),
        ("POST", "/api/users/root/tokens", "expiresAt"),
        ("POST", "/api/users/root/tokens", "password"),
        ("PUT", "/api/users/stranger/password", "password"),
        ("POST", "/api/organizations", "name"),
        ("POST", "/api/organizations", "fullName"),
        ("PATCH", "/api/organizations/acme", "details"),
        ("PUT", "/api/organizations/acme/members/stranger", "role"),
    ],
)
def test_nothing_that_is_sent_breaks_the_server(
    root: httpx2.Client, method: str, path: str, member: str
) -> None:
    """Any answer will do but a failure of the server."""
    for number, value in enumerate(NASTY):
        import json

        body = json.dumps({"name": f"n-{number}", member: value}).encode()
        answer = root.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, (value, answer.text)
    root.patch("/api/users/stranger", json={"disabled": False})


@pytest.mark.parametrize(
    "name", ["%00", "%ED%A0%80", "%ff", "a%2Fb", "..%2f..", "%F0%9F%90%B1", "x" * 4000, "%0a"]
)
def test_names_in_paths(root: httpx2.Client, name: str) -> None:
    for path in (
        f"users/{name}/overview",
        f"users/{name}",
        f"organizations/{name}/members",
        f"users/root/tokens/{name}",
    ):
        method = "DELETE" if "tokens" in path else "GET"
        assert root.request(method, f"/api/{path}").status_code in (400, 404), path


@pytest.mark.parametrize(
    "when",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2200-01-01T00:00:00Z",
        "2100-02-30T00:00:00Z",
        "soon",
    ],
)
def test_impossible_expiries(root: httpx2.Client, when: str) -> None:
    answer = root.post("/api/users/root/tokens", json={"name": "late", "expiresAt": when})
    assert answer.status_code == 400


def test_unknown_members_are_mistakes(root: httpx2.Client) -> None:
    answer = root.post("/api/organizations", json={"name": "typo", "defaultVisiblity": "public"})
    assert (answer.status_code, "defaultVisiblity" in answer.text) == (400, True)
