"""One's tokens and password."""

import re

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.server.support.live import LiveHub
from tests.server.web.browser import Browser
from tests.server.web.conftest import PASSWORD

NEW = "another long password"


def made_token(page_text: str) -> str:
    return re.search(r"hf_\w{43}", page_text)[0]


def test_a_token_is_shown_once_and_works(alice: Browser, hub: LiveHub) -> None:
    page = alice.get("/settings/tokens")
    page = alice.submit(page, "/settings/tokens", name="laptop", role="read", days="30")
    token = made_token(page.text)
    found = HfApi(endpoint=hub.endpoint, token=token).whoami()["auth"]["accessToken"]
    assert (found["displayName"], found["role"]) == ("laptop", "read")
    assert found["expiresAt"]
    page = alice.get("/settings/tokens")
    assert token not in page.response.text
    assert "laptop token read" in page.text
    again = alice.submit(page, "/settings/tokens", name="laptop", role="read", days="30")
    assert (again.status, "already" in again.text) == (409, True)


def test_a_revoked_token_is_void_at_once(alice: Browser, hub: LiveHub) -> None:
    page = alice.get("/settings/tokens")
    row = next(form for form in page.forms if form.fields.get("name") == "tests")
    api = hub.api("alice")
    assert api.whoami()
    answer = alice.client.post(row.action, data=row.fields)
    assert answer.url.path == "/settings/tokens"
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        api.whoami()


def test_others_tokens_cannot_be_revoked(alice: Browser, hub: LiveHub) -> None:
    hub.person("bob")
    hub.token("bob", label="only-bobs")
    page = alice.get("/settings/tokens")
    row = next(form for form in page.forms if form.fields.get("name") == "tests")
    assert alice.client.post(row.action, data={**row.fields, "name": "only-bobs"}).status_code == 404
    assert hub.api("bob").whoami()


@pytest.mark.parametrize("revoke", [False, True])
def test_a_new_password_ends_what_the_old_one_began(alice: Browser, hub: LiveHub, revoke: bool) -> None:
    with Browser(hub.endpoint) as elsewhere:
        assert elsewhere.log_in("alice", PASSWORD).path == "/settings/tokens"
        page = alice.get("/settings/password")
        ticked = {"revoke": "yes"} if revoke else {}
        page = alice.submit(page, "/settings/password", current=PASSWORD, password=NEW, again=NEW, **ticked)
        assert "have ended" in page.text
        assert ("Access tokens stay valid" in page.text) is not revoke
        for browser in (alice, elsewhere):
            assert browser.get("/settings/tokens").path.startswith("/login")
    if revoke:
        with pytest.raises(HfHubHTTPError, match="Invalid user token"):
            hub.api("alice").whoami()
    else:
        assert hub.api("alice").whoami()
    assert alice.log_in("alice", PASSWORD).status == 401
    assert alice.log_in("alice", NEW).path == "/settings/tokens"


@pytest.mark.parametrize(
    ("typed", "status", "said"),
    [
        ({"current": "wrong", "password": NEW, "again": NEW}, 401, "wrong"),
        ({"current": PASSWORD, "password": NEW, "again": NEW + "x"}, 400, "differ"),
        ({"current": PASSWORD, "password": "short", "again": "short"}, 400, "10 to 1024"),
    ],
)
def test_a_password_that_is_not_changed(
    alice: Browser, typed: dict[str, str], status: int, said: str
) -> None:
    page = alice.submit(alice.get("/settings/password"), "/settings/password", **typed)
    assert page.status == status
    assert said in page.text
    assert alice.get("/settings/tokens").path == "/settings/tokens"  # still logged in
