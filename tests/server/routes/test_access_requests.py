"""Gated repositories: asking, deciding, and what those read who were let in."""

from __future__ import annotations

from datetime import datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from huggingface_hub import HfApi

REPO = "acme/hvac"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    hub = LiveHub(tmp_path_factory.mktemp("hub"), page_size=2).start()
    hub.organization("acme", alice="admin", wanda="write", rudi="read")
    for name in ("bob", "carl", "dora"):
        hub.person(name)
    yield hub
    hub.stop()


@pytest.fixture
def alice(live: LiveHub) -> HfApi:
    """The owner of a gated repository with one file."""
    api = live.api("alice")
    api.delete_repo(REPO, missing_ok=True)
    api.create_repo(REPO, private=False)
    api.upload_file(path_or_fileobj=b"data", path_in_repo="file.txt", repo_id=REPO)
    api.update_repo_settings(REPO, gated="manual")
    return api


def ask(live: LiveHub, name: str | None, *, repo: str = REPO, **said: Any) -> httpx2.Response:
    headers = {"authorization": f"Bearer {live.person(name).token}"} if name else {}
    return httpx2.post(f"{live.endpoint}/api/models/{repo}/ask-access", headers=headers, **said)


def reads(live: LiveHub, name: str, tmp_path: Path) -> bool:
    try:
        live.api(name).hf_hub_download(REPO, "file.txt", cache_dir=tmp_path / token_hex(4))
    except GatedRepoError:
        return False
    return True


def users(listing: Callable[..., Any]) -> list[str]:
    return [request.username for request in listing(REPO)]


def test_asking_and_deciding(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    assert not reads(live, "bob", tmp_path)
    asked = ask(live, "bob", json={"fields": {"Why": "Research", "Company": None}})
    assert (asked.status_code, asked.json()["status"]) == (200, "pending")
    assert ask(live, "bob").json() == asked.json()
    (request,) = alice.list_pending_access_requests(REPO)
    assert (request.username, request.fullname, request.status) == ("bob", "bob", "pending")
    assert request.fields == {"Why": "Research", "Company": None}
    assert isinstance(request.timestamp, datetime)
    assert not reads(live, "bob", tmp_path)
    alice.accept_access_request(REPO, "bob")
    assert reads(live, "bob", tmp_path)
    alice.cancel_access_request(REPO, "BOB")
    assert not reads(live, "bob", tmp_path)
    alice.reject_access_request(REPO, request_id=request.request_id, rejection_reason="No company")
    assert users(alice.list_rejected_access_requests) == ["bob"]
    again = ask(live, "bob")
    assert again.status_code == 403
    assert "No company" in again.json()["error"]


def test_an_automatic_gate_opens_at_once(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    alice.update_repo_settings(REPO, gated="auto")
    assert not reads(live, "bob", tmp_path)
    assert ask(live, "bob").json()["status"] == "accepted"
    assert reads(live, "bob", tmp_path)


def test_letting_in_who_never_asked(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    with live.hub.database.write() as session:
        from pytupli_registry.server.database.schema import User

        session.get_one(User, live.person("bob").user_id).email = "bob@example.com"
    alice.grant_access(REPO, "bob")
    assert reads(live, "bob", tmp_path)
    (granted,) = alice.list_accepted_access_requests(REPO)
    assert (granted.username, granted.email) == ("bob", None)
    for call, status in ((alice.grant_access, "Bad request"), (alice.accept_access_request, "404")):
        with pytest.raises(HfHubHTTPError, match=status):
            call(REPO, "bob")
    alice.reject_access_request(REPO, "bob", rejection_reason=None)
    with pytest.raises(HfHubHTTPError, match="404"):
        alice.reject_access_request(REPO, "bob", rejection_reason="again")
    alice.cancel_access_request(REPO, "bob")
    with pytest.raises(HfHubHTTPError, match="404"):
        alice.cancel_access_request(REPO, "bob")
    assert users(alice.list_pending_access_requests) == ["bob"]
    for call in (alice.grant_access, alice.accept_access_request):
        with pytest.raises(HfHubHTTPError, match="404"):
            call(REPO, "nobody-of-that-name")
    with pytest.raises(HfHubHTTPError, match="404"):
        alice.accept_access_request(REPO, "carl")
    ask(live, "carl")
    alice.grant_access(REPO, "carl")


def test_listings_are_paged(live: LiveHub, alice: HfApi) -> None:
    for name in ("bob", "carl", "dora"):
        ask(live, name)
    assert sorted(users(alice.list_pending_access_requests)) == ["bob", "carl", "dora"]
    assert users(alice.list_accepted_access_requests) == []


def test_who_decides_and_who_passes(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    ask(live, "bob")
    for name in ("wanda", "rudi", "bob", "carl"):
        api = live.api(name)
        for call in (
            lambda api=api: list(api.list_pending_access_requests(REPO)),
            lambda api=api: api.accept_access_request(REPO, "bob"),
            lambda api=api: api.grant_access(REPO, "carl"),
        ):
            with pytest.raises(HfHubHTTPError, match="403"):
                call()
    with pytest.raises(HfHubHTTPError, match="401"):
        list(live.api().list_pending_access_requests(REPO))
    assert reads(live, "wanda", tmp_path)
    assert not reads(live, "rudi", tmp_path)
    assert ask(live, "wanda").status_code == 409
    assert ask(live, None).status_code == 401
    alice.update_repo_settings(REPO, gated=False)
    assert ask(live, "carl").status_code == 400
    for call in (
        lambda: alice.grant_access(REPO, "carl"),
        lambda: users(alice.list_accepted_access_requests),
    ):
        with pytest.raises(HfHubHTTPError, match="not gated"):
            call()
    alice.update_repo_settings(REPO, gated="auto", private=True)
    assert ask(live, "carl").json() == {"error": "Repository not found"}
    with pytest.raises(RepositoryNotFoundError):
        list(live.api("carl").list_pending_access_requests(REPO))


@pytest.mark.parametrize(
    "body",
    [
        {"status": "accepted"},
        {"status": "accepted", "user": "bob", "requestId": "1"},
        {"status": "maybe", "user": "bob"},
        {"status": "accepted", "user": "bob", "rejectionReason": "why"},
        {"status": "rejected", "user": "bob", "rejectionReason": "x" * 2000},
        {"user": "bob"},
    ],
)
def test_decisions_that_make_no_sense(live: LiveHub, alice: HfApi, body: dict[str, Any]) -> None:
    ask(live, "bob")
    url = f"{live.endpoint}/api/models/{REPO}/user-access-request"
    headers = {"authorization": f"Bearer {alice.token}"}
    assert httpx2.post(f"{url}/handle", json=body, headers=headers).status_code == 400
    assert httpx2.get(f"{url}/maybe", headers=headers).status_code == 400
    assert httpx2.get(f"{url}/pending?cursor=AA==", headers=headers).status_code == 400
    assert users(alice.list_pending_access_requests) == ["bob"]


def test_long_answers_are_refused(live: LiveHub, alice: HfApi) -> None:
    assert ask(live, "bob", json={"fields": {f"field{n}": "x" * 250 for n in range(100)}}).status_code == 400
    assert ask(live, "bob", json={"fields": {"a": {"b": 1}}}).status_code == 400
    assert users(alice.list_pending_access_requests) == []
