"""Discussions and pull requests."""

import pytest
from hub import ENDPOINT, ORGANIZATION, OWNER, STRANGER, api_of, new_name, refused
from huggingface_hub import (
    CommitOperationAdd,
    DiscussionComment,
    DiscussionCommit,
    DiscussionStatusChange,
    DiscussionTitleChange,
)
from huggingface_hub.utils import HfHubHTTPError, RepositoryNotFoundError

PREFIXES = {"model": "", "dataset": "datasets/", "space": "spaces/"}


def change(api, repo, path, content, revision):
    operations = [CommitOperationAdd(path, content)]
    return api.create_commit(
        repo, operations, commit_message=f"change {path}", repo_type="dataset", revision=revision
    )


@pytest.fixture
def pull(api, repo):
    """An open pull request that adds a file."""
    made = api.create_pull_request(repo, "Add a file", description="It is **needed**", repo_type="dataset")
    change(api, repo, "new.txt", b"new\n", made.git_reference)
    api.change_discussion_status(repo, made.num, "open", repo_type="dataset")
    return made


@pytest.mark.parametrize("kind", PREFIXES)
def test_create(api, make_repo, kind):
    repo = make_repo(kind)
    made = api.create_discussion(repo, "  A question ?  ", description="Why?", repo_type=kind)
    assert (made.num, made.title, made.author, made.status) == (1, "A question ?", OWNER.name, "open")
    assert not made.is_pull_request
    assert made.url == f"{ENDPOINT}/{PREFIXES[kind]}{repo}/discussions/1"
    assert (made.repo_id, made.repo_type) == (repo, kind)
    assert [event.content for event in made.events] == ["Why?"]
    second = api.create_pull_request(repo, "A change", repo_type=kind)
    assert (second.num, second.is_pull_request, second.git_reference) == (2, True, "refs/pr/2")
    assert second.status == "draft"
    assert second.target_branch == "refs/heads/main"
    assert (
        api.repo_info(repo, revision="refs/pr/2", repo_type=kind).sha
        == api.repo_info(repo, repo_type=kind).sha
    )


def test_details_again(api, repo):
    made = api.create_discussion(repo, "A question", repo_type="dataset")
    assert api.get_discussion_details(repo, made.num, repo_type="dataset") == made
    with refused(HfHubHTTPError, 404):
        api.get_discussion_details(repo, 99, repo_type="dataset")


def test_list_with_filters(api, repo, stranger):
    for number in range(4):
        api.create_discussion(repo, f"question {number}", repo_type="dataset")
    api.create_pull_request(repo, "change", repo_type="dataset")
    stranger.create_discussion(repo, "from outside", repo_type="dataset")
    api.change_discussion_status(repo, 1, "closed", repo_type="dataset")

    def numbers(**filters):
        return [found.num for found in api.get_repo_discussions(repo, repo_type="dataset", **filters)]

    assert numbers() == [6, 5, 4, 3, 2, 1]
    assert numbers(discussion_type="all") == [6, 5, 4, 3, 2, 1]
    assert numbers(discussion_type="pull_request") == [5]
    assert numbers(discussion_type="discussion") == [6, 4, 3, 2, 1]
    assert numbers(discussion_status="closed") == [1]
    assert numbers(discussion_status="open") == [6, 5, 4, 3, 2]
    assert numbers(author=STRANGER.name) == [6]
    assert numbers(author=new_name("nobody")) == []
    found = next(iter(api.get_repo_discussions(repo, repo_type="dataset")))
    assert (found.title, found.author, found.repo_id) == ("from outside", STRANGER.name, repo)


def test_many(api, repo):
    for number in range(55):
        api.create_discussion(repo, f"number {number}", repo_type="dataset")
    found = [entry.num for entry in api.get_repo_discussions(repo, repo_type="dataset")]
    assert found == list(range(55, 0, -1))


def test_comments(api, repo, stranger):
    made = api.create_discussion(repo, "A question", repo_type="dataset")
    text = "Two lines\nof *text* 💥 <script>alert(1)</script>"
    comment = stranger.comment_discussion(repo, made.num, text, repo_type="dataset")
    assert isinstance(comment, DiscussionComment)
    assert (comment.author, comment.content, comment.edited, comment.hidden) == (
        STRANGER.name,
        text,
        False,
        False,
    )
    details = api.get_discussion_details(repo, made.num, repo_type="dataset")
    assert [event.id for event in details.events][-1] == comment.id
    edited = stranger.edit_discussion_comment(repo, made.num, comment.id, "Better", repo_type="dataset")
    assert (edited.content, edited.edited) == ("Better", True)
    with refused(HfHubHTTPError, 403):
        api_of("reader").edit_discussion_comment(repo, made.num, comment.id, "Stolen", repo_type="dataset")
    with pytest.warns(UserWarning, match="irreversible"):
        hidden = api.hide_discussion_comment(repo, made.num, comment.id, repo_type="dataset")
    assert hidden.hidden
    with pytest.raises(HfHubHTTPError):
        api.edit_discussion_comment(repo, made.num, "0" * 24, "x", repo_type="dataset")


def test_rename(api, repo, stranger):
    made = api.create_discussion(repo, "Old title", repo_type="dataset")
    event = api.rename_discussion(repo, made.num, "New title", repo_type="dataset")
    assert isinstance(event, DiscussionTitleChange)
    assert (event.old_title, event.new_title) == ("Old title", "New title")
    details = api.get_discussion_details(repo, made.num, repo_type="dataset")
    assert details.title == "New title"
    assert event.id in [found.id for found in details.events]
    with refused(HfHubHTTPError, 403):
        stranger.rename_discussion(repo, made.num, "Stolen", repo_type="dataset")


def test_status(api, repo, stranger):
    made = api.create_discussion(repo, "A question", repo_type="dataset")
    event = api.change_discussion_status(repo, made.num, "closed", comment="Done", repo_type="dataset")
    assert isinstance(event, DiscussionStatusChange)
    assert event.new_status == "closed"
    details = api.get_discussion_details(repo, made.num, repo_type="dataset")
    assert details.status == "closed"
    api.change_discussion_status(repo, made.num, "open", repo_type="dataset")
    with refused(HfHubHTTPError, 403):
        stranger.change_discussion_status(repo, made.num, "closed", repo_type="dataset")
    own = stranger.create_discussion(repo, "Mine", repo_type="dataset")
    stranger.change_discussion_status(repo, own.num, "closed", repo_type="dataset")


def test_difference(api, repo, pull):
    details = api.get_discussion_details(repo, pull.num, repo_type="dataset")
    assert details.status == "open"
    assert (details.conflicting_files, details.merge_commit_oid) == ([], None)
    assert "+++ b/new.txt" in details.diff
    assert "+new" in details.diff
    commits = [event for event in details.events if isinstance(event, DiscussionCommit)]
    assert [event.summary for event in commits] == ["change new.txt"]
    assert len(commits[0].oid) == 40


def test_merge(api, repo, pull, files_of):
    api.merge_pull_request(repo, pull.num, comment="Thanks", repo_type="dataset")
    details = api.get_discussion_details(repo, pull.num, repo_type="dataset")
    assert details.status == "merged"
    assert details.merge_commit_oid == api.dataset_info(repo).sha
    assert "new.txt" in files_of(repo)
    with pytest.raises(HfHubHTTPError):
        api.merge_pull_request(repo, pull.num, repo_type="dataset")


def test_merge_after_main_moved(api, repo, pull, commit, files_of):
    commit(repo, {"other.txt": b"other"})
    api.merge_pull_request(repo, pull.num, repo_type="dataset")
    assert files_of(repo) == [".gitattributes", "new.txt", "other.txt"]


def test_conflicts(api, repo, pull, commit):
    commit(repo, {"new.txt": b"other\n"})
    details = api.get_discussion_details(repo, pull.num, repo_type="dataset")
    assert details.conflicting_files == ["new.txt"]
    with pytest.raises(HfHubHTTPError):
        api.merge_pull_request(repo, pull.num, repo_type="dataset")
    assert api.get_discussion_details(repo, pull.num, repo_type="dataset").status == "open"


def test_close_and_reopen_a_pull_request(api, repo, pull):
    for status in ("closed", "open"):
        api.change_discussion_status(repo, pull.num, status, repo_type="dataset")
        assert api.get_discussion_details(repo, pull.num, repo_type="dataset").status == status


def test_others_do_not_merge(repo, pull, stranger, make_repo, api):
    with refused(HfHubHTTPError, 403):
        stranger.merge_pull_request(repo, pull.num, repo_type="dataset")
    theirs = make_repo("dataset", ORGANIZATION)
    made = api_of("reader").create_pull_request(theirs, "A change", repo_type="dataset")
    change(api_of("reader"), theirs, "a.txt", b"a", made.git_reference)
    with refused(HfHubHTTPError, 403):
        api_of("reader").merge_pull_request(theirs, made.num, repo_type="dataset")
    api_of("writer").change_discussion_status(theirs, made.num, "open", repo_type="dataset")
    api_of("writer").merge_pull_request(theirs, made.num, repo_type="dataset")
    assert api.file_exists(theirs, "a.txt", repo_type="dataset")


def test_only_its_author_and_writers_push_to_a_pull_request(repo, pull, stranger):
    with refused(HfHubHTTPError, 403):
        change(stranger, repo, "x.txt", b"x", pull.git_reference)


def test_private_repositories_are_not_discussed_by_strangers(make_repo, stranger):
    private = make_repo(private=True)
    with refused(RepositoryNotFoundError, 404):
        stranger.create_discussion(private, "hello", repo_type="dataset")
    with refused(RepositoryNotFoundError, 404):
        list(stranger.get_repo_discussions(private, repo_type="dataset"))


def test_anonymous_reads_but_does_not_write(api, repo, anonymous):
    made = api.create_discussion(repo, "A question", repo_type="dataset")
    assert anonymous.get_discussion_details(repo, made.num, repo_type="dataset").title == "A question"
    with refused(HfHubHTTPError, 401):
        anonymous.comment_discussion(repo, made.num, "hello", repo_type="dataset")


def test_empty_texts_are_refused(api, repo):
    made = api.create_discussion(repo, "A question", repo_type="dataset")
    with pytest.raises((HfHubHTTPError, ValueError)):
        api.comment_discussion(repo, made.num, "", repo_type="dataset")
    with pytest.raises((HfHubHTTPError, ValueError)):
        api.create_discussion(repo, " ", repo_type="dataset")
    with pytest.raises(ValueError, match="status"):
        api.change_discussion_status(repo, made.num, "published", repo_type="dataset")
