"""``POST /api/validate-yaml`` as stock clients use it."""

from __future__ import annotations

import httpx2 as httpx
import pytest
from huggingface_hub import CommitOperationAdd, ModelCard
from huggingface_hub.utils import get_session

from tests.server.support.live import LiveHub


@pytest.fixture(scope="module")
def live_hub(tmp_path_factory):
    hub = LiveHub(tmp_path_factory.mktemp("hub")).start()
    hub.organization("acme", alice="admin")
    yield hub
    hub.stop()


@pytest.fixture
def stock(live_hub, monkeypatch):
    """The endpoint that RepoCard.validate asks, which has none of its own."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", live_hub.endpoint)
    return live_hub


def ask(hub, **arguments):
    return httpx.post(f"{hub.endpoint}/api/validate-yaml", timeout=20, **arguments)


def test_a_card_object_is_validated_without_a_token(stock):
    card = ModelCard("---\nlicense: mit\n---\n")
    card.validate()
    card.data.license = "asdf"
    with pytest.raises(ValueError, match='- Error: "license" must be one of'):
        card.validate()


def test_commits_fail_before_anything_is_uploaded(live_hub):
    api = live_hub.api("alice")
    api.create_repo("acme/policy-0", private=True)
    bad = CommitOperationAdd("README.md", b"---\nmodel-index: foo\n---\n")
    with pytest.raises(ValueError, match=r'Invalid metadata in README.md.\n- "model-index" must be an array'):
        api.create_commit("acme/policy-0", [bad], commit_message="card")


def test_a_card_without_metadata_is_a_warning(live_hub):
    api = live_hub.api("alice")
    api.create_repo("acme/policy-1", private=True)
    plain = CommitOperationAdd("README.md", b"This is a card without metadata")
    with pytest.warns(UserWarning, match=r"(?s)Warnings while validating.*empty or missing yaml metadata"):
        api.create_commit("acme/policy-1", [plain], commit_message="card")


def test_whoever_does_not_ask_is_refused_by_the_commit_itself(live_hub):
    api = live_hub.api("alice")
    api.create_repo("acme/policy-2", private=True)
    answer = get_session().post(
        f"{live_hub.endpoint}/api/models/acme/policy-2/commit/main",
        headers={"Authorization": f"Bearer {api.token}", "Content-Type": "application/x-ndjson"},
        content=b'{"key": "header", "value": {"summary": "card"}}\n'
        b'{"key": "file", "value": {"path": "README.md", "content": "LS0tCmxpY2Vuc2U6IHgKLS0tCg==",'
        b' "encoding": "base64"}}\n',
    )
    assert answer.status_code == 400
    assert answer.json()["error"].startswith('Invalid metadata in README.md.\n- "license" must be one of')


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/plain"])
def test_status_and_form_of_answers(live_hub, accept):
    headers = {"Accept": accept}
    good = ask(live_hub, json={"content": "---\nlicense: mit\n---\n", "repoType": "dataset"}, headers=headers)
    bad = ask(live_hub, json={"content": "---\nlicense: x\n---\n", "repoType": "dataset"}, headers=headers)
    assert (good.status_code, bad.status_code) == (200, 400)
    if accept == "text/plain":
        assert (good.text, bad.headers["content-type"]) == ("", "text/plain; charset=utf-8")
    else:
        assert good.json() == {"errors": [], "warnings": []}
        assert bad.json()["errors"][0]["message"].startswith('"license" must be one of [apache-2.0, mit, ')


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"content": 3}', b'{"content": "x", "repoType": "kernel"}', b"\xff", b"[" * 100_000],
)
def test_malformed_requests_are_told_apart_from_malformed_cards(live_hub, body):
    answer = ask(live_hub, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "content" in answer.json()["error"]


def test_the_body_is_bounded(live_hub):
    def endless():
        for _ in range(20):
            yield b" " * (1 << 20)

    answer = ask(live_hub, content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
