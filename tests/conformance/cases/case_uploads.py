"""Uploads of files and folders, through Xet and through Git LFS."""

import hashlib
import os
import random
import time
from concurrent.futures import Future, wait
from io import BytesIO
from pathlib import Path

import pytest
from hub import OWNER, client, new_name
from huggingface_hub import (
    CommitInfo,
    CommitOperationAdd,
    CommitScheduler,
    hf_hub_download,
    upload_file,
    upload_folder,
)

MEBIBYTE = 1 << 20


def noise(size, seed=0):
    return random.Random(seed).randbytes(size)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "folder"
    for path, content in {
        "a.txt": b"a",
        "b.bin": b"\x00b",
        "sub/c.txt": b"c",
        "sub/d.bin": b"\x00d",
        "sub/deep/e.csv": b"x,y\n1,2\n",
    }.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)
    return place


def same(repo, path, content, tmp_path, **settings):
    found = hf_hub_download(repo, path, repo_type="dataset", cache_dir=tmp_path / new_name(), **settings)
    assert hashlib.sha256(Path(found).read_bytes()).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("kind", ["text", "binary", "empty", "empty binary", "large text", "large binary"])
@pytest.mark.parametrize("source", ["path", "bytes", "bytesio", "stream"])
def test_one_file(api, repo, tmp_path, kind, source):
    path, content = {
        "text": ("a.txt", b"text\n" * 10),
        "binary": ("a.bin", noise(3000)),
        "empty": ("a.txt", b""),
        "empty binary": ("a.bin", b""),
        "large text": ("a.csv", b"1,2,3\n" * 20_000),
        "large binary": ("a.hdf5", noise(MEBIBYTE)),
    }[kind]
    local = tmp_path / "local"
    local.write_bytes(content)
    with local.open("rb") as stream:
        given = {"path": str(local), "bytes": content, "bytesio": BytesIO(content), "stream": stream}[source]
        done = api.upload_file(
            path_or_fileobj=given, path_in_repo=f"d/{path}", repo_id=repo, repo_type="dataset"
        )
    assert isinstance(done, CommitInfo)
    assert done.commit_message == f"Upload d/{path} with huggingface_hub"
    same(repo, f"d/{path}", content, tmp_path)
    (info,) = api.get_paths_info(repo, [f"d/{path}"], repo_type="dataset")
    assert info.size == len(content)
    if "binary" in kind and content:
        assert info.lfs.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("suffix", ["bin", "txt"])
def test_more_than_ten_megabytes(api, repo, tmp_path, suffix):
    content = noise(12 * MEBIBYTE) if suffix == "bin" else b"0123456789abcde\n" * (12 * MEBIBYTE // 16)
    local = tmp_path / f"large.{suffix}"
    local.write_bytes(content)
    api.upload_file(path_or_fileobj=local, path_in_repo=local.name, repo_id=repo, repo_type="dataset")
    (info,) = api.get_paths_info(repo, [local.name], repo_type="dataset")
    assert info.lfs.size == len(content)
    same(repo, local.name, content, tmp_path)


def test_functions_of_the_module_use_the_stored_token(repo, tmp_path, folder):
    upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=repo, repo_type="dataset")
    upload_folder(folder_path=folder, repo_id=repo, repo_type="dataset")
    same(repo, "x.txt", b"x", tmp_path)


def test_what_gitattributes_track(api, repo, commit):
    commit(repo, {".gitattributes": b"*.png filter=lfs diff=lfs merge=lfs -text\n"})
    commit(repo, {"image.png": b"text that is called an image", "plain.dat": b"text"})
    found = {entry.path: entry for entry in api.list_repo_tree(repo, repo_type="dataset")}
    assert found["image.png"].lfs.size == len(b"text that is called an image")
    assert found["plain.dat"].lfs is None


def test_message_description_and_revision(api, repo):
    api.create_branch(repo, branch="side", repo_type="dataset")
    api.upload_file(
        path_or_fileobj=b"x",
        path_in_repo="x.txt",
        repo_id=repo,
        repo_type="dataset",
        revision="side",
        commit_message="Title",
        commit_description="Description",
    )
    newest = api.list_repo_commits(repo, repo_type="dataset", revision="side")[0]
    assert (newest.title, newest.message.strip()) == ("Title", "Description")


def test_same_bytes_in_other_places(api, repo, make_repo, tmp_path, commit, stranger):
    content = noise(200_000, 1)
    commit(repo, {"a.bin": content})
    commit(repo, {"copy.bin": content})
    other = make_repo(private=True)
    commit(other, {"b.bin": content})
    foreign = stranger.create_repo(new_name(), repo_type="dataset").repo_id
    stranger.upload_file(path_or_fileobj=content, path_in_repo="c.bin", repo_id=foreign, repo_type="dataset")
    for name, path in ((repo, "a.bin"), (repo, "copy.bin"), (other, "b.bin"), (foreign, "c.bin")):
        same(name, path, content, tmp_path)


def test_an_appended_file(api, repo, tmp_path):
    content = noise(2 * MEBIBYTE, 2)
    for extra in (b"", noise(10_000, 3), noise(20_000, 4)):
        content += extra
        local = tmp_path / "data.hdf5"
        local.write_bytes(content)
        api.upload_file(path_or_fileobj=local, path_in_repo="data.hdf5", repo_id=repo, repo_type="dataset")
        same(repo, "data.hdf5", content, tmp_path)
    assert len(api.list_repo_commits(repo, repo_type="dataset")) == 4


def test_shared_bytes_across_repositories(api, make_repo, tmp_path):
    base = noise(1_500_000, 5)
    for number in range(2):
        repo = make_repo()
        content = base + noise(50_000, 6 + number)
        (tmp_path / "local.bin").write_bytes(content)
        api.upload_file(
            path_or_fileobj=tmp_path / "local.bin", path_in_repo="data.bin", repo_id=repo, repo_type="dataset"
        )
        same(repo, "data.bin", content, tmp_path)


@pytest.mark.xet
def test_xet_was_used(api, repo, tmp_path):
    (tmp_path / "x.bin").write_bytes(noise(300_000, 9))
    api.upload_file(
        path_or_fileobj=tmp_path / "x.bin", path_in_repo="x.bin", repo_id=repo, repo_type="dataset"
    )
    assert any((Path(os.environ["HF_HOME"]) / "xet").rglob("*shard*"))


@pytest.mark.classic
def test_xet_was_not_used(api, repo, commit):
    commit(repo, {"x.bin": noise(1000, 10)})
    assert not any((Path(os.environ["HF_HOME"]) / "xet").rglob("*shard*"))


def test_folder(api, repo, folder, files_of, tmp_path):
    done = api.upload_folder(
        folder_path=folder, repo_id=repo, repo_type="dataset", commit_message="All of it"
    )
    assert done.commit_url.endswith(done.oid)
    expected = ["a.txt", "b.bin", "sub/c.txt", "sub/d.bin", "sub/deep/e.csv"]
    assert files_of(repo) == [".gitattributes", *expected]
    for path in expected:
        same(repo, path, (folder / path).read_bytes(), tmp_path)
    again = api.upload_folder(folder_path=folder, repo_id=repo, repo_type="dataset")
    assert again.oid == done.oid == api.dataset_info(repo).sha


def test_folder_below_a_path(api, repo, folder, files_of):
    api.upload_folder(folder_path=folder / "sub", path_in_repo="x/y", repo_id=repo, repo_type="dataset")
    assert files_of(repo) == [".gitattributes", "x/y/c.txt", "x/y/d.bin", "x/y/deep/e.csv"]


def test_folder_with_patterns(api, repo, folder, files_of):
    api.upload_folder(
        folder_path=folder,
        repo_id=repo,
        repo_type="dataset",
        allow_patterns=["*.txt", "*.bin"],
        ignore_patterns="sub/d*",
    )
    assert files_of(repo) == [".gitattributes", "a.txt", "b.bin", "sub/c.txt"]


def test_folder_that_replaces(api, repo, folder, files_of, commit):
    commit(repo, {"old.bin": b"\x00old", "sub/old.txt": b"old", "keep.md": b"keep"})
    api.upload_folder(
        folder_path=folder, repo_id=repo, repo_type="dataset", delete_patterns=["*.bin", "sub/*"]
    )
    expected = ["a.txt", "b.bin", "keep.md", "sub/c.txt", "sub/d.bin", "sub/deep/e.csv"]
    assert files_of(repo) == [".gitattributes", *expected]


def test_folder_leaves_out_git_and_caches(api, repo, folder, files_of):
    for path in (
        ".git/config",
        ".cache/huggingface/x",
        "sub/.git/y",
        "sub/.cache/huggingface/y",
        ".gitish/z.txt",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    api.upload_folder(folder_path=folder, repo_id=repo, repo_type="dataset")
    expected = [".gitish/z.txt", "a.txt", "b.bin", "sub/c.txt", "sub/d.bin", "sub/deep/e.csv"]
    assert files_of(repo) == [".gitattributes", *expected]


@pytest.mark.parametrize("where", ["in the commit", "in the repository"])
def test_ignored_by_git(api, repo, folder, files_of, commit, where):
    if where == "in the commit":
        (folder / ".gitignore").write_text("sub/*\n*.bin\n")
    else:
        commit(repo, {".gitignore": b"sub/*\n*.bin\n"})
    api.upload_folder(folder_path=folder, repo_id=repo, repo_type="dataset")
    assert files_of(repo) == [".gitattributes", ".gitignore", "a.txt"]


def test_folder_as_a_pull_request(api, repo, folder, files_of):
    done = api.upload_folder(folder_path=folder, repo_id=repo, repo_type="dataset", create_pr=True)
    assert files_of(repo) == [".gitattributes"]
    assert "sub/d.bin" in files_of(repo, revision=done.pr_revision or "refs/pr/1")


def test_folder_of_many_files(api, repo, tmp_path, files_of):
    for number in range(300):
        place = tmp_path / "many" / str(number % 7) / f"{number}.{'bin' if number % 10 == 0 else 'txt'}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"%d" % number if number % 10 else b"\x00%d" % number)
    api.upload_folder(folder_path=tmp_path / "many", repo_id=repo, repo_type="dataset")
    assert len(files_of(repo)) == 301


@client(">=0.30,<2", "upload_large_folder came with 0.25 and went with 2.0")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_large_folder(api, repo, folder, files_of):
    api.upload_large_folder(
        repo_id=repo, repo_type="dataset", folder_path=folder, num_workers=2, print_report=False
    )
    assert files_of(repo) == [".gitattributes", "a.txt", "b.bin", "sub/c.txt", "sub/d.bin", "sub/deep/e.csv"]


def test_uploaded_before_the_commit(api, repo, files_of, tmp_path):
    content = noise(100_000, 20)
    operations = [
        CommitOperationAdd("a.bin", content),
        CommitOperationAdd("b.txt", b"b"),
        CommitOperationAdd("c.bin", b"\x00c"),
    ]
    for operation in operations:
        api.preupload_lfs_files(repo, [operation], repo_type="dataset")
    assert operations[0].path_or_fileobj == b""
    assert files_of(repo) == [".gitattributes"]
    api.create_commit(repo, operations, commit_message="at last", repo_type="dataset")
    same(repo, "a.bin", content, tmp_path)
    same(repo, "b.txt", b"b", tmp_path)


def test_in_the_background(api, repo, folder):
    futures = [
        api.upload_file(
            path_or_fileobj=b"%d" % number,
            path_in_repo=f"{number}.txt",
            repo_id=repo,
            repo_type="dataset",
            commit_message=f"number {number}",
            run_as_future=True,
        )
        for number in range(2)
    ]
    futures.append(
        api.upload_folder(
            folder_path=folder, repo_id=repo, repo_type="dataset", commit_message="folder", run_as_future=True
        )
    )
    assert all(isinstance(future, Future) for future in futures)
    assert isinstance(futures[2].result(), CommitInfo)
    titles = [entry.title for entry in api.list_repo_commits(repo, repo_type="dataset")]
    assert titles == ["folder", "number 1", "number 0", "initial commit"]
    assert api.run_as_future(api.dataset_info, repo).result().id == repo


@client(">=0.30", "the scheduler of 0.24 looks at an attribute before it is there")
def test_scheduled_commits(api, repo, tmp_path, files_of):
    watched = tmp_path / "watched"
    watched.mkdir()
    scheduler = CommitScheduler(
        repo_id=repo, repo_type="dataset", folder_path=watched, path_in_repo="logs", every=5, hf_api=api
    )
    try:
        # The first commit is tried while the scheduler is still being made, and may fail for that.
        while not hasattr(scheduler, "last_future"):
            time.sleep(0.01)
        wait([scheduler.last_future])
        (watched / "log.txt").write_text("one\n")
        (watched / "log.bin").write_bytes(b"\x00one")
        scheduler.trigger().result()
        with (watched / "log.txt").open("a") as stream:
            stream.write("two\n")
        scheduler.trigger().result()
    finally:
        scheduler.stop()
    assert files_of(repo) == [".gitattributes", "logs/log.bin", "logs/log.txt"]
    same(repo, "logs/log.txt", b"one\ntwo\n", tmp_path)
    assert len(api.list_repo_commits(repo, repo_type="dataset")) == 3


@client(">=0.30", "the scheduler is no context manager before")
def test_scheduler_that_squashes(api, tmp_path):
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "a.txt").write_text("a")
    with CommitScheduler(
        repo_id=f"{OWNER.name}/{new_name()}",
        repo_type="dataset",
        folder_path=watched,
        every=5,
        squash_history=True,
        hf_api=api,
    ) as scheduler:
        time.sleep(0.1)
    wait([scheduler.last_future])
    (only,) = api.list_repo_commits(scheduler.repo_id, repo_type="dataset")
    assert only.title.startswith("Super-squash branch 'main'")


def test_deletions(api, repo, folder, files_of):
    api.upload_folder(folder_path=folder, repo_id=repo, repo_type="dataset")
    api.delete_file("a.txt", repo, repo_type="dataset", commit_message="Away")
    assert api.list_repo_commits(repo, repo_type="dataset")[0].title == "Away"
    api.delete_folder("sub/deep", repo, repo_type="dataset")
    assert files_of(repo) == [".gitattributes", "b.bin", "sub/c.txt", "sub/d.bin"]
    api.delete_files(repo, ["*.bin", "nothing/*"], repo_type="dataset")
    assert files_of(repo) == [".gitattributes", "sub/c.txt"]
    api.delete_files(repo, ["sub/"], repo_type="dataset")
    assert files_of(repo) == [".gitattributes"]


@client(">=1.19", "copy_files is newer")
def test_copy_files_within_a_repository(api, repo, commit, tmp_path):
    commit(repo, {"a.txt": b"a", "sub/b.bin": b"\x00b"})
    api.copy_files(f"hf://datasets/{repo}/a.txt", f"hf://datasets/{repo}/copies/a.txt")
    api.copy_files(f"hf://datasets/{repo}/sub/b.bin", f"hf://datasets/{repo}/copies/b.bin")
    same(repo, "copies/a.txt", b"a", tmp_path)
    same(repo, "copies/b.bin", b"\x00b", tmp_path)
