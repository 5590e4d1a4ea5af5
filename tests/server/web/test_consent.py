"""The device login as a whole: the stock client asks, a browser consents."""

import re
from collections.abc import Iterator

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import DeviceCodeError, HfHubHTTPError
from huggingface_hub.utils import _oauth_device as device

from tests.server.support.live import LiveHub
from tests.server.web.browser import Browser
from tests.server.web.conftest import PASSWORD


@pytest.fixture(autouse=True)
def endpoint(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    return hub.endpoint


def consent(browser: Browser, url: str, decision: str = "allow") -> str:
    page = browser.get(url)
    return browser.submit(page, "/oauth/consent", decision=decision).text


def test_the_whole_way(alice: Browser, hub: LiveHub) -> None:
    asked = device.request_device_code()
    assert asked["verification_uri"] == f"{hub.endpoint}/oauth/consent"
    assert "logged in as alice" in consent(alice, asked["verification_uri_complete"])
    granted = device.poll_device_token(asked)
    account = HfApi(endpoint=hub.endpoint, token=granted["access_token"]).whoami()
    assert account["name"] == "alice"
    token = account["auth"]["accessToken"]
    assert token["role"] == "write"
    assert token["displayName"] == f"device {asked['user_code']}"
    assert granted["expires_in"] == hub.settings.access_token_expires_s
    # The code has done its work.
    with pytest.raises(DeviceCodeError) as caught:
        device.poll_device_token(asked)
    assert caught.value.error_code == "invalid_grant"


def test_a_typed_code(alice: Browser, hub: LiveHub) -> None:
    asked = device.request_device_code()
    page = alice.get(asked["verification_uri"])
    page = alice.submit(page, "/oauth/consent", user_code=f" {asked['user_code'].lower().replace('-', ' ')} ")
    assert asked["user_code"] in page.text
    alice.submit(page, "/oauth/consent", decision="allow")
    assert device.poll_device_token(asked)["access_token"].startswith("hf_")


def test_refusal(alice: Browser) -> None:
    asked = device.request_device_code()
    assert "refused" in consent(alice, asked["verification_uri_complete"], "refuse")
    with pytest.raises(DeviceCodeError) as caught:
        device.poll_device_token(asked)
    assert caught.value.error_code == "access_denied"


def test_nobody_consents_without_logging_in(browser: Browser) -> None:
    asked = device.request_device_code()
    assert browser.get(asked["verification_uri_complete"]).path.startswith("/login")


def test_codes_cannot_be_guessed(alice: Browser) -> None:
    asked = device.request_device_code()
    for _ in range(4):
        assert alice.get("/oauth/consent?user_code=BBBB-BBBB").status == 404
    assert alice.get(asked["verification_uri_complete"]).status == 429


def test_a_new_password_ends_device_logins(alice: Browser, hub: LiveHub) -> None:
    asked, waiting = device.request_device_code(), device.request_device_code()
    consent(alice, asked["verification_uri_complete"])
    granted = device.poll_device_token(asked)
    consent(alice, waiting["verification_uri_complete"])
    page = alice.get("/settings/password")
    alice.submit(page, "/settings/password", current=PASSWORD, password=PASSWORD + "x", again=PASSWORD + "x")
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        HfApi(endpoint=hub.endpoint, token=granted["access_token"]).whoami()
    with pytest.raises(DeviceCodeError):
        device.refresh_access_token(granted["refresh_token"])
    with pytest.raises(DeviceCodeError):  # consent given with the old password
        device.poll_device_token(waiting)


def test_refreshing(alice: Browser, hub: LiveHub) -> None:
    asked = device.request_device_code()
    consent(alice, asked["verification_uri_complete"])
    first = device.poll_device_token(asked)
    second = device.refresh_access_token(first["refresh_token"])
    assert second["access_token"] != first["access_token"]
    for granted in (first, second):  # uploads under way still carry the first
        assert HfApi(endpoint=hub.endpoint, token=granted["access_token"]).whoami()["name"] == "alice"
    listed = alice.get("/settings/tokens")
    assert listed.text.count("device login") == 1
    row = next(form for form in listed.forms if form.fields.get("name") == f"device {asked['user_code']}")
    alice.client.post(row.action, data=row.fields)
    for granted in (first, second):
        with pytest.raises(HfHubHTTPError):
            HfApi(endpoint=hub.endpoint, token=granted["access_token"]).whoami()
    # A refresh token is no access token.
    with pytest.raises(HfHubHTTPError):
        HfApi(endpoint=hub.endpoint, token=first["refresh_token"]).whoami()


def test_the_page_says_what_waits(alice: Browser) -> None:
    asked = device.request_device_code()
    page = alice.get(asked["verification_uri_complete"])
    assert asked["user_code"] in page.text
    assert "alice" in page.text
    assert re.search(r"\d\d:\d\d:\d\d UTC", page.text)
