"""The clients' own command line: `hf` of today, `huggingface-cli` of before."""

import json
import os
import subprocess
import sys
import warnings
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hub import OWNER, RELEASE, client, new_name
from huggingface_hub.utils import HfHubHTTPError
from packaging.version import Version

BIN = Path(sys.executable).parent
MODERN = Version("1") <= RELEASE


@pytest.fixture
def environment(tmp_path):
    known = {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}
    known |= {
        "HF_HOME": str(tmp_path / "home"),
        "NO_COLOR": "1",
        "COLUMNS": "200",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    known |= {"HF_HUB_DISABLE_UPDATE_CHECK": "1", "GIT_TERMINAL_PROMPT": "0", "PYTHONWARNINGS": "ignore"}
    return known


@pytest.fixture
def program(environment, tmp_path):
    """Runs a command in a process of its own; fails with what it printed."""

    def execute(*words, fails=False, token=OWNER.token):
        name = "hf" if (BIN / "hf").exists() else "huggingface-cli"
        surroundings = {**environment, **({"HF_TOKEN": token} if token else {})}
        done = subprocess.run(
            [str(BIN / name), *map(str, words)],
            env=surroundings,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, said
        assert "Traceback" not in said, said
        return said

    return execute


@pytest.fixture
def run(monkeypatch, capfd):
    """Runs a command as `program` does, but in this process, whose user is the owner: starting one takes longer."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def execute(*words, fails=False):
        monkeypatch.setattr(sys, "argv", ["hf", *map(str, words)])
        capfd.readouterr()
        status = 0
        with warnings.catch_warnings(action="ignore"):
            try:
                entry_point()()
            except SystemExit as end:
                status = end.code or 0
        said = "".join(capfd.readouterr())
        assert (status != 0) is fails, said
        return said

    return execute


def entry_point():
    found = entry_points(group="console_scripts")
    return next(one for name in ("hf", "huggingface-cli") for one in found.select(name=name)).load()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "folder"
    (place / "sub").mkdir(parents=True)
    (place / "a.txt").write_text("a")
    (place / "sub" / "b.bin").write_bytes(b"\x00b" * 1000)
    return place


def login_words():
    return ("auth", "login") if Version("0.34") <= RELEASE else ("login",)


def test_login_whoami_logout(program, environment):
    program(*login_words(), "--token", OWNER.token, token=None)
    assert (Path(environment["HF_HOME"]) / "token").read_text() == OWNER.token
    whoami = ("auth", "whoami") if Version("0.34") <= RELEASE else ("whoami",)
    assert OWNER.name in program(*whoami, token=None)
    logout = ("auth", "logout") if Version("0.34") <= RELEASE else ("logout",)
    program(*logout, token=None)
    assert not (Path(environment["HF_HOME"]) / "token").exists()


def test_login_with_a_bad_token(program):
    try:
        said = program(*login_words(), "--token", "hf_" + "x" * 34, token=None, fails=True)
    except AssertionError as error:  # older clients end with a traceback
        said = str(error)
    assert "nvalid" in said


def test_upload_makes_the_repository(program, folder, api, files_of):
    repo = f"{OWNER.name}/{new_name('cli')}"
    said = program(
        "upload", repo, folder, ".", "--repo-type", "dataset", "--commit-message", "From the shell"
    )
    assert repo in said
    assert files_of(repo) == [".gitattributes", "a.txt", "sub/b.bin"]
    assert api.list_repo_commits(repo, repo_type="dataset")[0].title == "From the shell"


def test_upload_of_one_file_to_a_new_branch(run, folder, repo, files_of):
    run("upload", repo, folder / "a.txt", "x/a.txt", "--repo-type", "dataset", "--revision", "side")
    assert files_of(repo, revision="side") == [".gitattributes", "x/a.txt"]
    assert files_of(repo) == [".gitattributes"]


def test_upload_as_a_pull_request(run, folder, repo, files_of):
    run("upload", repo, folder, "--repo-type", "dataset", "--create-pr", "--exclude", "*.bin")
    assert files_of(repo) == [".gitattributes"]
    assert any("a.txt" in path for path in files_of(repo, revision="refs/pr/1"))


def test_upload_to_a_private_repository(run, folder, api):
    repo = f"{OWNER.name}/{new_name('cli')}"
    run("upload", repo, folder, "--repo-type", "dataset", "--private")
    assert api.dataset_info(repo).private


def test_download(run, repo, commit, tmp_path):
    commit(repo, {"a.txt": b"a", "sub/b.bin": b"\x00b", "sub/c.txt": b"c"})
    place = run("download", repo, "a.txt", "--repo-type", "dataset", "--quiet").strip().splitlines()[-1]
    assert Path(place).read_bytes() == b"a"
    run("download", repo, "--repo-type", "dataset", "--local-dir", tmp_path / "copy", "--include", "sub/*")
    found = {
        path.name for path in (tmp_path / "copy").rglob("*") if path.is_file() and ".cache" not in path.parts
    }
    assert found == {"b.bin", "c.txt"}


def test_download_of_the_missing(run):
    assert (
        "not found"
        in run_any(run, "download", f"{OWNER.name}/{new_name()}", "--repo-type", "dataset").lower()
    )


def run_any(run, *words):
    try:
        return run(*words, fails=True)
    except HfHubHTTPError as error:  # older clients end with a traceback
        return str(error)


@client(">=1", "the words are newer")
def test_repositories_branches_tags(run, api):
    repo = f"{OWNER.name}/{new_name('cli')}"
    run("repos", "create", repo, "--repo-type", "dataset", "--private")
    run("repos", "create", repo, "--repo-type", "dataset", "--exist-ok")
    run("repos", "branch", "create", repo, "side", "--repo-type", "dataset")
    run("repos", "tag", "create", repo, "v1", "-m", "first", "--repo-type", "dataset")
    assert "v1" in run("repos", "tag", "list", repo, "--repo-type", "dataset")
    assert api.revision_exists(repo, "side", repo_type="dataset")
    run("repos", "branch", "delete", repo, "side", "--repo-type", "dataset")
    run("repos", "tag", "delete", repo, "v1", "-y", "--repo-type", "dataset")
    assert not api.revision_exists(repo, "v1", repo_type="dataset")
    run("repos", "settings", repo, "--public", "--gated", "auto", "--repo-type", "dataset")
    info = api.dataset_info(repo)
    assert (info.private, info.gated) == (False, "auto")
    moved = f"{OWNER.name}/{new_name('cli')}"
    run("repos", "move", repo, moved, "--repo-type", "dataset")
    assert api.dataset_info(repo).id == moved
    run("repos", "delete", moved, "-y", "--repo-type", "dataset")
    assert not api.repo_exists(moved, repo_type="dataset")


@client("<1", "the words are older")
def test_repositories_and_tags_of_the_old_clients(run, api):
    name = new_name("cli")
    if Version("0.34") <= RELEASE:
        run("repo", "create", name, "--repo-type", "dataset")
    else:
        run("repo", "create", name, "--type", "dataset", "-y")
    repo = f"{OWNER.name}/{name}"
    assert api.repo_exists(repo, repo_type="dataset")
    tag = ("repo", "tag", "create") if Version("0.34") <= RELEASE else ("tag",)
    run(*tag, repo, "v1", "--repo-type", "dataset")
    assert api.revision_exists(repo, "v1", repo_type="dataset")


def test_deletion_of_files(run, repo, commit, files_of):
    commit(repo, {"a.txt": b"a", "sub/b.bin": b"\x00b", "sub/c.txt": b"c"})
    if MODERN:
        run("repos", "delete-files", repo, "*.txt", "--repo-type", "dataset")
    elif Version("0.34") <= RELEASE:
        run("repo-files", "delete", repo, "*.txt", "--repo-type", "dataset")
    else:
        run("repo-files", repo, "delete", "*.txt", "--repo-type", "dataset")
    assert files_of(repo) == [".gitattributes", "sub/b.bin"]


@client(">=1", "listings in the command line are newer")
def test_listings(run, repo, commit):
    commit(repo, {"a.txt": b"a", "sub/b.bin": b"\x00b"})
    found = json.loads(
        run("datasets", "ls", "--author", OWNER.name, "--search", repo.split("/")[1], "--json")
    )
    assert [entry["id"] for entry in found] == [repo]
    found = json.loads(run("datasets", "info", repo, "--json"))
    assert (found["id"], found["private"]) == (repo, False)
    assert "sub/b.bin" in run("datasets", "ls", repo, "-R")
    assert repo in run("repos", "ls", "--limit", "10000", "--json")
    for family in ("models", "spaces"):
        assert repo not in run(family, "ls", "--author", OWNER.name, "--limit", "3", "--json")


@client(">=1", "discussions in the command line are newer")
def test_discussions(run, repo, api):
    run("discussions", "create", repo, "--title", "A question", "--body", "Why?", "--repo-type", "dataset")
    run("discussions", "create", repo, "--title", "A change", "--pr", "--repo-type", "dataset")
    assert "A question" in run("discussions", "list", repo, "--repo-type", "dataset", "--status", "all")
    run("discussions", "comment", repo, "1", "--body", "So.", "--repo-type", "dataset")
    run("discussions", "close", repo, "1", "-y", "--repo-type", "dataset")
    assert api.get_discussion_details(repo, 1, repo_type="dataset").status == "closed"
    assert "A change" in run("discussions", "info", repo, "2", "--repo-type", "dataset")
    run("discussions", "rename", repo, "1", "Another question", "--repo-type", "dataset")
    run("discussions", "reopen", repo, "1", "-y", "--repo-type", "dataset")
    found = api.get_discussion_details(repo, 1, repo_type="dataset")
    assert (found.title, found.status) == ("Another question", "open")


@client(">=1.19", "merging in the command line is newer")
def test_pull_requests(run, repo, api, folder, files_of):
    run("upload", repo, folder / "a.txt", "a.txt", "--repo-type", "dataset", "--create-pr")
    assert "+a" in run("discussions", "diff", repo, "1", "--repo-type", "dataset")
    run("discussions", "merge", repo, "1", "-y", "--comment", "Thanks", "--repo-type", "dataset")
    assert files_of(repo) == [".gitattributes", "a.txt"]
    assert api.get_discussion_details(repo, 1, repo_type="dataset").status == "merged"


@client(">=1.19", "copying repositories in the command line is newer")
def test_copy_of_a_repository(run, repo, commit, files_of):
    commit(repo, {"README.md": b"---\nlicense: mit\n---\n# Words\n"})
    copy = f"{OWNER.name}/{new_name('cli')}"
    run("repos", "duplicate", repo, copy, "--repo-type", "dataset")
    assert files_of(copy) == [".gitattributes", "README.md"]
    assert "# Words" in run("datasets", "card", copy, "--text")
    assert "mit" in run("datasets", "card", copy, "--metadata")


@client(">=2", "`cp` copies files of repositories since 1.20")
def test_copies(run, repo, commit, tmp_path, files_of):
    commit(repo, {"a.txt": b"a"})
    run("cp", f"hf://datasets/{repo}/a.txt", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == b"a"
    (tmp_path / "b.bin").write_bytes(b"\x00b")
    run("cp", tmp_path / "b.bin", f"hf://datasets/{repo}/d/b.bin")
    assert files_of(repo) == [".gitattributes", "a.txt", "d/b.bin"]


@client(">=1.19", "verification is newer")
def test_verification(run, repo, commit, tmp_path):
    commit(repo, {"a.txt": b"a", "b.bin": b"\x00b"})
    run("download", repo, "--repo-type", "dataset", "--local-dir", tmp_path / "copy")
    run("cache", "verify", repo, "--repo-type", "dataset", "--local-dir", tmp_path / "copy")
    (tmp_path / "copy" / "b.bin").write_bytes(b"\x00x")
    run("cache", "verify", repo, "--repo-type", "dataset", "--local-dir", tmp_path / "copy", fails=True)


@client(">=1", "webhooks in the command line are newer")
def test_webhooks(run, api):
    run("webhooks", "create", "--url", "https://hooks.example.org/cli", "--watch", "user:julien-c")
    (hook,) = (one for one in json.loads(run("webhooks", "list", "--json")) if one["url"].endswith("/cli"))
    run("webhooks", "update", hook["id"], "--domain", "repo")
    run("webhooks", "disable", hook["id"])
    found = json.loads(run("webhooks", "info", hook["id"], "--json"))
    assert (found["domains"], found["disabled"]) == (["repo"], True)
    run("webhooks", "enable", hook["id"])
    assert not api.get_webhook(hook["id"]).disabled
    run("webhooks", "delete", hook["id"], "-y")
    assert hook["id"] not in [left.id for left in api.list_webhooks()]


@client(">=0.30,<2", "upload-large-folder came with 0.25 and went with 2.0")
def test_large_folder(run, folder, files_of):
    repo = f"{OWNER.name}/{new_name('cli')}"
    run("upload-large-folder", repo, folder, "--repo-type", "dataset", "--no-report", "--num-workers", "2")
    assert files_of(repo) == [".gitattributes", "a.txt", "sub/b.bin"]
