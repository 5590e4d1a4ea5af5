"""Minari, unchanged: upload, list, show, download, namespaces, combined datasets."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hub import MINARI_ORGANIZATION, OWNER, STRANGER, client, new_name
from huggingface_hub.utils import HfHubHTTPError

pytestmark = [
    client(">=2", "Minari is in the project's own environment"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where Minari keeps datasets; its remote is an organization of the hub under test."""
    monkeypatch.setenv("MINARI_REMOTE", f"hf://{MINARI_ORGANIZATION}")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    (tmp_path / "datasets").mkdir()
    return tmp_path / "datasets"


@pytest.fixture
def minari(place):
    import minari

    return minari


@pytest.fixture
def word(api):
    """A namespace of the test's own; what it left there is deleted, for every listing reads everything."""
    made = new_name("ns").replace("-", "")
    yield made
    for repo in list(api.list_datasets(author=MINARI_ORGANIZATION, search=made)):
        api.delete_repo(repo.id, repo_type="dataset")


@pytest.fixture
def make(minari):
    """Makes a dataset on this machine: `make(id, episodes, …)`."""
    import numpy as np
    from minari.data_collector import EpisodeBuffer

    def run(dataset_id, episodes=2, **settings):
        rng = np.random.default_rng(0)
        buffers = [
            EpisodeBuffer(
                id=number,
                observations=rng.normal(size=(11, 4)).astype(np.float32),
                actions=rng.integers(0, 2, size=10),
                rewards=rng.normal(size=10).tolist(),
                terminations=[False] * 9 + [True],
                truncations=[False] * 10,
                infos={},
            )
            for number in range(episodes)
        ]
        settings = {"env": "CartPole-v1", "algorithm_name": "random", "author": "A", **settings}
        settings |= {"author_email": "a@example.org", "code_permalink": "https://example.org"}
        return minari.create_dataset_from_buffers(dataset_id, buffers, **settings)

    return run


@pytest.fixture
def upload(minari, make):
    def run(dataset_id, **settings):
        made = make(dataset_id, **settings)
        minari.upload_dataset(dataset_id, OWNER.token)
        return made

    return run


def returns(dataset):
    return [float(episode.rewards.sum()) for episode in dataset]


@pytest.mark.parametrize("data_format", ["hdf5", "arrow"])
def test_there_and_back(minari, upload, word, place, data_format):
    dataset_id = f"{word}/random-v0"
    expected = returns(upload(dataset_id, data_format=data_format))
    assert dataset_id in minari.list_remote_datasets()
    shutil.rmtree(place / word)
    minari.download_dataset(dataset_id)
    found = minari.load_dataset(dataset_id)
    assert (found.total_episodes, found.total_steps) == (2, 20)
    assert returns(found) == expected
    minari.delete_dataset(dataset_id)
    minari.download_dataset(dataset_id, force_download=True)
    assert returns(minari.load_dataset(dataset_id)) == expected


def test_loaded_when_it_is_missing(minari, upload, word, place):
    dataset_id = f"{word}/random-v0"
    upload(dataset_id)
    shutil.rmtree(place / word)
    assert minari.load_dataset(dataset_id, download=True).total_episodes == 2


def test_many_datasets_versions_and_namespaces(minari, upload, word):
    other = word + "other"
    made = {f"{word}/a-v0", f"{word}/a-v1", f"{word}/b-v0", f"{other}/c-v0"}
    for dataset_id in sorted(made):
        upload(dataset_id, episodes=1)
    assert made <= set(minari.list_remote_datasets())
    latest = minari.list_remote_datasets(prefix=f"{word}/", latest_version=True)
    assert set(latest) == {f"{word}/a-v1", f"{word}/b-v0"}
    assert latest[f"{word}/b-v0"]["total_steps"] == 10


def test_whole_address(minari, upload, word, place):
    dataset_id = f"{word}/random-v0"
    upload(dataset_id)
    shutil.rmtree(place / word)
    minari.download_dataset(f"hf://{MINARI_ORGANIZATION}/{dataset_id}")
    assert minari.load_dataset(dataset_id).total_episodes == 2


def test_nested_namespaces(minari, upload, word, place):
    from minari import namespace as namespaces

    namespace = f"{word}/deep/er"
    namespaces.create_namespace(namespace, description="Deep", author="A")
    namespaces.upload_namespace(namespace, OWNER.token)
    upload(f"{namespace}/d-v0", episodes=1)
    assert {word, f"{word}/deep", namespace} <= set(namespaces.list_remote_namespaces())
    assert f"{namespace}/d-v0" in minari.list_remote_datasets()
    shutil.rmtree(place / word)
    minari.download_dataset(f"{namespace}/d-v0")
    assert namespaces.get_namespace_metadata(namespace)["description"] == "Deep"


def test_combined_datasets(minari, upload, word, place):
    first, second, both = (f"{word}/{name}-v0" for name in ("first", "second", "both"))
    parts = [upload(dataset_id) for dataset_id in (first, second)]
    minari.combine_datasets(parts, both)
    minari.upload_dataset(both, OWNER.token)
    shutil.rmtree(place / word)
    minari.download_dataset(both)
    found = minari.load_dataset(both)
    assert (found.total_episodes, found.total_steps) == (4, 40)


def test_who_sees_it(minari, upload, word, api, stranger, monkeypatch):
    dataset_id = f"{word}/random-v0"
    upload(dataset_id)
    repo = f"{MINARI_ORGANIZATION}/{word}"
    for private in (True, False):
        api.update_repo_settings(repo, private=private, repo_type="dataset")
        assert stranger.repo_exists(repo, repo_type="dataset") is not private
        for token in (OWNER.token, STRANGER.token, None):
            if token:
                monkeypatch.setenv("HF_TOKEN", token)
            else:
                monkeypatch.delenv("HF_TOKEN")
            seen = dataset_id in minari.list_remote_datasets()
            assert seen is (token == OWNER.token or not private)
        monkeypatch.setenv("HF_TOKEN", OWNER.token)


def test_strangers_cannot_upload(minari, make, upload, word):
    upload(f"{word}/w-v0")
    make(f"{word}/x-v0")
    with pytest.raises(HfHubHTTPError, match="403"):
        minari.upload_dataset(f"{word}/x-v0", STRANGER.token)


def test_what_would_break_the_listing_is_refused(minari, make, word):
    """A dataset without namespace makes `minari list remote` fail for the whole organization."""
    make(f"{word}-v0")
    with pytest.raises(HfHubHTTPError, match="namespace"):
        minari.upload_dataset(f"{word}-v0", OWNER.token)
    minari.list_remote_datasets()


@pytest.fixture
def command(minari, monkeypatch):
    """Runs Minari's command line in this process; answers "y" to what it asks."""
    from minari.cli import app
    from typer.testing import CliRunner

    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words, fails=False):
        done = CliRunner().invoke(app, words, input="y\n", catch_exceptions=False)
        assert (done.exit_code != 0) is fails, done.output
        return done.output

    return run


def test_command_line(make, command, word, place, tmp_path):
    first, second, both = (f"{word}/{name}-v0" for name in ("first", "second", "both"))
    for dataset_id in (first, second):
        make(dataset_id)
    # What Minari calls a path is the token itself, unless the remote is Google's.
    command("upload", first, second, "--key-path", OWNER.token)
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "COLUMNS": "250", "NO_COLOR": "1"}
    program = [Path(sys.executable).parent / "minari", "list", "remote"]
    listed = subprocess.run(program, env=environment, capture_output=True, text=True, check=True, timeout=180)
    assert first in listed.stdout
    assert second in listed.stdout
    command("delete", first)
    assert "CartPole-v1" in command("show", first)
    command("download", first)
    metadata = place / first / "data" / "metadata.json"
    assert json.loads(metadata.read_text())["dataset_id"] == first
    command("combine", first, second, "--dataset-id", both)
    command("upload", both, "--key-path", OWNER.token)
    assert both in command("list", "remote", "--prefix", f"{word}/")
    assert "already present" in command("upload", first, "--key-path", OWNER.token, fails=True)


def test_namespaces_with_former_names(minari, upload, word, api, make):
    """Ids keep the old name; a repository that takes it would end the listing of the whole organization."""
    dataset_id = f"{word}/random-v0"
    upload(dataset_id)
    old, new = f"{MINARI_ORGANIZATION}/{word}", f"{MINARI_ORGANIZATION}/{word}new"
    api.move_repo(from_id=old, to_id=new, repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo(old, repo_type="dataset")
    assert dataset_id in minari.list_remote_datasets()
    upload(f"{word}/other-v0")
    minari.delete_dataset(dataset_id)
    minari.download_dataset(dataset_id)
    assert minari.load_dataset(dataset_id).total_episodes == 2
    assert minari.list_remote_datasets(prefix=f"{word}/other")
