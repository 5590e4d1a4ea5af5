"""Squashing, deleting large files for good, copying repositories; through the stock client, with git as judge."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from sqlalchemy import select

from pytupli_registry.server.database.schema import Blob, RepositoryBlob
from pytupli_registry.server.services.maintenance.fsck.check import check_hub
from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings(
    "ignore:Use 'content=:DeprecationWarning"
)  # of the client's LFS upload

REPO = "acme/hvac"
COPY = "bob/hvac"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    hub = LiveHub(tmp_path_factory.mktemp("hub"), page_size=2, inline_size=1000).start()
    hub.organization("acme", alice="admin", wanda="write")
    hub.person("bob")
    yield hub
    findings = check_hub(hub.hub, deep=True)
    hub.stop()
    assert [one for one in findings.kept if one.is_damage] == []


def add(path: str, content: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path, content)


def commit(api: HfApi, *operations: Any, title: str = "Change", **options: Any) -> str:
    return str(api.create_commit(REPO, operations, commit_message=title, **options).oid)


@pytest.fixture
def alice(live: LiveHub, monkeypatch: pytest.MonkeyPatch) -> HfApi:
    """The owner of a public repository whose files are large, small, or large and regular."""
    monkeypatch.setattr(
        constants, "HF_HUB_DISABLE_XET", True
    )  # as if it were set: these tests are not about Xet
    api = live.api("alice")
    api.delete_repo(REPO, missing_ok=True)
    live.api("bob").delete_repo(COPY, missing_ok=True)
    api.create_repo(REPO, private=False)
    commit(api, add("one.bin", b"large 1"), add("text.txt", b"t" * 3000), title="One")
    commit(api, add("deep/er/two.bin", b"large 2"), add("copy.bin", b"large 1"), title="Two")
    api.create_tag(REPO, tag="v1")
    return api


def titles(api: HfApi, revision: str = "main") -> list[str]:
    return [one.title for one in api.list_repo_commits(REPO, revision=revision)]


def checked(live: LiveHub, repo: str, directory: Path) -> Path:
    """Clone and let git check everything."""
    url = f"http://user:{live.person('alice').token}@127.0.0.1:{live.port}/{repo}"
    subprocess.run(["git", "clone", "-q", "--mirror", url, directory], check=True)
    subprocess.run(["git", "fsck", "--full", "--strict"], cwd=directory, check=True, capture_output=True)
    return directory


def test_a_squashed_branch_keeps_its_files(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    alice.create_branch(REPO, branch="next/one")
    commit(alice, add("three.bin", b"large 3"), revision="next/one", title="Three")
    files = alice.list_repo_files(REPO, revision="next/one")
    before = titles(alice)
    alice.super_squash_history(REPO, branch="next/one")
    assert titles(alice, "next/one") == ["Super-squash branch 'next/one' using huggingface_hub"]
    assert alice.list_repo_files(REPO, revision="next/one") == files
    assert titles(alice) == titles(alice, "v1") == before
    alice.super_squash_history(REPO, commit_message="Anew\n\nBecause")
    assert [(one.title, one.message) for one in alice.list_repo_commits(REPO)] == [("Anew", "Because")]
    checked(live, REPO, tmp_path / "clone")


def test_a_squashed_pull_request_is_merged_still(live: LiveHub, alice: HfApi) -> None:
    bob = live.api("bob")
    for number in range(2):
        pull = {"create_pr": True} if number == 0 else {"revision": "refs/pr/1"}
        commit(bob, add(f"new{number}.txt", b"x"), **pull)
    alice.super_squash_history(REPO, branch="refs/pr/1")
    assert len(titles(alice, "refs/pr/1")) == 1
    alice.merge_pull_request(REPO, 1)
    assert {"new0.txt", "new1.txt", "one.bin"} <= set(alice.list_repo_files(REPO))


def test_what_cannot_be_squashed(live: LiveHub, alice: HfApi) -> None:
    head = str(alice.repo_info(REPO).sha)
    for revision in ("missing", "refs/tags/v1", head, "v1"):
        with pytest.raises(RevisionNotFoundError):
            alice.super_squash_history(REPO, branch=revision)
    for name in ("wanda", "bob"):
        with pytest.raises(HfHubHTTPError, match="403"):
            live.api(name).super_squash_history(REPO)
    with pytest.raises(BadRequestError):
        alice.super_squash_history(REPO, commit_message=" \n ")


def large(api: HfApi) -> dict[str, str | None]:
    return {file.filename: file.ref for file in api.list_lfs_files(REPO)}


def test_large_files_are_listed_over_all_history(live: LiveHub, alice: HfApi) -> None:
    commit(alice, CommitOperationDelete("deep/er/two.bin"), add("four.bin", b"large 4"), title="Later")
    alice.create_branch(REPO, branch="side")
    commit(alice, add("five.bin", b"large 5"), revision="side")
    commit(live.api("bob"), add("six.bin", b"large 6"), create_pr=True)
    assert large(alice) == {
        "copy.bin": "refs/heads/main",
        "deep/er/two.bin": "refs/heads/main",
        "four.bin": "refs/heads/main",
        "five.bin": "refs/heads/side",
        "six.bin": "refs/pr/1",
    }
    (four,) = [file for file in alice.list_lfs_files(REPO) if file.filename == "four.bin"]
    info = alice.get_paths_info(REPO, "four.bin")[0]
    assert (four.file_oid, four.size) == (info.lfs.sha256, 7)
    alice.super_squash_history(REPO)
    alice.delete_tag(REPO, tag="v1")
    assert large(alice)["deep/er/two.bin"] == "refs/heads/side"
    alice.delete_branch(REPO, branch="side")
    assert large(alice)["deep/er/two.bin"] == "refs/pr/1"
    with pytest.raises(HfHubHTTPError, match="403"):
        list(live.api("bob").list_lfs_files(REPO))
    assert large(live.api("wanda"))


def blobs(live: LiveHub, repo: str = REPO) -> int:
    with live.hub.database.read() as session:
        from pytupli_registry.server.services.repositories import lookup
        from pytupli_registry.server.wire.names import RepoId, RepoType

        repository = lookup(session, RepoId.parse(RepoType.MODEL, repo))
        assert repository is not None
        sizes = session.scalars(
            select(Blob.size)
            .join(RepositoryBlob, RepositoryBlob.sha256 == Blob.sha256)
            .where(RepositoryBlob.repository_id == repository.id)
        ).all()
        assert repository.used_storage == sum(sizes)
        return len(sizes)


def test_deleted_large_files_are_gone_from_all_history(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    bob = live.api("bob")
    made = bob.create_commit(REPO, [add("mine.txt", b"m")], commit_message="Mine", create_pr=True)
    commit(alice, add("late.txt", b"l"), add("five.bin", b"large 5"), title="Late")
    old = {name: str(alice.repo_info(REPO, revision=name).sha) for name in ("main", "v1", "refs/pr/1")}
    initial = alice.list_repo_commits(REPO)[-1].commit_id
    before = {one.title: (one.authors, one.created_at) for one in alice.list_repo_commits(REPO)}
    assert blobs(live) == 4
    one = [file for file in alice.list_lfs_files(REPO) if file.filename == "copy.bin"]
    alice.permanently_delete_lfs_files(REPO, one)
    assert blobs(live) == 3
    assert set(large(alice)) == {"deep/er/two.bin", "five.bin"}
    for name, oid in old.items():
        files = set(alice.list_repo_files(REPO, revision=name))
        assert {".gitattributes", "text.txt", "deep/er/two.bin"} <= files
        assert not files & {"one.bin", "copy.bin"}
        with pytest.raises(RevisionNotFoundError):
            alice.repo_info(REPO, revision=oid)
    with pytest.raises(EntryNotFoundError):
        alice.hf_hub_download(REPO, "one.bin", cache_dir=tmp_path / "cache")
    commits = alice.list_repo_commits(REPO)
    assert {one.title: (one.authors, one.created_at) for one in commits} == before
    assert commits[-1].commit_id == initial
    details = bob.get_discussion_details(REPO, 1)
    events = [event.oid for event in details.events if event.type == "commit"]
    assert events == [str(alice.repo_info(REPO, revision="refs/pr/1").sha)] != [made.oid]
    assert details.conflicting_files == []
    alice.merge_pull_request(REPO, 1)
    assert {"mine.txt", "late.txt"} <= set(alice.list_repo_files(REPO))
    clone = checked(live, REPO, tmp_path / "clone")
    log = subprocess.run(["git", "log", "--all", "--name-only"], cwd=clone, check=True, capture_output=True)
    assert b"one.bin" not in log.stdout


def test_a_folder_of_deleted_files_is_gone_too(alice: HfApi) -> None:
    alice.permanently_delete_lfs_files(
        REPO, [file for file in alice.list_lfs_files(REPO) if "deep" in file.filename]
    )
    assert alice.list_repo_files(REPO) == [".gitattributes", "copy.bin", "one.bin", "text.txt"]
    assert not [entry for entry in alice.list_repo_tree(REPO) if entry.path == "deep"]


def test_without_rewriting_only_unused_files_go(live: LiveHub, alice: HfApi) -> None:
    commit(alice, CommitOperationDelete("deep/"), title="Less")
    two = [file for file in alice.list_lfs_files(REPO) if "deep" in file.filename]
    with pytest.raises(BadRequestError, match="still part of the history"):
        alice.permanently_delete_lfs_files(REPO, two, rewrite_history=False)
    alice.super_squash_history(REPO)
    alice.delete_tag(REPO, tag="v1")
    head = alice.repo_info(REPO).sha
    assert large(alice)["deep/er/two.bin"] is None
    alice.permanently_delete_lfs_files(REPO, two, rewrite_history=False)
    assert alice.repo_info(REPO).sha == head
    assert set(large(alice)) == {"copy.bin"}
    assert blobs(live) == 2


def test_who_may_delete_what(live: LiveHub, alice: HfApi) -> None:
    files = list(alice.list_lfs_files(REPO))
    with pytest.raises(HfHubHTTPError, match="403"):
        live.api("wanda").permanently_delete_lfs_files(REPO, files)
    url = f"{live.endpoint}/api/models/{REPO}/lfs-files/batch"
    headers = {"authorization": f"Bearer {alice.token}"}
    unknown = {"deletions": {"sha": ["0" * 64], "rewriteHistory": True}}
    assert httpx2.post(url, json=unknown, headers=headers).json() == {"success": True, "deleted": 0}
    for sha in ("x", "0" * 63, "G" * 64):
        assert httpx2.post(url, json={"deletions": {"sha": [sha]}}, headers=headers).status_code == 400
    assert (
        httpx2.post(url, json={"deletions": {"sha": ["0" * 64] * 1001}}, headers=headers).status_code == 400
    )
    assert len(large(alice)) == 2


def test_a_copy_has_the_same_history(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    alice.create_branch(REPO, branch="side", revision="v1")
    commit(live.api("bob"), add("six.bin", b"large 6"), create_pr=True)
    bob = live.api("bob")
    made = bob.duplicate_repo(REPO)
    assert made == f"{live.endpoint}/{COPY}"
    refs, copied = alice.list_repo_refs(REPO), bob.list_repo_refs(COPY, include_pull_requests=True)
    assert (copied.branches, copied.tags, copied.pull_requests) == (refs.branches, refs.tags, [])
    assert [one.commit_id for one in bob.list_repo_commits(COPY)] == [
        one.commit_id for one in alice.list_repo_commits(REPO)
    ]
    assert blobs(live, COPY) == 3
    downloaded = bob.hf_hub_download(COPY, "one.bin", cache_dir=tmp_path / "cache")
    assert Path(downloaded).read_bytes() == b"large 1"
    assert not bob.repo_info(COPY).private
    checked(live, COPY, tmp_path / "clone")
    alice.delete_repo(REPO)
    assert bob.file_exists(COPY, "one.bin")
    with pytest.raises(HfHubHTTPError, match="409"):
        bob.duplicate_repo(COPY, COPY)
    assert bob.duplicate_repo(COPY, COPY, exist_ok=True) == made


def test_what_may_be_copied(live: LiveHub, alice: HfApi) -> None:
    bob = live.api("bob")
    with pytest.raises(RepositoryNotFoundError):
        bob.duplicate_repo("acme/missing")
    with pytest.raises(HfHubHTTPError, match="403"):
        bob.duplicate_repo(REPO, "acme/mine")
    with pytest.raises(HfHubHTTPError, match="401"):
        live.api().duplicate_repo(REPO, "bob/copy")
    alice.update_repo_settings(REPO, gated="manual")
    with pytest.raises(GatedRepoError):
        bob.duplicate_repo(REPO)
    alice.grant_access(REPO, "bob")
    bob.duplicate_repo(REPO, visibility="private")
    info = bob.repo_info(COPY, expand=["gated", "private"])
    assert (info.gated, info.private) == ("manual", True)
    alice.update_repo_settings(REPO, gated=False, private=True)
    alice.duplicate_repo(REPO, "alice/copy")
    assert alice.repo_info("alice/copy").private
    alice.delete_repo("alice/copy")
    with pytest.raises(RepositoryNotFoundError):
        bob.duplicate_repo(REPO, "bob/again")
