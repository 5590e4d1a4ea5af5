"""Who one is: tokens, logins, people and organizations."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub import (
    ACCOUNTS,
    ENDPOINT,
    HIDDEN_ORGANIZATION,
    HTTP_ERROR,
    ORGANIZATION,
    OWNER,
    TOKENS,
    api_of,
    client,
    new_name,
    refused,
    request,
)
from huggingface_hub import HfApi, get_token, login, logout, whoami
from huggingface_hub.utils import HfHubHTTPError

INVALID = "Invalid user token"


@pytest.mark.parametrize("role", ["owner", "writer", "stranger"])
def test_whoami(role):
    account = ACCOUNTS[role]
    found = whoami(token=account.token)
    assert (found["type"], found["name"]) == ("user", account.name)
    assert found["auth"]["accessToken"]["role"] == "write"
    assert found["auth"]["accessToken"]["displayName"]
    organizations = {entry["name"]: entry for entry in found["orgs"]}
    assert (ORGANIZATION in organizations) is (role != "stranger")
    assert all(entry["type"] == "org" for entry in found["orgs"])


@pytest.mark.parametrize(
    ("role", "expected"),
    [("owner", "admin"), ("writer", "write"), ("contributor", "contributor"), ("reader", "read")],
)
def test_role_in_an_organization(role, expected):
    organizations = {entry["name"]: entry for entry in whoami(token=ACCOUNTS[role].token)["orgs"]}
    assert organizations[ORGANIZATION]["roleInOrg"] == expected


def test_whoami_of_a_read_only_token(api):
    assert api.whoami(token=TOKENS["read_only"])["auth"]["accessToken"]["role"] == "read"


@client("<1", "get_token_permission was removed in 1.0")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_permission_of_a_token(api):
    assert api.get_token_permission(token=OWNER.token) == "write"
    assert api.get_token_permission(token=TOKENS["read_only"]) == "read"


def test_full_name_of_one_without_organization_prefix(api):
    assert api.get_full_repo_name("thing") == f"{OWNER.name}/thing"
    assert api.get_full_repo_name("thing", organization=ORGANIZATION) == f"{ORGANIZATION}/thing"


@pytest.mark.parametrize("kind", ["expired", "revoked"])
def test_tokens_that_ended(kind):
    dead = HfApi(endpoint=ENDPOINT, token=TOKENS[kind])
    with refused(HTTP_ERROR, 401, INVALID):
        dead.whoami()
    # also where no token would have been enough
    with refused(HfHubHTTPError, 401, "Invalid credentials in Authorization header"):
        list(dead.list_datasets(limit=1))


@pytest.mark.parametrize("token", ["hf_" + "x" * 34, "nonsense", "hf_"])
def test_tokens_that_never_were(repo, token):
    with refused(HTTP_ERROR, 401, INVALID):
        whoami(token=token)
    with refused(HfHubHTTPError, 401, "Invalid credentials in Authorization header"):
        HfApi(endpoint=ENDPOINT, token=token).dataset_info(repo)


@pytest.mark.parametrize("header", ["Basic eDp5", "Bearer", "Bearer  ", "Nonsense x", "Bearer a b"])
def test_malformed_credentials(header):
    assert request("GET", "/api/whoami-v2", headers={"Authorization": header}).status == 401


def test_nobody():
    assert request("GET", "/api/whoami-v2").status == 401


def test_read_only_token_reads_but_does_not_write(api, make_repo, commit):
    private = make_repo(private=True)
    commit(private, {"a.txt": b"a"})
    weak = HfApi(endpoint=ENDPOINT, token=TOKENS["read_only"])
    assert weak.dataset_info(private).private
    assert weak.file_exists(private, "a.txt", repo_type="dataset")
    with refused(HfHubHTTPError, 403):
        weak.upload_file(path_or_fileobj=b"b", path_in_repo="b.txt", repo_id=private, repo_type="dataset")
    with refused(HfHubHTTPError, 403):
        weak.create_branch(private, branch="b", repo_type="dataset")
    with refused(HfHubHTTPError, 403):
        weak.delete_repo(private, repo_type="dataset")
    with refused(HfHubHTTPError, 403):
        weak.create_discussion(private, "hello", repo_type="dataset")
    with refused(HfHubHTTPError, 403):
        weak.move_repo(from_id=private, to_id=f"{OWNER.name}/{new_name()}", repo_type="dataset")


@pytest.fixture
def own_home(tmp_path):
    """An environment for processes of their own: no token, a fresh home."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_TOKEN")}
    return {**environment, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_UPDATE_CHECK": "1", "NO_COLOR": "1"}


def python(code, environment):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_login_and_logout(own_home):
    code = (
        "from huggingface_hub import login, logout, whoami, get_token\n"
        f"login(token={OWNER.token!r})\n"
        f"assert get_token() == {OWNER.token!r}\n"
        "name = whoami()['name']\n"
        "logout()\n"
        "assert get_token() is None\n"
        "print(name)\n"
    )
    assert python(code, own_home).splitlines()[-1] == OWNER.name
    assert not (Path(own_home["HF_HOME"]) / "token").exists()


def test_login_with_a_bad_token(own_home):
    code = (
        "from huggingface_hub import login\n"
        "try:\n    login(token='hf_' + 'x' * 34)\n"
        "except Exception as error:\n    print(type(error).__name__, 'Invalid' in str(error))\n"
    )
    name, invalid = python(code, own_home).splitlines()[-1].split()
    assert (name in ("ValueError", "HfHubHTTPError", "HTTPError"), invalid) == (True, "True")


def test_implicit_token():
    assert get_token() == OWNER.token
    assert whoami()["name"] == OWNER.name
    assert callable(login)
    assert callable(logout)


@client(">=1.19", "organizations have no overview before")
def test_overview_of_an_organization(api):
    found = api.get_organization_overview(ORGANIZATION)
    assert found.name == ORGANIZATION
    assert found.fullname
    assert found.avatar_url.startswith("http")
    assert found.num_users >= 4


def test_overview_of_a_user(api, anonymous):
    for who in (api, anonymous):
        found = who.get_user_overview(OWNER.name)
        assert found.username == OWNER.name
        assert found.fullname
        assert found.avatar_url.startswith("http")
        assert found.num_likes is None or found.num_likes >= 0
    with refused(HfHubHTTPError, 404):
        api.get_user_overview(new_name("nobody"))


@client(">=0.30", "the numbers are newer")
def test_numbers_in_an_overview(api, make_repo):
    before = api.get_user_overview(OWNER.name).num_datasets
    make_repo()
    assert api.get_user_overview(OWNER.name).num_datasets == before + 1


@client(">=0.30", "0.24 sends no token here, and members are shown to members only")
def test_members_of_an_organization(api):
    members = {member.username: member for member in api.list_organization_members(ORGANIZATION)}
    assert {ACCOUNTS[role].name for role in ("owner", "writer", "contributor", "reader")} <= set(members)
    assert all(member.fullname and member.avatar_url for member in members.values())
    with refused(HfHubHTTPError, 404):
        list(api.list_organization_members(new_name("nobody")))


def test_followers(api):
    assert list(api.list_user_followers(OWNER.name)) == []
    assert list(api.list_user_following(OWNER.name)) == []


@client(">=1.19", "followers of organizations are newer")
def test_followers_of_an_organization(api):
    assert list(api.list_organization_followers(ORGANIZATION)) == []


def test_admin_is_a_user_like_others():
    assert api_of("admin").whoami()["name"] == ACCOUNTS["admin"].name


def test_hidden_organizations_are_like_missing_ones(reader):
    paths = ("/api/organizations/{}/overview", "/api/organizations/{}/members", "/api/datasets?author={}")
    missing = new_name("nobody")
    for token in (ACCOUNTS["stranger"].token, None):
        for path in paths:
            hidden, nothing = (
                request("GET", path.format(name), token) for name in (HIDDEN_ORGANIZATION, missing)
            )
            assert hidden.status == nothing.status
            assert hidden.body.replace(HIDDEN_ORGANIZATION.encode(), b"") == nothing.body.replace(
                missing.encode(), b""
            )
    assert HIDDEN_ORGANIZATION in [entry["name"] for entry in reader.whoami()["orgs"]]
