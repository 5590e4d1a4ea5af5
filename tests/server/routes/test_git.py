"""Real git clones and fetches, and checks every object itself."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from dulwich.client import HttpGitClient
from dulwich.repo import Repo
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from pytupli_registry.server.wire.pktline import Mark, packet
from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPO = "acme/hvac"
VERSIONS = ("0", "1", "2")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    hub = LiveHub(tmp_path_factory.mktemp("hub"), inline_size=1000).start()
    hub.organization("acme", alice="admin")
    hub.person("bob")
    yield hub
    hub.stop()


def add(path: str, content: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path, content)


def commit(api: HfApi, *operations: Any, title: str = "Change", **options: Any) -> str:
    return str(api.create_commit(REPO, operations, commit_message=title, **options).oid)


@pytest.fixture(scope="module")
def alice(live: LiveHub) -> HfApi:
    """The owner of a public repository with a history: folders, large files of both kinds, branch, tag, PR."""
    api = live.api("alice")
    api.create_repo(REPO, private=False)
    noise = random.Random(1).randbytes(300_000)
    commit(api, add("notes.md", b"# Heating\n"), add("data/a.txt", b"a" * 5000), add("data/deep/b.txt", b"b"))
    commit(
        api,
        add("large.bin", noise),
        add("ünï codé.txt", "grün".encode()),
        title="Large — ü",
        commit_description="Why",
    )
    api.create_tag(REPO, tag="v1", tag_message="First")
    commit(api, CommitOperationDelete("data/deep/"), add("data/a.txt", b"A" * 6000), title="Less")
    api.create_branch(REPO, branch="side/branch", revision="v1")
    commit(api, add("side.txt", b"side"), revision="side/branch")
    commit(live.api("bob"), add("proposed.txt", b"p"), create_pr=True)
    return api


def git(*arguments: str | Path, cwd: Path | None = None, version: str = "2", fails: bool = False) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
    }
    command = ["git", "-c", f"protocol.version={version}", "-c", "core.quotepath=off", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


def url(hub: LiveHub, repo: str = REPO, token: str | None = None) -> str:
    login = f"user:{token}@" if token else ""
    return f"http://{login}127.0.0.1:{hub.port}/{repo}"


def files_at(directory: Path, revision: str) -> dict[str, str]:
    lines = git("ls-tree", "-r", revision, cwd=directory).splitlines()
    return {line.split("\t")[1]: line.split()[2] for line in lines}


def files_of(api: HfApi, revision: str) -> dict[str, str]:
    tree = api.list_repo_tree(REPO, recursive=True, revision=revision)
    return {entry.path: entry.blob_id for entry in tree if hasattr(entry, "blob_id")}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_clone_is_the_repository(live: LiveHub, alice: HfApi, tmp_path: Path, version: str) -> None:
    git("clone", url(live), tmp_path / "clone", version=version)
    clone = tmp_path / "clone"
    assert "error" not in git("fsck", "--full", "--strict", cwd=clone)
    assert git("branch", "--show-current", cwd=clone).strip() == "main"
    for local, revision in (("origin/main", "main"), ("origin/side/branch", "side/branch"), ("v1", "v1")):
        commits = alice.list_repo_commits(REPO, revision=revision)
        log = git("log", "--format=%H|%an|%ct|%s", local, cwd=clone).splitlines()
        assert log == [
            f"{one.commit_id}|{one.authors[0]}|{int(one.created_at.timestamp())}|{one.title}"
            for one in commits
        ]
        assert files_at(clone, local) == files_of(alice, revision)
    assert git("log", "-1", "--format=%b", "v1", cwd=clone).strip() == "Why"
    assert (clone / "ünï codé.txt").read_text() == "grün"
    assert (clone / "data/a.txt").read_bytes() == b"A" * 6000
    assert not (clone / "data/deep").exists()
    pointer = (clone / "large.bin").read_text()
    assert (
        pointer
        == f"version https://git-lfs.github.com/spec/v1\noid sha256:{lfs(alice).sha256}\nsize 300000\n"
    )
    git("checkout", "v1", cwd=clone)
    assert (clone / "data/deep/b.txt").read_bytes() == b"b"
    assert git("status", "--porcelain", cwd=clone) == ""


def lfs(api: HfApi) -> Any:
    (info,) = api.get_paths_info(REPO, "large.bin")
    return info.lfs


def test_refs_are_those_of_the_api(live: LiveHub, alice: HfApi) -> None:
    refs = alice.list_repo_refs(REPO, include_pull_requests=True)
    expected = {
        ref.ref: ref.target_commit for ref in [*refs.branches, *refs.tags, *(refs.pull_requests or [])]
    }
    assert set(expected) == {"refs/heads/main", "refs/heads/side/branch", "refs/tags/v1", "refs/pr/1"}
    for version in VERSIONS:
        lines = git("ls-remote", url(live), version=version).splitlines()
        shown = dict(reversed(line.split("\t")) for line in lines)
        assert shown.pop("HEAD") == expected["refs/heads/main"]
        assert shown == expected
        assert (
            git("ls-remote", "--heads", url(live), "main", version=version).split("\t")[1]
            == "refs/heads/main\n"
        )


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_fetch_brings_what_is_new(live: LiveHub, alice: HfApi, tmp_path: Path, version: str) -> None:
    git("clone", "--single-branch", url(live), tmp_path / "clone", version=version)
    clone = tmp_path / "clone"
    for number in range(3):
        commit(alice, add(f"new/{version}.txt", b"%d" % number), title=f"New {number}")
    before = object_count(clone)
    git(
        "fetch",
        "origin",
        "main",
        "refs/pr/1:refs/heads/proposed",
        "side/branch:side",
        version=version,
        cwd=clone,
    )
    assert files_at(clone, "origin/main") == files_of(alice, "main")
    assert files_at(clone, "proposed") == files_of(alice, "refs/pr/1")
    assert files_at(clone, "side") == files_of(alice, "side/branch")
    assert object_count(clone) - before <= 3 * 4 + 2 * 3
    git("fsck", "--full", cwd=clone)
    assert git("fetch", "origin", version=version, cwd=clone) == ""


def object_count(clone: Path) -> int:
    return len(git("cat-file", "--batch-check", "--batch-all-objects", cwd=clone).splitlines())


@pytest.mark.parametrize("version", ["0", "2"])
def test_shallow_clones_and_deepening(live: LiveHub, alice: HfApi, tmp_path: Path, version: str) -> None:
    clone = tmp_path / "clone"
    commits = [one.commit_id for one in alice.list_repo_commits(REPO)]

    def log() -> list[str]:
        git("fsck", "--full", cwd=clone)
        return git("log", "--format=%H", "origin/main", cwd=clone).split()

    git("clone", "--depth", "1", url(live), clone, version=version)
    assert log() == commits[:1]
    assert files_at(clone, "HEAD") == files_of(alice, "main")
    git("fetch", "--depth", "2", cwd=clone, version=version)
    assert log() == commits[:2]
    git("fetch", "--deepen", "1", cwd=clone, version=version)
    assert log() == commits[:3]
    newest = commit(alice, add("shallow.txt", version.encode()))
    git("fetch", cwd=clone, version=version)
    assert log() == [newest, *commits[:3]]
    git("fetch", "--unshallow", cwd=clone, version=version)
    assert log() == [newest, *commits]
    assert not (clone / ".git/shallow").exists()
    # With tags, git's own HTTP server and ours leave as much of the history behind: git asks for the tag alone then.
    git("fetch", "--no-tags", "--depth", "1", cwd=clone, version=version)
    assert log() == [newest]


def test_a_commit_can_be_fetched_by_its_id_if_a_ref_leads_to_it(
    live: LiveHub, alice: HfApi, tmp_path: Path
) -> None:
    old = alice.list_repo_commits(REPO)[-1].commit_id
    git("init", "-q", tmp_path)
    for version in VERSIONS:
        git("fetch", url(live), old, cwd=tmp_path, version=version)
        assert git("rev-parse", "FETCH_HEAD", cwd=tmp_path).strip() == old
    alice.create_branch(REPO, branch="lost")
    lost = commit(alice, add("lost.txt", b"lost"), revision="lost")
    alice.delete_branch(REPO, branch="lost")
    for unreachable in (lost, "1" * 40):
        for version in VERSIONS:
            told = git("fetch", url(live), unreachable, cwd=tmp_path, version=version, fails=True)
            assert f"not our ref {unreachable}" in told


def test_another_client_agrees(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    target = Repo.init_bare(str(tmp_path / "bare"), mkdir=True)
    client = HttpGitClient(f"http://127.0.0.1:{live.port}")
    fetched = client.fetch(f"/{REPO}.git", target)
    head = alice.list_repo_commits(REPO)[0].commit_id.encode()
    assert fetched.refs[b"HEAD"] == head
    assert {
        entry.path.decode() for entry in target.object_store.iter_tree_contents(target[head].tree)
    } == set(files_of(alice, "main"))
    target.close()


@pytest.mark.parametrize("repo", ["datasets/acme/set", "spaces/acme/set.git", "acme/set"])
def test_all_families_and_private_repositories(
    live: LiveHub, alice: HfApi, tmp_path: Path, repo: str
) -> None:
    kind = {"d": "dataset", "s": "space", "a": "model"}[repo[0]]
    space = {"space_sdk": "static"} if kind == "space" else {}
    alice.create_repo("acme/set", repo_type=kind, private=True, **space)
    token = live.person("alice").token
    git("clone", url(live, repo, token), tmp_path / "clone")
    assert (tmp_path / "clone/.gitattributes").exists()
    strange = live.person("bob").token
    for asked in (repo, repo.replace("acme/set", "acme/sat")):
        assert "could not read Username" in git("clone", url(live, asked), tmp_path / "x", fails=True)
        refused = git("clone", url(live, asked, strange), tmp_path / "x", fails=True)
        assert "not found" in refused
    assert "Authentication failed" in git("clone", url(live, repo, "hf_wrong"), tmp_path / "x", fails=True)


def test_gated_repositories_are_for_those_let_in(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    alice.create_repo("acme/gated", private=False)
    alice.update_repo_settings("acme/gated", gated="manual")
    mine = url(live, "acme/gated", live.person("bob").token)
    assert "not in the authorized list" in git("clone", mine, tmp_path / "x", fails=True)
    assert "could not read Username" in git("clone", url(live, "acme/gated"), tmp_path / "x", fails=True)
    alice.grant_access("acme/gated", "bob")
    git("clone", mine, tmp_path / "clone")


def test_a_renamed_repository_is_found(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    alice.create_repo("acme/old", private=False)
    alice.move_repo("acme/old", "acme/new")
    git("clone", url(live, "acme/old.git"), tmp_path / "clone")
    assert (tmp_path / "clone/.gitattributes").exists()


def test_pushes_are_refused_with_a_word(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    mine = url(live, REPO, live.person("alice").token)
    git("clone", mine, tmp_path / "clone")
    told = git("push", "origin", "main:other", cwd=tmp_path / "clone", fails=True)
    assert "takes no pushes: commit with huggingface_hub" in told
    assert httpx2.post(f"{mine}/git-receive-pack").status_code == 403
    assert httpx2.get(f"{mine}/info/refs").status_code == 403


def test_an_empty_tree_is_cloned(live: LiveHub, alice: HfApi, tmp_path: Path) -> None:
    alice.create_repo("acme/empty", private=False)
    alice.delete_file(".gitattributes", "acme/empty")
    git("clone", url(live, "acme/empty"), tmp_path / "clone")
    assert git("ls-files", cwd=tmp_path / "clone") == ""
    git("fsck", "--full", cwd=tmp_path / "clone")


WANT = f"want {'0' * 40} side-band-64k\n"
HOSTILE = [
    b"",
    b"nonsense",
    b"0004",
    b"fff0",
    b"+005x",
    b"0x05x",
    packet(WANT),
    packet("want x\n"),
    packet(f"have {'0' * 40}\n"),
    packet(f"want {'0' * 40}\n") + Mark.FLUSH.value,
    packet("command=fetch") + Mark.DELIMITER.value + packet("filter blob:none") + Mark.FLUSH.value,
    packet("command=fetch") + Mark.DELIMITER.value + packet("deepen " + "9" * 5000) + Mark.FLUSH.value,
    packet("command=fetch") + Mark.DELIMITER.value + packet("deepen 0") + Mark.FLUSH.value,
    packet("command=ls-refs") + packet("object-format=sha256") + Mark.FLUSH.value,
    packet("command=\xff") + Mark.FLUSH.value,
]


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize("version", ["0", "2"])
def test_hostile_requests_are_refused(live: LiveHub, alice: HfApi, body: bytes, version: str) -> None:
    answer = httpx2.post(
        f"{url(live)}/git-upload-pack", content=body, headers={"git-protocol": f"version={version}"}
    )
    assert answer.status_code == 200
    assert answer.content[4:8] == b"ERR "


def test_bodies_have_a_bound(live: LiveHub, alice: HfApi) -> None:
    place = f"{url(live)}/git-upload-pack"
    bomb = gzip.compress(bytes(20 << 20), compresslevel=1)
    packed = {"content-encoding": "gzip"}
    assert httpx2.post(place, content=bomb, headers=packed).status_code == 413
    assert httpx2.post(place, content=bytes(9 << 20)).status_code == 413
    assert httpx2.post(place, content=b"no gzip", headers=packed).status_code == 400
    request = gzip.compress(packet(WANT) + Mark.FLUSH.value + packet("done\n"))
    assert b"not our ref" in httpx2.post(place, content=request, headers=packed).content
