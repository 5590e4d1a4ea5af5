"""Which Hub is meant and which token it gets, with a live Hub on the other end."""

import json
import stat
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from huggingface_hub import constants

from pytupli_registry.errors import FormatError, HubError, HubUnreachable, UnsafeFile
from pytupli_registry.hub import credentials, device_login, identity
from pytupli_registry.hub.credentials import Access, normal, resolve
from pytupli_registry.hub.logins import Login, LoginStore
from pytupli_registry.server.services import device_logins
from pytupli_registry.server.services.callers import authenticate
from tests.server.support.live import LiveHub

ACME = "https://data.acme.example"
OTHER = "https://hub.other.example"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoginStore]:
    """A machine on which nobody has logged in to anything."""
    monkeypatch.setenv("PYTUPLI_CONFIG_PATH", str(tmp_path / "config"))
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", credentials.PUBLIC_ENDPOINT)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    return LoginStore(tmp_path / "config")


@pytest.fixture
def stock_login(tmp_path: Path) -> Callable[[str], None]:
    """What `hf auth login` leaves behind."""

    def log_in(token: str) -> None:
        (tmp_path / "hf").mkdir(exist_ok=True)
        (tmp_path / "hf" / "token").write_text(token)

    return log_in


def test_without_anything_it_is_the_public_hub_and_nobody() -> None:
    assert resolve() == Access("https://huggingface.co", None)


def test_the_last_login_is_meant_and_each_endpoint_has_its_own_token(store: LoginStore) -> None:
    store.remember(ACME, Login("ada", "hf_acme"))
    store.remember(OTHER, Login("bob", "hf_other"))
    assert resolve() == Access(OTHER, "hf_other", "pytupli login")
    assert resolve(ACME) == Access(ACME, "hf_acme", "pytupli login")
    assert resolve(ACME + "/") == resolve("data.acme.example")
    assert resolve("https://nobody.example").token is None
    assert resolve(ACME, token=False).token is None
    store.forget(OTHER)
    assert resolve() == Access("https://huggingface.co", None)  # none is chosen in its place
    assert resolve(ACME).token == "hf_acme"


def test_the_environment_wins(store: LoginStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.remember(ACME, Login("ada", "hf_acme"))
    monkeypatch.setenv("HF_ENDPOINT", OTHER + "/")
    assert resolve() == Access(OTHER, None)
    monkeypatch.setenv("HF_TOKEN", "hf_env")
    assert resolve() == Access(OTHER, "hf_env", "HF_TOKEN")
    monkeypatch.setenv("HF_ENDPOINT", ACME)
    assert resolve() == Access(ACME, "hf_env", "HF_TOKEN")


def test_tokens_of_the_environment_go_to_no_other_endpoint(
    store: LoginStore, monkeypatch: pytest.MonkeyPatch, stock_login: Callable[[str], None]
) -> None:
    stock_login("hf_file")
    monkeypatch.setenv("HF_TOKEN", "hf_env")
    store.remember(ACME, Login("ada", "hf_acme"))
    assert resolve().token == "hf_acme"  # HF_TOKEN is for huggingface.co here
    assert resolve("https://huggingface.co").token == "hf_env"
    assert resolve(OTHER).token is None
    monkeypatch.setenv("HF_ENDPOINT", OTHER)
    assert resolve("https://huggingface.co").token is None


def test_the_later_login_wins(
    store: LoginStore, monkeypatch: pytest.MonkeyPatch, stock_login: Callable[[str], None]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", ACME)
    store.remember(ACME, Login("ada", "hf_acme"))
    stock_login("hf_later")
    assert resolve() == Access(ACME, "hf_later", "hf auth login")
    store.remember(ACME, Login("ada", "hf_latest", instead_of=credentials.digest_of("hf_later")))
    assert resolve() == Access(ACME, "hf_latest", "pytupli login")
    stock_login("hf_again")
    assert resolve() == Access(ACME, "hf_again", "hf auth login")


def test_what_a_token_is_said_to_be_never_shows_it(store: LoginStore) -> None:
    store.remember(ACME, Login("ada", "hf_secret", "refresh-secret", time.time() + 1e7))
    shown = repr((resolve(), store.all(), device_login.Grant("hf_secret", "refresh-secret", None)))
    assert "secret" not in shown


def test_the_file_is_the_owners_alone(store: LoginStore) -> None:
    store.remember(ACME, Login("ada", "hf_acme"))
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert [path.name for path in store.path.parent.iterdir() if path.suffix == ".json"] == ["logins.json"]
    store.path.chmod(0o644)
    with pytest.raises(UnsafeFile, match="others may read it"):
        resolve()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "endpoint": null, "logins": {}}',
        '{"version": 1, "endpoint": 3, "logins": {}}',
        '{"version": 1, "endpoint": null, "logins": {"https://a": {"user": "a"}}}',
        '{"version": 1, "endpoint": null, "logins": {"https://a": {"user": "a", "token": 5}}}',
        '{"version": 1, "endpoint": null, "logins": {"https://a": {"user": "a", "token": "hf_secret", "x": 1}}}',
        '{"version": 1, "endpoint": null, "logins": {"https://a": {"user": "a", "token": "hf_secret"',
    ],
)
def test_a_damaged_file_is_told_without_its_tokens(store: LoginStore, content: str) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.touch(0o600)
    store.path.write_text(content)
    with pytest.raises(FormatError, match="no remembered logins") as caught:
        resolve()
    assert "hf_secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("data.acme.example", "https://data.acme.example"),
        (" HTTPS://Data.Acme.Example:443/ ", "https://data.acme.example"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:80/hub/", "http://[::1]/hub"),
    ],
)
def test_urls_are_compared_in_one_form(given: str, expected: str) -> None:
    assert normal(given) == expected


@pytest.mark.parametrize(
    "given",
    ["ftp://a", "https://", "https://ada:pw@a.example", "https://a/?q=1", "https://a/#x", "https://a b", "https://a:99999", "https://[::1"],
)  # fmt: skip
def test_what_is_no_url_of_a_hub(given: str) -> None:
    with pytest.raises(HubError, match="no URL of a Hub"):
        normal(given)


def test_a_token_is_verified_before_it_is_remembered(hub: LiveHub, store: LoginStore) -> None:
    who = identity.log_in(hub.endpoint, f"  {hub.person('alice').token}\n")
    assert (who.name, who.token_role, who.endpoint) == ("alice", "write", hub.endpoint)
    assert resolve() == Access(hub.endpoint, hub.person("alice").token, "pytupli login")
    assert identity.whoami().name == "alice"
    before = store.path.read_bytes()
    for wrong in ("hf_wrong", "", "hf_with space", "hf_tök"):
        with pytest.raises(HubError):
            identity.log_in(hub.endpoint, wrong)
    assert store.path.read_bytes() == before
    assert identity.log_out() == (hub.endpoint, True)
    assert identity.log_out(hub.endpoint) == (hub.endpoint, False)
    assert identity.whoami(hub.endpoint).name is None


def test_a_void_token_says_where_it_came_from(hub: LiveHub, store: LoginStore) -> None:
    store.remember(hub.endpoint, Login("alice", "hf_void"))
    with pytest.raises(HubError, match="does not take the token of pytupli login") as caught:
        identity.whoami()
    assert "pytupli login http" in str(caught.value.hint)


def consent(hub: LiveHub, user: str, code: str, *, allow: bool = True) -> None:
    with hub.hub.database.write() as session:
        caller = authenticate(session, hub.person(user).token)
        device_logins.answer(session, caller, code, allow=allow)


@pytest.fixture
def person(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """A person who does something while the program waits."""

    def does(login: device_login.DeviceLogin, *answers: Callable[[], Any]) -> list[float]:
        waited: list[float] = []

        def sleep(seconds: float) -> None:
            if len(waited) < len(answers):
                answers[len(waited)]()
            waited.append(seconds)

        monkeypatch.setattr(time, "sleep", sleep)
        return waited

    return does


def test_a_login_in_the_browser_and_its_end(
    hub: LiveHub, store: LoginStore, person: Callable[..., list[float]]
) -> None:
    begun = device_login.begin(hub.endpoint)
    assert begun.code in begun.page
    assert begun.page.startswith(hub.endpoint)
    waited = person(begun, lambda: consent(hub, "bob", begun.code))
    grant = device_login.finish(begun)
    assert waited == [begun.interval_s]
    identity.log_in(
        hub.endpoint,
        grant.token,
        refresh_token=grant.refresh_token,
        expires_at=grant.expires_at,
        device_code=begun.code,
    )
    assert identity.whoami().name == "bob"
    # A token that is about to end is renewed in passing, and the new one is kept.
    login = store.find(hub.endpoint)
    assert login is not None
    store.remember(hub.endpoint, Login("bob", "hf_old", login.refresh_token, time.time() + 5, login.device))
    renewed = resolve().token
    assert renewed not in (None, "hf_old", grant.token)
    assert store.find(hub.endpoint).token == renewed
    assert identity.whoami().name == "bob"
    # Logging out ends all of it on the Hub.
    identity.log_out()
    for token in (renewed, grant.token):
        with pytest.raises(HubError) as caught:
            identity.whoami(hub.endpoint, token)
        assert caught.value.status == 401
    with pytest.raises(HubError):
        device_login.refresh(hub.endpoint, str(grant.refresh_token))


def test_a_login_that_is_refused(hub: LiveHub, person: Callable[..., list[float]]) -> None:
    begun = device_login.begin(hub.endpoint)
    person(begun, lambda: consent(hub, "bob", begun.code, allow=False))
    with pytest.raises(HubError, match="refused"):
        device_login.finish(begun)


def test_a_token_that_cannot_be_renewed_now_is_used_as_it_is(store: LoginStore) -> None:
    login = Login("ada", "hf_old", "refresh", time.time() + 5)
    store.remember("http://127.0.0.1:9", login)
    assert resolve().token == "hf_old"
    assert store.find("http://127.0.0.1:9") == login
    with pytest.raises(HubUnreachable):
        identity.whoami()


def test_a_redirect_does_not_take_the_token_along(store: LoginStore) -> None:
    seen: dict[str, str | None] = {}

    def hub_at(port_of_the_other: int | None) -> HTTPServer:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                here = "first" if port_of_the_other else "second"
                seen[here] = self.headers.get("Authorization")
                if port_of_the_other:
                    self.send_response(302)
                    self.send_header("Location", f"http://127.0.0.1:{port_of_the_other}{self.path}")
                    self.end_headers()
                    return
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"name": "ada"}')

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        return server

    second = hub_at(None)
    first = hub_at(second.server_port)
    endpoint = f"http://127.0.0.1:{first.server_port}"
    store.remember(endpoint, Login("ada", "hf_secret"))
    identity.whoami(endpoint)
    assert seen == {"first": "Bearer hf_secret", "second": None}
    for server in (first, second):
        server.shutdown()
        server.server_close()


def test_two_processes_do_not_lose_each_others_logins(store: LoginStore) -> None:
    other = LoginStore(store.path.parent)
    store.remember(ACME, Login("ada", "hf_acme"))
    other.remember(OTHER, Login("bob", "hf_other"), choose=False)
    assert set(store.all()) == {ACME, OTHER}
    assert json.loads(store.path.read_text())["endpoint"] == ACME
