"""Webhooks: the stock client makes them, a real receiver is told."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, WebhookPayload
from huggingface_hub.errors import BadRequestError, HfHubHTTPError
from sqlalchemy import delete, func, select

from pytupli_registry.server.database.schema import Repository, Webhook, WebhookDelivery
from pytupli_registry.server.services.webhook_delivery import Pace, deliver_due, delivering
from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WATCHED = [{"type": "user", "name": "julien-c"}, {"type": "org", "name": "acme"}]


class Receiver:
    """A web server that keeps what it is sent and answers with the next of ``answers`` (200 when none is left)."""

    def __init__(self) -> None:
        receiver = self
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.delay = 0.0

        class Keeping(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(receiver.delay)
                status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                receiver.got.append((dict(self.headers), json.loads(body)))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Keeping)
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?x=1"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def scopes(self) -> list[str]:
        return [f"{said['event']['action']} {said['event']['scope']}" for _, said in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiving = Receiver()
    yield receiving
    receiving.close()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    hub = LiveHub(tmp_path_factory.mktemp("hub"), webhook_hosts=("127.0.0.1", "*"))
    hub.organization("acme", alice="admin")
    hub.person("bob")
    yield hub.start()
    hub.stop()


@pytest.fixture
def hub(live: LiveHub) -> LiveHub:
    """A Hub without webhooks or repositories; webhooks may call 127.0.0.1 and every public address."""
    with live.hub.database.write() as session:
        for table in (Webhook, Repository):
            session.execute(delete(table))
    return live


def waiting(live: LiveHub) -> int:
    with live.hub.database.read() as session:
        return session.scalar(select(func.count()).select_from(WebhookDelivery)) or 0


def until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def upload(api: HfApi, repo: str, content: bytes = b"1") -> Any:
    return api.create_commit(
        repo, [CommitOperationAdd("a.txt", content)], commit_message="Change", repo_type="dataset"
    )


def test_a_webhook_from_beginning_to_end(hub: LiveHub) -> None:
    api = hub.api("alice")
    made = api.create_webhook(
        url="https://webhook.site/test", watched=WATCHED, domains=["repo"], secret="s3cret"
    )
    assert (made.url, made.domains, made.secret, made.disabled) == (
        "https://webhook.site/test",
        ["repo"],
        "s3cret",
        False,
    )
    assert [(item.type, item.name) for item in made.watched] == [("user", "julien-c"), ("org", "acme")]
    assert api.get_webhook(made.id) == made
    assert api.list_webhooks() == [made]
    changed = api.update_webhook(made.id, url="https://webhook.site/new", domains=["discussion"])
    assert (changed.url, changed.domains, changed.watched) == (
        "https://webhook.site/new",
        ["discussion"],
        made.watched,
    )
    assert api.disable_webhook(made.id).disabled
    assert not api.enable_webhook(made.id).disabled
    api.delete_webhook(made.id)
    for call in (api.get_webhook, api.delete_webhook, api.enable_webhook):
        with pytest.raises(HfHubHTTPError, match="404"):
            call(made.id)


def test_webhooks_are_their_owners_alone(hub: LiveHub) -> None:
    made = hub.api("alice").create_webhook(url="https://webhook.site/test", watched=WATCHED, secret="s3cret")
    bob, nobody = hub.api("bob"), hub.api()
    assert bob.list_webhooks() == []
    for call in (bob.get_webhook, bob.delete_webhook, bob.disable_webhook):
        with pytest.raises(HfHubHTTPError, match="404"):
            call(made.id)
    for call in (nobody.list_webhooks, lambda: nobody.get_webhook(made.id)):
        with pytest.raises(HfHubHTTPError, match="401"):
            call()
    reading = HfApi(endpoint=hub.endpoint, token=hub.token("alice", role="read", label="reading"))
    assert reading.get_webhook(made.id).secret is None
    with pytest.raises(HfHubHTTPError, match="403"):
        reading.delete_webhook(made.id)


def test_urls_are_checked(hub: LiveHub) -> None:
    api = hub.api("alice")
    made = api.create_webhook(url="https://webhook.site/test", watched=WATCHED)
    for call in (api.create_webhook, lambda **said: api.update_webhook(made.id, **said)):
        with pytest.raises(BadRequestError, match="may not call"):
            call(url="http://169.254.169.254/latest/meta-data", watched=WATCHED)


@pytest.mark.parametrize(
    "said",
    [
        {"watched": []},
        {"url": ""},
        {"watched": [{"type": "planet", "name": "mars"}]},
        {"watched": [{"type": "org", "name": "a\0b"}]},
        {"domains": ["weather"]},
        {"secret": "a\nb"},
        {"secret": "ü"},
    ],
)
def test_other_things_that_no_webhook_may_have(hub: LiveHub, said: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError):
        hub.api("alice").create_webhook(**{"url": "https://example.com", "watched": WATCHED, **said})


def test_jobs_do_not_exist_here(hub: LiveHub) -> None:
    with pytest.raises(HfHubHTTPError, match="501"):
        hub.api("alice").create_webhook(job_id="1", watched=WATCHED)


def test_a_receiver_is_told_what_happens(hub: LiveHub, receiver: Receiver) -> None:
    api = hub.api("alice")
    made = api.create_webhook(url=receiver.url, watched=[{"type": "org", "name": "ACME"}], secret="s3cret")
    api.create_repo("acme/hvac", repo_type="dataset")
    api.create_repo("alice/own", repo_type="dataset")
    commit = upload(api, "acme/hvac")
    upload(api, "alice/own")
    api.create_pull_request("acme/hvac", title="Something", description="Look", repo_type="dataset")
    api.comment_discussion("acme/hvac", 1, comment="Hello", repo_type="dataset")
    api.move_repo("acme/hvac", "acme/heating", repo_type="dataset")
    api.delete_repo("acme/heating", repo_type="dataset")
    until(lambda: waiting(hub) == 0)
    payloads = {
        scope: WebhookPayload.model_validate(said)
        for scope, (_, said) in zip(receiver.scopes, receiver.got, strict=True)
    }
    assert {
        "create repo", "update repo.content", "create discussion", "create discussion.comment", "move repo", "delete repo"
    } <= set(payloads)  # fmt: skip
    assert all(payload.repo.name in ("acme/hvac", "acme/heating") for payload in payloads.values())
    assert all(headers["X-Webhook-Secret"] == "s3cret" for headers, _ in receiver.got)
    content = payloads["update repo.content"]
    assert content.webhook.id == made.id
    refs = [ref for _, said in receiver.got for ref in said.get("updatedRefs", [])]
    assert commit.oid in [ref["newSha"] for ref in refs if ref["ref"] == "refs/heads/main"]
    assert content.repo.private
    assert content.repo.url.web == f"{hub.endpoint}/datasets/acme/hvac"
    assert content.repo.url.api == f"{hub.endpoint}/api/datasets/acme/hvac"
    discussion = payloads["create discussion"].discussion
    assert discussion is not None
    assert (discussion.num, discussion.status, discussion.isPullRequest) == (1, "draft", True)
    assert discussion.changes is not None
    assert discussion.changes.base == "refs/heads/main"
    comment = payloads["create discussion.comment"].comment
    assert comment is not None
    assert comment.content == "Hello"
    moved = payloads["move repo"].movedTo
    assert moved is not None
    assert moved.name == "acme/heating"


def test_branches_tags_and_settings_are_told(hub: LiveHub, receiver: Receiver) -> None:
    api = hub.api("alice")
    api.create_repo("acme/hvac", repo_type="dataset")
    api.create_webhook(url=receiver.url, watched=[{"type": "dataset", "name": "acme/hvac"}], domains=["repo"])
    head = api.repo_info("acme/hvac", repo_type="dataset").sha
    api.create_branch("acme/hvac", branch="next", repo_type="dataset")
    api.create_tag("acme/hvac", tag="v1", repo_type="dataset")
    api.delete_tag("acme/hvac", tag="v1", repo_type="dataset")
    api.delete_branch("acme/hvac", branch="next", repo_type="dataset")
    api.update_repo_settings("acme/hvac", private=False, repo_type="dataset")
    until(lambda: waiting(hub) == 0)
    told = sorted(str(ref) for _, said in receiver.got for ref in said.get("updatedRefs", []))
    assert told == sorted(
        str({"ref": name, "oldSha": old, "newSha": new})
        for name in ("refs/heads/next", "refs/tags/v1")
        for old, new in ((None, head), (head, None))
    )
    assert receiver.scopes.count("update repo.config") == 1


def test_only_what_is_watched_and_may_be_seen(hub: LiveHub, receiver: Receiver) -> None:
    alice, bob = hub.api("alice"), hub.api("bob")
    for name, private in (("open", False), ("other", False), ("hidden", True)):
        alice.create_repo(f"acme/{name}", repo_type="dataset", private=private)
    bob.create_webhook(
        url=receiver.url,
        watched=[{"type": "dataset", "name": f"acme/{name}"} for name in ("open", "hidden")],
        domains=["discussion"],
    )
    for name in ("open", "other", "hidden"):
        upload(alice, f"acme/{name}")
        alice.create_discussion(f"acme/{name}", title="Something", repo_type="dataset")
    alice.create_discussion("acme/open", title="More", repo_type="dataset")
    until(lambda: waiting(hub) == 0)
    told = sorted((said["repo"]["name"], said["discussion"]["num"]) for _, said in receiver.got)
    assert told == [("acme/open", 1), ("acme/open", 2)]


def test_nothing_is_told_of_what_was_undone_or_disabled(hub: LiveHub, receiver: Receiver) -> None:
    alice, bob = hub.api("alice"), hub.api("bob")
    alice.create_repo("acme/open", repo_type="dataset", private=False)
    made = bob.create_webhook(url=receiver.url, watched=[{"type": "org", "name": "acme"}])
    with pytest.raises(HfHubHTTPError):
        alice.create_discussion("acme/open", title="x", repo_type="dataset")
    assert waiting(hub) == 0
    bob.disable_webhook(made.id)
    alice.create_discussion("acme/open", title="Something", repo_type="dataset")
    bob.enable_webhook(made.id)
    assert waiting(hub) == 0
    assert receiver.got == []


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[LiveHub]:
    """A Hub that is not listening, with one webhook event to deliver; nothing delivers in its background."""
    live = LiveHub(tmp_path / "quiet", webhook_hosts=("127.0.0.1", "localhost"))
    live.person("alice")
    yield live
    live.hub.close()


def queue(live: LiveHub, url: str, events: int = 1) -> None:
    with live.hub.database.write() as session:
        session.add(Webhook(id="1", user_id=live.person("alice").user_id, url=url, watched=[], domains=[]))
        session.flush()
        session.add_all(
            WebhookDelivery(webhook_id="1", payload={"number": number}) for number in range(events)
        )


def try_once(live: LiveHub, pace: Pace) -> int:
    return asyncio.run(deliver_due(live.hub, pace))


def test_a_failing_receiver_is_tried_again_and_then_given_up(quiet: LiveHub, receiver: Receiver) -> None:
    receiver.answers = [(500, {}), (429, {}), (503, {})]
    queue(quiet, receiver.url)
    pace = Pace(delays_s=(0, 0))
    assert [try_once(quiet, pace) for _ in range(4)] == [1, 1, 1, 0]
    assert len(receiver.got) == 3
    assert waiting(quiet) == 0


def test_a_failure_waits_before_the_next_attempt(quiet: LiveHub, receiver: Receiver) -> None:
    receiver.answers = [(500, {})]
    queue(quiet, receiver.url)
    assert [try_once(quiet, Pace(delays_s=(60,))) for _ in range(2)] == [1, 0]
    assert waiting(quiet) == 1


@pytest.mark.parametrize("status", [302, 307, 400, 404, 410])
def test_refusals_and_redirects_are_final(quiet: LiveHub, receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {"Location": receiver.url})]
    queue(quiet, receiver.url)
    assert [try_once(quiet, Pace(delays_s=(0,))) for _ in range(2)] == [1, 0]
    assert len(receiver.got) == 1


def test_a_slow_receiver_costs_no_more_than_the_timeout(quiet: LiveHub, receiver: Receiver) -> None:
    receiver.delay = 1.0
    queue(quiet, receiver.url, events=2)
    start = time.monotonic()
    assert try_once(quiet, Pace(timeout_s=0.2, delays_s=(60,))) == 2
    assert time.monotonic() - start < 0.9
    assert waiting(quiet) == 2


class DeadReceiver:
    """Takes connections, and never answers.

    Attributes:
        most: connections that were open at once.
    """

    def __init__(self) -> None:
        self.most = self._open = 0

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._receive, "127.0.0.1", 0)
        return f"http://localhost:{self._server.sockets[0].getsockname()[1]}/"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        self.most = max(self.most, self._open)
        with suppress(OSError):
            await reader.read(-1)
        self._open -= 1
        writer.close()


@pytest.mark.parametrize("owners", [("mallory",), ("mallory", "eve", "trudy", "victor")])
def test_dead_receivers_delay_nobody_else(
    quiet: LiveHub, receiver: Receiver, owners: tuple[str, ...]
) -> None:
    """However many wait for them: of one user and to one host, two are sent at once."""
    dead = DeadReceiver()

    async def run() -> None:
        async with dead as url:
            with quiet.hub.database.write() as session:
                for number in range(40):
                    owner = quiet.people[owners[number % len(owners)]].user_id
                    session.add(Webhook(id=f"d{number}", user_id=owner, url=url, watched=[], domains=[]))
                    session.flush()
                    session.add(WebhookDelivery(webhook_id=f"d{number}", payload={}))
            queue(quiet, receiver.url, events=6)
            async with delivering(quiet.hub, Pace(look_s=0.02, timeout_s=30)):
                await asyncio.to_thread(until, lambda: len(receiver.got) == 6)
                assert waiting(quiet) >= 40

    for owner in owners:
        quiet.person(owner)
    asyncio.run(run())
    assert dead.most == 2


def test_what_a_killed_process_took_comes_up_again(quiet: LiveHub, receiver: Receiver) -> None:
    queue(quiet, receiver.url)

    async def killed() -> None:
        task = asyncio.create_task(deliver_due(quiet.hub, Pace(timeout_s=0.3)))
        await asyncio.sleep(0.15)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    receiver.delay = 0.3
    asyncio.run(killed())
    receiver.delay = 0.0
    assert waiting(quiet) == 1
    assert try_once(quiet, Pace()) == 0
    until(lambda: try_once(quiet, Pace()) == 1)
    assert waiting(quiet) == 0


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "[::1]"])
def test_names_are_checked_where_they_lead(tmp_path: Path, receiver: Receiver, host: str) -> None:
    live = LiveHub(tmp_path / "strict")
    live.person("alice")
    queue(live, receiver.url.replace("127.0.0.1", host))
    assert try_once(live, Pace(delays_s=())) == 1
    assert receiver.got == []
    assert waiting(live) == 0
    live.hub.close()


def test_delivery_goes_on_in_the_background(quiet: LiveHub, receiver: Receiver) -> None:
    queue(quiet, receiver.url)

    async def run() -> None:
        async with delivering(quiet.hub, Pace(look_s=0.02)):
            await asyncio.to_thread(until, lambda: receiver.got and waiting(quiet) == 0)

    asyncio.run(run())
    assert receiver.got[0][1] == {"number": 0}
