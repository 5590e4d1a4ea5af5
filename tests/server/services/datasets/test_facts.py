"""Facts of real datasets, and of damaged ones."""

from __future__ import annotations

import hashlib
import json

import h5py
import numpy as np
import pytest

from pytupli_registry.server.services.repositories import lookup
from pytupli_registry.server.services.storage_history.large_files import delete_large_files
from pytupli_registry.server.wire.names import RepoId, RepoType


def returns_of(hdf5: bytes) -> list[float]:
    import io

    with h5py.File(io.BytesIO(hdf5)) as file:
        return [float(np.sum(file[name]["rewards"][()])) for name in file]


ON_BOTH = pytest.mark.parametrize("workshop", ["sqlite", "postgres"], indirect=True)


@pytest.mark.parametrize("workshop", ["sqlite", "postgres", "s3"], indirect=True)
def test_what_minari_recorded_is_found(workshop, walker):
    workshop.create("walker")
    workshop.commit("walker", walker)
    row = workshop.facts("walker")["random-v0"]
    returns = returns_of(walker["random-v0/data/main_data.hdf5"])
    assert (row.dataset_id, row.environment_id, row.data_format) == (
        "walker/random-v0",
        "CartPole-v1",
        "hdf5",
    )
    assert (row.observation_kind, row.action_kind) == ("Box", "Discrete")
    assert (row.total_episodes, row.total_steps) == (3, int(sum(returns)))
    assert row.size == sum(len(content) for path, content in walker.items() if path.startswith("random-v0/"))
    assert (row.return_min, row.return_max) == (min(returns), max(returns))
    assert row.return_mean == pytest.approx(np.mean(returns))
    assert row.return_std == pytest.approx(np.std(returns))
    assert row.further["observation_space"] == {"type": "Box", "dtype": "float32", "shape": [4]}
    assert row.further["lengths"]["max"] == max(returns)
    assert (row.further["terminated"], row.further["truncated"]) == (1.0, 0.0)
    assert row.further["author"] == ["Ada"]
    assert "warnings" not in row.further


@ON_BOTH
def test_facts_become_tags_beside_those_of_the_card(workshop, walker):
    workshop.create("walker")
    workshop.commit("walker", {**walker, "README.md": b"---\nlicense: mit\ntags: [walking]\n---\n# Walker\n"})
    assert workshop.tags("walker") == [
        "license:mit",
        "walking",
        "minari",
        "environment:CartPole-v1",
        "format:hdf5",
        "observation_space:Box",
        "action_space:Discrete",
    ]


def test_what_is_deleted_is_forgotten(workshop, walker):
    workshop.create("walker")
    workshop.commit("walker", walker)
    workshop.commit("walker", {"random-v0": None})
    assert workshop.facts("walker") == {}
    assert workshop.tags("walker") == []
    assert workshop.namespace("walker")["datasets"] == []


def test_other_branches_have_no_facts(workshop, walker):
    workshop.create("walker")
    with workshop.hub.database.write() as session:
        from pytupli_registry.server.services.refs import create_branch
        from pytupli_registry.server.services.repositories import lookup
        from pytupli_registry.server.wire.names import RepoId

        repository = lookup(session, RepoId(RepoType.DATASET, "acme", "walker"))
        create_branch(session, repository.id, "draft", None)
    workshop.commit("walker", walker, branch="draft")
    assert workshop.facts("walker") == {}


def test_episodes_in_folders_of_their_own(workshop, arrow):
    workshop.create("walker")
    workshop.commit("walker", {f"arrow-v0/{path}": content for path, content in arrow.items()})
    row = workshop.facts("walker")["arrow-v0"]
    assert (row.data_format, row.total_episodes, row.return_mean) == ("arrow", 3, None)
    assert row.size == sum(map(len, arrow.values()))


def test_bytes_that_are_deleted_for_good_leave_the_facts(workshop, walker):
    workshop.create("walker")
    workshop.commit("walker", walker)
    before = workshop.facts("walker")["random-v0"]
    recording = walker["random-v0/data/main_data.hdf5"]
    with workshop.hub.database.write() as session:
        repository = lookup(session, RepoId(RepoType.DATASET, "acme", "walker"))
        doomed = [hashlib.sha256(recording).hexdigest()]
        delete_large_files(session, workshop.hub, repository, doomed, rewrite=True)
    after = workshop.facts("walker")["random-v0"]
    assert (before.return_mean is None, after.return_mean is None) == (False, True)
    assert after.size == before.size - len(recording)


def test_an_index_that_describes_another_file_is_not_believed(workshop, walker):
    workshop.create("walker")
    changed = walker["random-v0/data/main_data.hdf5"] + b"\0"
    workshop.commit("walker", {**walker, "random-v0/data/main_data.hdf5": changed})
    row = workshop.facts("walker")["random-v0"]
    assert row.return_mean is None
    assert row.further["warnings"] == ["episodes.parquet does not describe the main_data.hdf5 beside it"]


def test_a_damaged_index_is_told(workshop, walker):
    workshop.create("walker")
    workshop.commit("walker", {**walker, "random-v0/data/episodes.parquet": b"PAR1" * 100})
    row = workshop.facts("walker")["random-v0"]
    assert row.return_mean is None
    assert row.further["warnings"][0].startswith("episodes.parquet: it is no Parquet file")
    assert row.total_episodes == 3


def test_an_index_that_could_not_be_read_in_time_is_read_with_the_next_commit(workshop, walker, monkeypatch):
    from pytupli_registry.server.services.datasets import statistics

    workshop.create("walker")
    monkeypatch.setattr(statistics, "BUDGET_S", 0.0)
    workshop.commit("walker", walker)
    assert workshop.facts("walker")["random-v0"].further["warnings"] == [
        "the index of episodes has not been read yet"
    ]
    monkeypatch.undo()
    workshop.commit("walker", {"notes.txt": b"1"})
    assert workshop.facts("walker")["random-v0"].return_mean is not None


def test_a_benchmark_describes_its_repository(workshop, walker):
    metadata = json.loads(walker["random-v0/data/metadata.json"])
    del metadata["env_spec"]
    benchmark = {
        "format": "pytupli-benchmark",
        "name": "walker",
        "description": "Keep upright.",
        "environment": {"id": "Upright-v3"},
    }
    workshop.create("walker")
    workshop.commit("walker", {**walker, "random-v0/data/metadata.json": json.dumps(metadata).encode()})
    assert workshop.facts("walker")["random-v0"].environment_id is None
    workshop.commit("walker", {"benchmark.json": json.dumps(benchmark).encode()})
    assert workshop.facts("walker")["random-v0"].environment_id == "Upright-v3"
    assert {"benchmark", "environment:Upright-v3"} <= set(workshop.tags("walker"))


@pytest.mark.parametrize(
    "metadata",
    [
        {"dataset_id": "\ud800\0", "total_episodes": 10**30, "total_steps": float("nan")},
        {"dataset_id": "x" * 5000, "total_episodes": -1, "env_spec": "[" * 100_000},
        {"dataset_id": ["x"], "minari_version": {}, "total_steps": 1, "observation_space": '{"type": 3}'},
        {"total_steps": 1, "total_episodes": 1e308, "dataset_size": 1e308, "author": {"a": 1}},
        {
            "total_steps": True,
            "dataset_id": "a",
            "observation_space": {"type": "Box", "low": [float("inf")], "shape": [10**400]},
            "env_spec": '{"id": "\\u0000\\ud800"}',
        },
    ],
)
@ON_BOTH
def test_hostile_metadata_outside_a_namespace_does_no_harm(workshop, metadata):
    workshop.create("plain")
    workshop.commit("plain", {"x/data/metadata.json": json.dumps(metadata).encode()})
    assert list(workshop.facts("plain")) == ["x"]


@ON_BOTH
def test_hostile_cards_are_kept_as_they_can_be(workshop):
    workshop.create("plain")
    front = (
        b'a: "\\0\\uFFFE"\nb: .nan\nc: 1e400\nd: 99999999999999999999\ntags: ["'
        + b"\xc4\xb0" * 255
        + b'", "\\0"]\n'
    )
    workshop.commit("plain", {"README.md": b"---\n" + front + b"---\n", "x": b"\0"})
    assert workshop.tags("plain") == ["\ufffd"]


def test_models_have_a_card_and_tags(workshop):
    workshop.create("policy", RepoType.MODEL)
    card = b"---\nlibrary_name: d3rlpy\nlicense: mit\nlanguage: no\n---\n"
    workshop.commit("policy", {"README.md": card}, type_=RepoType.MODEL)
    assert workshop.tags("policy", RepoType.MODEL) == ["d3rlpy", "no", "license:mit"]
