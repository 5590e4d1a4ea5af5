"""Asking for access to a gated repository."""

import pytest

from tests.server.support.live import LiveHub
from tests.server.web.browser import Browser


@pytest.fixture
def gated(hub: LiveHub) -> str:
    hub.organization("acme", olga="admin", rita="read")
    api = hub.api("olga")
    for kind in ("dataset", "model"):
        api.create_repo("acme/gated", repo_type=kind, private=False)
        api.update_repo_settings("acme/gated", repo_type=kind, gated="manual")
    return "acme/gated"


@pytest.mark.parametrize(("path", "kind"), [("/datasets/acme/gated", "dataset"), ("/acme/gated", "model")])
def test_asking(alice: Browser, hub: LiveHub, gated: str, path: str, kind: str) -> None:
    page = alice.get(f"{path}/ask-access")
    assert f"Access to {kind} acme/gated" in page.text
    page = alice.submit(page, "/ask-access")
    assert page.path == f"{path}/ask-access"
    assert "have not answered" in page.text
    api = hub.api("olga")
    assert [asked.username for asked in api.list_pending_access_requests(gated, repo_type=kind)] == ["alice"]
    api.accept_access_request(gated, "alice", repo_type=kind)
    assert "You may read its files" in alice.get(f"{path}/ask-access").text


def test_what_one_may_not_see_does_not_exist(
    alice: Browser, browser: Browser, hub: LiveHub, gated: str
) -> None:
    hub.api("olga").create_repo("acme/secret", repo_type="dataset", private=True)
    shown = [
        alice.client.get(f"/datasets/acme/{name}/ask-access").text.replace(name, "NAME")
        for name in ("secret", "nothing")
    ]
    assert shown[0] == shown[1]
    assert "not found" in shown[0]


def test_strangers_log_in_first(browser: Browser, gated: str) -> None:
    assert browser.get("/datasets/acme/gated/ask-access").path.startswith("/login?next=")


def test_nothing_to_ask_for(alice: Browser, hub: LiveHub) -> None:
    hub.api("alice").create_repo("alice/open", repo_type="dataset")
    assert "open to all" in alice.get("/datasets/alice/open/ask-access").text
