"""Branches and tags."""

import pytest
from hub import ORGANIZATION, api_of, new_name, refused, request
from huggingface_hub.utils import (
    BadRequestError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


def branches(api, repo, kind="dataset"):
    return {ref.name: ref.target_commit for ref in api.list_repo_refs(repo, repo_type=kind).branches}


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
@pytest.mark.parametrize("name", ["next", "feature/x", "v1.0", "ü-1"])
def test_branch_comes_and_goes(api, make_repo, kind, name):
    repo = make_repo(kind)
    api.create_branch(repo, branch=name, repo_type=kind)
    assert name in branches(api, repo, kind)
    assert api.repo_info(repo, revision=name, repo_type=kind).sha == api.repo_info(repo, repo_type=kind).sha
    api.delete_branch(repo, branch=name, repo_type=kind)
    with refused(RevisionNotFoundError, 404):
        api.repo_info(repo, revision=name, repo_type=kind)


def test_branches_start_where_told(api, repo, commit):
    first = api.dataset_info(repo).sha
    second = commit(repo, {"a.txt": b"a"}).oid
    api.create_branch(repo, branch="head", repo_type="dataset")
    api.create_branch(repo, branch="first", revision=first, repo_type="dataset")
    api.create_branch(repo, branch="short", revision=first[:8], repo_type="dataset")
    api.create_branch(repo, branch="other", revision="first", repo_type="dataset")
    api.create_tag(repo, tag="tagged", revision="first", repo_type="dataset")
    api.create_branch(repo, branch="of-tag", revision="tagged", repo_type="dataset")
    expected = {"main": second, "head": second, **dict.fromkeys(("first", "short", "other", "of-tag"), first)}
    assert branches(api, repo) == expected
    with refused(RevisionNotFoundError, 404):
        api.create_branch(repo, branch="never", revision="missing", repo_type="dataset")


@pytest.mark.parametrize("name", ["next", "main"])
def test_branch_twice(api, repo, name):
    if name != "main":
        api.create_branch(repo, branch=name, repo_type="dataset")
    with refused(HfHubHTTPError, 409, f"Reference refs/heads/{name} already exists"):
        api.create_branch(repo, branch=name, repo_type="dataset")
    api.create_branch(repo, branch=name, repo_type="dataset", exist_ok=True)


def test_main_stays(api, repo):
    with pytest.raises(HfHubHTTPError, match="Cannot delete refs/heads/main"):
        api.delete_branch(repo, branch="main", repo_type="dataset")


def test_delete_what_is_no_branch(api, repo):
    api.create_tag(repo, tag="tagged", repo_type="dataset")
    for name in ("missing", "tagged"):
        with pytest.raises(HfHubHTTPError, match="Invalid rev id"):
            api.delete_branch(repo, branch=name, repo_type="dataset")


def test_a_branch_may_be_called_like_a_tag(api, repo):
    api.create_tag(repo, tag="same", repo_type="dataset")
    api.create_branch(repo, branch="same", repo_type="dataset")
    refs = api.list_repo_refs(repo, repo_type="dataset")
    assert "same" in {ref.name for ref in refs.branches}
    assert "same" in {ref.name for ref in refs.tags}


@pytest.mark.parametrize("name", ["refs/pr/5", "refs/something/random", "refs/heads/x"])
def test_branches_are_no_special_references(api, repo, name):
    with refused(BadRequestError, 400, "Invalid reference for a branch"):
        api.create_branch(repo, branch=name, repo_type="dataset")


@pytest.mark.parametrize(
    "name", ["a b", "a..b", "-a", "a.lock", "a~1", "a:b", "a\\b", "@{", "a//b", "/a", "a/", "a*"]
)
def test_names_that_git_refuses(api, repo, name):
    for make, word in ((api.create_branch, "branch"), (api.create_tag, "tag")):
        with pytest.raises(HfHubHTTPError) as caught:
            make(repo, repo_type="dataset", **{word: name})
        assert caught.value.response.status_code in (400, 404, 422)


def test_a_commit_id_is_no_name_for_a_branch(api, repo):
    with refused(BadRequestError, 400):
        api.create_branch(repo, branch="0" * 40, repo_type="dataset")


def test_branch_moves_alone(api, repo, commit, files_of):
    api.create_branch(repo, branch="side", repo_type="dataset")
    commit(repo, {"side.txt": b"s"}, revision="side")
    commit(repo, {"main.txt": b"m"})
    assert files_of(repo, revision="side") == [".gitattributes", "side.txt"]
    assert files_of(repo) == [".gitattributes", "main.txt"]


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_tag_comes_and_goes(api, make_repo, kind):
    repo = make_repo(kind)
    api.create_tag(repo, tag="v0", tag_message="a message", repo_type=kind)
    assert api.repo_info(repo, revision="v0", repo_type=kind).sha == api.repo_info(repo, repo_type=kind).sha
    api.delete_tag(repo, tag="v0", repo_type=kind)
    for again in (
        lambda: api.repo_info(repo, revision="v0", repo_type=kind),
        lambda: api.delete_tag(repo, tag="v0", repo_type=kind),
    ):
        with refused(RevisionNotFoundError, 404):
            again()


def test_tags_of_commits_branches_and_pull_requests(api, repo, commit):
    first = commit(repo, {"a.txt": b"a"}).oid
    second = commit(repo, {"b.txt": b"b"}).oid
    pull = commit(repo, {"c.txt": b"c"}, create_pr=True)
    for tag, revision in (("one", first), ("two", second[:7]), ("three", "main"), ("four", pull.pr_revision)):
        api.create_tag(repo, tag=tag, revision=revision, repo_type="dataset")
    found = {tag: api.dataset_info(repo, revision=tag).sha for tag in ("one", "two", "three", "four")}
    assert found == {"one": first, "two": second, "three": second, "four": pull.oid}


def test_tag_twice(api, repo):
    api.create_tag(repo, tag="v1", repo_type="dataset")
    with refused(HfHubHTTPError, 409, "already exists"):
        api.create_tag(repo, tag="v1", repo_type="dataset")
    api.create_tag(repo, tag="v1", repo_type="dataset", exist_ok=True)


def test_tag_stays_when_the_branch_moves(api, repo, commit):
    before = api.dataset_info(repo).sha
    api.create_tag(repo, tag="v1", repo_type="dataset")
    commit(repo, {"a.txt": b"a"})
    assert api.dataset_info(repo, revision="v1").sha == before


def test_tag_of_a_missing_revision(api, repo):
    with refused(RevisionNotFoundError, 404):
        api.create_tag(repo, tag="v1", revision="missing", repo_type="dataset")


def test_a_branch_is_no_tag(api, repo):
    with pytest.raises(HfHubHTTPError):
        api.delete_tag(repo, tag="main", repo_type="dataset")
    assert "main" in branches(api, repo)


def test_nothing_is_committed_to_a_tag(api, repo, commit):
    api.create_tag(repo, tag="v1", repo_type="dataset")
    with pytest.raises(HfHubHTTPError):
        commit(repo, {"a.txt": b"a"}, revision="v1")


@pytest.mark.parametrize("role", ["stranger", "reader"])
def test_others_change_no_references(make_repo, role):
    repo = make_repo("dataset", ORGANIZATION)
    who = api_of(role)
    for change in (
        lambda: who.create_branch(repo, branch="b", repo_type="dataset"),
        lambda: who.create_tag(repo, tag="t", repo_type="dataset"),
        lambda: who.delete_branch(repo, branch="main", repo_type="dataset"),
        lambda: who.delete_tag(repo, tag="t", repo_type="dataset"),
        lambda: who.super_squash_history(repo, repo_type="dataset"),
    ):
        with refused(HfHubHTTPError, 403):
            change()


def test_references_of_what_cannot_be_read(make_repo, stranger):
    private = make_repo(private=True)
    for change in (
        lambda: stranger.create_branch(private, branch="b", repo_type="dataset"),
        lambda: stranger.create_tag(private, tag="t", repo_type="dataset"),
        lambda: stranger.create_branch(f"missing/{new_name()}", branch="b", repo_type="dataset"),
    ):
        with refused(RepositoryNotFoundError, 404):
            change()


def test_bodies_of_other_shapes(repo):
    for body in (b"", b"[]", b'{"startingPoint": 5}', b"{"):
        answer = request("POST", f"/api/datasets/{repo}/branch/odd", api_of("owner").token, body)
        assert answer.status < 500
