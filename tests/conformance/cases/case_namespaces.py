"""Repositories of Minari's namespaces: pull requests, other names and copies of them, through any client."""

import json
from pathlib import Path

import pytest
from hub import MINARI_ORGANIZATION, ORGANIZATION, OWNER, client, new_name, refused
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.utils import HfHubHTTPError

NAMESPACE_FILE = "namespace_metadata.json"
NUMBERS = {"total_episodes": 2, "total_steps": 10, "dataset_size": 0.1, "minari_version": "0.5.4"}


def dataset(namespace, name):
    metadata = {"dataset_id": f"{namespace}/{name}", **NUMBERS}
    return {
        f"{name}/data/metadata.json": json.dumps(metadata).encode(),
        f"{name}/data/main_data.hdf5": b"\x89HDF of " + name.encode(),
    }


@pytest.fixture
def make_namespace(make_repo, commit):
    def make(organization=OWNER.name, **settings):
        repo = make_repo("dataset", organization, **settings)
        files = {NAMESPACE_FILE: b'{"description": "Walkers"}'}
        commit(repo, {**files, **dataset(repo.split("/")[1], "first-v0")})
        return repo

    return make


@pytest.fixture
def namespace(make_namespace):
    return make_namespace()


@pytest.fixture
def listed(api):
    """The ids that Minari would list for a repository."""

    def read(repo, revision="main"):
        path = api.hf_hub_download(repo, NAMESPACE_FILE, repo_type="dataset", revision=revision)
        return json.loads(Path(path).read_text())["datasets"]

    return read


def test_datasets_that_were_proposed_at_the_same_time(api, namespace, listed):
    """Both proposals change the list of datasets, as Minari's own uploads do."""
    name = namespace.split("/")[1]
    for proposed in ("left-v0", "right-v0"):
        operations = [CommitOperationAdd(path, content) for path, content in dataset(name, proposed).items()]
        api.create_commit(
            namespace, operations, commit_message=f"Add {proposed}", repo_type="dataset", create_pr=True
        )
    assert listed(namespace, "refs/pr/2") == [f"{name}/first-v0", f"{name}/right-v0"]
    for number in (1, 2):
        assert not api.get_discussion_details(namespace, number, repo_type="dataset").conflicting_files
        api.merge_pull_request(namespace, number, repo_type="dataset")
    assert listed(namespace) == [f"{name}/{one}-v0" for one in ("first", "left", "right")]


def test_descriptions_that_differ_are_a_conflict(api, namespace, commit):
    for content, settings in ((b'{"description": "A"}', {"create_pr": True}), (b'{"description": "B"}', {})):
        commit(namespace, {NAMESPACE_FILE: content}, **settings)
    details = api.get_discussion_details(namespace, 1, repo_type="dataset")
    assert list(details.conflicting_files) == [NAMESPACE_FILE]
    with refused(HfHubHTTPError, 409, NAMESPACE_FILE):
        api.merge_pull_request(namespace, 1, repo_type="dataset")


def test_a_name_that_ids_begin_with_is_not_given_away(api, namespace, commit, listed):
    old = namespace.split("/")[1]
    new = new_name()
    api.move_repo(from_id=namespace, to_id=f"{OWNER.name}/{new}", repo_type="dataset")
    with refused(HfHubHTTPError, 409, "minari list remote"):
        api.create_repo(namespace, repo_type="dataset")
    # What Minari does: the upload goes to where the name leads.
    api.create_repo(namespace, repo_type="dataset", exist_ok=True)
    commit(namespace, dataset(old, "second-v0"))
    assert listed(f"{OWNER.name}/{new}") == [f"{old}/first-v0", f"{new}/second-v0"]
    with refused(HfHubHTTPError, 409, "minari list remote"):
        other = api.create_repo(f"{OWNER.name}/{new_name()}", repo_type="dataset").repo_id
        api.move_repo(from_id=other, to_id=namespace, repo_type="dataset")
    operations = [CommitOperationDelete(f"{name}-v0/", is_folder=True) for name in ("first", "second")]
    api.create_commit(f"{OWNER.name}/{new}", operations, commit_message="Empty", repo_type="dataset")
    assert api.create_repo(namespace, repo_type="dataset").repo_id == namespace


def test_ids_lead_to_a_namespace_that_moved_elsewhere(api, make_namespace, commit):
    source, taken = make_namespace(), make_namespace(ORGANIZATION)
    old = source.split("/")[1]
    target = f"{MINARI_ORGANIZATION}/{new_name()}"
    api.move_repo(from_id=source, to_id=target, repo_type="dataset")
    path = "first-v0/data/metadata.json"
    api.hf_hub_download(f"{MINARI_ORGANIZATION}/{old}", path, repo_type="dataset")
    api.create_repo(f"{ORGANIZATION}/{old}", repo_type="dataset")
    with refused(HfHubHTTPError, 409, "begin with"):
        api.move_repo(from_id=target, to_id=f"{ORGANIZATION}/{new_name()}", repo_type="dataset")
    assert api.dataset_info(taken).id == taken
    for repo in (target, taken):  # what others list in these organizations is none of their business
        api.delete_repo(repo, repo_type="dataset")


@client(">=1.19", "duplicate_repo is newer")
def test_copies_are_found_like_the_original(api, namespace, listed):
    name = namespace.split("/")[1]
    copy = api.duplicate_repo(namespace, f"{ORGANIZATION}/{name}", repo_type="dataset").repo_id
    assert listed(copy) == [f"{name}/first-v0"]
    found = api.list_datasets(author=ORGANIZATION, filter="minari", search=name)
    assert [repo.id for repo in found] == [copy]
    with refused(HfHubHTTPError, 400, "dataset_id"):
        api.duplicate_repo(namespace, f"{ORGANIZATION}/{new_name()}", repo_type="dataset")
    api.delete_repo(copy, repo_type="dataset")


@client(">=0.29", "permanently_delete_lfs_files is newer")
def test_deleted_bytes_leave_the_facts(api, namespace, listed):
    found = [file for file in api.list_lfs_files(namespace, repo_type="dataset") if "first" in file.filename]
    api.permanently_delete_lfs_files(namespace, found, repo_type="dataset")
    info = api.dataset_info(namespace)
    assert "minari" in info.tags
    assert [file.rfilename for file in info.siblings if "main_data" in file.rfilename] == []
