"""Searching datasets by their facts, over HTTP."""

from __future__ import annotations

import json
from urllib.parse import quote

import httpx2 as httpx
import pytest
from fastapi import FastAPI
from huggingface_hub import CommitOperationAdd

from pytupli_registry.server.routes import cards, datasets
from tests.server.support.live import LiveHub
from tests.server.support.recordings import files_below, record, with_index


def metadata(dataset_id: str, episodes: int, steps: int, environment: str, kind: str = "Box") -> bytes:
    said = {
        "dataset_id": dataset_id,
        "total_episodes": episodes,
        "total_steps": steps,
        "dataset_size": 1.5,
        "minari_version": "0.5.4",
        "data_format": "hdf5",
        "observation_space": json.dumps({"type": kind, "shape": [3], "dtype": "float32"}),
        "action_space": json.dumps({"type": "Discrete", "n": 2}),
        "env_spec": json.dumps({"id": environment}),
    }
    return json.dumps(said).encode()


SCORED = {
    "format": "pytupli-benchmark",
    "reference_scores": {"random": {"mean": 0.0}, "expert": {"mean": 500.0}},
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Five datasets: two of acme/walker (one with returns), a private, a gated and a public one."""
    root = tmp_path_factory.mktemp("datasets")
    hub = LiveHub(root / "hub").start()
    hub.organization("acme", alice="admin", carol="read")
    hub.person("bob")
    alice, bob = hub.api("alice"), hub.api("bob")
    made = with_index(record("walker/random-v0", root / "minari"), root / "store", root / "cache").parent
    upload(
        alice,
        "acme/walker",
        files_below(made)
        | {"benchmark.json": json.dumps(SCORED).encode()}
        | {"long-v1/data/metadata.json": metadata("walker/long-v1", 900, 90_000, "Walker2d-v5")},
    )
    card = b"---\nlicense: mit\ntags: [secret-plan]\n---\n"
    upload(
        alice,
        "acme/hidden",
        {"a-v0/data/metadata.json": metadata("hidden/a-v0", 5, 50, "Hopper-v4"), "README.md": card},
        private=True,
    )
    upload(
        alice, "acme/gated", {"a-v0/data/metadata.json": metadata("gated/a-v0", 6, 60, "Hopper-v5", "Dict")}
    )
    alice.update_repo_settings("acme/gated", repo_type="dataset", gated="manual")
    upload(
        bob, "bob/own", {"deep/er/b-v0/data/metadata.json": metadata("own/deep/er/b-v0", 7, 70, "Hopper-v5")}
    )
    yield hub
    hub.stop()


def upload(api, repo_id, files, *, private=False):
    api.create_repo(repo_id, repo_type="dataset", private=private)
    additions = [CommitOperationAdd(path, content) for path, content in files.items()]
    api.create_commit(repo_id, additions, commit_message="data", repo_type="dataset")


def get(hub, path="", user=None, status=200):
    headers = {"Authorization": f"Bearer {hub.person(user).token}"} if user else {}
    answer = httpx.get(f"{hub.endpoint}/api/registry/datasets{path}", headers=headers, timeout=20)
    assert answer.status_code == status, answer.text
    return answer


def found(hub, query="", user=None):
    return {entry["reference"] for entry in get(hub, f"?{query}", user).json()}


EVERYTHING = {
    "acme/walker/random-v0",
    "acme/walker/long-v1",
    "acme/hidden/a-v0",
    "acme/gated/a-v0",
    "bob/own/deep/er/b-v0",
}


@pytest.mark.parametrize(
    ("user", "unseen"),
    [
        (None, {"acme/hidden/a-v0", "acme/gated/a-v0"}),
        ("bob", {"acme/hidden/a-v0", "acme/gated/a-v0"}),
        ("carol", {"acme/gated/a-v0"}),
        ("alice", set()),
    ],
)
def test_only_what_one_may_read(hub, user, unseen):
    assert found(hub, user=user) == EVERYTHING - unseen
    assert found(hub, "tag=secret-plan", user) == {"acme/hidden/a-v0"} - unseen
    assert found(hub, "search=hidden", user) == {"acme/hidden/a-v0"} - unseen


def test_who_was_let_in_finds_gated_datasets(hub):
    hub.person("dora")
    assert "acme/gated/a-v0" not in found(hub, user="dora")
    hub.api("alice").grant_access("acme/gated", "dora", repo_type="dataset")
    assert "acme/gated/a-v0" in found(hub, user="dora")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "author=ACME",
            {"acme/walker/random-v0", "acme/walker/long-v1", "acme/hidden/a-v0", "acme/gated/a-v0"},
        ),
        ("author=nobody", set()),
        ("environment=cartpole-v1", {"acme/walker/random-v0"}),
        ("environment=Hopper", {"acme/hidden/a-v0", "acme/gated/a-v0", "bob/own/deep/er/b-v0"}),
        ("environment=Hopper-v5", {"acme/gated/a-v0", "bob/own/deep/er/b-v0"}),
        ("environment=Hop", set()),
        ("environment=%25", set()),
        ("observation=dict", {"acme/gated/a-v0"}),
        ("action=Discrete&observation=Box&author=bob", {"bob/own/deep/er/b-v0"}),
        ("format=arrow", set()),
        ("min_episodes=7", {"acme/walker/long-v1", "bob/own/deep/er/b-v0"}),
        ("min_episodes=6&max_episodes=6", {"acme/gated/a-v0"}),
        ("max_steps=50", {"acme/hidden/a-v0"}),
        ("min_return=1", {"acme/walker/random-v0"}),
        ("max_return=-1", set()),
        ("space=dict", {"acme/gated/a-v0"}),
        ("space=discrete&min_episodes=900", {"acme/walker/long-v1"}),
        ("min_size=1&max_size=10", set()),
        ("min_score=0", {"acme/walker/random-v0"}),
        ("min_score=101", set()),
        ("search=random+actions", {"acme/walker/random-v0"}),
        ("tag=minari&tag=environment:hopper-v4", {"acme/hidden/a-v0"}),
        ("search=walker+cartpole", {"acme/walker/random-v0"}),
        ("search=walker&search=2d", {"acme/walker/long-v1"}),
        ("search=deep/er", {"bob/own/deep/er/b-v0"}),
        ("search=_", set()),
        ("search=hopper-v_", set()),
    ],
)
def test_what_is_asked_for_must_hold(hub, query, expected):
    assert found(hub, query, "alice") == expected


@pytest.mark.parametrize(
    "sort", ["updated", "created", "downloads", "likes", "episodes", "steps", "size", "return", "score"]
)
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_follow_each_other(hub, sort, direction):
    whole = [one["reference"] for one in get(hub, f"?sort={sort}&direction={direction}", "alice").json()]
    assert sorted(whole) == sorted(EVERYTHING)
    url, paged = f"?sort={sort}&direction={direction}&limit=2", []
    while url:
        answer = get(hub, url, "alice")
        paged += [one["reference"] for one in answer.json()]
        url = answer.links["next"]["url"].partition("/datasets")[2] if "next" in answer.links else None
    assert paged == whole


def test_the_largest_come_first_and_what_is_not_known_last(hub):
    episodes = [one["total_episodes"] for one in get(hub, "?sort=episodes", "alice").json()]
    assert episodes == sorted(episodes, reverse=True)
    returns = [one["returns"] for one in get(hub, "?sort=return", "alice").json()]
    assert returns[0] is not None
    assert returns[1:] == [None] * 4


def test_an_entry_says_everything(hub):
    [entry] = get(hub, "?environment=CartPole").json()
    assert entry["id"] == "acme/walker"
    assert entry["dataset_id"] == "walker/random-v0"
    assert entry["returns"]["min"] <= entry["returns"]["mean"] <= entry["returns"]["max"]
    assert entry["score"] == pytest.approx(entry["returns"]["mean"] / 5)
    assert entry["lengths"]["mean"] == pytest.approx(entry["total_steps"] / 3)
    assert entry["observation_space"] == {"type": "Box", "dtype": "float32", "shape": [4]}
    assert entry["author"] == ["Ada"]
    assert "environment:CartPole-v1" in entry["tags"]
    assert (entry["private"], entry["gated"]) == (False, False)


def test_one_repository(hub):
    entries = get(hub, "/acme/walker").json()
    assert [entry["path"] for entry in entries] == ["long-v1", "random-v0"]
    hidden = get(hub, "/acme/hidden", "bob", status=404)
    missing = get(hub, "/acme/missing", "bob", status=404)
    assert hidden.json()["error"].replace("hidden", "missing") == missing.json()["error"]
    assert get(hub, "/acme/gated", "bob", status=403).headers["x-error-code"] == "GatedRepo"


def test_stock_clients_find_datasets_by_their_facts(hub):
    api = hub.api("alice")
    assert {one.id for one in api.list_datasets(filter="environment:Hopper-v5")} == {"acme/gated", "bob/own"}
    assert {one.id for one in api.list_datasets(filter=["minari", "license:mit"])} == {"acme/hidden"}
    info = api.dataset_info("acme/walker")
    assert {"minari", "format:hdf5", "environment:CartPole-v1"} <= set(info.tags)
    assert [one["dataset_id"] for one in info.facts] == ["walker/long-v1", "walker/random-v0"]
    assert not hasattr(api.dataset_info("acme/gated"), "facts")


@pytest.mark.parametrize(
    "query",
    [
        "sort=size;drop",
        "sort=",
        "cursor=AAAA",
        "cursor=" + "WzEsMSwxXQ==",
        "cursor=" + "W251bGwsMSwiYSJd",
        "cursor=" + "WzEsMWUzMDAsImEiXQ==&sort=steps",
        "min_return=nan",
        "min_return=inf",
        "min_episodes=-1",
        "min_episodes=99999999999999999999",
        "limit=0",
        "direction=up",
        "environment=%00",
        "search=a%00b",
        "tag=",
        "search=" + "a+" * 50,
        "search=" + "x" * 300,
        "author=" + "x" * 300,
    ],
)
def test_hostile_questions_are_refused(hub, query):
    assert "error" in get(hub, f"?{query}", status=400).json()


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"', "é", "\U0001f600", "a' OR 1=1 --", "\ufffd"])
def test_odd_words_find_nothing(hub, text):
    assert found(hub, f"environment={quote(text)}") == set()
    assert found(hub, f"tag={quote(text)}") == set()


def test_it_is_documented():
    app = FastAPI()
    app.include_router(datasets.router)
    app.include_router(cards.router)
    schema = app.openapi()
    parameters = {one["name"] for one in schema["paths"]["/api/registry/datasets"]["get"]["parameters"]}
    assert {"environment", "min_return", "cursor", "tag"} <= parameters
    assert "FoundDataset" in schema["components"]["schemas"]
    assert "requestBody" in schema["paths"]["/api/validate-yaml"]["post"]
