"""`git clone`: git itself checks every object of the history."""

import hashlib
import json
import os
import subprocess
from urllib.parse import urlsplit, urlunsplit

import pytest
from hub import ENDPOINT, OWNER, STRANGER, client, new_name, request

pytestmark = client(">=2", "git is the same for all clients: one run is enough")
LARGE = bytes(range(256)) * 1024
PREFIXES = {"model": "", "dataset": "datasets/", "space": "spaces/"}


def url_of(repo, kind="dataset", token=None, user="user"):
    parts = urlsplit(f"{ENDPOINT}/{PREFIXES[kind]}{repo}")
    if token:
        parts = parts._replace(netloc=f"{user}:{token}@{parts.netloc}")
    return urlunsplit(parts)


def git(*words, cwd=None, fails=False):
    environment = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
    settings = ["-c", "transfer.fsckObjects=true", "-c", "protocol.version=2", "-c", "credential.helper="]
    done = subprocess.run(
        ["git", *settings, *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def full(repo, commit, api):
    commit(
        repo,
        {"a.txt": b"a\n", "d/e/b.bin": LARGE, "d/ü.txt": b"u"},
        "first",
        commit_description="Body\n\nof it",
    )
    api.create_tag(repo, tag="v1", repo_type="dataset", tag_message="a tag")
    api.create_branch(repo, branch="side/way", repo_type="dataset")
    commit(repo, {"side.txt": b"side"}, "on the side", revision="side/way")
    commit(repo, {"a.txt": b"a2\n"}, "second")
    commit(repo, {"pull.txt": b"pull"}, "pull", create_pr=True)
    return repo


@pytest.mark.parametrize("version", [0, 1, 2])
def test_clone(full, tmp_path, api, version):
    git("-c", f"protocol.version={version}", "clone", url_of(full), tmp_path / "clone")
    place = tmp_path / "clone"
    assert (place / "a.txt").read_bytes() == b"a2\n"
    assert (place / "d" / "ü.txt").read_bytes() == b"u"
    pointer = (place / "d" / "e" / "b.bin").read_text()
    sha256 = hashlib.sha256(LARGE).hexdigest()
    assert pointer == f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(LARGE)}\n"
    assert git("rev-parse", "HEAD", cwd=place).strip() == api.dataset_info(full).sha
    git("fsck", "--full", "--strict", cwd=place)
    log = git("log", "--format=%s|%an", cwd=place).splitlines()
    assert log == [f"second|{OWNER.name}", f"first|{OWNER.name}", f"initial commit|{OWNER.name}"]


def test_ids_are_those_of_the_hub(full, tmp_path, api):
    git("clone", url_of(full), tmp_path / "clone")
    listed = git("-c", "core.quotePath=false", "ls-tree", "-r", "HEAD", cwd=tmp_path / "clone")
    found = {line.split("\t")[1]: line.split()[2] for line in listed.splitlines()}
    tree = api.list_repo_tree(full, repo_type="dataset", recursive=True)
    assert found == {entry.path: entry.blob_id for entry in tree if hasattr(entry, "blob_id")}
    commits = [entry.commit_id for entry in api.list_repo_commits(full, repo_type="dataset")]
    assert git("rev-list", "HEAD", cwd=tmp_path / "clone").split() == commits


def test_branches_tags_and_pull_requests(full, tmp_path):
    git("clone", url_of(full), tmp_path / "clone")
    place = tmp_path / "clone"
    git("checkout", "side/way", cwd=place)
    assert (place / "side.txt").exists()
    git("checkout", "v1", cwd=place)
    assert (place / "a.txt").read_bytes() == b"a\n"
    git("fetch", "origin", "refs/pr/1:pull", cwd=place)
    git("checkout", "pull", cwd=place)
    assert (place / "pull.txt").exists()
    listed = git("ls-remote", url_of(full))
    assert {line.split()[1] for line in listed.splitlines()} >= {
        "HEAD",
        "refs/heads/main",
        "refs/heads/side/way",
        "refs/tags/v1",
    }


def test_shallow_and_single_branch(full, tmp_path):
    git("clone", "--depth", "1", url_of(full), tmp_path / "shallow")
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow").strip() == "1"
    git("clone", "--single-branch", "--branch", "side/way", url_of(full), tmp_path / "single")
    assert (tmp_path / "single" / "side.txt").exists()


def test_pull_brings_what_is_new(full, tmp_path, commit):
    git("clone", url_of(full), tmp_path / "clone")
    done = commit(full, {"new.txt": b"new"}, "third")
    git("pull", cwd=tmp_path / "clone")
    assert git("rev-parse", "HEAD", cwd=tmp_path / "clone").strip() == done.oid


def test_private_repositories_need_a_token(make_repo, commit, tmp_path):
    private = make_repo(private=True)
    commit(private, {"a.txt": b"a"})
    git("clone", url_of(private), tmp_path / "a", fails=True)
    git("clone", url_of(private, token=STRANGER.token), tmp_path / "b", fails=True)
    git("clone", url_of(private, token=OWNER.token), tmp_path / "c")
    git("clone", url_of(private, token=OWNER.token, user=OWNER.name), tmp_path / "d")
    assert (tmp_path / "c" / "a.txt").exists()


def test_models_and_dot_git(make_repo, commit, tmp_path):
    model = make_repo("model")
    commit(model, {"a.txt": b"a"}, kind="model")
    git("clone", url_of(model, "model"), tmp_path / "a")
    git("clone", url_of(model, "model") + ".git", tmp_path / "b")
    assert (tmp_path / "b" / "a.txt").exists()


def test_missing_repositories(tmp_path):
    git("clone", url_of(f"{OWNER.name}/{new_name()}"), tmp_path / "a", fails=True)


def test_pushing_is_refused(full, tmp_path):
    git("clone", url_of(full, token=OWNER.token), tmp_path / "clone")
    place = tmp_path / "clone"
    (place / "b.txt").write_text("b")
    git("add", "b.txt", cwd=place)
    git("-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-m", "x", cwd=place)
    git("push", cwd=place, fails=True)


def test_content_of_pointers_is_downloaded_as_git_lfs_does(full):
    sha256 = hashlib.sha256(LARGE).hexdigest()
    answer = request(
        "POST",
        f"/datasets/{full}.git/info/lfs/objects/batch",
        OWNER.token,
        {"operation": "download", "transfers": ["basic"], "objects": [{"oid": sha256, "size": len(LARGE)}]},
        {"Accept": "application/vnd.git-lfs+json"},
    )
    assert answer.status == 200
    (found,) = json.loads(answer.body)["objects"]
    action = found["actions"]["download"]
    answer = request("GET", action["href"], headers=action.get("header", {}))
    if answer.status in (302, 307):
        answer = request("GET", answer.headers["location"])
    assert answer.body == LARGE


def test_a_renamed_repository(full, tmp_path, api):
    new = f"{OWNER.name}/{new_name()}"
    api.move_repo(from_id=full, to_id=new, repo_type="dataset")
    git("clone", url_of(full), tmp_path / "clone")
    assert (tmp_path / "clone" / "a.txt").exists()
