"""The client of our own interface against a live Hub."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError

from pytupli_registry.errors import HubError, HubUnreachable
from pytupli_registry.hub import Administration
from tests.server.support.live import LiveHub

As = Callable[[str], Administration]


@contextmanager
def refused(status: int, said: str) -> Iterator[None]:
    with pytest.raises(HubError, match=said) as caught:
        yield
    assert caught.value.status == status


def test_who_one_is(as_user: As) -> None:
    assert as_user("alice").name() == "alice"


def test_an_organization_from_beginning_to_end(as_user: As, hub: LiveHub) -> None:
    alice = as_user("alice")
    made = alice.create_organization("acme", full_name="Acme, Inc.", default_visibility="public")
    assert (made.name, made.full_name, made.role) == ("acme", "Acme, Inc.", "admin")
    assert alice.organization("ACME") == made
    assert made in alice.organizations()
    alice.set_role("acme", "bob", "contributor")
    assert {member.name: member.role for member in alice.members("acme")} == {
        "alice": "admin",
        "bob": "contributor",
    }
    changed = alice.change_organization("acme", default_visibility="private", members_public=True)
    assert (changed.default_visibility, changed.members_public, changed.full_name) == (
        "private",
        True,
        "Acme, Inc.",
    )
    with refused(409, "without an admin"):
        alice.remove_member("acme", "alice")
    alice.remove_member("acme", "bob")
    alice.delete_organization("acme")
    with refused(404, "no organization 'acme'"):
        alice.organization("acme")


def test_only_admins_administer(as_user: As) -> None:
    as_user("alice").create_organization("guild")
    as_user("alice").set_role("guild", "bob", "write")
    bob = as_user("bob")
    with refused(403, "may not administer"):
        bob.set_role("guild", "bob", "admin")
    with refused(403, "may not administer"):
        bob.change_organization("guild", full_name="mine")
    bob.remove_member("guild", "bob")  # but everybody may leave
    with refused(404, "no organization 'guild'"):
        bob.organization("guild")


def test_listings_of_many_pages(as_user: As, hub: LiveHub) -> None:
    root = as_user("root")
    names = [f"worker-{number}" for number in range(8)]
    root.create_organization("crowd")
    for name in names:
        root.create_user(name)
        root.set_role("crowd", name, "read")
    assert [member.name for member in root.members("crowd")] == ["root", *names]
    assert set(names) <= {user.name for user in root.users()}


def test_tokens(as_user: As, hub: LiveHub) -> None:
    alice = as_user("alice")
    ends = datetime.now(UTC) + timedelta(days=7)
    text = alice.create_token("ci", role="read", expires_at=ends)
    account = HfApi(endpoint=hub.endpoint, token=text).whoami()["auth"]["accessToken"]
    assert (account["displayName"], account["role"]) == ("ci", "read")
    listed = {token.name: token for token in alice.tokens()}["ci"]
    assert abs(listed.expires_at - ends) < timedelta(seconds=1)
    assert (listed.kind, listed.role) == ("personal", "read")
    weak = Administration(token=text)
    assert weak.name() == "alice"
    with refused(403, "may only read"):
        weak.create_token("more")
    alice.revoke_token("ci")
    with refused(401, "Invalid credentials"):
        weak.name()
    with pytest.raises(HfHubHTTPError):
        HfApi(endpoint=hub.endpoint, token=text).whoami()


def test_what_a_token_makes_does_not_outlive_it(as_user: As) -> None:
    alice = as_user("alice")
    short = Administration(
        token=alice.create_token("short", expires_at=datetime.now(UTC) + timedelta(hours=1))
    )
    with refused(403, "may not live longer"):
        short.create_token("eternal")
    with refused(403, "may not live longer"):
        short.create_token("longer", expires_at=datetime.now(UTC) + timedelta(hours=2))
    assert short.create_token("shorter", expires_at=datetime.now(UTC) + timedelta(minutes=5))


def test_tokens_of_others(as_user: As) -> None:
    as_user("bob").create_token("bobs")
    with refused(403, "Only administrators"):
        as_user("alice").tokens("bob")
    with refused(403, "Only administrators"):
        as_user("alice").revoke_token("bobs", user="bob")
    with refused(403, "log in as that user"):
        as_user("root").create_token("sly", user="bob")
    root = as_user("root")
    assert "bobs" in {token.name for token in root.tokens("bob")}
    root.revoke_token("bobs", user="bob")
    with refused(404, "no token named 'bobs'"):
        root.revoke_token("bobs", user="bob")


def test_users_and_passwords(as_user: As) -> None:
    root = as_user("root")
    made = root.create_user("carl", password="long enough", email="Carl@example.org")
    assert (made.has_password, made.is_admin, made.email) == (True, False, "Carl@example.org")
    with refused(409, "taken"):
        root.create_user("CARL")
    with refused(409, "in use"):
        root.create_user("carl2", email="carl@EXAMPLE.org")
    text = Administration(token=False).create_token("first", user="carl", password="long enough")
    carl = Administration(token=text)
    assert carl.name() == "carl"
    with refused(401, "wrong"):
        carl.set_password("carl", "even longer now", current="not it")
    assert "sessions and logins have ended" in carl.set_password(
        "carl", "even longer now", current="long enough"
    )
    assert carl.name() == "carl"  # its token lives on
    assert "tokens have ended" in root.set_password("carl", "set by an admin", revoke_tokens=True)
    with refused(401, "Invalid credentials"):
        carl.name()


def test_disabling(as_user: As, hub: LiveHub) -> None:
    root = as_user("root")
    dora = hub.person("dora")
    assert root.change_user("dora", disabled=True).is_disabled
    with refused(401, "Invalid credentials"):
        Administration(token=dora.token).name()
    assert not root.change_user("dora", disabled=False).is_disabled
    assert Administration(token=dora.token).name() == "dora"


def test_the_last_administrator_stays(as_user: As) -> None:
    root = as_user("root")
    for change in ({"disabled": True}, {"is_admin": False}):
        with refused(409, "without an administrator"):
            root.change_user("root", **change)
    assert root.name() == "root"


def test_only_administrators_look_after_users(as_user: As) -> None:
    alice = as_user("alice")
    with refused(403, "Only administrators"):
        alice.users()
    with refused(403, "Only administrators"):
        alice.create_user("friend")
    with refused(403, "Only administrators"):
        alice.change_user("alice", is_admin=True)
    with refused(403, "Only administrators"):
        alice.change_user("bob", full_name="Robert")
    with refused(403, "Only administrators"):
        alice.set_password("bob", "a new password")
    assert alice.change_user("alice", full_name="Alice A.").full_name == "Alice A."


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_names_that_would_change_the_path(as_user: As, name: str) -> None:
    with pytest.raises(HubError, match="is not a name"):
        as_user("root").organization(name)


def test_names_are_quoted(as_user: As) -> None:
    root = as_user("root")
    with refused(404, "no organization 'a/members'"):
        root.organization("a/members")
    root.create_token("a/b ?c#d%")
    root.revoke_token("a/b ?c#d%")


def test_without_a_token(as_user: As, hub: LiveHub) -> None:
    as_user("alice")
    with pytest.raises(HubError) as caught:
        Administration(token=False).organizations()
    assert (caught.value.status, caught.value.hint) == (401, "Log in: pytupli login")


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(HubUnreachable, match="does not answer"):
        Administration(f"http://127.0.0.1:{port}", token=False).organizations()


def test_the_public_hub_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "https://huggingface.co")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(HubUnreachable, match="own pages"):
        Administration().organizations()


class Stranger(BaseHTTPRequestHandler):
    """A web server that is no Hub, or a treacherous one."""

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path.startswith("/api/users"):
            self.send_header("Link", '<http://evil.example/api/users>; rel="next"')
        body = b"[]" if self.path.startswith("/api/users") else b"<html>hello</html>"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def stranger() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Stranger)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_something_else_answers(stranger: str) -> None:
    with pytest.raises(HubUnreachable, match="is no Hub"):
        Administration(stranger, token="hf_x").organizations()


def test_the_token_goes_nowhere_else(stranger: str) -> None:
    with pytest.raises(HubUnreachable, match="another host"):
        Administration(stranger, token="hf_x").users()
