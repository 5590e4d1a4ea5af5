"""Discussions and pull requests, through the stock client."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.community import DiscussionComment, DiscussionCommit, DiscussionStatusChange
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPO = "acme/hvac"


def add(path: str, content: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)


def refused(status: int, call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(HfHubHTTPError) as caught:
        call(*arguments, **options)
    assert caught.value.response.status_code == status
    return str(caught.value)


@pytest.fixture(scope="module")
def live_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    hub = LiveHub(tmp_path_factory.mktemp("hub")).start()
    hub.organization("acme", alice="admin")
    hub.person("bob")
    yield hub
    hub.stop()


@pytest.fixture
def alice(live_hub: LiveHub) -> HfApi:
    api = live_hub.api("alice")
    api.delete_repo(REPO, repo_type="dataset", missing_ok=True)
    api.create_repo(REPO, repo_type="dataset", private=False)
    api.create_commit(
        REPO, [add("a.txt", b"one\n"), add("b.txt", b"two\n")], commit_message="Files", repo_type="dataset"
    )
    return api


@pytest.fixture
def bob(live_hub: LiveHub, alice: HfApi) -> HfApi:
    return live_hub.api("bob")


def commit(
    api: HfApi, *operations: Any, revision: str = "main", title: str = "Change", **options: Any
) -> Any:
    return api.create_commit(
        REPO, operations, commit_message=title, revision=revision, repo_type="dataset", **options
    )


def read(api: HfApi, revision: str = "main") -> dict[str, str]:
    return {
        file.path: file.blob_id
        for file in api.list_repo_tree(REPO, recursive=True, revision=revision, repo_type="dataset")
        if hasattr(file, "blob_id") and file.path != ".gitattributes"
    }


def test_a_discussion_from_beginning_to_end(alice: HfApi, bob: HfApi) -> None:
    made = bob.create_discussion(
        REPO, title=" Are rewards scaled? ", description="I wonder.", repo_type="dataset"
    )
    assert (made.num, made.title, made.author, made.status) == (1, "Are rewards scaled?", "bob", "open")
    assert not made.is_pull_request
    assert made.events[0].content == "I wonder."
    comment = alice.comment_discussion(REPO, 1, comment="No. 🤗 <b>", repo_type="dataset")
    assert comment.rendered == "<p>No. 🤗 &lt;b&gt;</p>"
    edited = alice.edit_discussion_comment(
        REPO, 1, comment_id=comment.id, new_content="Yes.", repo_type="dataset"
    )
    assert (edited.edited, edited.content, edited.number_of_edits) == (True, "Yes.", 1)
    assert edited.edit_history[0]["raw"] == "No. 🤗 <b>"
    renamed = bob.rename_discussion(REPO, 1, new_title="Scaled rewards", repo_type="dataset")
    assert (renamed.old_title, renamed.new_title) == ("Are rewards scaled?", "Scaled rewards")
    closed = bob.change_discussion_status(REPO, 1, new_status="closed", comment="Thanks", repo_type="dataset")
    assert closed.new_status == "closed"
    details = alice.get_discussion_details(REPO, 1, repo_type="dataset")
    assert (details.title, details.status) == ("Scaled rewards", "closed")
    assert [event.type for event in details.events] == [
        "comment",
        "comment",
        "title-change",
        "comment",
        "status-change",
    ]
    assert details.events[1] == edited
    assert details.events[-1] == closed
    assert "already" in refused(
        409, bob.change_discussion_status, REPO, 1, new_status="closed", repo_type="dataset"
    )


@pytest.mark.filterwarnings("ignore:Hidden comments")
def test_a_hidden_comment_is_gone_for_good(live_hub: LiveHub, alice: HfApi, bob: HfApi) -> None:
    bob.create_discussion(REPO, title="Question", repo_type="dataset")
    comment = bob.comment_discussion(REPO, 1, comment="secret", repo_type="dataset")
    bob.edit_discussion_comment(REPO, 1, comment_id=comment.id, new_content="secret too", repo_type="dataset")
    hidden = alice.hide_discussion_comment(REPO, 1, comment_id=comment.id.upper(), repo_type="dataset")
    assert (hidden.hidden, hidden.edited, hidden.content) == (True, True, "")
    url = f"{live_hub.endpoint}/api/datasets/{REPO}/discussions/1"
    assert "secret" not in httpx2.get(url).text
    refused(
        409, bob.edit_discussion_comment, REPO, 1, comment_id=comment.id, new_content="x", repo_type="dataset"
    )
    refused(409, alice.hide_discussion_comment, REPO, 1, comment_id=comment.id, repo_type="dataset")
    refused(404, alice.hide_discussion_comment, REPO, 1, comment_id="%00", repo_type="dataset")


@pytest.mark.filterwarnings("ignore:Hidden comments")
def test_who_may_what(live_hub: LiveHub, alice: HfApi, bob: HfApi) -> None:
    live_hub.person("carl")
    carl, nobody = live_hub.api("carl"), live_hub.api()
    bob.create_discussion(REPO, title="Question", repo_type="dataset")
    comment = bob.get_discussion_details(REPO, 1, repo_type="dataset").events[0]
    assert nobody.get_discussion_details(REPO, 1, repo_type="dataset").num == 1
    refused(401, nobody.comment_discussion, REPO, 1, comment="x", repo_type="dataset")
    refused(403, carl.rename_discussion, REPO, 1, new_title="other", repo_type="dataset")
    refused(403, carl.change_discussion_status, REPO, 1, new_status="closed", repo_type="dataset")
    refused(403, carl.hide_discussion_comment, REPO, 1, comment_id=comment.id, repo_type="dataset")
    refused(
        403,
        alice.edit_discussion_comment,
        REPO,
        1,
        comment_id=comment.id,
        new_content="x",
        repo_type="dataset",
    )
    reading = HfApi(endpoint=live_hub.endpoint, token=live_hub.token("bob", role="read"))
    refused(403, reading.comment_discussion, REPO, 1, comment="x", repo_type="dataset")
    alice.rename_discussion(REPO, 1, new_title="Better question", repo_type="dataset")
    alice.update_repo_settings(REPO, private=True, repo_type="dataset")
    for call in (bob.get_discussion_details, nobody.get_discussion_details):
        with pytest.raises(RepositoryNotFoundError):
            call(REPO, 1, repo_type="dataset")


def test_listings_are_paged_and_filtered(live_hub: LiveHub, alice: HfApi, bob: HfApi) -> None:
    for number in range(1, 54):
        (bob if number % 2 else alice).create_discussion(
            REPO, title=f"Number {number}", repo_type="dataset", pull_request=number % 10 == 0
        )
    bob.change_discussion_status(REPO, 3, new_status="closed", repo_type="dataset")

    def numbers(**filters: Any) -> list[int]:
        return [one.num for one in alice.get_repo_discussions(REPO, repo_type="dataset", **filters)]

    assert numbers() == list(range(53, 0, -1))
    assert numbers(discussion_type="pull_request") == [50, 40, 30, 20, 10]
    assert len(numbers(discussion_type="discussion", discussion_status="open", author="BOB")) == 26
    assert numbers(discussion_status="closed") == [3]
    assert numbers(author="unknown") == []
    url = f"{live_hub.endpoint}/api/datasets/{REPO}/discussions"
    assert httpx2.get(url, params={"type": "nonsense"}).status_code == 400
    assert httpx2.get(url, params={"author": "\0"}).status_code == 400
    assert httpx2.get(url, params={"p": 9999999999}).status_code == 400


@pytest.mark.parametrize("title", ["", "ab", "x" * 201, "a\x00bc", "two\nlines"])
def test_titles_have_bounds(alice: HfApi, title: str) -> None:
    with pytest.raises(BadRequestError):
        alice.create_discussion(REPO, title=title, repo_type="dataset")


def test_what_does_not_exist(alice: HfApi) -> None:
    assert "#7" in refused(404, alice.get_discussion_details, REPO, 7, repo_type="dataset")
    refused(404, alice.merge_pull_request, REPO, 7, repo_type="dataset")
    refused(404, alice.comment_discussion, REPO, 7, comment="x", repo_type="dataset")
    with pytest.raises(BadRequestError):
        alice.get_discussion_details(REPO, 1 << 70, repo_type="dataset")


def test_a_pull_request_from_draft_to_merge(alice: HfApi, bob: HfApi) -> None:
    made = bob.create_pull_request(REPO, title="Third file", repo_type="dataset")
    assert (made.status, made.target_branch, made.conflicting_files) == ("draft", "refs/heads/main", [])
    assert (made.git_reference, made.merge_commit_oid) == ("refs/pr/1", None)
    refused(403, bob.merge_pull_request, REPO, 1, repo_type="dataset")
    first = commit(bob, add("c.txt", b"three\n"), revision="refs/pr/1", title="Add c")
    commit(bob, CommitOperationDelete("a.txt"), revision="refs/pr/1", title="Drop a")
    assert "draft" in refused(409, alice.merge_pull_request, REPO, 1, repo_type="dataset")
    bob.change_discussion_status(REPO, 1, new_status="open", repo_type="dataset")
    before = alice.list_repo_commits(REPO, repo_type="dataset")
    alice.merge_pull_request(REPO, 1, comment="Thank you", repo_type="dataset")
    details = alice.get_discussion_details(REPO, 1, repo_type="dataset")
    assert details.status == "merged"
    commits = alice.list_repo_commits(REPO, repo_type="dataset")
    assert [one.commit_id for one in commits] == [
        details.merge_commit_oid,
        *(one.commit_id for one in before),
    ]
    assert commits[0].title == "Third file (#1)"
    assert "Add c" in commits[0].message
    assert "Co-authored-by: bob" in commits[0].message
    assert set(read(alice)) == {"b.txt", "c.txt"}
    events = [(type(event), getattr(event, "oid", None)) for event in details.events]
    assert (DiscussionCommit, first.oid) in events
    assert events[-1][0] is DiscussionStatusChange
    assert "Thank you" in [event.content for event in details.events if isinstance(event, DiscussionComment)]
    refused(409, alice.merge_pull_request, REPO, 1, repo_type="dataset")
    refused(409, alice.change_discussion_status, REPO, 1, new_status="closed", repo_type="dataset")
    refused(409, commit, bob, add("d.txt", b"x"), revision="refs/pr/1")


def test_readers_propose_with_one_commit(alice: HfApi, bob: HfApi) -> None:
    made = commit(bob, add("c.txt", b"3"), create_pr=True, title="x")
    assert (made.pr_num, made.pr_revision) == (1, "refs/pr/1")
    details = bob.get_discussion_details(REPO, 1, repo_type="dataset")
    assert (details.status, details.title) == ("open", "Commit 'x'")
    assert [event.type for event in details.events] == ["comment", "commit"] or details.events[
        -1
    ].type == "commit"
    assert set(read(bob, "refs/pr/1")) == {"a.txt", "b.txt", "c.txt"}
    assert set(read(bob)) == {"a.txt", "b.txt"}
    alice.merge_pull_request(REPO, 1, repo_type="dataset")
    assert set(read(bob)) == {"a.txt", "b.txt", "c.txt"}


def test_only_the_author_and_writers_commit_to_a_pull_request(
    live_hub: LiveHub, alice: HfApi, bob: HfApi
) -> None:
    live_hub.person("carl")
    bob.create_pull_request(REPO, title="Mine", repo_type="dataset")
    head = bob.list_repo_commits(REPO, revision="refs/pr/1", repo_type="dataset")
    refused(403, commit, live_hub.api("carl"), add("c.txt", b"x"), revision="refs/pr/1")
    assert bob.list_repo_commits(REPO, revision="refs/pr/1", repo_type="dataset") == head
    commit(alice, add("c.txt", b"x"), revision="refs/pr/1")
    bob.change_discussion_status(REPO, 1, new_status="closed", repo_type="dataset")
    refused(409, commit, bob, add("d.txt", b"x"), revision="refs/pr/1")
    with pytest.raises(RevisionNotFoundError):
        commit(bob, add("d.txt", b"x"), revision="refs/pr/2")


def test_both_sides_change_different_files(alice: HfApi, bob: HfApi) -> None:
    commit(bob, add("a.txt", b"ONE\n"), add("new/x.txt", b"x"), create_pr=True, title="Mine")
    commit(alice, add("b.txt", b"TWO\n"), add("new/y.txt", b"y"), title="Theirs")
    assert bob.get_discussion_details(REPO, 1, repo_type="dataset").conflicting_files == []
    alice.merge_pull_request(REPO, 1, repo_type="dataset")
    assert set(read(alice)) == {"a.txt", "b.txt", "new/x.txt", "new/y.txt"}
    assert read(alice)["a.txt"] == read(alice, "refs/pr/1")["a.txt"]
    assert read(alice)["b.txt"] != read(alice, "refs/pr/1")["b.txt"]


CONFLICTS = {
    "both change": ([add("a.txt", b"1")], [add("a.txt", b"2")], ["a.txt"]),
    "both add": ([add("c.txt", b"1")], [add("c.txt", b"2")], ["c.txt"]),
    "one deletes": ([CommitOperationDelete("a.txt")], [add("a.txt", b"2")], ["a.txt"]),
    "other deletes": ([add("a.txt", b"1")], [CommitOperationDelete("a.txt")], ["a.txt"]),
    "folder over file": ([add("c/d.txt", b"1")], [add("c", b"2")], ["c/d.txt"]),
    "file over folder": ([add("c", b"1")], [add("c/d.txt", b"2")], ["c"]),
    "the same": ([add("a.txt", b"1")], [add("a.txt", b"1")], []),
    "both delete": ([CommitOperationDelete("a.txt")], [CommitOperationDelete("a.txt")], []),
    "folder instead of file": (
        [CommitOperationDelete("a.txt"), add("a.txt/x", b"1")], [add("b.txt", b"2")], []
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CONFLICTS)
def test_conflicts(alice: HfApi, bob: HfApi, case: str) -> None:
    mine, theirs, files = CONFLICTS[case]
    commit(bob, *mine, create_pr=True, title="Mine")
    commit(alice, *theirs, title="Theirs")
    assert bob.get_discussion_details(REPO, 1, repo_type="dataset").conflicting_files == files
    if files:
        message = refused(409, alice.merge_pull_request, REPO, 1, repo_type="dataset")
        assert all(file in message for file in files)
        assert alice.list_repo_commits(REPO, repo_type="dataset")[0].title == "Theirs"
    else:
        alice.merge_pull_request(REPO, 1, repo_type="dataset")
        assert alice.list_repo_commits(REPO, repo_type="dataset")[0].title == "Mine (#1)"


def test_the_diff_is_one_that_git_applies(alice: HfApi, bob: HfApi, tmp_path: Path) -> None:
    commit(
        bob,
        add("a.txt", b"one\nand a half\n"),
        CommitOperationDelete("b.txt"),
        add("deep/c.txt", "drei — ü".encode()),
        add("blob.bin", b"\0\1\2"),
        create_pr=True,
        title="Mine",
    )
    diff = bob.get_discussion_details(REPO, 1, repo_type="dataset").diff
    assert diff is not None
    assert "\n+version https://git-lfs.github.com/spec/v1\n" in diff
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "b.txt").write_text("two\n")
    subprocess.run(["git", "apply", "-"], input=diff.encode(), cwd=tmp_path, check=True)
    assert (tmp_path / "a.txt").read_text() == "one\nand a half\n"
    assert not (tmp_path / "b.txt").exists()
    assert (tmp_path / "deep/c.txt").read_text() == "drei — ü"


def test_the_diff_of_a_gated_repository_is_for_those_let_in(alice: HfApi, bob: HfApi) -> None:
    commit(alice, add("a.txt", b"hidden\n"), create_pr=True, title="Mine")
    alice.update_repo_settings(REPO, gated="manual", repo_type="dataset")
    seen = bob.get_discussion_details(REPO, 1, repo_type="dataset")
    assert (seen.diff, seen.conflicting_files) == (None, [])
    assert "hidden" in str(alice.get_discussion_details(REPO, 1, repo_type="dataset").diff)


def test_a_pull_request_survives_its_users_and_branches(live_hub: LiveHub, alice: HfApi, bob: HfApi) -> None:
    alice.create_branch(REPO, branch="next", repo_type="dataset")
    commit(bob, add("c.txt", b"3"), create_pr=True, revision="next", title="For next")
    assert bob.get_discussion_details(REPO, 1, repo_type="dataset").target_branch == "refs/heads/next"
    alice.delete_branch(REPO, branch="next", repo_type="dataset")
    assert bob.get_discussion_details(REPO, 1, repo_type="dataset").conflicting_files == []
    with pytest.raises(RevisionNotFoundError):
        alice.merge_pull_request(REPO, 1, repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        commit(bob, add("c.txt", b"3"), create_pr=True, revision="missing")
    head = alice.repo_info(REPO, repo_type="dataset").sha
    with pytest.raises(RevisionNotFoundError):
        commit(bob, add("c.txt", b"3"), create_pr=True, revision=head)


def test_an_upload_of_a_folder_as_pull_request(bob: HfApi, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(str(number))
    made = bob.upload_folder(
        repo_id=REPO, folder_path=tmp_path, repo_type="dataset", create_pr=True, commit_message="Three files"
    )
    assert made.pr_num == 1
    details = bob.get_discussion_details(REPO, 1, repo_type="dataset")
    assert [event.type for event in details.events] == ["comment", "commit"]
    refs = bob.list_repo_refs(REPO, repo_type="dataset", include_pull_requests=True)
    assert [ref.ref for ref in refs.pull_requests or []] == ["refs/pr/1"]
