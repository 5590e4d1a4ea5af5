"""The stand-in for huggingface.co behaves so that stock clients work with it, and only by the rules."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import httpx2 as httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from tests.server.support.stock_client import StockClient
from tests.support.public_hub import PublicHub
from tests.support.public_limits import Limits, Quota, problem_of_commit

if TYPE_CHECKING:
    from pathlib import Path

LARGE = random.Random(0).randbytes(300_000)


@pytest.fixture(params=[True, False], ids=["xet", "lfs"])
def repo(public_hub: PublicHub, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A private repository with a small and a large file, uploaded by the stock client."""
    name = f"acme/things-{tmp_path.name}"
    (tmp_path / "small.json").write_text('{"a": 1}')
    (tmp_path / "large.hdf5").write_bytes(LARGE)
    token = public_hub.person("ada").token
    with StockClient(public_hub.endpoint, tmp_path / "hf", token, xet=request.param) as client:
        client.call("create_repo", repo_id=name, repo_type="dataset", private=True)
        for file in ("small.json", "large.hdf5"):
            client.upload(name, tmp_path / file)
        assert client.download(name, "large.hdf5") == LARGE
        assert client.download(name, "small.json") == b'{"a": 1}'
    return name


def test_stock_clients_upload_and_download(public_hub: PublicHub, repo: str):
    assert not public_hub.leaks
    files = HfApi(endpoint=public_hub.endpoint, token=public_hub.person("ada").token).list_repo_files(
        repo, repo_type="dataset"
    )
    assert {"small.json", "large.hdf5"} <= set(files)


def test_contents_come_from_another_host_and_take_no_token(public_hub: PublicHub, repo: str):
    token = {"Authorization": f"Bearer {public_hub.person('ada').token}"}
    with httpx.Client() as client:
        url = f"{public_hub.endpoint}/datasets/{repo}/resolve/main/large.hdf5"
        for method in ("HEAD", "GET"):
            told = client.request(method, url, headers=token)
            assert told.status_code == 302
            assert told.headers["X-Linked-Size"] == str(len(LARGE))
            assert len(told.headers["X-Repo-Commit"]) == 40
        place = told.headers["Location"]
        assert place.startswith(public_hub.contents)
        assert client.get(place).content == LARGE
        part = client.get(place, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, LARGE[10:20])
        assert client.get(place, headers={"Range": "bytes=0-1,5-6"}).status_code == 200
        refused = client.get(place, headers=token)
        assert (refused.status_code, "Only one auth mechanism" in refused.text) == (400, True)
        assert len(public_hub.leaks) == 1
        public_hub.leaks.clear()
        assert client.head(place).status_code == 403
        assert client.get(f"{public_hub.contents}/abc/def").status_code == 403
        small = client.get(f"{public_hub.endpoint}/datasets/{repo}/resolve/main/small.json", headers=token)
        assert small.status_code == 307
        assert small.headers["Location"].startswith("/api/resolve-cache/datasets/")
        assert client.get(url).status_code in (401, 404)  # private


def test_signed_urls_expire(tmp_path: Path):
    hub = PublicHub(tmp_path / "hub", Limits(signed_s=0))
    hub.person("ada")
    hub.start()
    try:
        api = hub.api("ada")
        api.create_repo("ada/x", repo_type="dataset")
        with StockClient(hub.endpoint, tmp_path / "hf", hub.person("ada").token, xet=False) as client:
            (tmp_path / "large.hdf5").write_bytes(LARGE)
            client.upload("ada/x", tmp_path / "large.hdf5")
        told = httpx.get(f"{hub.endpoint}/datasets/ada/x/resolve/main/large.hdf5")
        late = httpx.get(told.headers["Location"])
        assert (late.status_code, "expired" in late.text) == (403, True)
    finally:
        hub.stop()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/organizations"),
        ("POST", "/api/organizations"),
        ("PUT", "/api/organizations/acme/members/ada"),
        ("POST", "/api/users/ada/tokens"),
        ("GET", "/api/registry/datasets"),
        ("GET", "/health"),
        ("GET", "/metrics"),
        ("GET", "/"),
    ],
)
def test_only_the_public_protocol_answers(public_hub: PublicHub, method: str, path: str):
    token = {"Authorization": f"Bearer {public_hub.person('ada').token}"}
    assert httpx.request(method, public_hub.endpoint + path, headers=token).status_code == 404


def test_namespaces_of_others_are_closed(public_hub: PublicHub):
    api = public_hub.api("ada")
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo("initech/x", repo_type="dataset")
    assert refused.value.response.status_code == 403
    with pytest.raises(RepositoryNotFoundError):
        public_hub.api().repo_info("acme/hidden", repo_type="dataset")


def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path):
    hub = PublicHub(tmp_path / "hub", Limits(requests=3, window_s=100)).start()
    try:
        answers = [httpx.get(f"{hub.endpoint}/api/datasets") for _ in range(4)]
    finally:
        hub.stop()
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["RateLimit"] == '"api";r=2;t=100'
    assert 0 < int(answers[3].headers["Retry-After"]) <= 100


def test_a_window_ends():
    now = [0.0]
    quota = Quota("api", Limits(requests=2, window_s=10), lambda: now[0])
    assert [quota.take()[1] is None for _ in range(3)] == [True, True, False]
    now[0] = 10.0
    assert quota.take()[1] is None


def test_commits_have_limits():
    def commit(*paths: str, key: str = "lfsFile") -> bytes:
        return b"\n".join(json.dumps({"key": key, "value": {"path": path}}).encode() for path in paths)

    limits = Limits(large_files=3, folder_files=2, payload=1000)
    assert problem_of_commit(commit("a/1", "a/2", "b/1"), limits) is None
    assert problem_of_commit(commit("a/1", "b/2", "c/1", "d/1"), limits).status == 400
    assert "/a/" in problem_of_commit(commit("a/1", "a/2", "a/3", key="file"), limits).message
    assert problem_of_commit(commit(*["a/1"] * 100, key="file"), limits).status == 413
