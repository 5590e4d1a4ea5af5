"""Logging in: cookies, where one is sent afterwards, and what guessing meets."""

from pathlib import Path

import httpx2
import pytest

from tests.server.support.live import LiveHub
from tests.server.web.browser import Browser
from tests.server.web.conftest import PASSWORD


def test_login_and_logout(browser: Browser, hub: LiveHub) -> None:
    page = browser.get("/settings/tokens")
    assert page.path.startswith("/login")
    page = browser.log_in("ALICE", PASSWORD, page)  # names ignore case
    assert page.path == "/settings/tokens"
    cookie = browser.client.cookies["pytupli_session"]
    browser.submit(page, "/logout")
    assert browser.get("/settings/tokens").path.startswith("/login")
    # The session has ended on the server, too: a stolen cookie is worth nothing.
    browser.client.cookies.set("pytupli_session", cookie)
    assert browser.get("/settings/tokens").path.startswith("/login")


def test_cookies_are_for_nobody_else(browser: Browser) -> None:
    page = browser.get("/login")
    fields = {**page.form("/login").fields, "name": "alice", "password": PASSWORD}
    answer = browser.client.post("/login", data=fields, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/settings/tokens"
    for cookie in answer.headers.get_list("set-cookie"):
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie


def test_a_session_is_no_token_and_a_token_no_session(alice: Browser, hub: LiveHub) -> None:
    cookie = alice.client.cookies["pytupli_session"]
    bearer = {"Authorization": f"Bearer {cookie}"}
    assert httpx2.get(f"{hub.endpoint}/api/whoami-v2", headers=bearer).status_code == 401
    # Cookies mean nothing to the API, so that no other site can use it in our name.
    assert alice.client.get("/api/whoami-v2").status_code == 401
    alice.take_session(hub.person("alice").token)
    assert alice.get("/settings/tokens").path.startswith("/login")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\r\nX: y",
        "",
        "settings",
    ],
)
def test_only_our_pages_follow_a_login(browser: Browser, elsewhere: str) -> None:
    page = browser.get("/login")
    fields = {**page.form("/login").fields, "name": "alice", "password": PASSWORD, "next": elsewhere}
    answer = browser.client.post("/login", data=fields, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/tokens")


def test_the_page_one_wanted_follows_a_login(browser: Browser) -> None:
    page = browser.get("/oauth/consent?user_code=BCDF-GHJK")
    page = browser.log_in("alice", PASSWORD, page)
    assert page.path == "/oauth/consent?user_code=BCDF-GHJK"


def test_guessing_has_to_wait(browser: Browser, hub: LiveHub) -> None:
    texts = set()
    for attempt in range(4):
        page = browser.log_in("alice" if attempt % 2 else "nobody", "wrong")
        assert page.status == 401
        texts.add(page.text)
    assert len(texts) == 1  # whether a user exists is not told
    page = browser.log_in("alice", PASSWORD)  # the right one does not help any more
    assert page.status == 429
    assert 1 <= int(page.headers["retry-after"]) <= 600
    assert "q=4;w=600" in page.headers["ratelimit-policy"]
    # Other ways in count together.
    answer = httpx2.post(
        f"{hub.endpoint}/api/users/alice/tokens", json={"name": "t", "password": PASSWORD}, timeout=20
    )
    assert answer.status_code == 429
    # Who has a token is not disturbed.
    assert hub.api("alice").whoami()["name"] == "alice"


def test_right_passwords_are_not_counted(browser: Browser) -> None:
    for _ in range(6):
        page = browser.log_in("alice", PASSWORD)
        assert page.path == "/settings/tokens", page.text
        browser.submit(page, "/logout")


def test_a_disabled_user(alice: Browser, hub: LiveHub) -> None:
    from pytupli_registry.server.services.users import UserChanges, change_user

    with hub.hub.database.write() as session:
        change_user(session, "alice", UserChanges(disabled=True))
    assert alice.get("/settings/tokens").path.startswith("/login")
    page = alice.log_in("alice", PASSWORD)
    assert (page.status, "wrong" in page.text) == (401, True)


def test_nobody_registers_unless_allowed(browser: Browser) -> None:
    page = browser.get("/join")
    assert page.status == 404
    assert "/join" not in browser.client.get("/login").text


@pytest.fixture
def open_hub(tmp_path: Path):
    live = LiveHub(tmp_path / "open", allow_registration=True, login_attempts=3).start()
    yield live
    live.stop()


def test_registration(open_hub: LiveHub) -> None:
    with Browser(open_hub.endpoint) as browser:
        page = browser.get("/join")
        again = {"password": PASSWORD, "again": PASSWORD}
        refused = browser.submit(page, "/join", name="carl", **{**again, "again": "something else"})
        assert (refused.status, "differ" in refused.text) == (400, True)
        assert browser.submit(page, "/join", name="api", **again).status == 400  # a name of ours
        page = browser.submit(page, "/join", name="carl", **again)
        assert page.path == "/settings/tokens"
    with Browser(open_hub.endpoint) as browser:
        page = browser.get("/join")
        assert browser.submit(page, "/join", name="Carl", **again).status == 409
        assert browser.submit(page, "/join", name="dora", **again).status == 429
    made = httpx2.post(
        f"{open_hub.endpoint}/api/users", json={"name": "eve", "isAdmin": True, "password": PASSWORD}
    )
    assert made.status_code == 401
