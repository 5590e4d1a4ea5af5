"""Webhooks: their settings, and what is delivered."""

import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hub import OWNER, client, new_name, refused
from huggingface_hub import WebhookInfo, WebhookWatchedItem
from huggingface_hub.utils import HfHubHTTPError

URL = "https://hooks.example.org/here"


@pytest.fixture
def hook(api):
    made = api.create_webhook(
        url=URL,
        watched=[WebhookWatchedItem(type="user", name="julien-c"), {"type": "org", "name": "HuggingFaceH4"}],
        domains=["repo", "discussion"],
        secret="a-secret",
    )
    yield made
    api.delete_webhook(made.id)


def test_create(hook):
    assert isinstance(hook, WebhookInfo)
    assert (hook.url, hook.disabled, hook.secret) == (URL, False, "a-secret")
    assert sorted((item.type, item.name) for item in hook.watched) == [
        ("org", "HuggingFaceH4"),
        ("user", "julien-c"),
    ]
    assert sorted(hook.domains) == ["discussion", "repo"]


def test_get_and_list(api, hook):
    assert api.get_webhook(hook.id).url == URL
    assert hook.id in [found.id for found in api.list_webhooks()]


def test_update(api, hook):
    found = api.update_webhook(
        hook.id, url=URL + "/new", watched=[{"type": "dataset", "name": f"{OWNER.name}/x"}], domains=["repo"]
    )
    assert (found.url, found.domains) == (URL + "/new", ["repo"])
    assert [(item.type, item.name) for item in found.watched] == [("dataset", f"{OWNER.name}/x")]
    assert api.get_webhook(hook.id).url == URL + "/new"


def test_disable_and_enable(api, hook):
    assert api.disable_webhook(hook.id).disabled
    assert api.get_webhook(hook.id).disabled
    assert not api.enable_webhook(hook.id).disabled


def test_delete(api):
    made = api.create_webhook(url=URL, watched=[{"type": "user", "name": OWNER.name}])
    api.delete_webhook(made.id)
    with refused(HfHubHTTPError, 404):
        api.get_webhook(made.id)
    with refused(HfHubHTTPError, 404):
        api.delete_webhook(made.id)


def test_hooks_are_ones_own(hook, stranger):
    assert hook.id not in [found.id for found in stranger.list_webhooks()]
    for call in (stranger.get_webhook, stranger.delete_webhook, stranger.disable_webhook):
        with refused(HfHubHTTPError, 404):
            call(hook.id)


def test_hooks_need_a_login(anonymous):
    with refused(HfHubHTTPError, 401):
        anonymous.list_webhooks()


@pytest.mark.parametrize(
    "url", ["ftp://example.org", "nonsense", "file:///etc/passwd", "http://169.254.169.254/latest"]
)
def test_targets_that_are_refused(api, url):
    with refused(HfHubHTTPError, 400):
        api.create_webhook(url=url, watched=[{"type": "user", "name": OWNER.name}])


@pytest.fixture
def receiver():
    """A server on this machine that keeps what it gets; the hub under test may call it."""
    got, arrived = [], threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((dict(self.headers), json.loads(body)))
            self.send_response(200)
            self.end_headers()
            arrived.set()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", got, arrived
    server.shutdown()
    server.server_close()
    thread.join()


@client(">=2", "the payload's classes need pydantic, which the project's own environment has")
@pytest.mark.filterwarnings("ignore")
def test_deliveries(api, make_repo, receiver):
    from huggingface_hub import WebhookPayload

    url, got, arrived = receiver
    repo = make_repo()
    made = api.create_webhook(
        url=url,
        watched=[{"type": "dataset", "name": repo}],
        domains=["repo", "discussion"],
        secret="the-secret",
    )
    done = api.upload_file(path_or_fileobj=b"a", path_in_repo="a.txt", repo_id=repo, repo_type="dataset")
    assert arrived.wait(20)
    headers, body = got[0]
    assert hmac.compare_digest(
        {name.lower(): value for name, value in headers.items()}["x-webhook-secret"], "the-secret"
    )
    payload = WebhookPayload.model_validate(body)
    assert payload.event.action == "update"
    assert payload.event.scope.startswith("repo")
    assert (payload.repo.type, payload.repo.name, payload.repo.private) == ("dataset", repo, False)
    assert body["repo"]["headSha"] == done.oid
    assert payload.webhook.id == made.id
    arrived.clear()
    api.create_discussion(repo, new_name("question"), repo_type="dataset")
    assert arrived.wait(20)
    payload = WebhookPayload.model_validate(got[-1][1])
    assert payload.event.scope.startswith("discussion")
    assert payload.discussion is not None or payload.comment is not None
    api.delete_webhook(made.id)
