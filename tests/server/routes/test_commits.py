"""Commits through the stock client, and what it never sends."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError

from pytupli_registry.server.wire.lfs import Pointer

if TYPE_CHECKING:
    from tests.server.support.live import LiveHub

SHA = "ab" * 32


def add(path: str, text: str) -> CommitOperationAdd:
    return CommitOperationAdd(path, text.encode())


@pytest.fixture
def repo(module_hub: LiveHub, request: pytest.FixtureRequest) -> str:
    name = f"acme/{request.node.name[:60].replace('[', '-').replace(']', '').replace('_', '-')}"
    module_hub.api("alice").create_repo(name, repo_type="dataset", private=False)
    return name


def post(
    hub: LiveHub, repo: str, *operations: tuple[str, dict[str, Any]], user: str = "alice", **header: Any
) -> Any:
    lines = [{"key": "header", "value": {"summary": "raw", **header}}]
    lines += [{"key": key, "value": value} for key, value in operations]
    return httpx2.post(
        f"{hub.endpoint}/api/datasets/{repo}/commit/main",
        content="\n".join(map(json.dumps, lines)),
        headers={"Authorization": f"Bearer {hub.person(user).token}", "Content-Type": "application/x-ndjson"},
        timeout=120,
    )


def put(path: str, content: bytes) -> tuple[str, dict[str, Any]]:
    return "file", {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}


def test_files_come_go_and_are_copied(module_hub: LiveHub, repo: str) -> None:
    api = module_hub.api("alice")
    first = api.create_commit(
        repo, [add("a/b.txt", "one"), add("c.txt", "two")], repo_type="dataset", commit_message="add"
    )
    api.create_commit(
        repo,
        [CommitOperationCopy("a/b.txt", "d.txt"), CommitOperationDelete("c.txt"), add("a/b.txt", "three")],
        repo_type="dataset",
        commit_message="change",
        commit_description="because",
        parent_commit=first.oid[:9],
    )
    assert api.list_repo_files(repo, repo_type="dataset") == [".gitattributes", "a/b.txt", "d.txt"]
    assert api.list_repo_files(repo, repo_type="dataset", revision=first.oid) == [
        ".gitattributes",
        "a/b.txt",
        "c.txt",
    ]
    history = api.list_repo_commits(repo, repo_type="dataset", formatted=True)
    assert [(one.title, one.message, one.authors) for one in history] == [
        ("change", "because", ["alice"]),
        ("add", "", ["alice"]),
        ("initial commit", "", ["alice"]),
    ]
    api.create_commit(
        repo, [CommitOperationDelete("a/", is_folder=True)], repo_type="dataset", commit_message="no a"
    )
    assert api.list_repo_files(repo, repo_type="dataset") == [".gitattributes", "d.txt"]


def test_contents_of_every_size_arrive(module_hub: LiveHub, repo: str) -> None:
    sizes = [0, 1, 65_536, 65_537, 3_000_000]
    contents = {f"f{size}.txt": (b"0123456789" * (size // 10 + 1))[:size] for size in sizes}
    answer = post(module_hub, repo, *[put(path, content) for path, content in contents.items()])
    assert answer.status_code == 200, answer.text
    for path, content in contents.items():
        url = f"{module_hub.endpoint}/datasets/{repo}/resolve/main/{path}"
        assert httpx2.get(url).content == content


def test_a_commit_that_changes_nothing_is_the_head(module_hub: LiveHub, repo: str) -> None:
    first = post(module_hub, repo, put("a.txt", b"1")).json()["commitOid"]
    assert post(module_hub, repo, put("a.txt", b"1")).json()["commitOid"] == first


def test_a_commit_sent_again_after_a_lost_answer_is_not_refused(module_hub: LiveHub, repo: str) -> None:
    parent = module_hub.api().dataset_info(repo).sha
    first = post(module_hub, repo, put("a.txt", b"1"), parentCommit=parent)
    again = post(module_hub, repo, put("a.txt", b"1"), parentCommit=parent)
    assert again.json()["commitOid"] == first.json()["commitOid"]
    other = post(module_hub, repo, put("a.txt", b"2"), parentCommit=parent)
    assert other.status_code == 412
    assert other.json()["error"].startswith("The branch was updated since you opened this page.")


def test_nothing_of_a_refused_commit_can_be_seen(module_hub: LiveHub, repo: str) -> None:
    head = module_hub.api().dataset_info(repo).sha
    for last in (
        ("deletedFile", {"path": "missing"}),
        ("lfsFile", {"path": "x.bin", "oid": SHA}),
        put("../x", b""),
    ):
        answer = post(module_hub, repo, put("seen.txt", b"never"), last)
        assert 400 <= answer.status_code < 500
    assert module_hub.api().dataset_info(repo).sha == head
    assert module_hub.api().list_repo_files(repo, repo_type="dataset") == [".gitattributes"]


def test_the_last_operation_of_a_path_counts(module_hub: LiveHub, repo: str) -> None:
    post(module_hub, repo, put("a.txt", b"1"), put("a.txt", b"2"), put("b.txt", b"1"))
    post(module_hub, repo, ("deletedFile", {"path": "b.txt"}), put("b.txt", b"3"))
    for path, content in (("a.txt", b"2"), ("b.txt", b"3")):
        assert httpx2.get(f"{module_hub.endpoint}/datasets/{repo}/resolve/main/{path}").content == content


def test_a_folder_gives_way_to_a_file_and_back(module_hub: LiveHub, repo: str) -> None:
    post(module_hub, repo, put("d/a.txt", b"1"), put("d/b/c.txt", b"2"))
    assert post(module_hub, repo, put("d", b"3")).status_code == 422
    assert post(module_hub, repo, ("deletedFolder", {"path": "d/"}), put("d", b"3")).status_code == 200
    assert module_hub.api().list_repo_files(repo, repo_type="dataset") == [".gitattributes", "d"]
    assert post(module_hub, repo, ("deletedFile", {"path": "d"}), put("d/e.txt", b"4")).status_code == 200
    assert module_hub.api().list_repo_files(repo, repo_type="dataset") == [".gitattributes", "d/e.txt"]


def test_a_hash_alone_gives_no_access(live_hub: LiveHub) -> None:
    alice, bob = live_hub.api("alice"), live_hub.api("bob")
    secret = b"the private measurements" * 10_000
    alice.create_repo("acme/private", repo_type="dataset", private=True)
    post(live_hub, "acme/private", put("data.txt", secret))
    with live_hub.hub.database.read() as session:
        from sqlalchemy import text

        sha256 = session.execute(text("SELECT sha256 FROM blobs")).scalar_one()
        tree = session.execute(
            text("SELECT commit_oid FROM refs WHERE name = 'refs/heads/main'")
        ).scalar_one()
    bob.create_repo("bob/mine", repo_type="dataset", private=False)
    large = ("lfsFile", {"path": "stolen.bin", "algo": "sha256", "oid": sha256, "size": len(secret)})
    pointer = put("stolen.bin", Pointer(sha256, len(secret)).encoded())
    for operation in (large, pointer):
        answer = post(live_hub, "bob/mine", operation, user="bob")
        assert answer.status_code == 422
        assert "was not uploaded to bob/mine" in answer.json()["error"]
    missing = post(live_hub, "bob/mine", ("lfsFile", {"path": "stolen.bin", "oid": SHA}), user="bob")
    assert missing.status_code == 422  # what exists elsewhere and what exists nowhere look alike
    with pytest.raises(RevisionNotFoundError):
        bob.dataset_info("bob/mine", revision=tree)


def test_32_writers_on_one_branch(module_hub: LiveHub, repo: str) -> None:
    def write(number: int) -> int:
        return post(module_hub, repo, put(f"w{number}.txt", b"%d" % number)).status_code

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(write, range(32))) == [200] * 32
    assert len(module_hub.api().list_repo_files(repo, repo_type="dataset")) == 33
    assert len(module_hub.api().list_repo_commits(repo, repo_type="dataset")) == 33


def test_of_writers_with_one_parent_one_wins(module_hub: LiveHub, repo: str) -> None:
    parent = module_hub.api().dataset_info(repo).sha

    def write(number: int) -> int:
        return post(module_hub, repo, put(f"w{number}.txt", b"x"), parentCommit=parent).status_code

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(write, range(16))) == [200] + [412] * 15
    assert len(module_hub.api().list_repo_commits(repo, repo_type="dataset")) == 2


def test_strangers_propose_and_only_the_author_goes_on(module_hub: LiveHub, repo: str) -> None:
    bob, carol = module_hub.api("bob"), module_hub.api("carol")
    with pytest.raises(HfHubHTTPError, match="403"):
        bob.create_commit(repo, [add("x.txt", "x")], repo_type="dataset", commit_message="no")
    proposed = bob.create_commit(
        repo, [add("x.txt", "x")], repo_type="dataset", commit_message="please", create_pr=True
    )
    assert (proposed.pr_num, proposed.pr_revision) == (1, "refs/pr/1")
    bob.create_commit(
        repo, [add("y.txt", "y")], repo_type="dataset", commit_message="more", revision="refs/pr/1"
    )
    with pytest.raises(HfHubHTTPError, match="403"):
        carol.create_commit(
            repo, [add("z.txt", "z")], repo_type="dataset", commit_message="no", revision="refs/pr/1"
        )
    assert bob.list_repo_files(repo, repo_type="dataset", revision="refs/pr/1") == [
        ".gitattributes",
        "x.txt",
        "y.txt",
    ]
    assert bob.list_repo_files(repo, repo_type="dataset") == [".gitattributes"]
    for revision in ("refs/pr/2", "refs/pr/x", "nope", "a" * 40, "refs/tags/v1"):
        with pytest.raises(RevisionNotFoundError):
            bob.create_commit(
                repo,
                [add("z", "z")],
                repo_type="dataset",
                commit_message="x",
                revision=revision,
                create_pr=True,
            )


def test_preupload_says_how_each_file_travels(module_hub: LiveHub, repo: str) -> None:
    post(module_hub, repo, put("same.txt", b"same"), put(".gitignore", b"*.log\n!keep.log\ncache/\n"))
    sample = base64.b64encode(b"text").decode()
    binary = base64.b64encode(b"\0\1\2").decode()
    files = [
        {"path": "same.txt", "size": 4, "sample": sample},
        {"path": "large.txt", "size": 11 << 20, "sample": sample},
        {"path": "binary", "size": 3, "sample": binary},
        {"path": "data/main_data.hdf5", "size": 3, "sample": sample},
        {"path": "empty.hdf5", "size": 0, "sample": ""},
        {"path": "x.log", "size": 4, "sample": sample},
        {"path": "keep.log", "size": 4, "sample": sample},
        {"path": "a/cache/b.txt", "size": 4, "sample": sample},
    ]
    answer = httpx2.post(
        f"{module_hub.endpoint}/api/datasets/{repo}/preupload/main",
        json={"files": files},
        headers={"Authorization": f"Bearer {module_hub.person('alice').token}"},
    ).json()["files"]
    assert [(one["path"], one["uploadMode"], one["shouldIgnore"]) for one in answer] == [
        ("same.txt", "regular", False),
        ("large.txt", "lfs", False),
        ("binary", "lfs", False),
        ("data/main_data.hdf5", "lfs", False),
        ("empty.hdf5", "regular", False),
        ("x.log", "regular", True),
        ("keep.log", "regular", False),
        ("a/cache/b.txt", "regular", True),
    ]
    assert [one.get("oid") is not None for one in answer] == [True] + [False] * 7
