"""Gated repositories and access requests; likes."""

import datetime as dt
from pathlib import Path

import pytest
from hub import ACCOUNTS, OWNER, RELEASE, STRANGER, api_of, client, new_name, refused, request
from huggingface_hub import HfFileSystem, hf_hub_download, snapshot_download
from huggingface_hub.utils import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from packaging.version import Version

KINDS = ("model", "dataset", "space")
# `grant_access` of 0.24 asks for a model, whatever it was told.
KIND = "dataset" if Version("0.30") <= RELEASE else "model"
PREFIX = "datasets/" if KIND == "dataset" else ""
REASON = {"rejection_reason": "No"} if Version("0.25") <= RELEASE else {}


def set_gate(repo, gated, kind="dataset"):
    # Clients before 0.25 have no call for it.
    answer = request("PUT", f"/api/{kind}s/{repo}/settings", OWNER.token, {"gated": gated})
    assert answer.status == 200, answer.body


def ask(repo, token, kind=KIND):
    """Asking for access is a form on the Hub's page and a call of our own; the clients have none."""
    return request("POST", f"/api/{kind}s/{repo}/ask-access", token, {"fields": {"Company": "ACME"}})


@pytest.fixture
def gated(make_repo, commit):
    repo = make_repo(KIND)
    commit(repo, {"a.txt": b"a", "b.bin": b"\x00b"}, kind=KIND)
    set_gate(repo, "manual", KIND)
    return repo


@pytest.mark.parametrize("path", ["a.txt", "b.bin"])
@pytest.mark.parametrize("token", [STRANGER.token, False])
def test_files_are_shut(gated, tmp_path, path, token):
    with pytest.raises(GatedRepoError, match=f"Access to {KIND} {gated} is restricted"):
        hf_hub_download(gated, path, repo_type=KIND, token=token, cache_dir=tmp_path)


def test_text_for_someone_who_is_logged_in(gated, tmp_path):
    with refused(GatedRepoError, 403, "and you are not in the authorized list"):
        hf_hub_download(gated, "a.txt", repo_type=KIND, token=STRANGER.token, cache_dir=tmp_path)


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_word_for_the_kind(make_repo, kind, tmp_path):
    repo = make_repo(kind)
    set_gate(repo, "auto", kind)
    with pytest.raises(GatedRepoError, match=f"Access to {kind} .* is restricted and you are not in"):
        hf_hub_download(repo, ".gitattributes", repo_type=kind, token=STRANGER.token, cache_dir=tmp_path)


def test_a_gate_shuts_every_way_to_the_content(gated, tmp_path):
    with pytest.raises(GatedRepoError):
        snapshot_download(gated, repo_type=KIND, token=STRANGER.token, cache_dir=tmp_path)
    fs = HfFileSystem(token=STRANGER.token, skip_instance_cache=True)
    with pytest.raises((GatedRepoError, PermissionError, FileNotFoundError)):
        fs.read_text(f"{PREFIX}{gated}/a.txt")
    for path in (f"/{PREFIX}{gated}/raw/main/a.txt", f"/{PREFIX}{gated}/resolve/main/a.txt?download=true"):
        assert request("GET", path, STRANGER.token).status in (401, 403, 404)


def test_what_stays_open(gated, stranger):
    assert stranger.repo_info(gated, repo_type=KIND).gated == "manual"
    assert "a.txt" in stranger.list_repo_files(gated, repo_type=KIND)
    assert stranger.repo_exists(gated, repo_type=KIND)


def test_owners_pass(gated, tmp_path):
    found = hf_hub_download(gated, "a.txt", repo_type=KIND, token=OWNER.token, cache_dir=tmp_path)
    assert Path(found).read_bytes() == b"a"


@client(">=0.30", "auth_check is newer")
def test_auth_check(gated, stranger, api):
    api.auth_check(gated, repo_type=KIND)
    with pytest.raises(GatedRepoError):
        stranger.auth_check(gated, repo_type=KIND)


def names(requests):
    return [entry.username for entry in requests]


def lists(api, repo):
    return {
        word: names(getattr(api, f"list_{word}_access_requests")(repo, repo_type=KIND))
        for word in ("pending", "accepted", "rejected")
    }


def test_life_of_a_grant(api, gated, tmp_path):
    assert lists(api, gated) == {"pending": [], "accepted": [], "rejected": []}
    api.grant_access(gated, STRANGER.name, repo_type=KIND)
    (found,) = api.list_accepted_access_requests(gated, repo_type=KIND)
    assert (found.username, found.email, found.status) == (STRANGER.name, None, "accepted")
    assert isinstance(found.timestamp, dt.datetime)
    hf_hub_download(gated, "a.txt", repo_type=KIND, token=STRANGER.token, cache_dir=tmp_path)
    api.cancel_access_request(gated, STRANGER.name, repo_type=KIND)
    assert lists(api, gated) == {"pending": [STRANGER.name], "accepted": [], "rejected": []}
    with pytest.raises(GatedRepoError):
        hf_hub_download(gated, "b.bin", repo_type=KIND, token=STRANGER.token, cache_dir=tmp_path)
    api.reject_access_request(gated, STRANGER.name, repo_type=KIND, **REASON)
    assert lists(api, gated) == {"pending": [], "accepted": [], "rejected": [STRANGER.name]}
    api.accept_access_request(gated, STRANGER.name, repo_type=KIND)
    assert lists(api, gated) == {"pending": [], "accepted": [STRANGER.name], "rejected": []}


def test_what_is_done_is_not_done_again(api, gated):
    api.grant_access(gated, STRANGER.name, repo_type=KIND)
    for change in (api.grant_access, api.accept_access_request):
        with pytest.raises(HfHubHTTPError):
            change(gated, STRANGER.name, repo_type=KIND)
    for change in (api.reject_access_request, api.cancel_access_request):
        settings = REASON if change == api.reject_access_request else {}
        change(gated, STRANGER.name, repo_type=KIND, **settings)
        with pytest.raises(HfHubHTTPError):
            change(gated, STRANGER.name, repo_type=KIND, **settings)


def test_statuses_that_the_clients_document(api, gated, make_repo):
    repo = make_repo(KIND)
    with refused(HfHubHTTPError, 404):
        api.grant_access(gated, new_name("nobody"), repo_type=KIND)
    with refused(HfHubHTTPError, 404):
        api.accept_access_request(gated, ACCOUNTS["reader"].name, repo_type=KIND)
    for call in (
        api.list_pending_access_requests,
        api.list_accepted_access_requests,
        api.list_rejected_access_requests,
    ):
        with refused(HfHubHTTPError, 400):
            list(call(repo, repo_type=KIND))
    with refused(HfHubHTTPError, 400):
        api.grant_access(repo, STRANGER.name, repo_type=KIND)


def test_requests_are_for_owners(gated, stranger):
    with refused(HfHubHTTPError, 403):
        list(stranger.list_pending_access_requests(gated, repo_type=KIND))
    with refused(HfHubHTTPError, 403):
        stranger.grant_access(gated, STRANGER.name, repo_type=KIND)
    with refused(HfHubHTTPError, 403):
        stranger.accept_access_request(gated, STRANGER.name, repo_type=KIND)


def test_asking(api, gated, tmp_path):
    assert ask(gated, STRANGER.token).status < 400
    (found,) = api.list_pending_access_requests(gated, repo_type=KIND)
    assert (found.username, found.status) == (STRANGER.name, "pending")
    api.accept_access_request(gated, STRANGER.name, repo_type=KIND)
    hf_hub_download(gated, "a.txt", repo_type=KIND, token=STRANGER.token, cache_dir=tmp_path)


def test_asking_where_everybody_is_let_in(api, make_repo, tmp_path):
    repo = make_repo(KIND)
    set_gate(repo, "auto", KIND)
    assert ask(repo, STRANGER.token).status < 400
    assert lists(api, repo)["accepted"] == [STRANGER.name]
    hf_hub_download(repo, ".gitattributes", repo_type=KIND, token=STRANGER.token, cache_dir=tmp_path)


def test_asking_needs_a_login(gated):
    assert ask(gated, None).status in (303, 401, 403)


@client(">=2", "`request_id` is newer")
def test_by_the_id_of_the_request(api, gated):
    ask(gated, STRANGER.token)
    (found,) = api.list_pending_access_requests(gated, repo_type=KIND)
    api.accept_access_request(gated, request_id=found.request_id, repo_type=KIND)
    assert lists(api, gated)["accepted"] == [STRANGER.name]


@pytest.mark.parametrize("kind", KINDS)
def test_likes(make_repo, stranger, api, kind):
    repo = make_repo(kind)
    like(kind, repo, STRANGER.token)
    assert api.repo_info(repo, repo_type=kind).likes == 1
    assert names(api.list_repo_likers(repo, repo_type=kind)) == [STRANGER.name]
    liked = stranger.list_liked_repos()
    assert liked.user == STRANGER.name
    assert repo in getattr(liked, f"{kind}s")
    assert liked.total >= 1
    like(kind, repo, STRANGER.token)
    assert api.repo_info(repo, repo_type=kind).likes == 1
    stranger.unlike(repo, repo_type=kind)
    assert api.repo_info(repo, repo_type=kind).likes == 0
    assert repo not in getattr(stranger.list_liked_repos(), f"{kind}s")


def like(kind, repo, token):
    # Clients since 0.26 have no call for it.
    assert request("POST", f"/api/{kind}s/{repo}/like", token).status < 300


@client("<0.26", "`like` was removed in 0.26")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_like_of_the_old_clients(api, repo, stranger):
    stranger.like(repo, repo_type="dataset")
    assert api.dataset_info(repo).likes == 1


def test_likes_of_others(api, anonymous, make_repo):
    repo, private = make_repo(), make_repo(private=True)
    for name in (repo, private):
        like("dataset", name, OWNER.token)
    assert repo in anonymous.list_liked_repos(OWNER.name).datasets
    assert private not in anonymous.list_liked_repos(OWNER.name).datasets
    assert private in api.list_liked_repos().datasets
    assert api.list_liked_repos(STRANGER.name).user == STRANGER.name


def test_likes_of_the_missing(stranger, make_repo):
    for repo in (f"{OWNER.name}/{new_name()}", make_repo(private=True)):
        with refused(RepositoryNotFoundError, 404):
            stranger.unlike(repo, repo_type="dataset")


def test_many_likers(api, repo):
    for role in ACCOUNTS:
        like("dataset", repo, ACCOUNTS[role].token)
    found = list(api.list_repo_likers(repo, repo_type="dataset"))
    assert all(entry.fullname and entry.avatar_url for entry in found)
    names = {entry.username for entry in found}
    assert len(found) == len(names)
    if Version("0.25") <= RELEASE:
        assert names == {account.name for account in ACCOUNTS.values()}
    else:  # it reads the first page only
        assert 3 <= len(names & {account.name for account in ACCOUNTS.values()}) == len(names)
    assert api_of("reader").whoami()
