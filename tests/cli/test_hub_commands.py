"""``pytupli org``, ``token`` and ``user`` against a live Hub."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from huggingface_hub import HfApi, constants

from pytupli_registry.cli import main
from tests.server.support.live import LiveHub

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path_factory.mktemp("hub") / "hub").start()
    live.person("root", is_admin=True)
    live.person("alice")
    live.person("bob")
    yield live
    live.stop()


@pytest.fixture(autouse=True)
def alice(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Alice is logged in, until somebody else is."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)

    def log_in(name: str) -> None:
        monkeypatch.setenv("HF_TOKEN", hub.person(name).token)

    log_in("alice")
    return log_in


def pytupli(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=typed, prog_name="pytupli")


def told(*arguments: str, typed: str | None = None) -> str:
    result = pytupli(*arguments, typed=typed)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def as_json(*arguments: str, typed: str | None = None) -> Any:
    return json.loads(told(*arguments, "--json", typed=typed))


def failed(*arguments: str, typed: str | None = None) -> str:
    result = pytupli(*arguments, typed=typed)
    assert result.exit_code == 1, result.stdout
    assert result.stdout == ""
    return result.stderr


@pytest.mark.parametrize("group", ["org", "token", "user"])
def test_help(group: str) -> None:
    listed = told(group, "--help")
    names = [line.split()[0] for line in listed.split("Commands:\n")[1].splitlines()]
    assert len(names) >= 3
    for name in names:
        assert told(group, name, "--help").startswith(f"Usage: pytupli {group} {name}")


def test_an_organization() -> None:
    assert "Created the organization acme; new repositories are private." in told("org", "create", "acme")
    assert "bob belongs to acme with the role read." in told("org", "add", "acme", "bob")
    assert "bob has the role contributor in acme." in told("org", "role", "acme", "bob", "contributor")
    members = {member["name"]: member["role"] for member in as_json("org", "members", "acme")}
    assert members == {"alice": "admin", "bob": "contributor"}
    assert "contributor" in told("org", "members", "acme")
    assert as_json("org", "add", "acme", "root", "--role", "write") == {
        "organization": "acme",
        "user": "root",
        "role": "write",
    }
    assert "bob does not belong to acme any more." in told("org", "remove", "acme", "bob")
    assert failed("org", "remove", "acme", "alice").startswith(
        "Error: The organization acme would be without an"
    )
    assert failed("org", "add", "acme", "nobody").startswith("Error: There is no user 'nobody'.")
    assert failed("org", "members", "acmee").startswith(
        "Error: There is no organization 'acmee', or its members"
    )


def test_settings_of_an_organization() -> None:
    told("org", "create", "guild", "--full-name", "The Guild", "--visibility", "public", "--public-members")
    settings = as_json("org", "settings", "guild")
    assert (settings["full_name"], settings["default_visibility"], settings["members_public"]) == (
        "The Guild",
        "public",
        True,
    )
    assert "default_visibility  private" in told("org", "settings", "guild", "--visibility", "private")
    assert as_json("org", "settings", "guild", "--private-members")["members_public"] is False
    assert "guild" in told("org", "list")
    assert "guild" in {found["name"] for found in as_json("org", "list")}
    assert pytupli("org", "delete", "guild", typed="n\n").exit_code != 0
    assert "Deleted" in told("org", "delete", "guild", "--yes")
    assert "guild" not in {found["name"] for found in as_json("org", "list")}


def test_tokens(hub: LiveHub) -> None:
    result = pytupli("token", "create", "ci", "--expires", "30d")
    text = result.stdout.strip()  # alone on standard output, for `> file`
    assert "shown only now" in result.stderr
    found = HfApi(endpoint=hub.endpoint, token=text).whoami()["auth"]["accessToken"]
    assert (found["displayName"], found["role"]) == ("ci", "read")
    listed = {token["name"]: token for token in as_json("token", "list")}["ci"]
    ends = datetime.fromisoformat(listed["expires_at"])
    assert timedelta(days=29, hours=23) < ends - datetime.now(UTC) <= timedelta(days=30)
    assert "ci" in told("token", "list")
    assert "already" in failed("token", "create", "ci")
    assert as_json("token", "create", "second", "--role", "write")["token"].startswith("hf_")
    assert "Revoked ci." in told("token", "revoke", "ci")
    assert "no token named 'ci'" in failed("token", "revoke", "ci")
    with pytest.raises(OSError, match="Invalid user token"):
        HfApi(endpoint=hub.endpoint, token=text).whoami()


@pytest.mark.parametrize("when", ["0d", "yesterday", "2020-01-01", "-3d", "9999-99-99", "30", "5m"])
def test_impossible_expiry(when: str) -> None:
    result = pytupli("token", "create", "late", "--expires", when)
    assert result.exit_code == 2
    assert "no time to come" in result.stderr


def test_users(alice: Callable[[str], None], hub: LiveHub) -> None:
    assert "Only administrators" in failed("user", "list")
    alice("root")
    made = as_json(
        "user", "create", "carl", "--email", "c@example.org", "--password-stdin", typed=PASSWORD + "\n"
    )
    assert (made["name"], made["email"], made["has_password"]) == ("carl", "c@example.org", True)
    assert "Created the user dora." in told("user", "create", "dora", "--no-password")
    asked = pytupli("user", "create", "eve", typed="short\nshort\n")
    assert "10 to 1024 characters" in asked.stderr
    assert {"carl", "dora", "alice"} <= {user["name"] for user in as_json("user", "list")}
    assert "carl" in told("user", "list")
    alice("nobody-in-particular")
    text = told(
        "token", "create", "first", "--user", "carl", "--password-stdin", typed=PASSWORD + "\n"
    ).strip()
    assert HfApi(endpoint=hub.endpoint, token=text).whoami()["name"] == "carl"
    alice("root")
    assert "Disabled carl" in told("user", "disable", "carl")
    with pytest.raises(OSError, match="Invalid user token"):
        HfApi(endpoint=hub.endpoint, token=text).whoami()
    assert "Enabled carl" in told("user", "enable", "carl")
    assert "carl is an administrator" in told("user", "admin", "carl")
    assert as_json("user", "admin", "carl", "--revoke")["is_admin"] is False
    assert "without an administrator" in failed("user", "disable", "root")


def test_passwords(alice: Callable[[str], None], hub: LiveHub) -> None:
    alice("root")
    assert "0 sessions and logins have ended" in told(
        "user", "password", "bob", typed=f"{PASSWORD}\n{PASSWORD}\n"
    )
    alice("bob")
    new = "another long one"
    assert "wrong" in failed("user", "password", "--password-stdin", typed=f"not it\n{new}\n")
    said = told("user", "password", "--password-stdin", "--revoke-tokens", typed=f"{PASSWORD}\n{new}\n")
    assert "Access tokens have ended" in said
    assert "Log in: pytupli login" in failed("org", "list")


def test_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "https://huggingface.co")
    result = pytupli("org", "list", "--json")
    assert result.exit_code == 1
    said = json.loads(result.stderr)["error"]
    assert said["type"] == "HubUnreachable"
    assert "HF_ENDPOINT" in said["hint"]
