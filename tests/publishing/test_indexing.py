"""Datasets that stock Minari wrote: their index is built and committed, and agrees with their data."""

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from pytupli_registry.errors import DatasetNotFound
from pytupli_registry.publishing.appending import append_remote
from pytupli_registry.publishing.indexing import index_remote
from pytupli_registry.storage.index import read_index
from tests.publishing.conftest import User
from tests.server.support.recordings import record


def upload(user: User, repo: str, directory: Path, path: str) -> None:
    """Upload the files of a dataset as they are, as Minari does."""
    user.stock.create_repo(repo, repo_type="dataset", exist_ok=True)
    name = f"{repo.partition('/')[2]}/{path}"
    said = json.dumps({"datasets": [name]}).encode()
    user.stock.upload_file(
        path_or_fileobj=said, path_in_repo="namespace_metadata.json", repo_id=repo, repo_type="dataset"
    )
    user.stock.upload_folder(
        folder_path=directory,
        path_in_repo=path,
        repo_id=repo,
        repo_type="dataset",
        allow_patterns=["data/main_data.hdf5", "data/metadata.json"],
    )


def test_what_minari_uploaded_gets_its_index(alice: User, home: Path) -> None:
    record("walker/a-v0", home / "minari", episodes=3)
    upload(alice, "acme/walker", home / "minari" / "walker" / "a-v0", "a-v0")
    assert "a-v0/data/episodes.parquet" not in alice.files("acme/walker")
    data = alice.read("acme/walker", "a-v0/data/main_data.hdf5")

    planned = index_remote("acme/walker", hub=alice.hub, dry_run=True)
    made = index_remote("acme/walker", hub=alice.hub)
    assert planned.files == made.files
    assert "a-v0/data/episodes.parquet" in made.files
    assert "a-v0/data/main_data.hdf5" in made.unchanged
    assert alice.read("acme/walker", "a-v0/data/main_data.hdf5") == data

    index = read_index(alice.snapshot("acme/walker").local("a-v0/data/episodes.parquet"))  # type: ignore[arg-type]
    assert (index.data_sha256, index.data_size) == (hashlib.sha256(data).hexdigest(), len(data))
    with h5py.File(home / "minari" / "walker" / "a-v0" / "data" / "main_data.hdf5") as file:
        returns = [float(np.sum(file[f"episode_{number}/rewards"])) for number in range(3)]
    assert index.table.fields["total_return"].values.tolist() == pytest.approx(returns)

    again = index_remote("acme/walker/a-v0", hub=alice.hub)
    assert (again.commit, again.files) == (made.commit, {})
    with pytest.raises(DatasetNotFound):
        index_remote("acme/walker/b-v0", hub=alice.hub)
    with pytest.raises(DatasetNotFound):
        index_remote("acme/nothing", hub=alice.hub)


def test_an_index_that_is_wrong_is_built_again(alice: User, home: Path) -> None:
    record("runner/a-v0", home / "minari", episodes=2)
    directory = home / "minari" / "runner" / "a-v0"
    upload(alice, "acme/runner", directory, "a-v0")
    alice.stock.upload_file(
        path_or_fileobj=b"no Parquet",
        path_in_repo="a-v0/data/episodes.parquet",
        repo_id="acme/runner",
        repo_type="dataset",
    )
    assert "a-v0/data/episodes.parquet" in index_remote("acme/runner", hub=alice.hub).files
    record("runner/b-v0", home / "datasets", episodes=2)
    # The same two episodes again: only who says so gets them twice.
    assert not append_remote("acme/runner/a-v0", "runner/b-v0", hub=alice.hub).files
    append_remote("acme/runner/a-v0", "runner/b-v0", again=True, hub=alice.hub)
    content = home / "appended.hdf5"
    content.write_bytes(alice.read("acme/runner", "a-v0/data/main_data.hdf5"))
    with h5py.File(content) as file, h5py.File(directory / "data" / "main_data.hdf5") as first:
        assert len(file) == 4
        np.testing.assert_array_equal(file["episode_1/actions"], first["episode_1/actions"])
