"""``pytupli login``, ``logout`` and ``whoami`` against a live Hub."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from huggingface_hub import constants

from pytupli_registry.cli import main
from pytupli_registry.server.database.schema import DeviceLogin
from pytupli_registry.server.services import device_logins
from pytupli_registry.server.services.callers import authenticate
from tests.server.support.live import LiveHub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path_factory.mktemp("hub") / "hub").start()
    live.organization("acme", alice="admin")
    yield live
    live.stop()


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nobody has logged in to anything."""
    monkeypatch.setenv("PYTUPLI_CONFIG_PATH", str(tmp_path))
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "stock"))
    return tmp_path


def pytupli(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=typed, prog_name="pytupli")


def told(*arguments: str, typed: str | None = None) -> str:
    result = pytupli(*arguments, typed=typed)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def as_json(*arguments: str, typed: str | None = None) -> Any:
    return json.loads(told(*arguments, "--json", typed=typed))


def test_in_by_token_and_out(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    token = hub.person("alice").token
    said = as_json("login", hub.endpoint, "--token-stdin", typed=token + "\n")
    assert (said["endpoint"], said["name"], said["token_role"]) == (hub.endpoint, "alice", "write")
    assert token not in json.dumps(said)
    who = as_json("whoami")
    assert (who["name"], who["organizations"], who["source"]) == ("alice", {"acme": "admin"}, "pytupli login")
    assert "acme (admin)" in told("whoami")
    assert "acme" in told("org", "list")  # every command that speaks to a Hub uses it
    monkeypatch.setenv("HF_TOKEN", "hf_of_another_hub")
    noted = pytupli("whoami")
    assert "alice" in noted.stdout
    assert "belongs to another Hub" in noted.stderr
    assert f"Logged out of {hub.endpoint}." in told("logout", hub.endpoint)
    assert as_json("logout", hub.endpoint)["logged_out"] is False
    assert "nobody" in told("whoami", hub.endpoint)


def test_a_wrong_token_is_not_shown_and_not_kept(hub: LiveHub, machine: Path) -> None:
    result = pytupli("login", hub.endpoint, "--token", typed="hf_mistyped\n")
    assert result.exit_code == 1
    assert "does not take the token" in result.stderr
    assert "hf_mistyped" not in result.output
    assert not (machine / "logins.json").exists()


def test_in_by_browser(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    token = hub.person("bob").token

    def consent(_: float) -> None:
        with hub.hub.database.write() as session:
            (code,) = [login.user_code for login in session.query(DeviceLogin)]
            device_logins.answer(session, authenticate(session, token), code, allow=True)

    monkeypatch.setattr(time, "sleep", consent)
    result = pytupli("login", hub.endpoint)
    assert result.exit_code == 0, result.stderr
    assert f"Logged in to {hub.endpoint} as bob" in result.stdout
    assert f"Open {hub.endpoint}/oauth/consent?user_code=" in result.stderr
    assert as_json("whoami")["name"] == "bob"


def test_the_environment_wins_and_one_is_told(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = pytupli("login", hub.endpoint, "--token-stdin", typed=hub.person("alice").token)
    assert "HF_ENDPOINT still names http://127.0.0.1:9, and wins." in result.stderr
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("HF_TOKEN", hub.person("bob").token)
    result = pytupli("login", "--token-stdin", typed=hub.person("alice").token)
    assert "HF_TOKEN is set, and wins." in result.stderr
    assert as_json("whoami")["name"] == "bob"


def test_an_address_that_is_not_encrypted() -> None:
    result = pytupli("login", "http://data.acme.invalid", "--token-stdin", typed="hf_x\n")
    assert "is not encrypted" in result.stderr
    assert result.exit_code == 1
