"""Commits through the stock client: as a whole, on a known parent, and refused in our words."""

import hashlib
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from pytupli_registry.errors import CommitConflict, FormatError, HubError, HubUnreachable
from pytupli_registry.hub.commits import Addition, commit, create_repo, is_private, whoami
from pytupli_registry.hub.snapshots import Hub
from tests.server.support.live import LiveHub


@pytest.fixture
def alice(hub: LiveHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    return Hub(hub.endpoint, hub.person("alice").token)


def head(hub: Hub, repo: str) -> str:
    return hub.snapshot(repo).commit


def test_files_come_as_one_commit_on_a_known_parent(alice: Hub, tmp_path: Path) -> None:
    create_repo(alice, "alice/files", private=True)
    create_repo(alice, "alice/files")
    assert is_private(alice, "alice/files")
    large = tmp_path / "large.hdf5"
    large.write_bytes(b"\x89HDF" + bytes(range(256)) * 4000)
    digest = hashlib.sha256(large.read_bytes()).hexdigest()
    first = head(alice, "alice/files")
    advanced: list[int] = []
    additions = [Addition("a/large.hdf5", large, digest), Addition("note.txt", b"text")]
    made = commit(alice, "alice/files", additions, parent=first, message="Two", advance=advanced.append)
    assert head(alice, "alice/files") == made
    assert sum(advanced) == sum(one.size for one in additions)
    stock: HfApi = alice.api()
    assert stock.list_repo_commits("alice/files", repo_type="dataset")[0].title == "Two"
    snapshot = alice.snapshot("alice/files")
    assert snapshot.file("a/large.hdf5").sha256 == digest
    assert snapshot.download("a/large.hdf5").read_bytes() == large.read_bytes()
    assert snapshot.read("note.txt") == b"text"

    with pytest.raises(CommitConflict):
        commit(alice, "alice/files", [Addition("note.txt", b"late")], parent=first, message="Late")
    last = commit(alice, "alice/files", [], parent=made, message="Less", deletions=["note.txt"])
    assert "note.txt" not in alice.snapshot("alice/files").look(["note.txt"])
    assert head(alice, "alice/files") == last


def test_refusals_say_what_to_do(alice: Hub, hub: LiveHub, tmp_path: Path) -> None:
    create_repo(alice, "alice/open", private=False)
    parent = head(alice, "alice/open")
    bob, nobody = Hub(hub.endpoint, hub.person("bob").token), Hub(hub.endpoint, False)
    addition = [Addition("note.txt", b"text")]
    with pytest.raises(HubError, match="no right to write to alice/open") as refused:
        commit(bob, "alice/open", addition, parent=parent, message="x")
    assert refused.value.status == 403
    with pytest.raises(HubError, match="does not know who asks"):
        commit(nobody, "alice/open", addition, parent=parent, message="x")
    with pytest.raises(HubError, match="alice/other"):
        create_repo(bob, "alice/other")
    with pytest.raises(HubError, match="nowhere/other"):
        create_repo(alice, "nowhere/other")
    with pytest.raises(HubError, match="alice/missing"):
        commit(alice, "alice/missing", addition, parent=parent, message="x")
    with pytest.raises(HubError, match="license"):
        commit(
            alice,
            "alice/open",
            [Addition("README.md", b"---\nlicense: nope\n---\n")],
            parent=parent,
            message="x",
        )
    with pytest.raises(FormatError, match="not there"):
        commit(alice, "alice/open", [Addition("x", tmp_path / "x")], parent=parent, message="x")
    assert head(alice, "alice/open") == parent
    assert whoami(bob) == "bob"
    with pytest.raises(HubError, match="no token"):
        whoami(nobody)


def test_a_hub_that_is_not_there_is_unreachable() -> None:
    gone = Hub("http://127.0.0.1:9", "hf_x")
    with pytest.raises(HubUnreachable, match=r"127\.0\.0\.1:9"):
        whoami(gone)
