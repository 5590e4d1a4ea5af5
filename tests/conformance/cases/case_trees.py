"""What a repository holds: trees, paths, large files, checksums."""

import hashlib

import pytest
from hub import ORGANIZATION, OWNER, api_of, client, new_name, refused, request
from huggingface_hub.utils import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

FILES = {
    "a.txt": b"a",
    "b.bin": b"\x00b",
    "d/c.txt": b"c",
    "d/e/f.bin": b"\x00f",
    "d/e/g.txt": b"g",
    "d#1/h.txt": b"h",
}


@pytest.fixture(scope="module")
def full(api):
    """A dataset with files in folders that no case changes."""
    from huggingface_hub import CommitOperationAdd

    repo = api.create_repo(f"{OWNER.name}/{new_name('full')}", repo_type="dataset").repo_id
    operations = [CommitOperationAdd(path, content) for path, content in FILES.items()]
    api.create_commit(repo, operations, commit_message="all files", repo_type="dataset")
    return repo


def paths(entries):
    return sorted(entry.path for entry in entries)


def test_root(api, full):
    assert paths(api.list_repo_tree(full, repo_type="dataset")) == [
        ".gitattributes",
        "a.txt",
        "b.bin",
        "d",
        "d#1",
    ]


def test_recursive(api, full):
    found = list(api.list_repo_tree(full, repo_type="dataset", recursive=True))
    assert paths(found) == sorted([".gitattributes", *FILES, "d", "d#1", "d/e"])
    folders = {entry.path for entry in found if type(entry).__name__ == "RepoFolder"}
    assert folders == {"d", "d/e", "d#1"}


@pytest.mark.parametrize(
    ("path", "recursive", "expected"),
    [
        ("d", False, ["d/c.txt", "d/e"]),
        ("d/", False, ["d/c.txt", "d/e"]),
        ("d", True, ["d/c.txt", "d/e", "d/e/f.bin", "d/e/g.txt"]),
        ("d/e", False, ["d/e/f.bin", "d/e/g.txt"]),
        ("d#1", False, ["d#1/h.txt"]),
        ("", False, [".gitattributes", "a.txt", "b.bin", "d", "d#1"]),
    ],
)
def test_below_a_path(api, full, path, recursive, expected):
    assert paths(api.list_repo_tree(full, path, repo_type="dataset", recursive=recursive)) == sorted(expected)


@pytest.mark.parametrize("path", ["missing", "d/missing", "a.txt/b", "D"])
def test_unknown_path(api, full, path):
    with refused(EntryNotFoundError, 404):
        list(api.list_repo_tree(full, path, repo_type="dataset"))


def test_unknown_revision_and_repository(api, full):
    with refused(RevisionNotFoundError, 404):
        list(api.list_repo_tree(full, repo_type="dataset", revision="missing"))
    with refused(RepositoryNotFoundError, 404):
        list(api.list_repo_tree(f"{OWNER.name}/{new_name()}"))


def test_entries_carry_what_git_knows(api, full):
    found = {entry.path: entry for entry in api.list_repo_tree(full, repo_type="dataset", recursive=True)}
    small = found["a.txt"]
    assert (small.size, small.lfs, small.last_commit) == (1, None, None)
    assert small.blob_id == hashlib.sha1(b"blob 1\0a").hexdigest()
    large = found["b.bin"]
    assert (large.size, large.lfs.size, large.lfs.sha256) == (2, 2, hashlib.sha256(b"\x00b").hexdigest())
    assert large.lfs.pointer_size > 100
    assert len(found["d"].tree_id) == 40
    assert getattr(large, "xet_hash", None) is None


def test_expanded(api, full):
    found = list(api.list_repo_tree(full, repo_type="dataset", recursive=True, expand=True))
    titles = {entry.path: entry.last_commit.title for entry in found}
    assert titles == {
        ".gitattributes": "initial commit",
        **dict.fromkeys([*FILES, "d", "d/e", "d#1"], "all files"),
    }
    assert all(len(entry.last_commit.oid) == 40 and entry.last_commit.date for entry in found)


def test_expanded_follows_each_path(api, make_repo, commit):
    repo = make_repo()
    commit(repo, {"d/a.txt": b"1", "d/b.txt": b"1"}, "first")
    commit(repo, {"d/a.txt": b"2"}, "second")
    commit(repo, {"other.txt": b"1"}, "third")
    found = api.list_repo_tree(repo, repo_type="dataset", recursive=True, expand=True)
    assert {entry.path: entry.last_commit.title for entry in found} == {
        ".gitattributes": "initial commit",
        "d": "second",
        "d/a.txt": "second",
        "d/b.txt": "first",
        "other.txt": "third",
    }


def test_paths_info(api, full):
    wanted = ["a.txt", "d", "d/e/f.bin", "missing", "d#1/h.txt", ".gitattributes"]
    found = {entry.path: entry for entry in api.get_paths_info(full, wanted, repo_type="dataset")}
    assert sorted(found) == sorted(set(wanted) - {"missing"})
    assert found["d/e/f.bin"].lfs.size == 2
    assert found["a.txt"].last_commit is None
    assert len(found["d"].tree_id) == 40
    found = api.get_paths_info(full, ["a.txt", "d"], repo_type="dataset", expand=True)
    assert {entry.last_commit.title for entry in found} == {"all files"}
    assert api.get_paths_info(full, "a.txt", repo_type="dataset")[0].path == "a.txt"
    assert api.get_paths_info(full, ["missing"], repo_type="dataset") == []
    with refused(RevisionNotFoundError, 404):
        api.get_paths_info(full, ["a.txt"], repo_type="dataset", revision="missing")


def test_list_of_files(api, full, make_repo, commit):
    assert sorted(api.list_repo_files(full, repo_type="dataset")) == sorted([".gitattributes", *FILES])
    repo = make_repo()
    first = commit(repo, {"a.txt": b"a"}).oid
    commit(repo, {"b.txt": b"b"})
    assert sorted(api.list_repo_files(repo, repo_type="dataset", revision=first)) == [
        ".gitattributes",
        "a.txt",
    ]


def test_repository_without_files(api, make_repo, files_of):
    repo = make_repo()
    api.delete_file(".gitattributes", repo, repo_type="dataset")
    assert files_of(repo) == []
    assert list(api.list_repo_tree(repo, repo_type="dataset", recursive=True, expand=True)) == []


def test_tree_of_a_file(full):
    answer = request("GET", f"/api/datasets/{full}/tree/main/a.txt", OWNER.token)
    assert answer.status in (200, 404)


def test_quoted_and_plain_paths(full):
    for path in ("d%2Fe", "d/e"):
        answer = request("GET", f"/api/datasets/{full}/tree/main/{path}", OWNER.token)
        assert answer.status == 200
        assert b'"d/e/f.bin"' in answer.body


@client(">=0.30", "list_lfs_files is newer")
def test_large_files_are_listed_and_removed_for_good(api, make_repo, commit, files_of):
    repo = make_repo()
    commit(repo, {"one.bin": b"\x00one", "a.txt": b"a"})
    commit(repo, {"two.bin": b"\x00two", "b.txt": b"b"})
    api.create_branch(repo, branch="side", repo_type="dataset")
    commit(repo, {"side.bin": b"\x00side"}, revision="side")
    found = {entry.filename: entry for entry in api.list_lfs_files(repo, repo_type="dataset")}
    assert sorted(found) == ["one.bin", "side.bin", "two.bin"]
    one = found["one.bin"]
    assert (one.size, one.oid) == (4, hashlib.sha256(b"\x00one").hexdigest())
    assert one.pushed_at is not None
    assert one.file_oid
    gone = [entry for entry in found.values() if entry.ref in ("main", "refs/heads/main")]
    assert {entry.filename for entry in gone} == {"one.bin", "two.bin"}
    api.permanently_delete_lfs_files(repo, gone, repo_type="dataset")
    assert [entry.filename for entry in api.list_lfs_files(repo, repo_type="dataset")] == ["side.bin"]
    assert files_of(repo) == [".gitattributes", "a.txt", "b.txt"]
    assert "side.bin" in files_of(repo, revision="side")
    with refused(EntryNotFoundError, 404):
        api.hf_hub_download(repo, "one.bin", repo_type="dataset")


@client(">=0.30", "list_lfs_files is newer")
def test_large_files_are_removed_by_owners_only(api, make_repo, commit):
    repo = make_repo("dataset", ORGANIZATION)
    commit(repo, {"one.bin": b"\x00one"})
    found = list(api.list_lfs_files(repo, repo_type="dataset"))
    with refused(HfHubHTTPError, 403):
        api_of("reader").permanently_delete_lfs_files(repo, found, repo_type="dataset")
    assert api.file_exists(repo, "one.bin", repo_type="dataset")


@client(">=1.19", "verify_repo_checksums is newer")
def test_checksums(api, full, tmp_path):
    api.snapshot_download(full, repo_type="dataset", local_dir=tmp_path / "copy")
    found = api.verify_repo_checksums(full, repo_type="dataset", local_dir=tmp_path / "copy")
    assert found.revision == api.dataset_info(full).sha or found.revision == "main"
    assert (found.checked_count, list(found.mismatches), list(found.missing_paths)) == (
        len(FILES) + 1,
        [],
        [],
    )
    (tmp_path / "copy" / "b.bin").write_bytes(b"\x00x")
    found = api.verify_repo_checksums(full, repo_type="dataset", local_dir=tmp_path / "copy")
    assert [entry["path"] for entry in found.mismatches] == ["b.bin"]
