"""Likes, through the stock client and our own POST."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator

FAMILIES = {"model": "models", "dataset": "datasets", "space": "spaces"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    hub = LiveHub(tmp_path_factory.mktemp("hub"), page_size=2).start()
    hub.organization("acme", alice="admin")
    for name in ("bob", "carl", "dora"):
        hub.person(name)
    for kind in FAMILIES:
        space = {"space_sdk": "static"} if kind == "space" else {}
        hub.api("alice").create_repo("acme/hvac", repo_type=kind, private=False, **space)
    hub.api("alice").create_repo("acme/hidden", repo_type="dataset", private=True)
    yield hub
    hub.stop()


def like(hub: LiveHub, name: str, kind: str = "dataset", repo: str = "acme/hvac") -> httpx2.Response:
    headers = {"authorization": f"Bearer {hub.person(name).token}"}
    return httpx2.post(f"{hub.endpoint}/api/{FAMILIES[kind]}/{repo}/like", headers=headers)


def test_likes_come_and_go(live: LiveHub) -> None:
    for kind in FAMILIES:
        assert like(live, "bob", kind).json() == {"liked": True, "likes": 1}
    assert like(live, "bob").json() == {"liked": True, "likes": 1}
    assert like(live, "carl").json() == {"liked": True, "likes": 2}
    assert like(live, "dora").json() == {"liked": True, "likes": 3}
    api = live.api("bob")
    assert api.dataset_info("acme/hvac").likes == 3
    liked = api.list_liked_repos()
    assert (liked.user, liked.total) == ("bob", 3)
    assert liked.datasets == liked.models == liked.spaces == ["acme/hvac"]
    likers = list(api.list_repo_likers("acme/hvac", repo_type="dataset"))
    assert [(user.username, user.fullname) for user in likers] == [
        (name, name) for name in ("bob", "carl", "dora")
    ]
    for _ in range(2):
        api.unlike("acme/hvac", repo_type="dataset")
        assert api.dataset_info("acme/hvac").likes == 2
    assert api.list_liked_repos().datasets == []


def test_likes_of_hidden_repositories_are_hidden(live: LiveHub) -> None:
    assert like(live, "alice", repo="acme/hidden").status_code == 200
    assert live.api("alice").list_liked_repos().datasets == ["acme/hidden"]
    assert live.api("bob").list_liked_repos("alice").total == 0
    assert live.api().list_liked_repos("ALICE").total == 0
    assert like(live, "bob", repo="acme/hidden").json() == like(live, "bob", repo="acme/hiddem").json() | {
        "error": "Repository not found"
    }
    with pytest.raises(RepositoryNotFoundError):
        live.api("bob").unlike("acme/hidden", repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError):
        live.api("bob").unlike("missing_repo_id")


def test_who_may_like(live: LiveHub) -> None:
    with pytest.raises(HfHubHTTPError, match="401"):
        live.api().unlike("acme/hvac", repo_type="dataset")
    reading = HfApi(endpoint=live.endpoint, token=live.token("bob", role="read"))
    with pytest.raises(HfHubHTTPError, match="403"):
        reading.unlike("acme/hvac", repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="404"):
        reading.list_liked_repos("acme")
    for cursor in ("x", "LTE=", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMg==", "AA=="):
        url = f"{live.endpoint}/api/users/bob/likes"
        assert httpx2.get(url, params={"cursor": cursor}).status_code == 400
