"""Repositories come, move, change their settings and go."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hub import (
    ACCOUNTS,
    ENDPOINT,
    HIDDEN_ORGANIZATION,
    ORGANIZATION,
    OWNER,
    STRANGER,
    TOKENS,
    api_of,
    client,
    new_name,
    refused,
    request,
)
from huggingface_hub import RepoCard, RepoUrl, hf_hub_download
from huggingface_hub.utils import HfHubHTTPError, RepositoryNotFoundError

KINDS = ("model", "dataset", "space")
# Behind a path, clients before 1.0 would take the end of it for the kind of a model.
PREFIXES = {"model": "models/" if urlsplit(ENDPOINT).path else "", "dataset": "datasets/", "space": "spaces/"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("private", [False, True])
def test_create_gives_a_url_and_an_initial_commit(api, kind, private):
    name = new_name()
    url = api.create_repo(
        name, repo_type=kind, private=private, space_sdk="static" if kind == "space" else None
    )
    assert isinstance(url, RepoUrl)
    assert str(url) == f"{ENDPOINT}/{PREFIXES[kind]}{OWNER.name}/{name}"
    assert (url.repo_id, url.repo_type, url.endpoint) == (f"{OWNER.name}/{name}", kind, ENDPOINT)
    info = api.repo_info(url.repo_id, repo_type=kind)
    assert info.private is private
    commits = api.list_repo_commits(url.repo_id, repo_type=kind)
    assert [entry.title for entry in commits] == ["initial commit"]
    assert info.sha == commits[0].commit_id
    assert ".gitattributes" in api.list_repo_files(url.repo_id, repo_type=kind)


@pytest.mark.parametrize("sdk", ["static", "gradio"])
def test_a_space_begins_with_its_card(api, sdk):
    repo = api.create_repo(new_name(), repo_type="space", space_sdk=sdk).repo_id
    assert sorted(api.list_repo_files(repo, repo_type="space")) == [".gitattributes", "README.md"]
    assert len(api.list_repo_commits(repo, repo_type="space")) == 1
    card = RepoCard.load(repo, repo_type="space").data.to_dict()
    assert (card["title"], card["sdk"]) == (repo.split("/")[1], sdk)
    info = api.space_info(repo)
    assert (info.sdk, info.card_data["sdk"]) == (sdk, sdk)


def test_model_is_the_default_kind(api):
    url = api.create_repo(new_name())
    assert url.repo_type == "model"
    assert api.model_info(url.repo_id).id == url.repo_id


def test_same_name_in_each_kind(api):
    name = f"{OWNER.name}/{new_name()}"
    for kind in ("model", "dataset"):
        api.create_repo(name, repo_type=kind)
    api.delete_repo(name, repo_type="model")
    assert not api.repo_exists(name, repo_type="model")
    assert api.repo_exists(name, repo_type="dataset")


def test_create_in_an_organization(api):
    url = api.create_repo(f"{ORGANIZATION}/{new_name()}", repo_type="dataset")
    assert url.namespace == ORGANIZATION
    assert api.dataset_info(url.repo_id).author == ORGANIZATION


def test_create_twice(api, repo):
    with refused(HfHubHTTPError, 409):
        api.create_repo(repo, repo_type="dataset")
    url = api.create_repo(repo, repo_type="dataset", exist_ok=True)
    assert url.repo_id == repo


def test_names_differ_by_more_than_case(api, make_repo):
    repo = make_repo()
    namespace, name = repo.split("/")
    with refused(HfHubHTTPError, 409):
        api.create_repo(f"{namespace}/{name.upper()}", repo_type="dataset")


@pytest.mark.parametrize("role", ["writer", "contributor"])
def test_members_who_may_create(role):
    url = api_of(role).create_repo(f"{ORGANIZATION}/{new_name()}", repo_type="dataset")
    assert api_of(role).dataset_info(url.repo_id).id == url.repo_id


def test_readers_of_an_organization_cannot_create(reader):
    with refused(HfHubHTTPError, 403):
        reader.create_repo(f"{ORGANIZATION}/{new_name()}", repo_type="dataset")


def test_foreign_namespaces(stranger):
    for namespace in (ORGANIZATION, OWNER.name):
        with refused(HfHubHTTPError, 403):
            stranger.create_repo(f"{namespace}/{new_name()}", repo_type="dataset")


def test_hidden_and_missing_namespaces_refuse_alike(stranger):
    found = []
    for namespace in (HIDDEN_ORGANIZATION, new_name("nobody")):
        with pytest.raises(HfHubHTTPError) as caught:
            stranger.create_repo(f"{namespace}/{new_name()}", repo_type="dataset")
        answer = caught.value.response
        found.append((answer.status_code, answer.json()["error"].replace(namespace, "")))
    assert found[0] == found[1]
    assert found[0][0] in (403, 404)


@client(">=0.30", "0.24 always says whether a repository is private")
def test_private_by_default(api):
    url = api.create_repo(f"{HIDDEN_ORGANIZATION}/{new_name()}", repo_type="dataset")
    assert api.dataset_info(url.repo_id).private
    assert api.dataset_info(url.repo_id, expand=["private"]).private


def test_read_only_token_cannot_create(api, repo):
    with refused(HfHubHTTPError, 403):
        api.create_repo(new_name(), token=TOKENS["read_only"])
    # … but what exists is found
    assert (
        api.create_repo(repo, repo_type="dataset", token=TOKENS["read_only"], exist_ok=True).repo_id == repo
    )


def test_existing_repo_of_someone_else_is_fine(stranger, repo):
    url = stranger.create_repo(repo, repo_type="dataset", exist_ok=True)
    assert (url.repo_id, url.repo_type) == (repo, "dataset")


def test_anonymous_cannot_create(anonymous):
    with refused(HfHubHTTPError, 401):
        anonymous.create_repo(f"{OWNER.name}/{new_name()}", repo_type="dataset")


@pytest.mark.parametrize("name", ["a--b", "-a", "a.git", "a b", "a..b", "x" * 97, "ü", ""])
def test_hostile_names_are_refused(name):
    body = {"name": name, "organization": None, "type": "dataset"}
    assert request("POST", "/api/repos/create", OWNER.token, body).status == 400


def test_create_without_organization_field_and_unknown_fields():
    name = new_name()
    body = {"name": name, "type": "dataset", "private": True, "somethingNew": {"a": 1}}
    answer = request("POST", "/api/repos/create", OWNER.token, body)
    assert answer.status == 200
    assert f"{ENDPOINT}/datasets/{OWNER.name}/{name}" in answer.body.decode()


@pytest.mark.parametrize("kind", KINDS)
def test_delete(api, make_repo, kind):
    repo = make_repo(kind)
    api.delete_repo(repo, repo_type=kind)
    assert not api.repo_exists(repo, repo_type=kind)
    with refused(RepositoryNotFoundError, 404):
        api.delete_repo(repo, repo_type=kind)
    api.delete_repo(repo, repo_type=kind, missing_ok=True)


def test_delete_of_the_missing_names_the_request(api):
    with refused(HfHubHTTPError, 404, "Repository Not Found") as caught:
        api.delete_repo(new_name("missing"))
    assert "Request ID: " in str(caught.value)


def test_name_is_free_after_delete(api, commit, repo, files_of):
    commit(repo, {"old.txt": b"old", "old.bin": b"\x00old"})
    api.delete_repo(repo, repo_type="dataset")
    api.create_repo(repo, repo_type="dataset")
    assert files_of(repo) == [".gitattributes"]
    assert len(api.list_repo_commits(repo, repo_type="dataset")) == 1


@pytest.mark.parametrize("role", ["stranger", "reader"])
def test_others_cannot_delete(make_repo, role, api):
    public = make_repo("dataset", ORGANIZATION)
    with refused(HfHubHTTPError, 403):
        api_of(role).delete_repo(public, repo_type="dataset")
    assert api.repo_exists(public, repo_type="dataset")


def test_private_repo_cannot_be_deleted_nor_seen_by_a_stranger(stranger, make_repo):
    private = make_repo(private=True)
    with refused(RepositoryNotFoundError, 404):
        stranger.delete_repo(private, repo_type="dataset")


@pytest.mark.parametrize("kind", KINDS)
def test_move_keeps_the_old_id_working(api, make_repo, commit, kind):
    old = make_repo(kind)
    commit(old, {"a.txt": b"a", "b.bin": b"\x00b"}, kind=kind)
    new = f"{OWNER.name}/{new_name()}"
    api.move_repo(from_id=old, to_id=new, repo_type=kind)
    assert api.repo_info(old, repo_type=kind).id == new
    assert api.repo_info(new, repo_type=kind).id == new
    assert api.file_exists(old, "a.txt", repo_type=kind)
    assert "b.bin" in api.list_repo_files(old, repo_type=kind)
    api.upload_file(path_or_fileobj=b"c", path_in_repo="c.txt", repo_id=new, repo_type=kind)
    assert "c.txt" in api.list_repo_files(old, repo_type=kind)


@pytest.mark.parametrize("path", ["a.txt", "b.bin"])
def test_download_by_the_old_id(api, make_repo, commit, tmp_path, path):
    old = make_repo(private=True)
    commit(old, {"a.txt": b"a", "b.bin": b"\x00b"})
    new = f"{OWNER.name}/{new_name()}"
    api.move_repo(from_id=old, to_id=new, repo_type="dataset")
    for name in (old, new):
        found = hf_hub_download(
            name, path, repo_type="dataset", token=OWNER.token, cache_dir=tmp_path / name.split("/")[1]
        )
        assert Path(found).read_bytes() == {"a.txt": b"a", "b.bin": b"\x00b"}[path]


def test_old_id_redirects_with_a_relative_location(api, make_repo):
    old = make_repo()
    new = f"{OWNER.name}/{new_name()}"
    api.move_repo(from_id=old, to_id=new, repo_type="dataset")
    for path in (f"/api/datasets/{old}", f"/datasets/{old}/resolve/main/.gitattributes"):
        answer = request("GET", path, OWNER.token)
        assert answer.status in (301, 302, 307, 308)
        assert answer.headers["location"].endswith(path.split("/", 1)[1].replace(old, new))
        assert "://" not in answer.headers["location"]


def test_old_id_reveals_no_private_name(api, make_repo, stranger):
    old = make_repo(private=True)
    api.move_repo(from_id=old, to_id=f"{OWNER.name}/{new_name()}", repo_type="dataset")
    with refused(RepositoryNotFoundError, 404):
        stranger.dataset_info(old)
    missing = request("GET", f"/api/datasets/{OWNER.name}/{new_name()}", STRANGER.token)
    assert request("GET", f"/api/datasets/{old}", STRANGER.token).status == missing.status


def test_move_into_an_organization_and_back(api, make_repo, reader):
    old = make_repo(private=True)
    new = f"{ORGANIZATION}/{new_name()}"
    api.move_repo(from_id=old, to_id=new, repo_type="dataset")
    assert reader.dataset_info(new).author == ORGANIZATION
    api.move_repo(from_id=new, to_id=old, repo_type="dataset")
    assert api.dataset_info(new).id == old
    with refused(RepositoryNotFoundError, 404):
        reader.dataset_info(new)


def test_old_id_can_be_taken_again(api, make_repo):
    old = make_repo()
    api.move_repo(from_id=old, to_id=f"{OWNER.name}/{new_name()}", repo_type="dataset")
    api.create_repo(old, repo_type="dataset")
    assert api.dataset_info(old).id == old


def test_moves_follow_each_other(api, make_repo):
    first = make_repo()
    second, third = (f"{OWNER.name}/{new_name()}" for _ in range(2))
    api.move_repo(from_id=first, to_id=second, repo_type="dataset")
    api.move_repo(from_id=second, to_id=third, repo_type="dataset")
    assert {api.dataset_info(name).id for name in (first, second, third)} == {third}


def test_move_onto_an_existing_repo(api, make_repo):
    first, second = make_repo("model"), make_repo("model")
    with refused(HfHubHTTPError, 409, "A model repository called") as caught:
        api.move_repo(from_id=first, to_id=second, repo_type="model")
    assert "already exists" in str(caught.value)


def test_move_by_others_or_elsewhere(api, make_repo, stranger):
    repo = make_repo()
    with refused(HfHubHTTPError, 403):
        stranger.move_repo(from_id=repo, to_id=f"{STRANGER.name}/{new_name()}", repo_type="dataset")
    with refused(HfHubHTTPError, 403):
        api.move_repo(from_id=repo, to_id=f"{STRANGER.name}/{new_name()}", repo_type="dataset")
    with refused(RepositoryNotFoundError, 404):
        api.move_repo(from_id=f"{OWNER.name}/{new_name()}", to_id=f"{OWNER.name}/{new_name()}")


@client(">=0.30", "update_repo_settings has no `private` before")
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_settings(api, make_repo, kind):
    repo = make_repo(kind)
    for gated in ("auto", "manual", False):
        for private in (True, False):
            api.update_repo_settings(repo, gated=gated, private=private, repo_type=kind)
            info = api.repo_info(repo, repo_type=kind)
            assert (info.gated, info.private) == (gated, private)


@client("<1", "update_repo_visibility was removed in 1.0")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_visibility_of_the_old_clients(api, repo, stranger):
    assert api.update_repo_visibility(repo, private=True, repo_type="dataset")["private"] is True
    with refused(RepositoryNotFoundError, 404):
        stranger.dataset_info(repo)
    assert api.update_repo_visibility(repo, private=False, repo_type="dataset")["private"] is False
    assert stranger.dataset_info(repo).private is False


@client(">=1.19", "`visibility` is newer")
def test_visibility(api):
    url = api.create_repo(new_name(), repo_type="dataset", visibility="private")
    assert api.dataset_info(url.repo_id).private
    for visibility in ("public", "private"):
        api.update_repo_settings(url.repo_id, repo_type="dataset", visibility=visibility)
        assert api.dataset_info(url.repo_id).private is (visibility == "private")


@client(">=0.30", "update_repo_settings is newer")
@pytest.mark.parametrize("role", ["stranger", "reader", "writer"])
def test_settings_are_for_admins(make_repo, role, api):
    repo = make_repo("dataset", ORGANIZATION)
    with refused(HfHubHTTPError, 403):
        api_of(role).update_repo_settings(repo, gated="auto", repo_type="dataset")
    assert api.dataset_info(repo).gated is False


@client(">=0.30", "auth_check is newer")
def test_auth_check(api, make_repo, stranger, anonymous):
    public, private = make_repo(), make_repo(private=True)
    for who in (api, stranger, anonymous):
        who.auth_check(public, repo_type="dataset")
    api.auth_check(private, repo_type="dataset")
    for who in (stranger, anonymous):
        with pytest.raises(RepositoryNotFoundError):
            who.auth_check(private, repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError):
        api.auth_check(f"{OWNER.name}/{new_name()}")


@client(">=1.19", "`write` is newer")
def test_auth_check_for_writing(api, make_repo, stranger):
    public = make_repo()
    api.auth_check(public, repo_type="dataset", write=True)
    with refused(HfHubHTTPError, 403):
        stranger.auth_check(public, repo_type="dataset", write=True)
    with refused(HfHubHTTPError, 403):
        api.auth_check(public, repo_type="dataset", write=True, token=TOKENS["read_only"])


def test_contributors_write_their_own_only(make_repo):
    contributor = api_of("contributor")
    theirs = make_repo("dataset", ORGANIZATION)
    with refused(HfHubHTTPError, 403):
        contributor.upload_file(path_or_fileobj=b"a", path_in_repo="a", repo_id=theirs, repo_type="dataset")
    own = contributor.create_repo(f"{ORGANIZATION}/{new_name()}", repo_type="dataset").repo_id
    contributor.upload_file(path_or_fileobj=b"a", path_in_repo="a", repo_id=own, repo_type="dataset")


def test_members_see_private_repos_of_their_organization(make_repo, stranger, anonymous):
    private = make_repo("dataset", ORGANIZATION, private=True)
    for role in ("owner", "writer", "contributor", "reader"):
        assert api_of(role).dataset_info(private).private
    for who in (stranger, anonymous):
        with pytest.raises(RepositoryNotFoundError):
            who.dataset_info(private)


def test_site_admin_reads_and_deletes(make_repo):
    private = make_repo(private=True)
    admin = api_of("admin")
    assert admin.dataset_info(private, token=ACCOUNTS["admin"].token).id == private
    admin.delete_repo(private, repo_type="dataset")


@client(">=1.19", "duplicate_repo is newer")
@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_duplicate(api, make_repo, commit, kind, stranger):
    source = make_repo(kind)
    commit(source, {"a.txt": b"a", "b.bin": b"\x00b"}, kind=kind)
    copied = stranger.duplicate_repo(source, repo_type=kind)
    assert copied.repo_id == f"{STRANGER.name}/{source.split('/')[1]}"
    assert stranger.list_repo_files(copied.repo_id, repo_type=kind) == api.list_repo_files(
        source, repo_type=kind
    )
    with refused(HfHubHTTPError, 409):
        stranger.duplicate_repo(source, repo_type=kind)
    assert stranger.duplicate_repo(source, repo_type=kind, exist_ok=True).repo_id == copied.repo_id
    with pytest.raises(RepositoryNotFoundError):
        stranger.duplicate_repo(f"{OWNER.name}/{new_name()}", repo_type=kind)
