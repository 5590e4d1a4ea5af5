"""The contract of errors: classes, codes, texts, request ids, and what is out of scope."""

import json

import pytest
from hub import ENDPOINT, OWNER, STRANGER, client, new_name, refused, request
from huggingface_hub import hf_hub_download
from huggingface_hub.utils import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


def test_repository(api):
    missing = f"{OWNER.name}/{new_name()}"
    for call in (
        lambda: api.dataset_info(missing),
        lambda: api.list_repo_refs(missing, repo_type="dataset"),
        lambda: api.list_repo_commits(missing, repo_type="dataset"),
        lambda: list(api.list_repo_tree(missing, repo_type="dataset")),
        lambda: api.get_paths_info(missing, ["a"], repo_type="dataset"),
        lambda: api.create_branch(missing, branch="b", repo_type="dataset"),
        lambda: api.create_tag(missing, tag="t", repo_type="dataset"),
        lambda: api.create_discussion(missing, "hello", repo_type="dataset"),
        lambda: api.upload_file(path_or_fileobj=b"a", path_in_repo="a", repo_id=missing, repo_type="dataset"),
        lambda: api.super_squash_history(missing, repo_type="dataset"),
        lambda: hf_hub_download(missing, "a", repo_type="dataset"),
    ):
        with refused(RepositoryNotFoundError, 404, "Repository Not Found"):
            call()


def test_revision(api, repo):
    for call in (
        lambda: api.dataset_info(repo, revision="missing"),
        lambda: api.list_repo_commits(repo, revision="missing", repo_type="dataset"),
        lambda: list(api.list_repo_tree(repo, revision="missing", repo_type="dataset")),
        lambda: api.get_paths_info(repo, ["a"], revision="missing", repo_type="dataset"),
        lambda: hf_hub_download(repo, "a", revision="missing", repo_type="dataset"),
    ):
        with refused(RevisionNotFoundError, 404, "Revision Not Found"):
            call()


def test_entry(api, repo):
    with refused(EntryNotFoundError, 404, "Entry Not Found"):
        hf_hub_download(repo, "missing", repo_type="dataset")
    with refused(EntryNotFoundError, 404):
        api.delete_file("missing", repo, repo_type="dataset")


@pytest.mark.parametrize("sent", [{"X-Request-Id": "my-own-id"}, {"X-Amzn-Trace-Id": "my-trace"}, {}])
def test_request_ids(sent):
    answer = request("GET", "/api/whoami-v2", OWNER.token, headers=sent)
    assert answer.headers["x-request-id"] == next(iter(sent.values()), answer.headers["x-request-id"])
    failed = request("GET", f"/api/datasets/{OWNER.name}/{new_name()}", OWNER.token, headers=sent)
    assert failed.headers["x-request-id"]


@pytest.mark.parametrize("sent", ["a\tb", "x" * 5000, "ü", "<script>"])
def test_request_ids_of_hostile_callers(sent):
    answer = request("GET", "/api/whoami-v2", OWNER.token, headers={"X-Request-Id": sent.encode("latin-1")})
    assert answer.status in (200, 400, 431)
    assert len(answer.headers.get("x-request-id", "")) < 300


def test_request_id_in_the_text(api):
    with refused(RepositoryNotFoundError, 404, "Request ID: ") as caught:
        api.dataset_info(f"{OWNER.name}/{new_name()}")
    assert caught.value.response.headers["x-request-id"] in str(caught.value)


def test_forbidden(stranger, repo):
    with refused(HfHubHTTPError, 403) as caught:
        stranger.create_branch(repo, branch="b", repo_type="dataset")
    assert "403" in str(caught.value)
    assert json.loads(caught.value.response.content)["error"]


def test_headers_say_what_the_body_says(repo):
    for method, path, token, body in (
        ("GET", f"/api/datasets/{repo}?expand=foo", OWNER.token, None),
        ("GET", f"/api/datasets/{repo}/revision/missing", OWNER.token, None),
        ("POST", f"/api/datasets/{repo}/branch/b", STRANGER.token, {}),
        ("POST", "/api/repos/create", OWNER.token, {"name": repo.split("/")[1], "type": "dataset"}),
        ("GET", "/api/whoami-v2", "hf_wrong", None),
    ):
        answer = request(method, path, token, body)
        assert answer.status >= 400
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.headers["x-error-message"].isascii()
        assert json.loads(answer.body)["error"]


def test_conflict_tells_the_url(repo):
    answer = request(
        "POST", "/api/repos/create", OWNER.token, {"name": repo.split("/")[1], "type": "dataset"}
    )
    assert answer.status == 409
    assert json.loads(answer.body)["url"] == f"{ENDPOINT}/datasets/{repo}"


def test_bad_requests(api, repo):
    with refused(BadRequestError, 400):
        api.dataset_info(repo, expand=["nonsense"])


@pytest.mark.parametrize(
    "path",
    [
        "/api/collections",
        "/api/collections/x/y-0",
        "/api/buckets/x/y",
        "/api/jobs/x",
        "/api/papers/2301.00001",
        "/api/daily_papers",
        "/api/kernels/x/y",
    ],
)
def test_out_of_scope(path):
    answer = request("GET", path, OWNER.token)
    assert answer.status == 501
    assert answer.headers["content-type"].startswith("application/json")
    assert "error" in json.loads(answer.body)


def test_collections_are_out_of_scope(api):
    with refused(HfHubHTTPError, 501):
        api.create_collection("a title")


@client(">=1.19", "buckets are newer")
def test_buckets_are_out_of_scope(api):
    with refused(HfHubHTTPError, 501):
        api.create_bucket(new_name())


def test_running_spaces_is_out_of_scope(api, make_repo):
    repo = make_repo("space")
    with refused(HfHubHTTPError, 501):
        api.restart_space(repo)
    with refused(HfHubHTTPError, 501):
        api.add_space_secret(repo, "key", "value")


def test_background_calls_are_answered():
    answer = request("GET", "/api/agent-harnesses")
    assert answer.status == 200
    assert json.loads(answer.body) == {"standardEnvVars": [], "harnesses": {}}
    assert request("HEAD", "/api/telemetry/huggingface_hub").status < 500


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"5", b'"x"', b"{", b"\xff\xfe", b'{"name": 5}', b'{"name": null}', b"[" * 5000],
)
@pytest.mark.parametrize(
    "route",
    [
        "repos/create",
        "repos/move",
        "repos/delete",
        "validate-yaml",
        "datasets/{}/discussions",
        "settings/webhooks",
    ],
)
def test_bodies_of_other_shapes(repo, route, body):
    method = "DELETE" if route == "repos/delete" else "POST"
    answer = request(
        method, f"/api/{route.format(repo)}", OWNER.token, body, {"Content-Type": "application/json"}
    )
    assert 400 <= answer.status < 500
    assert json.loads(answer.body)[
        "error" if route != "validate-yaml" else next(iter(json.loads(answer.body)))
    ]


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"nonsense\n",
        b'{"key": "file", "value": {}}\n',
        b'{"key": "header", "value": {"summary": "x"}}\n{"key": "unknown", "value": {}}\n',
        b'{"key": "header", "value": {"summary": "x"}}\n{"key": "file", "value": {"path": "../x", "content": "eA==", "encoding": "base64"}}\n',
        b'{"key": "header", "value": {"summary": "x"}}\n{"key": "file", "value": {"path": "/x", "content": "eA==", "encoding": "base64"}}\n',
        b'{"key": "header", "value": {"summary": "x"}}\n{"key": "file", "value": {"path": ".git/config", "content": "eA==", "encoding": "base64"}}\n',
        b'{"key": "header", "value": {"summary": "x"}}\n{"key": "file", "value": {"path": "x", "content": "!!", "encoding": "base64"}}\n',
        b'{"key": "header", "value": {"summary": "x"}}\n{"key": "lfsFile", "value": {"path": "x", "algo": "sha256", "oid": "'
        + b"0" * 64
        + b'", "size": 5}}\n',
        b'{"key": "header", "value": {"summary": "x", "parentCommit": "zzz"}}\n',
    ],
)
def test_commits_of_other_shapes(api, repo, lines):
    before = api.dataset_info(repo).sha
    answer = request(
        "POST",
        f"/api/datasets/{repo}/commit/main",
        OWNER.token,
        lines,
        {"Content-Type": "application/x-ndjson"},
    )
    assert 400 <= answer.status < 500
    assert json.loads(answer.body)["error"]
    assert api.dataset_info(repo).sha == before


def test_a_hash_is_no_key(api, make_repo, commit, stranger):
    """Who knows the SHA-256 of a private file gets nothing for it."""
    private = make_repo(private=True)
    commit(private, {"secret.bin": b"\x00secret" * 100})
    (info,) = api.get_paths_info(private, ["secret.bin"], repo_type="dataset")
    own = stranger.create_repo(new_name(), repo_type="dataset").repo_id
    line = {"path": "stolen.bin", "algo": "sha256", "oid": info.lfs.sha256, "size": info.lfs.size}
    lines = [{"key": "header", "value": {"summary": "x"}}, {"key": "lfsFile", "value": line}]
    answer = request(
        "POST",
        f"/api/datasets/{own}/commit/main",
        STRANGER.token,
        "\n".join(json.dumps(entry) for entry in lines).encode(),
        {"Content-Type": "application/x-ndjson"},
    )
    assert 400 <= answer.status < 500
    assert not stranger.file_exists(own, "stolen.bin", repo_type="dataset")


def test_health():
    assert request("GET", "/health").status == 200
    assert request("GET", "/ready").status == 200
