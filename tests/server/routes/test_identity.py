"""Who one is, as the stock client asks; and that a credential ends at once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from sqlalchemy import select

from pytupli_registry.server.database.engine import Database
from pytupli_registry.server.database.schema import Token
from pytupli_registry.server.services.tokens import revoke_token
from pytupli_registry.server.services.users import UserChanges, change_user
from tests.server.support.live import LiveHub


@pytest.fixture(scope="module")
def hub(module_hub: LiveHub) -> LiveHub:
    return module_hub


@pytest.fixture
def other_process(hub: LiveHub) -> Iterator[Database]:
    """The same database, as another process opens it."""
    database = Database(hub.settings.database_url)
    yield database
    database.dispose()


def test_all_that_whoami_says(hub: LiveHub) -> None:
    said = hub.api("alice").whoami()
    assert said["type"] == "user"
    assert (said["name"], said["fullname"]) == ("alice", "alice")
    assert said["avatarUrl"].startswith(hub.endpoint)
    assert [(org["name"], org["roleInOrg"], org["type"]) for org in said["orgs"]] == [
        ("acme", "admin", "org")
    ]
    token = said["auth"]["accessToken"]
    assert (token["displayName"], token["role"]) == ("tests", "write")
    assert token["createdAt"].endswith("Z")
    assert said["auth"]["type"] == "access_token"


def test_names_of_tokens_tell_them_apart(hub: LiveHub) -> None:
    """The client keeps tokens under these names: two alike would overwrite each other."""
    tokens = [hub.token("bob", label=label, role="read") for label in ("one", "two")]
    shown = [HfApi(endpoint=hub.endpoint, token=token).whoami()["auth"]["accessToken"] for token in tokens]
    assert [(token["displayName"], token["role"]) for token in shown] == [("one", "read"), ("two", "read")]


def test_hf_auth_login(hub: LiveHub, tmp_path: Path) -> None:
    token = hub.token("bob", label="laptop")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_UPDATE_CHECK": "1"}

    def hf(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("hf")), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    hf("auth", "login", "--token", token)
    assert (tmp_path / "token").read_text() == token
    assert "laptop" in (tmp_path / "stored_tokens").read_text()
    assert "bob" in hf("auth", "whoami")


def test_what_every_client_asks_in_passing(hub: LiveHub) -> None:
    with httpx2.Client(base_url=hub.endpoint) as client:
        assert client.get("/api/agent-harnesses").json() == {"standardEnvVars": [], "harnesses": {}}
        assert client.head("/api/telemetry/huggingface_hub/import").status_code == 204


@pytest.mark.parametrize(
    "header",
    [
        "Bearer hf_nothing",
        "Bearer",
        "Basic",
        "Basic !!",
        "Basic eDp5",
        "Digest x",
        "hf_x",
        "Bearer " + "x" * 5000,
    ],
)
def test_credentials_that_are_none(hub: LiveHub, header: str) -> None:
    for path in ("/api/whoami-v2", "/api/datasets"):
        answer = httpx2.get(hub.endpoint + path, headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.headers["x-error-message"] == "Invalid credentials in Authorization header"


def test_a_revoked_token_ends_at_once_whoever_revokes_it(hub: LiveHub, other_process: Database) -> None:
    token = hub.token("bob", label="soon gone")
    api = HfApi(endpoint=hub.endpoint, token=token)
    for _ in range(3):  # what is remembered must be forgotten
        assert api.whoami()
        assert list(api.list_datasets()) == []
    with other_process.write() as session:
        revoke_token(session, hub.person("bob").user_id, "soon gone")
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        api.whoami()
    with pytest.raises(HfHubHTTPError, match="Invalid credentials"):
        list(api.list_datasets())


def test_a_disabled_user_is_out_at_once_and_in_again(hub: LiveHub, other_process: Database) -> None:
    api = hub.api("carol")
    assert api.whoami()
    for disabled in (True, False):
        with other_process.write() as session:
            change_user(session, "carol", UserChanges(disabled=disabled))
        if disabled:
            with pytest.raises(HfHubHTTPError, match="Invalid user token"):
                api.whoami()
    assert api.whoami()


def test_a_role_is_lost_at_once(hub: LiveHub, other_process: Database) -> None:
    from pytupli_registry.server.services.accounts import add_member, find_organization
    from pytupli_registry.server.services.callers import caller_of_user
    from pytupli_registry.server.services.organizations import remove_member
    from pytupli_registry.server.services.permissions import Role

    hub.api("alice").create_repo("acme/inside", repo_type="dataset", private=True)
    bob = hub.api("bob")
    with other_process.write() as session:
        add_member(session, find_organization(session, "acme").id, hub.person("bob").user_id, Role.READ)
    assert bob.repo_exists("acme/inside", repo_type="dataset")
    with other_process.write() as session:
        alice = caller_of_user(session, hub.person("alice").user_id)
        remove_member(session, alice, "acme", "bob")
    assert not bob.repo_exists("acme/inside", repo_type="dataset")


def test_the_use_of_a_token_is_noted(hub: LiveHub) -> None:
    token = hub.token("bob", label="used")

    def last_used() -> object:
        with hub.hub.database.read() as session:
            return session.scalar(select(Token.last_used_at).where(Token.name == "used"))

    assert last_used() is None
    HfApi(endpoint=hub.endpoint, token=token).whoami()
    deadline = time.monotonic() + 10
    while last_used() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert last_used() is not None
