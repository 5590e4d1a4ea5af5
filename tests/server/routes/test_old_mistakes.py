"""What PyTupli's server got wrong about access, one test each (field notes)."""

import shutil
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import HfHubHTTPError
from sqlalchemy import text

from pytupli_registry.server.database.schema import now
from pytupli_registry.server.services import callers
from pytupli_registry.server.settings import CONFIG_NAME, SECRET_NAME, Settings
from tests.server.support.live import LiveHub


@pytest.mark.parametrize(
    ("said", "meant"), [("False", False), ("false", False), ("0", False), ("no", False), ("true", True)]
)
def test_settings_are_not_true_because_they_are_texts(
    said: str, meant: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / CONFIG_NAME).write_text("allow_registration = true\n" if not meant else "")
    (tmp_path / SECRET_NAME).write_text("s" * 32)
    monkeypatch.setenv("PYTUPLI_SERVER_ALLOW_REGISTRATION", said)
    assert Settings.load(tmp_path).allow_registration is meant


def as_user(hub: LiveHub, name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {hub.person(name).token}"}


def test_booleans_of_requests_are_not_true_because_they_are_texts(live_hub: LiveHub) -> None:
    live_hub.person("root", is_admin=True)
    body = {"name": "fresh", "isAdmin": "False"}
    answer = httpx2.post(f"{live_hub.endpoint}/api/users", json=body, headers=as_user(live_hub, "root"))
    assert answer.status_code == 400 or answer.json()["isAdmin"] is False


def test_what_is_meant_is_said_once(live_hub: LiveHub) -> None:
    """The thing that is checked is the thing that is changed, whatever else the request names."""
    api = f"{live_hub.endpoint}/api"
    alice = as_user(live_hub, "alice")  # admin of acme
    said_twice = httpx2.post(
        f"{api}/repos/create",
        json={"name": "bob/taken-over", "organization": "acme", "type": "dataset"},
        headers=alice,
    )
    assert said_twice.status_code == 403
    live_hub.api("bob").create_repo("bob/mine", repo_type="dataset")
    deleted = httpx2.request(
        "DELETE",
        f"{api}/repos/delete",
        json={"name": "bob/mine", "organization": "acme", "type": "dataset"},
        headers=alice,
    )
    assert deleted.status_code == 403
    assert live_hub.api("bob").repo_exists("bob/mine", repo_type="dataset")
    for path, body in (
        ("users/alice", {"name": "bob", "fullName": "x"}),
        ("users/alice", {"id": 2, "fullName": "x"}),
    ):
        assert httpx2.patch(f"{api}/{path}", json=body, headers=alice).status_code == 400
    query = httpx2.get(f"{api}/users/alice/tokens?user=bob", headers=alice)
    assert {token["name"] for token in query.json()} == {"tests"}


def test_names_of_users_and_organizations_do_not_collide(live_hub: LiveHub) -> None:
    headers = as_user(live_hub, "alice")
    for name in ("Bob", "ACME", "api", "datasets"):
        answer = httpx2.post(f"{live_hub.endpoint}/api/organizations", json={"name": name}, headers=headers)
        assert answer.status_code in (400, 409), name


def test_a_refusal_reads_no_blob(live_hub: LiveHub) -> None:
    """Access is decided from the database: with every blob gone, strangers hear what they always hear."""
    alice = live_hub.api("alice")
    for name, private in (("alice/secret", True), ("alice/gated", False)):
        alice.create_repo(name, repo_type="dataset", private=private)
        add = [CommitOperationAdd("big.bin", b"\0" * 200_000)]
        alice.create_commit(name, add, commit_message="c", repo_type="dataset")
    alice.update_repo_settings("alice/gated", repo_type="dataset", gated="manual")
    shutil.rmtree(live_hub.settings.directory / "objects")
    resolve = "{}/datasets/{}/resolve/main/big.bin"
    for name, status in (("alice/secret", 404), ("alice/gated", 403)):
        url = resolve.format(live_hub.endpoint, name)
        assert httpx2.get(url, headers=as_user(live_hub, "bob")).status_code == status
        assert httpx2.get(url).status_code == status


def test_credentials_are_found_by_an_index(live_hub: LiveHub) -> None:
    """No table is read from one end to the other to find out who asks."""
    for statement in (callers._HOLDER_OF_TOKEN, callers._HOLDER_OF_SESSION):
        with live_hub.hub.database.read() as session:
            filled = statement.params(digest="x", now=now())
            compiled = str(filled.compile(session.get_bind(), compile_kwargs={"render_postcompile": True}))
            values = ("x",) * compiled.count("?")
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)
            steps = [row[-1] for row in plan]
        assert steps
        assert not [step for step in steps if step.startswith("SCAN")], steps


def test_tokens_end_with_the_password_if_one_wants(live_hub: LiveHub) -> None:
    live_hub.person("root", is_admin=True)
    url = f"{live_hub.endpoint}/api/users/bob/password"
    answer = httpx2.put(
        url,
        json={"password": "a new password", "revokeTokens": True},
        headers=as_user(live_hub, "root"),
        timeout=20,
    )
    assert answer.json()["ended"] == 1
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        live_hub.api("bob").whoami()


def test_listings_have_pages(live_hub: LiveHub) -> None:
    """Of whatever size a client wishes, the Hub decides."""
    with live_hub.hub.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM accounts")) > 2
    live_hub.person("root", is_admin=True)
    headers = as_user(live_hub, "root")
    answer = httpx2.get(f"{live_hub.endpoint}/api/users?limit=1", headers=headers)
    assert (len(answer.json()), "next" in answer.links) == (1, True)
    huge = httpx2.get(f"{live_hub.endpoint}/api/users?limit={10**30}", headers=headers)
    assert huge.status_code == 200
