"""Datasets copied from a directory that a stranger made, and from one whose environment is private."""

import json
import os

import gymnasium
import numpy as np
import pytest

from pytupli_registry import Benchmark, Recorder, load
from pytupli_registry.benchmarks.datasets import copy_dataset, dataset_entry
from pytupli_registry.errors import FormatError, UnsafeFile, WriteError
from pytupli_registry.storage.local import open_directory

NAME = "one-v0"


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def source(home):
    """A benchmark's directory with a dataset of two episodes."""
    extra = {"author": "A", "code_permalink": "https://example.org/secret", "eval_env_spec": "{}", "plant": 7}
    with Recorder(gymnasium.make("CartPole-v1"), f"pole/{NAME}", extra=extra) as env:
        for seed in (1, 2):
            env.reset(seed=seed)
            while not any(env.step(env.action_space.sample())[2:4]):
                pass
    return home / "datasets" / "pole"


@pytest.fixture
def target(home):
    (home / "target").mkdir()
    return home / "target"


def copied(source, target, *, tell_environment=True):
    copy_dataset(source, target, NAME, "other", tell_environment=tell_environment)
    return target / NAME / "data"


def refused(source, target, error, match):
    with pytest.raises(error, match=match):
        copied(source, target)
    assert list(target.iterdir()) == []


def test_a_copy_is_the_same_dataset_under_another_name(source, target):
    made = open_directory(copied(source, target))
    found = load(f"pole/{NAME}")
    assert made.metadata.dataset_id == f"other/{NAME}"
    assert made.metadata.extra == found.metadata.extra
    assert made.metadata.env_spec == found.metadata.env_spec
    assert [len(episode) for episode in made] == [len(episode) for episode in found]
    for one, two in zip(made, found, strict=True):
        np.testing.assert_array_equal(one.observations, two.observations, strict=True)
    assert dataset_entry(target, NAME) == dataset_entry(source, NAME)


def test_nothing_but_the_datasets_files_is_copied(source, target, home):
    (home / "secret").write_text("mine")
    data = source / NAME / "data"
    (data / "notes.txt").symlink_to(home / "secret")
    (data / "endless").symlink_to("/dev/zero")
    (data / "more").mkdir()
    os.mkfifo(data / "pipe")
    files = {path.name for path in copied(source, target).iterdir()}
    assert files == {"main_data.hdf5", "episodes.parquet", "metadata.json"}


@pytest.mark.parametrize("name", ["main_data.hdf5", "episodes.parquet", "metadata.json"])
def test_files_that_are_links_are_not_copied(source, target, home, name):
    path = source / NAME / "data" / name
    path.replace(home / name)
    path.symlink_to(home / name)
    refused(source, target, UnsafeFile, "link")


def test_a_directory_that_is_a_link_is_not_copied(source, target, home):
    (source / NAME / "data").rename(home / "elsewhere")
    (source / NAME / "data").symlink_to(home / "elsewhere")
    refused(source, target, UnsafeFile, "link")


def test_a_pipe_is_not_copied(source, target):
    path = source / NAME / "data" / "episodes.parquet"
    path.unlink()
    os.mkfifo(path)
    refused(source, target, WriteError, "no regular file")


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff", b'"x"', b"{}", b"[" * 100_000])
def test_metadata_that_is_none_is_refused(source, target, text):
    (source / NAME / "data" / "metadata.json").write_bytes(text)
    refused(source, target, FormatError, "metadata.json")


def change(source, **facts):
    path = source / NAME / "data" / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


@pytest.mark.parametrize("description", ["x" * 30_000, "\ud800"])
def test_descriptions_that_no_benchmark_can_hold_are_refused(source, description):
    change(source, description=description)
    with pytest.raises(FormatError, match="description"):
        dataset_entry(source, NAME)


def test_of_a_private_environment_only_what_is_known_to_be_harmless_is_told(source, target):
    change(source, requirements=["acme"], description="Random.")
    made = open_directory(copied(source, target, tell_environment=False)).metadata
    assert made.env_spec is None
    assert made.extra.keys() - {"dataset_size"} == {"author", "description"}


def test_a_private_benchmark_takes_its_datasets_along_without_the_environment(source, home):
    env = gymnasium.make("CartPole-v1")
    bench = Benchmark.from_env(env, name="pole", private=True)
    bench.save(home / "shared" / "pole", datasets=True)
    told = (home / "shared" / "pole" / NAME / "data" / "metadata.json").read_text()
    assert not any(word in told for word in ("CartPole", "gymnasium.envs", "secret", "plant"))
