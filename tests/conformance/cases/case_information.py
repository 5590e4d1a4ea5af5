"""What a client learns about one repository, and about what it may not see."""

import datetime as dt
import hashlib
from typing import get_args

import pytest
from hub import ORGANIZATION, OWNER, api_of, client, new_name, refused, request
from huggingface_hub import hf_api
from huggingface_hub.hf_api import DatasetInfo, ModelInfo, SpaceInfo
from huggingface_hub.utils import BadRequestError, RepositoryNotFoundError, RevisionNotFoundError

CARD = b"""---
license: mit
language: [en, de]
task_categories: [reinforcement-learning]
pretty_name: Heat and air
tags: [hvac, pytupli]
size_categories: ["10K<n<100K"]
---
# Heat and air
"""
CLASSES = {"model": ModelInfo, "dataset": DatasetInfo, "space": SpaceInfo}
LARGE = b"\x00binary" * 1000


@pytest.mark.parametrize("kind", CLASSES)
def test_info_of_each_kind(api, make_repo, commit, kind):
    repo = make_repo(kind)
    done = commit(repo, {"a.txt": b"a", "folder/b.bin": LARGE}, kind=kind)
    info = api.repo_info(repo, repo_type=kind)
    assert isinstance(info, CLASSES[kind])
    assert (info.id, info.author, info.sha, info.private) == (repo, OWNER.name, done.oid, False)
    assert info.disabled is not True
    assert info.likes == 0
    assert isinstance(info.tags, list)
    assert isinstance(info.created_at, dt.datetime)
    assert info.created_at <= info.last_modified
    assert abs(dt.datetime.now(dt.UTC) - info.created_at).total_seconds() < 600
    paths = {sibling.rfilename for sibling in info.siblings}
    assert {".gitattributes", "a.txt", "folder/b.bin"} <= paths
    assert getattr(api, f"{kind}_info")(repo).id == repo


def test_files_metadata(api, repo, commit):
    commit(repo, {"a.txt": b"hello\n", "folder/b.bin": LARGE})
    assert all(sibling.size is None for sibling in api.dataset_info(repo).siblings)
    found = {sibling.rfilename: sibling for sibling in api.dataset_info(repo, files_metadata=True).siblings}
    small, large = found["a.txt"], found["folder/b.bin"]
    # git hash-object of "hello\n"
    assert (small.size, small.blob_id, small.lfs) == (6, "ce013625030ba8dba906f756967f9e9ca394464a", None)
    assert large.size == len(LARGE)
    assert large.lfs["sha256"] == hashlib.sha256(LARGE).hexdigest()
    assert large.lfs["size"] == len(LARGE)
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{large.lfs['sha256']}\nsize {len(LARGE)}\n"
    )
    assert large.lfs["pointer_size"] == len(pointer)
    header = f"blob {len(pointer)}\0".encode()
    assert large.blob_id == hashlib.sha1(header + pointer.encode()).hexdigest()


def test_info_at_revisions(api, repo, commit):
    first = commit(repo, {"a.txt": b"a"}).oid
    api.create_branch(repo, branch="next", repo_type="dataset")
    api.create_tag(repo, tag="v1", repo_type="dataset")
    second = commit(repo, {"b.txt": b"b"}).oid
    expected = {None: second, "main": second, "next": first, "v1": first, first: first, first[:7]: first}
    for revision, sha in expected.items():
        info = api.dataset_info(repo, revision=revision)
        assert info.sha == sha
        assert ("b.txt" in {sibling.rfilename for sibling in info.siblings}) is (sha == second)
    for revision in ("missing", "0" * 40, "refs/pr/7"):
        with refused(RevisionNotFoundError, 404, "Revision Not Found"):
            api.dataset_info(repo, revision=revision)


def test_commits_of_other_repositories_are_not_found(api, make_repo, commit):
    mine, other = make_repo(), make_repo(private=True)
    secret = commit(other, {"secret.txt": b"secret"}).oid
    for revision in (secret, secret[:12]):
        with refused(RevisionNotFoundError, 404):
            api.dataset_info(mine, revision=revision)


def test_ids_in_another_case(api, make_repo, commit, files_of):
    namespace, name = make_repo().split("/")
    commit(f"{namespace}/{name.upper()}", {"a.txt": b"a", "b.bin": b"\x00b"})
    assert files_of(f"{namespace}/{name}") == [".gitattributes", "a.txt", "b.bin"]
    assert api.dataset_info(f"{namespace}/{name.upper()}").id == f"{namespace}/{name}"


def test_card_facts(api, make_repo, commit):
    repo = make_repo()
    commit(repo, {"README.md": CARD})
    info = api.dataset_info(repo)
    assert info.card_data.license == "mit"
    assert info.card_data.language == ["en", "de"]
    assert info.card_data.pretty_name == "Heat and air"
    expected = {"license:mit", "language:en", "language:de", "task_categories:reinforcement-learning", "hvac"}
    assert expected <= set(info.tags)


def test_model_card_facts(api, make_repo, commit):
    repo = make_repo("model")
    card = b"---\nlibrary_name: d3rlpy\npipeline_tag: reinforcement-learning\ntags: [policy]\n---\n# P\n"
    commit(repo, {"README.md": card}, kind="model")
    info = api.model_info(repo)
    assert (info.library_name, info.pipeline_tag) == ("d3rlpy", "reinforcement-learning")
    assert {"d3rlpy", "policy", "reinforcement-learning"} <= set(info.tags)


def test_space_facts(api, make_repo):
    assert api.space_info(make_repo("space")).sdk == "static"


@pytest.mark.parametrize("kind", CLASSES)
def test_expand_one_and_many(api, make_repo, kind):
    repo = make_repo(kind)
    info = api.repo_info(repo, repo_type=kind, expand=["author"])
    assert (info.id, info.author, info.sha, info.siblings) == (repo, OWNER.name, None, None)
    info = api.repo_info(
        repo, repo_type=kind, expand=["sha", "likes", "private", "createdAt", "tags", "siblings"]
    )
    assert info.sha == api.repo_info(repo, repo_type=kind).sha
    assert (info.likes, info.private) == (0, False)
    assert info.created_at is not None
    assert info.author is None
    assert {sibling.rfilename for sibling in info.siblings} >= {".gitattributes"}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_documented_property_can_be_expanded(api, make_repo, kind):
    repo = make_repo(kind)
    documented = get_args(getattr(hf_api, f"Expand{kind.capitalize()}Property_T"))
    for name in documented:
        assert api.repo_info(repo, repo_type=kind, expand=[name]).id == repo
    assert api.repo_info(repo, repo_type=kind, expand=list(documented)).id == repo


@pytest.mark.parametrize("kind", CLASSES)
def test_unknown_property(api, make_repo, kind):
    repo = make_repo(kind)
    # The form that clients' developers read their own list from.
    with refused(BadRequestError, 400) as caught:
        api.repo_info(repo, repo_type=kind, expand=["does_not_exist"])
    message = caught.value.response.json()["error"]
    assert message.startswith('"expand" must be one of [')
    known = set(message.partition("[")[2].strip("[]").split(", "))
    assert set(get_args(getattr(hf_api, f"Expand{kind.capitalize()}Property_T"))) <= known


def test_property_asked_by_clients_before_a_lfs_upload(api, repo):
    answer = request("GET", f"/api/datasets/{repo}?expand=xetEnabled", OWNER.token)
    assert answer.status == 200


@client(">=1.19", "`used_storage` is newer")
def test_used_storage(api, repo, commit):
    commit(repo, {"b.bin": LARGE})
    assert api.dataset_info(repo, expand=["usedStorage"]).used_storage >= len(LARGE)


def test_gated_is_shown(api, make_repo):
    repo = make_repo()
    assert api.dataset_info(repo).gated is False


def test_booleans_of_every_client(api, repo):
    for word in ("true", "True", "1"):
        answer = request("GET", f"/api/datasets/{repo}?blobs={word}", OWNER.token)
        assert answer.status == 200
        assert b'"blobId"' in answer.body


def test_existence(api, repo, commit, make_repo, stranger):
    commit(repo, {"a.txt": b"a"})
    assert api.repo_exists(repo, repo_type="dataset")
    assert not api.repo_exists(repo, repo_type="model")
    assert not api.repo_exists(f"{OWNER.name}/{new_name()}")
    assert api.revision_exists(repo, "main", repo_type="dataset")
    assert not api.revision_exists(repo, "missing", repo_type="dataset")
    assert not api.revision_exists(f"{OWNER.name}/{new_name()}", "main")
    assert api.file_exists(repo, "a.txt", repo_type="dataset")
    assert not api.file_exists(repo, "b.txt", repo_type="dataset")
    assert not api.file_exists(repo, "a.txt", revision="missing", repo_type="dataset")
    assert not api.file_exists(f"{OWNER.name}/{new_name()}", "a.txt")
    private = make_repo(private=True)
    assert api.repo_exists(private, repo_type="dataset")
    assert not stranger.repo_exists(private, repo_type="dataset")
    assert not stranger.file_exists(private, ".gitattributes", repo_type="dataset")


@pytest.mark.parametrize("kind", CLASSES)
def test_private_and_missing_answer_alike(make_repo, kind, stranger):
    private = make_repo(kind, private=True)
    missing = f"{OWNER.name}/{new_name()}"
    for role in ("stranger", "anonymous"):
        token = api_of(role).token or None
        for route in ("/api/{}s/{}", "/api/{}s/{}/tree/main", "/api/{}s/{}/refs", "/api/{}s/{}/commits/main"):
            shut = request("GET", route.format(kind, private), token)
            nothing = request("GET", route.format(kind, missing), token)
            assert shut.status == nothing.status
            assert shut.headers["x-error-code"] == nothing.headers["x-error-code"] == "RepoNotFound"
            assert shut.body.replace(private.encode(), b"") == nothing.body.replace(missing.encode(), b"")
    with pytest.raises(RepositoryNotFoundError):
        stranger.repo_info(private, repo_type=kind)


def test_private_of_an_organization(make_repo, reader, stranger):
    private = make_repo("dataset", ORGANIZATION, private=True)
    assert reader.dataset_info(private).private
    with pytest.raises(RepositoryNotFoundError):
        stranger.dataset_info(private)


def test_refs(api, repo, commit):
    done = commit(repo, {"a.txt": b"a"})
    api.create_branch(repo, branch="side/way", repo_type="dataset")
    api.create_tag(repo, tag="v1.0", repo_type="dataset", tag_message="first")
    pull = api.create_pull_request(repo, "a change", repo_type="dataset")
    refs = api.list_repo_refs(repo, repo_type="dataset")
    assert {(ref.name, ref.ref, ref.target_commit) for ref in refs.branches} == {
        ("main", "refs/heads/main", done.oid),
        ("side/way", "refs/heads/side/way", done.oid),
    }
    assert [(ref.name, ref.ref, ref.target_commit) for ref in refs.tags] == [
        ("v1.0", "refs/tags/v1.0", done.oid)
    ]
    assert refs.converts == []
    assert refs.pull_requests is None
    refs = api.list_repo_refs(repo, repo_type="dataset", include_pull_requests=True)
    assert [ref.ref for ref in refs.pull_requests] == [pull.git_reference]


def test_refs_of_the_missing(api):
    with refused(RepositoryNotFoundError, 404):
        api.list_repo_refs(f"{OWNER.name}/{new_name()}")


@client(">=2", "resolve_revision is newer")
def test_resolve_revision(api, repo, commit):
    done = commit(repo, {"a.txt": b"a"})
    api.create_tag(repo, tag="v1", repo_type="dataset")
    assert api.resolve_revision(repo, repo_type="dataset", revision="v1").resolved == done.oid


@client(">=1.19", "list_user_repos is newer")
def test_own_repositories(api, make_repo):
    made = {make_repo("dataset"), make_repo("model", private=True)}
    found = {entry.id: entry for entry in api.list_user_repos()}
    assert made <= set(found)
    assert {found[name].visibility for name in made} == {"public", "private"}
    made = make_repo("dataset", ORGANIZATION)
    assert made in {entry.id for entry in api.list_user_repos(ORGANIZATION)}


def test_unknown_routes_answer_in_json():
    answer = request("GET", "/api/nothing-of-this-name", OWNER.token)
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("application/json")
    assert b'"error"' in answer.body


def test_method_not_allowed():
    answer = request("PATCH", "/api/whoami-v2", OWNER.token)
    assert answer.status in (404, 405)
    assert b'"error"' in answer.body


def test_kinds_do_not_mix(api, make_repo):
    with refused(RepositoryNotFoundError, 404):
        api.model_info(make_repo("dataset"))
