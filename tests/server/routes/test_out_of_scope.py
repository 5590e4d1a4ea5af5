"""What is left out says so; what other helpers of the client list is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SPACE = "alice/space"
CARD = b"---\nlicense: mit\ntags:\n- control\nlanguage: en\n---\n# Card\n"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    hub = LiveHub(tmp_path_factory.mktemp("hub"), page_size=2).start()
    hub.organization("acme", alice="admin", rudi="read")
    hub.person("bob")
    hub.api("alice").create_repo(SPACE, repo_type="space", space_sdk="static")
    yield hub
    hub.stop()


CALLS: dict[str, Callable[[HfApi], Any]] = {
    "create_collection": lambda api: api.create_collection("Title"),
    "get_collection": lambda api: api.get_collection("alice/title-64f"),
    "list_collections": lambda api: list(api.list_collections(owner="alice")),
    "add_collection_item": lambda api: api.add_collection_item(
        "alice/title-64f", item_id="a/b", item_type="dataset"
    ),
    "delete_collection": lambda api: api.delete_collection("alice/title-64f"),
    "create_bucket": lambda api: api.create_bucket("alice/bucket"),
    "bucket_info": lambda api: api.bucket_info("alice/bucket"),
    "list_buckets": lambda api: list(api.list_buckets("alice")),
    "list_bucket_tree": lambda api: list(api.list_bucket_tree("alice/bucket")),
    "run_job": lambda api: api.run_job(image="python", command=["true"]),
    "list_jobs": lambda api: list(api.list_jobs(namespace="alice")),
    "inspect_job": lambda api: api.inspect_job(job_id="1", namespace="alice"),
    "list_scheduled_jobs": lambda api: list(api.list_scheduled_jobs(namespace="alice")),
    "list_jobs_hardware": lambda api: api.list_jobs_hardware(),
    "kernel_info": lambda api: api.kernel_info("alice/kernel"),
    "list_papers": lambda api: list(api.list_papers(query="x")),
    "paper_info": lambda api: api.paper_info("2307.09288"),
    "list_daily_papers": lambda api: list(api.list_daily_papers()),
    "search_spaces": lambda api: list(api.search_spaces("x")),
    "get_space_runtime": lambda api: api.get_space_runtime(SPACE),
    "add_space_secret": lambda api: api.add_space_secret(SPACE, "K", "v"),
    "delete_space_secret": lambda api: api.delete_space_secret(SPACE, "K"),
    "get_space_variables": lambda api: api.get_space_variables(SPACE),
    "add_space_variable": lambda api: api.add_space_variable(SPACE, "K", "v"),
    "request_space_hardware": lambda api: api.request_space_hardware(SPACE, "cpu-upgrade"),
    "set_space_sleep_time": lambda api: api.set_space_sleep_time(SPACE, 100),
    "pause_space": lambda api: api.pause_space(SPACE),
    "restart_space": lambda api: api.restart_space(SPACE),
    "fetch_space_logs": lambda api: list(api.fetch_space_logs(SPACE)),
    "get_dataset_leaderboard": lambda api: api.get_dataset_leaderboard("alice/set"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_the_client_is_told_so(live: LiveHub, name: str) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        CALLS[name](live.api("alice"))
    assert caught.value.response.status_code == 501
    assert "not part of this Hub" in str(caught.value)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/collections",
        "/api/buckets/a/b/tree/c/d",
        "/buckets/a/b/resolve/c",
        "/uploads",
        f"/api/spaces/{SPACE}/logs/run",
        "/api/spaces/zero-gpu/quota",
        "/api/models/a/b/safetensors-metadata/model.safetensors",
        "/api/models/a/b/resource-group",
        "/api/scheduled-jobs/alice/1/suspend",
    ],
)
def test_by_every_method(live: LiveHub, method: str, path: str) -> None:
    answer = httpx2.request(method, live.endpoint + path)
    assert answer.status_code == 501
    assert answer.json()["error"] == answer.headers["x-error-message"]


def test_there_are_no_templates_of_spaces(live: LiveHub) -> None:
    assert live.api("alice").list_space_templates() == []


@pytest.mark.filterwarnings("ignore:Duplicate Operation ID")
def test_left_out_routes_are_not_documented(live: LiveHub) -> None:
    paths = httpx2.get(f"{live.endpoint}/api/openapi.json").json()["paths"]
    assert "/api/webhooks" not in paths
    assert not [path for path in paths if "collections" in path or "secrets" in path]


def test_tags_by_type(live: LiveHub) -> None:
    api = live.api("alice")
    for kind, private in (("dataset", False), ("model", True)):
        api.create_repo("acme/tagged", repo_type=kind, private=private)
        api.create_commit(
            "acme/tagged", [CommitOperationAdd("README.md", CARD)], commit_message="Card", repo_type=kind
        )
    tags = live.api().get_dataset_tags()
    assert tags["license"] == [{"id": "license:mit", "label": "mit", "type": "license"}]
    assert {"id": "control", "label": "control", "type": "other"} in tags["other"]
    assert "license" not in live.api().get_model_tags()
    headers = {"authorization": f"Bearer {api.token}"}
    seen = httpx2.get(f"{live.endpoint}/api/models-tags-by-type", headers=headers).json()
    assert seen["license"] == tags["license"]


def test_repositories_and_what_they_take(live: LiveHub, tmp_path: Path) -> None:
    api = live.api("alice")
    api.delete_repo(SPACE, repo_type="space")
    for number in range(3):
        api.create_repo(f"alice/own{number}", repo_type="dataset", private=number == 0)
    (tmp_path / "a.bin").write_bytes(bytes(3000))
    for name, size in (("own0", 1000), ("own1", 3000)):
        api.upload_file(
            path_or_fileobj=bytes(range(250)) * (size // 250),
            path_in_repo="a.bin",
            repo_id=f"alice/{name}",
            repo_type="dataset",
        )
    listed = {repo.id: repo for repo in api.list_user_repos()}
    assert {name: (repo.type, repo.visibility, repo.storage) for name, repo in listed.items()} == {
        "alice/own0": ("dataset", "private", 1000),
        "alice/own1": ("dataset", "public", 3000),
        "alice/own2": ("dataset", "public", 0),
    }
    assert [repo.storage_percent for repo in listed.values()] == [25.0, 75.0, 0.0]
    api.create_repo("acme/hidden", repo_type="dataset", private=True)
    assert "acme/hidden" in [repo.id for repo in live.api("rudi").list_user_repos("acme")]
    assert list(live.api("bob").list_user_repos()) == []
    for name, organization, status in (("bob", "acme", "403"), ("bob", "bob", "404"), (None, None, "401")):
        with pytest.raises(HfHubHTTPError, match=status):
            list(live.api(name).list_user_repos(organization))
