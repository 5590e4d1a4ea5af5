"""What is answered before the framework has a part in it is answered as by the framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd

if TYPE_CHECKING:
    from tests.server.support.live import LiveHub

PLAIN_AND_USUAL = [
    ("{repo}", "?blobs=false"),
    ("{repo}/revision/main", "?blobs=false"),
    ("{repo}/revision/nowhere", "?blobs=false"),
    ("{repo}/tree/main", "?limit=1000"),
    ("{repo}/tree/main/folder", "?limit=1000"),
    ("{repo}/tree/main/nothing", "?limit=1000"),
    ("{repo}/tree/refs%2Fheads%2Fmain/folder%2Fb", "?limit=1000"),
]
CHANGES_ALWAYS = {"date", "x-request-id"}


@pytest.fixture(scope="module")
def repositories(module_hub: LiveHub) -> LiveHub:
    api = module_hub.api("alice")
    for repo in ("acme/straight", "acme/open", "acme/before"):
        api.create_repo(repo, repo_type="dataset", private=repo == "acme/straight")
        files = [CommitOperationAdd(path, path.encode()) for path in ("top", "folder/a", "folder/b")]
        api.create_commit(repo, files, repo_type="dataset", commit_message="fill")
    api.move_repo("acme/before", "acme/after", repo_type="dataset")
    return module_hub


@pytest.mark.parametrize("repo", ["acme/straight", "acme/open", "acme/before", "acme/missing", "acme/a..b"])
@pytest.mark.parametrize("who", ["bob", "carol", None, "nobody's token"])
def test_both_ways_answer_alike(repositories: LiveHub, repo: str, who: str | None) -> None:
    token = repositories.api(who).token if who in ("bob", "carol", None) else who
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx2.Client(base_url=repositories.endpoint, headers=headers) as client:
        for path, query in PLAIN_AND_USUAL:
            address = f"/api/datasets/{path.format(repo=repo)}"
            plain, usual = client.get(address), client.get(address + query)
            assert (plain.status_code, plain.content) == (usual.status_code, usual.content), address
            assert told(plain) == told(usual) | {"location": address_of(usual, query)}, address


def told(answer: httpx2.Response) -> dict[str, str]:
    """Return the headers that do not differ between two answers to one question."""
    kept = {name: value for name, value in answer.headers.items() if name not in CHANGES_ALWAYS}
    return {"location": "", **kept}


def address_of(answer: httpx2.Response, query: str) -> str:
    """Return where an answer leads, without the query that was asked."""
    return answer.headers.get("location", "").removesuffix(query)


def test_other_methods_have_other_answers(repositories: LiveHub) -> None:
    asked = httpx2.put(f"{repositories.endpoint}/api/datasets/acme/open/tree/main")
    assert asked.status_code == 405
