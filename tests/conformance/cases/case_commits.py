"""Commits: additions, deletions, copies, parents, history, and everything that is refused."""

import logging
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from hub import ENDPOINT, OWNER, STRANGER, new_name, refused
from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
from huggingface_hub.utils import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

STALE = "The branch was updated since you opened this page. Please refresh and try again."


@pytest.fixture
def content_of(api, tmp_path):
    def read(repo, path, **settings):
        found = api.hf_hub_download(repo, path, repo_type="dataset", cache_dir=tmp_path / "cache", **settings)
        return Path(found).read_bytes()

    return read


def change(api, repo, *operations, title="change", **settings):
    return api.create_commit(repo, list(operations), commit_message=title, repo_type="dataset", **settings)


def test_what_a_commit_tells(api, repo):
    done = change(
        api,
        repo,
        CommitOperationAdd("a.txt", b"a"),
        title="A title",
        commit_description="A description\n\nlong",
    )
    assert isinstance(done, CommitInfo)
    assert len(done.oid) == 40
    assert done.commit_url == f"{ENDPOINT}/datasets/{repo}/commit/{done.oid}"
    assert (done.commit_message, done.commit_description) == ("A title", "A description\n\nlong")
    assert (done.pr_url, done.pr_num, done.pr_revision) == (None, None, None)
    newest = api.list_repo_commits(repo, repo_type="dataset")[0]
    assert (newest.commit_id, newest.title, newest.authors) == (done.oid, "A title", [OWNER.name])
    assert newest.message.strip() == "A description\n\nlong"


def test_many_kinds_of_content(api, repo, content_of, tmp_path):
    (tmp_path / "local.bin").write_bytes(b"\x00local")
    with (tmp_path / "local.bin").open("rb") as stream:
        change(
            api,
            repo,
            CommitOperationAdd("bytes.txt", b"bytes"),
            CommitOperationAdd("folder/bytesio.bin", BytesIO(b"\x00bytesio")),
            CommitOperationAdd("stream.bin", stream),
            CommitOperationAdd("folder/sub/path.bin", str(tmp_path / "local.bin")),
            CommitOperationAdd("empty.txt", b""),
            CommitOperationAdd("empty.bin", b""),
        )
    for path, content in {
        "bytes.txt": b"bytes",
        "folder/bytesio.bin": b"\x00bytesio",
        "stream.bin": b"\x00local",
        "folder/sub/path.bin": b"\x00local",
        "empty.txt": b"",
        "empty.bin": b"",
    }.items():
        assert content_of(repo, path) == content


@pytest.mark.parametrize(
    "path",
    [
        "with space.txt",
        "ünïcode/日本.bin",
        "a#b?c.txt",
        "percent%20.bin",
        "plus+and&.txt",
        "[x]{y}.bin",
        "'quoted\".txt",
    ],
)
def test_paths_of_all_kinds(api, repo, content_of, files_of, path):
    change(api, repo, CommitOperationAdd(path, path.encode()))
    assert path in files_of(repo)
    assert content_of(repo, path) == path.encode()
    assert [entry.path for entry in api.get_paths_info(repo, [path], repo_type="dataset")] == [path]


def test_replace_and_delete(api, repo, commit, files_of, content_of):
    commit(repo, {"a.txt": b"1", "b.bin": b"\x001", "c.txt": b"1"})
    change(
        api,
        repo,
        CommitOperationAdd("a.txt", b"2"),
        CommitOperationDelete("c.txt"),
        CommitOperationAdd("b.bin", b"\x002"),
    )
    assert files_of(repo) == [".gitattributes", "a.txt", "b.bin"]
    assert (content_of(repo, "a.txt"), content_of(repo, "b.bin")) == (b"2", b"\x002")


@pytest.mark.parametrize(("path", "is_folder"), [("d/", "auto"), ("d", True), ("d", "auto"), ("d/", True)])
def test_delete_a_folder(api, repo, commit, files_of, path, is_folder):
    commit(repo, {"d/a.txt": b"a", "d/e/b.bin": b"\x00b", "keep.txt": b"k", "dd.txt": b"k"})
    change(api, repo, CommitOperationDelete(path, is_folder=is_folder))
    assert files_of(repo) == [".gitattributes", "dd.txt", "keep.txt"]


def test_file_replaces_folder_and_back(api, repo, commit, files_of):
    commit(repo, {"d/a.txt": b"a"})
    change(api, repo, CommitOperationDelete("d/a.txt"), CommitOperationAdd("d", b"now a file"))
    assert files_of(repo) == [".gitattributes", "d"]
    change(api, repo, CommitOperationDelete("d"), CommitOperationAdd("d/b.txt", b"b"))
    assert files_of(repo) == [".gitattributes", "d/b.txt"]


def test_delete_the_missing(api, repo, commit):
    before = api.dataset_info(repo).sha
    with refused(EntryNotFoundError, 404, "A file with this name doesn't exist"):
        change(api, repo, CommitOperationAdd("b.txt", b"b"), CommitOperationDelete("missing.txt"))
    with pytest.raises(HfHubHTTPError):
        change(api, repo, CommitOperationDelete("missing/"))
    assert api.dataset_info(repo).sha == before


def test_copies(api, repo, commit, content_of, files_of):
    first = commit(repo, {"a.txt": b"one", "d/b.bin": b"\x00one"}).oid
    commit(repo, {"a.txt": b"two", "d/b.bin": b"\x00two"})
    change(
        api,
        repo,
        CommitOperationCopy("a.txt", "copies/a.txt"),
        CommitOperationCopy("d/b.bin", "copies/b.bin"),
        CommitOperationCopy("a.txt", "copies/old.txt", src_revision=first),
        CommitOperationCopy("d/b.bin", "copies/old.bin", src_revision=first),
        CommitOperationDelete("d/b.bin"),
    )
    assert content_of(repo, "copies/a.txt") == b"two"
    assert content_of(repo, "copies/b.bin") == b"\x00two"
    assert content_of(repo, "copies/old.txt") == b"one"
    assert content_of(repo, "copies/old.bin") == b"\x00one"
    assert "d/b.bin" not in files_of(repo)
    (info,) = api.get_paths_info(repo, ["copies/b.bin"], repo_type="dataset")
    assert info.size == 4
    with pytest.raises(EntryNotFoundError):
        change(api, repo, CommitOperationCopy("missing.bin", "never.bin"))


def test_known_parent(api, repo, commit):
    parent = api.dataset_info(repo).sha
    second = change(api, repo, CommitOperationAdd("a.txt", b"a"), parent_commit=parent).oid
    for stale in (parent, parent[:7]):
        with refused(HfHubHTTPError, 412, STALE):
            change(api, repo, CommitOperationAdd("b.txt", b"b"), parent_commit=stale)
    assert api.dataset_info(repo).sha == second
    change(api, repo, CommitOperationAdd("b.txt", b"b"), parent_commit=second[:7])


def test_same_content_makes_no_commit(api, repo, commit):
    files = {"a.txt": b"same", "b.bin": b"\x00same"}
    first = commit(repo, files)
    again = commit(repo, files)
    assert api.dataset_info(repo).sha == first.oid == again.oid
    assert change(api, repo).oid == first.oid


def test_only_what_changed_is_sent(api, repo, commit, caplog):
    first = commit(repo, {"a.txt": b"1", "b.txt": b"1", "c.bin": b"\x001", "d.bin": b"\x001"}, "first")
    with caplog.at_level(logging.INFO, logger="huggingface_hub"):
        second = commit(
            repo,
            {"a.txt": b"1", "b.txt": b"2", "c.bin": b"\x001", "d.bin": b"\x002", "e.txt": b"1"},
            "second",
        )
    assert any(
        "Removing 2 file(s) from commit that have not changed." in line.message for line in caplog.records
    )
    assert first.oid != second.oid
    found = api.get_paths_info(
        repo, ["a.txt", "b.txt", "c.bin", "d.bin", "e.txt"], repo_type="dataset", expand=True
    )
    titles = {entry.path: entry.last_commit.title for entry in found}
    assert titles == {
        "a.txt": "first",
        "b.txt": "second",
        "c.bin": "first",
        "d.bin": "second",
        "e.txt": "second",
    }


def test_history(api, repo, commit):
    made = [commit(repo, {"a.txt": b"%d" % number}, f"number {number}").oid for number in range(5)]
    found = api.list_repo_commits(repo, repo_type="dataset")
    assert [entry.commit_id for entry in found[:5]] == made[::-1]
    assert [entry.title for entry in found] == [f"number {number}" for number in range(4, -1, -1)] + [
        "initial commit"
    ]
    assert all(later.created_at >= earlier.created_at for later, earlier in pairwise(found))
    assert all(entry.authors == [OWNER.name] and entry.formatted_title is None for entry in found)
    older = api.list_repo_commits(repo, repo_type="dataset", revision=made[1])
    assert [entry.commit_id for entry in older][:2] == [made[1], made[0]]


def test_formatted_history(api, repo, commit):
    commit(repo, {"a.txt": b"a"}, "<b>bold</b> & co", commit_description="<script>alert(1)</script>")
    newest = api.list_repo_commits(repo, repo_type="dataset", formatted=True)[0]
    assert newest.title == "<b>bold</b> & co"
    assert "<script>" not in newest.formatted_title + newest.formatted_message
    assert "<b>" not in newest.formatted_title


def test_history_of_the_missing(api, repo):
    with refused(RepositoryNotFoundError, 404):
        api.list_repo_commits(f"{OWNER.name}/{new_name()}")
    with refused(RevisionNotFoundError, 404):
        api.list_repo_commits(repo, repo_type="dataset", revision="missing")


def test_missing_repo_is_named(api):
    with refused(
        RepositoryNotFoundError, 404, "Creating a commit assumes that the repo already exists"
    ) as caught:
        change(api, f"{OWNER.name}/{new_name('missing')}", CommitOperationAdd("a.txt", b"a"))
    assert f"Request ID: {caught.value.response.headers['x-request-id']}" in str(caught.value)


def test_missing_branch(api, repo):
    with refused(RevisionNotFoundError, 404):
        change(api, repo, CommitOperationAdd("a.txt", b"a"), revision="missing")


def test_a_commit_is_no_branch(api, repo, commit):
    done = commit(repo, {"a.txt": b"a"})
    with pytest.raises(HfHubHTTPError):
        change(api, repo, CommitOperationAdd("b.txt", b"b"), revision=done.oid)


def test_strangers(stranger, api, make_repo):
    public, private = make_repo(), make_repo(private=True)
    with refused(HfHubHTTPError, 403):
        change(stranger, public, CommitOperationAdd("a.txt", b"a"))
    with refused(HfHubHTTPError, 403):
        change(stranger, public, CommitOperationDelete(".gitattributes"))
    with refused(RepositoryNotFoundError, 404):
        change(stranger, private, CommitOperationAdd("a.txt", b"a"))


def test_pull_request_with_a_commit(api, repo, files_of, content_of):
    done = change(
        api, repo, CommitOperationAdd("a.txt", b"a"), CommitOperationAdd("b.bin", b"\x00b"), create_pr=True
    )
    assert done.pr_url == f"{ENDPOINT}/datasets/{repo}/discussions/1"
    assert (done.pr_num, done.pr_revision) == (1, "refs/pr/1")
    assert files_of(repo) == [".gitattributes"]
    assert files_of(repo, revision="refs/pr/1") == [".gitattributes", "a.txt", "b.bin"]
    assert content_of(repo, "b.bin", revision="refs/pr/1") == b"\x00b"
    more = change(api, repo, CommitOperationAdd("c.txt", b"c"), revision="refs/pr/1")
    assert more.pr_url is None
    assert "c.txt" in files_of(repo, revision="refs/pr/1")
    titles = [entry.title for entry in api.list_repo_commits(repo, repo_type="dataset", revision="refs/pr/1")]
    assert titles == ["change", "change", "initial commit"]


def test_pull_request_against_a_branch(api, repo):
    api.create_branch(repo, branch="side", repo_type="dataset")
    done = change(api, repo, CommitOperationAdd("a.txt", b"a"), revision="side", create_pr=True)
    assert done.pr_num == 1
    head = api.dataset_info(repo).sha
    for revision in (head, "missing"):
        with refused(RevisionNotFoundError, 404):
            change(api, repo, CommitOperationAdd("b.txt", b"b"), revision=revision, create_pr=True)


def test_pull_request_by_a_stranger(stranger, api, repo, content_of):
    done = change(
        stranger,
        repo,
        CommitOperationAdd("a.txt", b"a"),
        CommitOperationAdd("b.bin", b"\x00b"),
        create_pr=True,
    )
    assert content_of(repo, "b.bin", revision=done.pr_revision) == b"\x00b"
    details = api.get_discussion_details(repo, done.pr_num, repo_type="dataset")
    assert (details.author, details.is_pull_request) == (STRANGER.name, True)


def test_nothing_on_a_pull_request(api, repo):
    pull = api.create_pull_request(repo, "a change", repo_type="dataset")
    done = change(api, repo, revision=pull.git_reference)
    commits = api.list_repo_commits(repo, repo_type="dataset", revision=pull.git_reference)
    assert [entry.commit_id for entry in commits] == [done.oid]


def test_paths_that_climb_on_windows(api, repo):
    with refused(HfHubHTTPError, 422):
        change(api, repo, CommitOperationAdd("..\\up", b"x"))


def test_backslashes_inside_a_name(api, repo, files_of):
    change(api, repo, CommitOperationAdd("folder/..\\..\\file", b"x"))
    assert files_of(repo) == [".gitattributes", "folder/..\\..\\file"]


def test_squash(api, repo, commit, files_of, content_of):
    commit(repo, {"a.txt": b"1", "b.bin": b"\x00b"})
    commit(repo, {"a.txt": b"2"})
    api.create_branch(repo, branch="side", repo_type="dataset")
    commit(repo, {"a.txt": b"3"}, revision="side")
    api.super_squash_history(repo, repo_type="dataset")
    (only,) = api.list_repo_commits(repo, repo_type="dataset")
    assert only.title == "Super-squash branch 'main' using huggingface_hub"
    assert files_of(repo) == [".gitattributes", "a.txt", "b.bin"]
    assert content_of(repo, "a.txt") == b"2"
    assert len(api.list_repo_commits(repo, repo_type="dataset", revision="side")) == 4
    api.super_squash_history(repo, branch="side", commit_message="One", repo_type="dataset")
    (only,) = api.list_repo_commits(repo, repo_type="dataset", revision="side")
    assert only.title == "One"


def test_squash_of_a_pull_request(api, repo, commit):
    pull = api.create_pull_request(repo, "a change", repo_type="dataset")
    for number in range(2):
        commit(repo, {"a.txt": b"%d" % number}, revision=pull.git_reference)
    api.super_squash_history(repo, branch=pull.git_reference, repo_type="dataset")
    assert len(api.list_repo_commits(repo, repo_type="dataset", revision=pull.git_reference)) == 1
    with refused(RevisionNotFoundError, 404):
        api.super_squash_history(repo, branch="missing", repo_type="dataset")
