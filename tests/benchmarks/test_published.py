"""Benchmarks that lie on a Hub: loaded by name, built with their artifacts, and never confused with local ones."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from huggingface_hub import CommitOperationAdd, constants

from pytupli_registry import Benchmark, Recorder, environment_of, load
from pytupli_registry.errors import (
    BenchmarkNotFound,
    ConsentRequired,
    DatasetNotFound,
    FormatError,
    NotCached,
    RepositoryNotFound,
    WriteError,
)
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.remote.repository_copy import RepositoryCopy
from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import gymnasium

MODULE = """
import gymnasium, numpy as np

class Plant(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 9, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, table):
        self.table = table

    def reset(self, *, seed=None, options=None):
        return np.array([self.table[0]], np.float32), {}

    def step(self, action):
        return np.array([self.table[1]], np.float32), float(self.table[1] * action), bool(action), False, {}
"""
REPO = "acme/plant"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path_factory.mktemp("hub") / "hub").start()
    live.organization("acme", alice="admin", bob="read")
    live.person("eve")
    yield live
    live.stop()


@pytest.fixture(autouse=True)
def home(hub: LiveHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTUPLI_CONFIG_PATH", str(tmp_path / "config"))
    monkeypatch.delenv("PYTUPLI_ALLOWED_MODULES", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "acme_plant.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    monkeypatch.delitem(sys.modules, "acme_plant", raising=False)
    move(tmp_path, monkeypatch, "publisher")
    return tmp_path


def move(home: Path, monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    """Go on as on another machine: nothing that was here is there."""
    monkeypatch.setenv("PYTUPLI_DATASETS_PATH", str(home / to / "datasets"))
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(home / to / "cache"))


def log_in(hub: LiveHub, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.person(name).token)


def record(env: gymnasium.Env, dataset_id: str) -> None:
    with Recorder(env, dataset_id, autoseed=True) as recorder:
        for actions in ((0, 0, 1), (1,)):
            recorder.reset(seed=len(actions))
            for action in itertools.cycle(actions):
                if any(recorder.step(action)[2:4]):
                    break


@pytest.fixture
def published(hub: LiveHub, home: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    """A private benchmark with an artifact and a dataset, uploaded with the stock client; bob may read it."""
    import acme_plant

    table = np.arange(4.0) + 3
    made = Benchmark.from_env(acme_plant.Plant(table), name="plant", arguments={"table": table})
    directory = made.save()
    record(acme_plant.Plant(table), "plant/steady-v0")
    (directory / "namespace_metadata.json").write_text('{"datasets": ["plant/steady-v0"]}')
    api = hub.api("alice")
    api.delete_repo(REPO, repo_type="dataset", missing_ok=True)
    api.create_repo(REPO, repo_type="dataset", private=True)
    api.upload_folder(repo_id=REPO, folder_path=directory, repo_type="dataset", ignore_patterns=[".*"])
    log_in(hub, monkeypatch, "bob")
    move(home, monkeypatch, "reader")
    return made


def test_it_is_loaded_by_name_and_built_with_consent_only(published: Benchmark):
    loaded = Benchmark.load(REPO)
    assert loaded == published
    assert loaded.identity == published.identity
    with pytest.raises(ConsentRequired):
        loaded.make()
    env = loaded.make(allow=["acme_plant"])
    assert env.reset()[0] == [3]
    assert env.step(1)[:2] == (np.array([4], np.float32), 4.0)
    assert np.array_equal(env.unwrapped.table, np.arange(4.0) + 3)


def test_its_datasets_are_those_of_the_same_commit(hub: LiveHub, published: Benchmark):
    loaded = Benchmark.load(REPO)
    hub.api("alice").delete_folder("steady-v0", REPO, repo_type="dataset")
    assert loaded.dataset_names == ("steady-v0",)
    dataset = loaded.dataset("steady-v0")
    assert [list(episode.rewards) for episode in dataset] == [[0, 0, 4], [4]]
    assert dataset.origin.commit == loaded.repository.snapshot.commit
    with pytest.raises(DatasetNotFound, match="steady-v0"):
        loaded.dataset("steddy-v0")
    assert loaded.verify(dataset, allow=["acme_plant"]).outcome == "identical"


def test_a_dataset_has_the_environment_of_its_repository(published: Benchmark):
    dataset = load(f"{REPO}/steady-v0")
    assert environment_of(dataset) is None  # nobody has consented
    env = environment_of(dataset.where("total_return >= 4"), allow=["acme_plant"])
    assert env.unwrapped.table[1] == 4


def test_what_one_may_not_see_does_not_exist(
    hub: LiveHub, published: Benchmark, monkeypatch: pytest.MonkeyPatch
):
    log_in(hub, monkeypatch, "eve")
    for scheme, refusal in (("hf://", RepositoryNotFound), ("", BenchmarkNotFound)):
        with pytest.raises(refusal) as hidden:
            Benchmark.load(f"{scheme}{REPO}")
        with pytest.raises(refusal) as missing:
            Benchmark.load(f"{scheme}acme/plent")
        assert str(hidden.value) == str(missing.value).replace("plent", "plant")


def test_a_repository_without_a_benchmark(hub: LiveHub, published: Benchmark):
    hub.api("alice").delete_file("benchmark.json", REPO, repo_type="dataset")
    with pytest.raises(BenchmarkNotFound, match=r"benchmark\.json"):
        Benchmark.load(f"hf://{REPO}")


def test_a_local_one_comes_first(published: Benchmark, home: Path):
    saved = published.save(home / "reader" / "datasets" / "acme" / "plant")
    assert Benchmark.load(REPO).directory == saved
    assert Benchmark.load(f"hf://{REPO}").repository is not None


def test_offline_what_was_used_before_works(
    published: Benchmark, monkeypatch: pytest.MonkeyPatch, hub: LiveHub
):
    Benchmark.load(REPO).make(allow=["acme_plant"])
    monkeypatch.setenv("PYTUPLI_OFFLINE", "1")
    assert Benchmark.load(REPO).make(allow=["acme_plant"]).reset()[0] == [3]
    with pytest.raises(NotCached):
        Benchmark.load("acme/other")


def test_a_damaged_copy_is_brought_again(published: Benchmark):
    loaded = Benchmark.load(REPO)
    loaded.make(allow=["acme_plant"])
    (entry,) = (entry for name, entry in loaded.specification.artifacts.items() if "table" in name)
    (loaded.directory / entry.path).write_bytes(b"x" * entry.size)
    assert Benchmark.load(REPO).make(allow=["acme_plant"]).reset()[0] == [3]


def test_an_artifact_that_is_not_what_the_benchmark_says(hub: LiveHub, published: Benchmark):
    (entry,) = (entry for name, entry in published.specification.artifacts.items() if "table" in name)
    operation = CommitOperationAdd(entry.path, b"x" * entry.size)
    hub.api("alice").create_commit(REPO, [operation], commit_message="Oops", repo_type="dataset")
    with pytest.raises(FormatError, match="SHA-256"):
        Benchmark.load(REPO).make(allow=["acme_plant"])


def test_it_is_not_deleted_from_here(published: Benchmark):
    with pytest.raises(WriteError, match="lies on"):
        Benchmark.load(REPO).delete(datasets=True)
    assert Benchmark.load(REPO) == published


def test_paths_that_lead_elsewhere(published: Benchmark):
    copy = RepositoryCopy(Hub().snapshot(REPO))
    for path in ("../plant", "/etc/passwd", "a//b", "a/../b", "a\\b", ""):
        with pytest.raises(FormatError, match="leads out"):
            copy.file(path)
