"""What is true of every page: no scripts, careful headers, escaped text, forms that only we can make."""

import re
from pathlib import Path

import httpx2
import pytest

from tests.server.support.live import LiveHub
from tests.server.web.browser import Browser
from tests.server.web.conftest import PASSWORD

PATHS = (
    "/",
    "/login",
    "/settings/tokens",
    "/settings/password",
    "/oauth/consent",
    "/join",
    "/datasets/a/b/ask-access",
)


@pytest.mark.parametrize("path", PATHS)
def test_headers(alice: Browser, path: str) -> None:
    page = alice.get(path)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.scripts == 0
    assert page.handlers == []


def test_what_a_page_refers_to_is_there(browser: Browser) -> None:
    text = browser.client.get("/login").text
    linked = re.findall(r'(?:href|src)="([^"]+)"', text)
    assert any(path.endswith(".css") for path in linked)
    for path in linked:
        answer = browser.client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert browser.client.get("/static/style.css").headers["content-type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize("name", ["..%2Fpages.py", "%2e%2e", "pages.py", "login.html", "a%00b"])
def test_nothing_else_is_served(browser: Browser, name: str) -> None:
    assert browser.client.get(f"/static/{name}").status_code == 404


def test_what_was_typed_is_escaped(browser: Browser) -> None:
    page = browser.log_in("<script>alert(1)</script>", "x")
    assert page.status == 401
    assert page.scripts == 0
    assert page.form("/login").fields["name"] == "<script>alert(1)</script>"


def test_pages_below_a_prefix(tmp_path: Path) -> None:
    live = LiveHub(tmp_path / "deep", public_url="https://hub.example/deep").start()
    answer = httpx2.get(f"{live.endpoint}/deep/login")
    live.stop()
    assert 'action="/deep/login"' in answer.text
    cookie = answer.headers["set-cookie"]
    assert "Path=/deep/" in cookie
    assert "Secure" in cookie


FORMS = (
    ("/login", {"name": "alice", "password": PASSWORD}),
    ("/logout", {}),
    ("/join", {"name": "carl", "password": PASSWORD, "again": PASSWORD}),
    ("/settings/tokens", {"name": "t", "role": "write", "days": "30"}),
    ("/settings/tokens/revoke", {"name": "tests"}),
    ("/settings/password", {"current": PASSWORD, "password": PASSWORD, "again": PASSWORD}),
    ("/oauth/consent", {"user_code": "BCDF-GHJK", "decision": "allow"}),
    ("/datasets/a/b/ask-access", {}),
    ("/spaces/a/b/ask-access", {}),
    ("/a/b/ask-access", {}),
)


def test_every_form_is_in_the_list_above(hub: LiveHub) -> None:
    from pytupli_registry.server.web import PAGES

    routes = [route for router in PAGES for route in router.routes]
    posted = {route.path.format(namespace="a", name="b") for route in routes if "POST" in route.methods}
    assert posted == {path for path, _ in FORMS}
    assert {method for route in routes for method in route.methods} == {"GET", "POST"}


@pytest.mark.parametrize(("path", "typed"), FORMS, ids=[path for path, _ in FORMS])
def test_a_form_from_elsewhere_does_nothing(
    alice: Browser, hub: LiveHub, path: str, typed: dict[str, str]
) -> None:
    def refused(form: str | None, **headers: str) -> None:
        sent = typed if form is None else {**typed, "form": form}
        answer = alice.client.post(path, data=sent, headers=headers, follow_redirects=False)
        assert answer.status_code == 403, answer.text
        assert "set-cookie" not in answer.headers

    good = alice.get("/settings/tokens").form("/settings/tokens").fields["form"]
    with Browser(hub.endpoint) as other:
        others = other.get("/login").form("/login").fields["form"]
    refused(None)
    refused("")
    refused(others)  # of another browser
    refused(("A" if good[0] != "A" else "B") + good[1:])
    refused(hub.hub.signer.sign("session", {"b": "x"}, expires_s=60))  # signed for something else
    refused(good, **{"Sec-Fetch-Site": "cross-site"})


def test_a_form_is_bound_to_its_session(alice: Browser) -> None:
    page = alice.get("/settings/tokens")
    before = dict(page.form("/settings/tokens").fields)
    alice.submit(page, "/logout")
    alice.log_in("alice", PASSWORD)
    answer = alice.client.post("/settings/tokens", data={**before, "name": "t", "role": "read", "days": "7"})
    assert answer.status_code == 403


def test_a_form_that_makes_no_sense(alice: Browser) -> None:
    page = alice.submit(alice.get("/settings/tokens"), "/settings/tokens", name="t", role="owner", days="30")
    assert page.status == 400
    assert "not filled in" in page.text
    assert page.headers["content-type"].startswith("text/html")
