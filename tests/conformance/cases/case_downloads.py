"""Downloads: single files, snapshots, caches, ranges, metadata."""

import contextlib
import hashlib
import os
from pathlib import Path

import pytest
from hub import ENDPOINT, OWNER, STRANGER, client, new_name, refused, request
from huggingface_hub import (
    CommitOperationAdd,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    scan_cache_dir,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.utils import (
    EntryNotFoundError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

LARGE = bytes(range(256)) * 4096
FILES = {"a.txt": b"text\n", "b.bin": LARGE, "d/c.txt": b"c", "d/e/f.bin": b"\x00f", "empty.txt": b""}


@pytest.fixture(scope="module")
def full(api):
    """A private dataset that no case changes."""
    repo = api.create_repo(f"{OWNER.name}/{new_name('full')}", repo_type="dataset", private=True).repo_id
    operations = [CommitOperationAdd(path, content) for path, content in FILES.items()]
    api.create_commit(repo, operations, commit_message="all files", repo_type="dataset")
    return repo


@pytest.fixture
def fetch(tmp_path):
    def run(repo, path, **settings):
        settings = {"repo_type": "dataset", "cache_dir": tmp_path / "cache", **settings}
        return Path(hf_hub_download(repo, path, **settings))

    return run


@pytest.mark.parametrize("path", FILES)
def test_one_file(full, fetch, path):
    assert fetch(full, path).read_bytes() == FILES[path]


def test_place_in_the_cache(api, full, fetch):
    found = fetch(full, "d/c.txt")
    sha = api.dataset_info(full).sha
    assert found.parts[-5:] == ("snapshots", sha, "d", "c.txt")[-5:] or found.parts[-4:] == (
        "snapshots",
        sha,
        "d",
        "c.txt",
    )
    assert found.resolve().name == hashlib.sha1(b"blob 1\0c").hexdigest()
    assert fetch(full, "b.bin").resolve().name == hashlib.sha256(LARGE).hexdigest()


def test_subfolder(full, fetch):
    assert fetch(full, "c.txt", subfolder="d").read_bytes() == b"c"


def test_second_time_comes_from_the_cache(full, fetch):
    first = fetch(full, "b.bin")
    stamp = first.resolve().stat().st_mtime_ns
    assert fetch(full, "b.bin") == first
    assert first.resolve().stat().st_mtime_ns == stamp
    assert fetch(full, "b.bin", local_files_only=True) == first
    assert fetch(full, "b.bin", force_download=True) == first


def test_revisions(api, repo, commit, fetch):
    first = commit(repo, {"a.txt": b"1", "b.bin": b"\x001"}).oid
    api.create_tag(repo, tag="v1", repo_type="dataset")
    commit(repo, {"a.txt": b"2", "b.bin": b"\x002"})
    pull = commit(repo, {"a.txt": b"3"}, create_pr=True).pr_revision
    contents = {"main": b"2", "v1": b"1", first: b"1", pull: b"3"}
    for revision, content in contents.items():
        assert fetch(repo, "a.txt", revision=revision).read_bytes() == content
    assert fetch(repo, "b.bin", revision="v1").read_bytes() == b"\x001"
    with pytest.raises(RevisionNotFoundError):
        fetch(repo, "a.txt", revision="missing")


def test_short_commit_ids(repo, commit, fetch):
    done = commit(repo, {"a.txt": b"1"})
    assert fetch(repo, "a.txt", revision=done.oid[:8]).read_bytes() == b"1"


def test_absence_is_remembered(full, fetch, tmp_path):
    with refused(EntryNotFoundError, 404):
        fetch(full, "missing.txt")
    found = try_to_load_from_cache(full, "missing.txt", cache_dir=tmp_path / "cache", repo_type="dataset")
    assert found is not None
    assert not isinstance(found, str)
    assert (
        try_to_load_from_cache(full, "never-asked.txt", cache_dir=tmp_path / "cache", repo_type="dataset")
        is None
    )


def test_missing_repositories(fetch, full):
    with pytest.raises(RepositoryNotFoundError):
        fetch(f"{OWNER.name}/{new_name()}", "a.txt")
    for token in (STRANGER.token, False):
        with pytest.raises(RepositoryNotFoundError):
            fetch(full, "a.txt", token=token)


def test_cached_files_are_kept_when_access_is_lost(full, fetch):
    found = fetch(full, "a.txt")
    with contextlib.suppress(RepositoryNotFoundError):  # newer clients insist
        assert fetch(full, "a.txt", token=STRANGER.token) == found


def test_into_a_folder(full, tmp_path, api, commit, repo):
    place = tmp_path / "local"
    for path, content in FILES.items():
        found = Path(hf_hub_download(full, path, repo_type="dataset", local_dir=place))
        assert found == place / path
        assert found.read_bytes() == content
    commit(repo, {"a.txt": b"1", "b.bin": b"\x001"})
    for content in (b"1", b"2"):
        commit(repo, {"a.txt": content, "b.bin": b"\x00" + content})
        for path, expected in (("a.txt", content), ("b.bin", b"\x00" + content)):
            found = hf_hub_download(repo, path, repo_type="dataset", local_dir=tmp_path / "other")
            assert Path(found).read_bytes() == expected


def test_files_already_there_are_recognised(full, tmp_path):
    (tmp_path / "b.bin").write_bytes(LARGE)
    stamp = (tmp_path / "b.bin").stat().st_mtime_ns
    hf_hub_download(full, "b.bin", repo_type="dataset", local_dir=tmp_path)
    assert (tmp_path / "b.bin").stat().st_mtime_ns == stamp


def test_interrupted_downloads_go_on(full, fetch, tmp_path):
    blob = fetch(full, "b.bin").resolve()
    for link in (tmp_path / "cache").rglob("b.bin"):
        link.unlink()
    blob.rename(str(blob) + ".incomplete")
    part = Path(str(blob) + ".incomplete")
    part.write_bytes(LARGE[:1000])
    assert fetch(full, "b.bin").read_bytes() == LARGE


def test_metadata(api, full):
    sha = api.dataset_info(full).sha
    for path, etag in (("a.txt", hashlib.sha1(b"blob 5\0text\n")), ("b.bin", hashlib.sha256(LARGE))):
        url = hf_hub_url(full, path, repo_type="dataset")
        assert url.startswith(f"{ENDPOINT}/datasets/{full}/resolve/main/")
        found = get_hf_file_metadata(url, token=OWNER.token)
        assert (found.commit_hash, found.etag, found.size) == (sha, etag.hexdigest(), len(FILES[path]))
        assert found.location
        assert getattr(found, "xet_file_data", None) is None


@pytest.mark.parametrize("path", ["a.txt", "b.bin"])
def test_a_file_that_is_replaced_between_head_and_get(repo, commit, path):
    commit(repo, {path: b"\x00short"})
    url = hf_hub_url(repo, path, repo_type="dataset")
    found = get_hf_file_metadata(url, token=OWNER.token)
    commit(repo, {path: b"\x00longer than that"})
    answer = request("GET", found.location, OWNER.token if found.location.startswith(ENDPOINT) else None)
    if answer.status == 302:
        answer = request("GET", answer.headers["location"])  # signed: it needs no token
    assert (answer.status, answer.body) == (200, b"\x00short")
    assert len(answer.body) == found.size


def test_head_tells_what_get_sends(full):
    for path, content in FILES.items():
        url = f"/datasets/{full}/resolve/main/{path}"
        head, get = (request(method, url, OWNER.token) for method in ("HEAD", "GET"))
        if get.status in (302, 307):
            for name in ("x-repo-commit", "x-linked-etag", "x-linked-size"):
                assert head.headers[name] == get.headers[name]
            continue
        assert (head.status, get.status) == (200, 200)
        assert get.body == content
        for name in ("x-repo-commit", "etag", "content-length", "accept-ranges"):
            assert head.headers[name] == get.headers[name]
        assert head.headers["content-length"] == str(len(content))
        assert head.headers["accept-ranges"] == "bytes"
        assert "content-encoding" not in get.headers
        assert "x-xet-hash" not in get.headers


def follow(url, headers):
    answer = request("GET", url, OWNER.token, headers=headers)
    if answer.status in (302, 307):
        assert "://" in answer.headers["location"]
        answer = request("GET", answer.headers["location"], headers=headers)
    return answer


@pytest.mark.parametrize("path", ["a.txt", "b.bin"])
@pytest.mark.parametrize(
    ("asked", "begin", "end"), [("0-0", 0, 1), ("2-", 2, None), ("1-3", 1, 4), ("-2", -2, None)]
)
def test_ranges(full, path, asked, begin, end):
    answer = follow(f"/datasets/{full}/resolve/main/{path}", {"Range": f"bytes={asked}"})
    content = FILES[path]
    expected = content[begin:end]
    first = content.index(expected) if begin >= 0 else len(content) + begin
    assert answer.status == 206
    assert answer.body == expected
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{len(content)}"


@pytest.mark.parametrize("path", ["a.txt", "b.bin"])
def test_ranges_past_the_end(full, path):
    size = len(FILES[path])
    answer = follow(f"/datasets/{full}/resolve/main/{path}", {"Range": f"bytes={size}-"})
    assert answer.status == 416
    if "content-range" in answer.headers:
        assert answer.headers["content-range"] == f"bytes */{size}"
    answer = follow(f"/datasets/{full}/resolve/main/{path}", {"Range": f"bytes={size - 1}-{size + 99}"})
    assert (answer.status, answer.body) == (206, FILES[path][-1:])


def test_errors_of_resolve_name_the_commit(api, full):
    answer = request("HEAD", f"/datasets/{full}/resolve/main/missing", OWNER.token)
    assert (answer.status, answer.headers["x-error-code"]) == (404, "EntryNotFound")
    assert answer.headers["x-repo-commit"] == api.dataset_info(full).sha
    answer = request("HEAD", f"/datasets/{full}/resolve/missing/a.txt", OWNER.token)
    assert (answer.status, answer.headers["x-error-code"]) == (404, "RevisionNotFound")
    answer = request("HEAD", f"/datasets/{OWNER.name}/{new_name()}/resolve/main/a.txt", OWNER.token)
    assert (answer.status, answer.headers["x-error-code"]) == (404, "RepoNotFound")


def test_folders_cannot_be_downloaded(full, fetch):
    with pytest.raises(EntryNotFoundError):
        fetch(full, "d")


def test_references_quoted_or_not(repo, commit, api):
    commit(repo, {"a.txt": b"pull"}, create_pr=True)
    for revision in ("refs%2Fpr%2F1", "refs/pr/1"):
        answer = request("GET", f"/datasets/{repo}/resolve/{revision}/a.txt", OWNER.token)
        assert answer.body == b"pull"


def test_models_and_spaces(make_repo, commit, fetch):
    for kind in ("model", "space"):
        repo = make_repo(kind)
        commit(repo, {"a.txt": b"a", "b.bin": b"\x00b"}, kind=kind)
        assert fetch(repo, "a.txt", repo_type=kind).read_bytes() == b"a"
        assert fetch(repo, "b.bin", repo_type=kind).read_bytes() == b"\x00b"


def test_snapshot(api, full, tmp_path):
    place = Path(snapshot_download(full, repo_type="dataset", cache_dir=tmp_path))
    assert place.name == api.dataset_info(full).sha
    assert {path: (place / path).read_bytes() for path in FILES} == FILES
    assert (place / ".gitattributes").exists()
    again = snapshot_download(full, repo_type="dataset", cache_dir=tmp_path)
    assert Path(again) == place
    assert (
        Path(snapshot_download(full, repo_type="dataset", cache_dir=tmp_path, local_files_only=True)) == place
    )


def test_snapshot_with_patterns(full, tmp_path):
    place = Path(
        snapshot_download(
            full,
            repo_type="dataset",
            local_dir=tmp_path,
            allow_patterns=["*.txt", "*.bin"],
            ignore_patterns=["d/e/*", "empty*"],
        )
    )
    found = {
        path.relative_to(place).as_posix()
        for path in place.rglob("*")
        if path.is_file() and ".cache" not in path.relative_to(place).parts
    }
    assert found == {"a.txt", "b.bin", "d/c.txt"}


def test_snapshot_of_an_older_commit(repo, commit, tmp_path):
    old = commit(repo, {"a.txt": b"1"}).oid
    commit(repo, {"a.txt": b"2", "b.txt": b"2"})
    for revision, count in ((old, 2), ("main", 3)):
        place = Path(
            snapshot_download(repo, repo_type="dataset", revision=revision, cache_dir=tmp_path, max_workers=2)
        )
        assert len(list(place.iterdir())) == count
    place = Path(snapshot_download(repo, repo_type="dataset", revision=old, cache_dir=tmp_path))
    assert (place / "a.txt").read_bytes() == b"1"


def test_snapshot_that_cannot_be_had(full, tmp_path):
    with pytest.raises((RepositoryNotFoundError, LocalEntryNotFoundError)):
        snapshot_download(full, repo_type="dataset", cache_dir=tmp_path, token=STRANGER.token)
    with pytest.raises((RevisionNotFoundError, LocalEntryNotFoundError)):
        snapshot_download(full, repo_type="dataset", cache_dir=tmp_path, revision="missing")


def test_the_cache_can_be_scanned(full, fetch, tmp_path):
    fetch(full, "a.txt")
    fetch(full, "b.bin")
    (found,) = scan_cache_dir(tmp_path / "cache").repos
    assert (found.repo_id, found.repo_type, found.nb_files) == (full, "dataset", 2)
    assert found.size_on_disk == len(FILES["a.txt"]) + len(LARGE)
    (revision,) = found.revisions
    assert revision.refs == {"main"}


@client(">=1.19", "dry runs are newer")
def test_dry_run(full, tmp_path):
    found = hf_hub_download(full, "b.bin", repo_type="dataset", cache_dir=tmp_path, dry_run=True)
    assert (found.filename, found.file_size, found.will_download) == ("b.bin", len(LARGE), True)
    found = snapshot_download(full, repo_type="dataset", cache_dir=tmp_path, dry_run=True)
    assert {entry.filename for entry in found} == {*FILES, ".gitattributes"}


def test_downloads_are_counted_or_left_out(api, full, fetch):
    fetch(full, "a.txt")
    assert api.dataset_info(full, expand=["downloads"]).downloads in (None, *range(10_000))


def test_conditional_requests(full):
    url = f"/datasets/{full}/resolve/main/a.txt"
    etag = request("GET", url, OWNER.token).headers["etag"]
    assert request("GET", url, OWNER.token, headers={"If-None-Match": etag}).status in (200, 304)


@pytest.mark.parametrize(
    "climb", ["../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "a%00b"]
)
def test_nothing_outside_is_sent(full, climb):
    answer = request("GET", f"/datasets/{full}/resolve/main/{climb}", OWNER.token)
    assert answer.status in (400, 404)
    assert b"root:" not in answer.body


def test_home_is_fresh():
    assert Path(os.environ["HF_HOME"]).is_dir()
