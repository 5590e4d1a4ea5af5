"""The two routes of device logins as HTTP; tests/server/web has the whole way through a browser."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.server.support.live import LiveHub

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    live = LiveHub(tmp_path_factory.mktemp("oauth") / "hub", login_attempts=5).start()
    with httpx2.Client(base_url=live.endpoint) as opened:
        yield opened
    live.stop()


def test_what_a_login_begins_with(client: httpx2.Client) -> None:
    answer = client.post("/oauth/device", data={"client_id": "some-program"})
    said = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert set(said) == {
        "device_code",
        "user_code",
        "verification_uri",
        "verification_uri_complete",
        "interval",
        "expires_in",
    }
    assert said["verification_uri_complete"].endswith(f"?user_code={said['user_code']}")
    assert (said["interval"], said["expires_in"]) == (5, 900)
    assert len(said["device_code"]) >= 43


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"data": {"grant_type": DEVICE, "device_code": "x"}}, "invalid_grant"),
        ({"data": {"grant_type": DEVICE}}, "invalid_grant"),
        ({"data": {"grant_type": "refresh_token", "refresh_token": "x"}}, "invalid_grant"),
        ({"data": {"grant_type": "password", "username": "alice"}}, "unsupported_grant_type"),
        ({"data": {}}, "unsupported_grant_type"),
        # A CI's login by its own identity (RFC 8693), which comes as JSON.
        (
            {"json": {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"}},
            "unsupported_grant_type",
        ),
        ({"content": b"\xff\x00", "headers": {"Content-Type": "application/json"}}, "unsupported_grant_type"),
    ],
)
def test_refusals_are_as_oauth_wants_them(client: httpx2.Client, sent: dict, error: str) -> None:
    answer = client.post("/oauth/token", **sent)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert answer.json()["error_description"] == answer.headers["x-error-message"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "form",
    [
        {"client_id": "x" * 256},
        {"client_id": "a\nb"},
        {"client_id": "\x00"},
    ],
)
def test_impossible_clients(client: httpx2.Client, form: dict[str, str]) -> None:
    assert client.post("/oauth/device", data=form).status_code == 400


def test_nobody_begins_logins_without_end(tmp_path: Path) -> None:
    live = LiveHub(tmp_path / "hub", login_attempts=2).start()
    with httpx2.Client(base_url=live.endpoint) as client:
        answers = [client.post("/oauth/device", data={"client_id": "x"}) for _ in range(7)]
    live.stop()
    assert [answer.status_code for answer in answers] == [200] * 6 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
