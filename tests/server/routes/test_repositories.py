"""Repositories, refs, trees and listings through the stock client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """A Hub with pages of three entries."""
    hub = LiveHub(tmp_path_factory.mktemp("pages"), page_size=3).start()
    hub.organization("acme", alice="admin", bob="read")
    hub.person("carol")
    yield hub
    hub.stop()


def fill(api: HfApi, repo: str, paths: list[str]) -> str:
    operations = [CommitOperationAdd(path, path.encode()) for path in paths]
    return api.create_commit(repo, operations, repo_type="dataset", commit_message="fill").oid


def test_creating_twice_is_a_conflict_that_still_tells_the_url(module_hub: LiveHub) -> None:
    api = module_hub.api("alice")
    url = api.create_repo("acme/twice", repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo("ACME/Twice", repo_type="dataset")
    assert api.create_repo("acme/twice", repo_type="dataset", exist_ok=True) == url
    assert api.create_repo("acme/twice", repo_type="model").repo_type == "model"


def test_defaults_of_visibility(module_hub: LiveHub) -> None:
    api = module_hub.api("alice")
    assert api.dataset_info(api.create_repo("acme/default", repo_type="dataset").repo_id).private
    own = api.create_repo("mine", repo_type="dataset")
    assert own.repo_id == "alice/mine"
    assert not api.dataset_info("alice/mine").private


def test_nobody_creates_elsewhere(module_hub: LiveHub) -> None:
    for name in ("acme/x", "alice/x", "nowhere/x"):
        with pytest.raises(HfHubHTTPError, match=r"403|404"):
            module_hub.api("bob").create_repo(name, repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="401"):
        module_hub.api().create_repo("acme/x", repo_type="dataset")


def test_old_names_lead_to_the_new_one_everywhere(module_hub: LiveHub, tmp_path: Path) -> None:
    api = module_hub.api("alice")
    api.create_repo("acme/old", repo_type="dataset", private=False)
    fill(api, "acme/old", ["a.txt"])
    api.move_repo("acme/old", "alice/new", repo_type="dataset")
    assert module_hub.api().dataset_info("acme/old").id == "alice/new"
    path = hf_hub_download(
        "acme/old",
        "a.txt",
        repo_type="dataset",
        endpoint=module_hub.endpoint,
        cache_dir=tmp_path,
        token=False,
    )
    assert Path(path).read_text() == "a.txt"
    fill(api, "acme/old", ["b.txt"])
    assert api.list_repo_files("alice/new", repo_type="dataset") == [".gitattributes", "a.txt", "b.txt"]
    api.create_repo("acme/old", repo_type="dataset")  # the name is free again
    assert api.dataset_info("acme/old").id == "acme/old"
    api.update_repo_settings("alice/new", repo_type="dataset", private=True)
    with pytest.raises(RepositoryNotFoundError):
        module_hub.api("bob").dataset_info("alice/new")


def test_an_old_name_of_a_private_repository_tells_nothing(module_hub: LiveHub) -> None:
    api = module_hub.api("alice")
    api.create_repo("acme/was", repo_type="dataset", private=True)
    api.move_repo("acme/was", "acme/is", repo_type="dataset")
    answers = {}
    for name in ("was", "is", "never"):
        answer = httpx2.get(f"{module_hub.endpoint}/api/datasets/acme/{name}")
        kept = {key: value for key, value in answer.headers.items() if key not in ("date", "x-request-id")}
        text = answer.text.replace(f"acme/{name}", "acme/NAME")
        answers[name] = (
            answer.status_code,
            text,
            {k: v.replace(f"acme/{name}", "acme/NAME") for k, v in kept.items()},
        )
        answers[name][2].pop("content-length")
    assert answers["was"] == answers["is"] == answers["never"]
    assert answers["never"][0] == 404


def test_branches_and_tags(module_hub: LiveHub) -> None:
    api = module_hub.api("alice")
    api.create_repo("acme/refs", repo_type="dataset", private=False)
    first = fill(api, "acme/refs", ["a"])
    fill(api, "acme/refs", ["b"])
    api.create_branch("acme/refs", repo_type="dataset", branch="from-short", revision=first[:8])
    api.create_tag("acme/refs", repo_type="dataset", tag="from-short", tag_message="same name")
    api.create_branch("acme/refs", repo_type="dataset", branch="feature/x", revision="from-short")
    with pytest.raises(HfHubHTTPError, match="Reference refs/heads/feature/x already exists"):
        api.create_branch("acme/refs", repo_type="dataset", branch="feature/x")
    api.create_branch("acme/refs", repo_type="dataset", branch="feature/x", exist_ok=True)
    assert api.list_repo_files("acme/refs", repo_type="dataset", revision="feature/x") == [
        ".gitattributes",
        "a",
    ]
    refs = api.list_repo_refs("acme/refs", repo_type="dataset")
    assert [one.name for one in refs.branches] == ["feature/x", "from-short", "main"]
    assert [(one.name, one.ref) for one in refs.tags] == [("from-short", "refs/tags/from-short")]
    with pytest.raises(BadRequestError, match="Cannot delete refs/heads/main"):
        api.delete_branch("acme/refs", repo_type="dataset", branch="main")
    with pytest.raises(RevisionNotFoundError, match="Invalid rev id"):
        api.delete_branch("acme/refs", repo_type="dataset", branch="nope")
    api.delete_tag("acme/refs", repo_type="dataset", tag="from-short")
    api.delete_branch("acme/refs", repo_type="dataset", branch="feature/x")
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info("acme/refs", revision="feature/x")
    with pytest.raises(BadRequestError, match="Invalid reference"):
        api.create_branch("acme/refs", repo_type="dataset", branch="refs/heads/x")


def test_pages_make_up_the_whole(pages: LiveHub) -> None:
    api = pages.api("alice")
    for number in range(8):
        api.create_repo(f"acme/set{number}", repo_type="dataset", private=number % 2 == 1)
    everything = [f"acme/set{number}" for number in range(8)]
    assert sorted(one.id for one in api.list_datasets(author="acme")) == everything
    assert sorted(one.id for one in pages.api("bob").list_datasets(author="acme")) == everything
    for outsider in (pages.api("carol"), pages.api()):
        assert sorted(one.id for one in outsider.list_datasets(author="acme")) == everything[::2]
    for sort in ("lastModified", "createdAt", "downloads", "likes", "trendingScore"):
        assert sorted(one.id for one in api.list_datasets(author="acme", sort=sort)) == everything
    newest = [one.id for one in api.list_datasets(author="acme", sort="createdAt")]
    assert newest == everything[::-1]
    assert [one.id for one in api.list_datasets(search="SET3")] == ["acme/set3"]
    assert len(list(api.list_datasets(author="acme", limit=5))) == 5
    with pytest.raises(BadRequestError, match="lastModified"):
        list(api.list_datasets(sort="colour"))  # type: ignore[arg-type]


def test_trees_in_pages(pages: LiveHub) -> None:
    api = pages.api("alice")
    api.create_repo("acme/tree", repo_type="dataset", private=False)
    paths = ["a.txt", "b/1.txt", "b/2.txt", "b/c/3.txt", "b/c/4.txt", "d/5.txt", "z.txt"]
    head = fill(api, "acme/tree", paths)
    listed = list(api.list_repo_tree("acme/tree", repo_type="dataset", recursive=True))
    assert [one.path for one in listed] == [
        ".gitattributes",
        "a.txt",
        "b",
        *paths[1:3],
        "b/c",
        *paths[3:5],
        "d",
        *paths[5:],
    ]
    assert [one.path for one in api.list_repo_tree("acme/tree", "b", repo_type="dataset")] == [
        "b/1.txt",
        "b/2.txt",
        "b/c",
    ]
    assert [one.path for one in api.list_repo_tree("acme/tree", "b/1.txt", repo_type="dataset")] == [
        "b/1.txt"
    ]
    expanded = list(api.list_repo_tree("acme/tree", repo_type="dataset", recursive=True, expand=True))
    assert {one.last_commit.oid for one in expanded if one.path != ".gitattributes"} == {head}
    assert api.list_repo_files("acme/tree", repo_type="dataset") == [".gitattributes", *paths]
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree("acme/tree", "nope", repo_type="dataset"))
    found = api.get_paths_info("acme/tree", ["b", "b/1.txt", "nope"], repo_type="dataset")
    assert [one.path for one in found] == ["b", "b/1.txt"]
    assert len(api.list_repo_commits("acme/tree", repo_type="dataset")) == 2


def test_info_with_blobs_and_expand(module_hub: LiveHub) -> None:
    api = module_hub.api("alice")
    api.create_repo("acme/info", repo_type="dataset", private=False)
    first = fill(api, "acme/info", ["a", "b/c"])
    fill(api, "acme/info", ["d"])
    info = api.dataset_info("acme/info", files_metadata=True)
    assert {one.rfilename: one.size for one in info.siblings or []} == {
        ".gitattributes": 2352,
        "a": 1,
        "b/c": 3,
        "d": 1,
    }
    assert api.dataset_info("acme/info", revision=first).sha == first
    assert [one.rfilename for one in api.dataset_info("acme/info", revision=first).siblings or []][1:] == [
        "a",
        "b/c",
    ]
    assert api.dataset_info("acme/info", expand=["likes"]).siblings is None
    with pytest.raises(BadRequestError, match='"expand" must be one of \\[author, cardData'):
        api.dataset_info("acme/info", expand=["nope"])  # type: ignore[list-item]


def test_deleting(module_hub: LiveHub) -> None:
    api = module_hub.api("alice")
    api.create_repo("acme/gone", repo_type="dataset", private=False)
    with pytest.raises(HfHubHTTPError, match="403"):
        module_hub.api("bob").delete_repo("acme/gone", repo_type="dataset")
    api.delete_repo("acme/gone", repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info("acme/gone")
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo("acme/gone", repo_type="dataset")
    api.delete_repo("acme/gone", repo_type="dataset", missing_ok=True)
