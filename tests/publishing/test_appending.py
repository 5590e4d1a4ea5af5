"""Appending to what is published: values, seeds and facts arrive once, and nobody's work is lost."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from gymnasium import spaces

from pytupli_registry import api
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.errors import DatasetNotFound, EpisodeError, HubError, InvalidReference
from pytupli_registry.publishing.appending import append_remote
from pytupli_registry.publishing.publish import publish
from pytupli_registry.storage.index import read_index
from tests.publishing.conftest import OBSERVATIONS, User, episodes, write


def published(alice: User, repo: str, path: str = "summer-v0") -> list[tuple[int, bytes, bytes, bytes]]:
    """Every episode as h5py reads it: seed, observations, actions, rewards."""
    content = alice.read(repo, f"{path}/data/main_data.hdf5")
    with h5py.File(io.BytesIO(content)) as file:
        groups = [file[f"episode_{number}"] for number in range(len(file))]
        return [
            (
                int(one.attrs["seed"]),
                *(one[key][()].tobytes() for key in ("observations", "actions", "rewards")),
            )
            for one in groups
        ]


def recorded(*batches: tuple[int, int]) -> list[tuple[int, bytes, bytes, bytes]]:
    """The same of the episodes that were made, by count and seed."""
    return [
        (
            int(one.seed or 0),
            np.asarray(one.observations).tobytes(),
            np.asarray(one.actions).tobytes(),
            one.rewards.tobytes(),
        )
        for count, seed in batches
        for one in episodes(count, seed)
    ]


def test_episodes_arrive_once_and_nothing_moves(alice: User) -> None:
    write("grow/summer-v0", count=3, seed=1)
    publish("grow/summer-v0", "acme", hub=alice.hub)
    before = alice.read("acme/grow", "summer-v0/data/main_data.hdf5")
    old = read_index(alice.snapshot("acme/grow").local("summer-v0/data/episodes.parquet"))  # type: ignore[arg-type]
    write("grow/more-v0", count=2, seed=2)
    made = append_remote("acme/grow/summer-v0", "grow/more-v0", hub=alice.hub)

    assert published(alice, "acme/grow") == recorded((3, 1), (2, 2))
    after = alice.read("acme/grow", "summer-v0/data/main_data.hdf5")
    new = read_index(alice.snapshot("acme/grow").local("summer-v0/data/episodes.parquet"))  # type: ignore[arg-type]
    for path, stored in old.leaves.items():
        extents = stored.extents or ()
        assert (new.leaves[path].extents or ())[: len(extents)] == extents
        for extent in extents:
            span = slice(extent.offset, extent.offset + extent.rows * stored.leaf.row_bytes)
            assert after[span] == before[span]
    assert new.table.fields["metadata.month"].values.tolist() == ["May", "July", "May", "May", "July"]
    metadata = json.loads(alice.read("acme/grow", "summer-v0/data/metadata.json"))
    assert metadata["total_episodes"] == 5
    assert metadata["author"] == "alice"
    step = json.loads(alice.read("acme/grow", "provenance.json"))["steps"][-1]
    assert (step["action"], step["data"]["episodes"]) == ("append", 5)
    assert (step["sources"][0]["dataset"], step["sources"][0]["episodes"]) == ("grow/more-v0", 2)

    again = append_remote("acme/grow/summer-v0", "grow/more-v0", hub=alice.hub)
    assert (again.commit, again.files) == (made.commit, {})
    own = append_remote("acme/grow/summer-v0", episodes(2, 3), hub=alice.hub)
    assert append_remote("acme/grow/summer-v0", episodes(2, 3), hub=alice.hub).commit == own.commit
    kept = api.load("grow/more-v0").where("metadata.month == 'May'")
    append_remote("acme/grow/summer-v0", kept, again=True, hub=alice.hub)
    assert published(alice, "acme/grow") == recorded((3, 1), (2, 2), (2, 3), (1, 2))


def test_of_a_dataset_that_has_grown_here_and_there_the_rest_is_added(alice: User) -> None:
    write("both/summer-v0", count=3, seed=1)
    publish("both/summer-v0", "acme", hub=alice.hub)
    api.append("both/summer-v0", episodes(2, 2))
    append_remote("acme/both/summer-v0", "both/summer-v0", hub=alice.hub)
    assert published(alice, "acme/both") == recorded((3, 1), (2, 2))
    assert publish("both/summer-v0", "acme", hub=alice.hub).files == {}
    append_remote("acme/both/summer-v0", episodes(1, 3), hub=alice.hub)
    api.append("both/summer-v0", episodes(1, 4))
    append_remote("acme/both/summer-v0", "both/summer-v0", hub=alice.hub)
    assert published(alice, "acme/both") == recorded((3, 1), (2, 2), (1, 3), (1, 4))


def test_a_new_version_leaves_the_old_one(alice: User) -> None:
    write("versions/summer-v0", count=2, seed=1)
    first = publish("versions/summer-v0", "acme", hub=alice.hub)
    append_remote("acme/versions/summer-v0", episodes(1, 2), as_="summer-v1", hub=alice.hub)
    assert published(alice, "acme/versions") == recorded((2, 1))
    assert published(alice, "acme/versions", "summer-v1") == recorded((2, 1), (1, 2))
    said = json.loads(alice.read("acme/versions", "summer-v1/data/metadata.json"))
    assert said["dataset_id"] == "versions/summer-v1"
    assert first.commit != alice.snapshot("acme/versions").commit


def test_what_does_not_fit_is_refused_and_nothing_is_sent(alice: User, user: Callable[[str], User]) -> None:
    write("fits/summer-v0", count=2)
    made = publish("fits/summer-v0", "acme", hub=alice.hub)
    wrong = Episode(
        observations=np.zeros((3, 2), np.float32),
        actions=np.zeros(2, np.int64),
        rewards=np.zeros(2),
        terminations=np.array([False, True]),
        truncations=np.zeros(2, bool),
    )
    with pytest.raises(EpisodeError):
        append_remote("acme/fits/summer-v0", [wrong], hub=alice.hub)
    api.write("fits/wide-v0", episodes(1), observation_space=OBSERVATIONS, action_space=spaces.Discrete(3))
    with pytest.raises(EpisodeError, match="action spaces differ"):
        append_remote("acme/fits/summer-v0", "fits/wide-v0", hub=alice.hub)
    with pytest.raises(EpisodeError, match="no episode"):
        append_remote("acme/fits/summer-v0", api.load("fits/summer-v0").where("length > 99"), hub=alice.hub)
    with pytest.raises(DatasetNotFound, match="winter-v0"):
        append_remote("acme/fits/winter-v0", "fits/summer-v0", hub=alice.hub)
    with pytest.raises(DatasetNotFound):
        append_remote("acme/fits/summer-v0", "fits/nothing-v0", hub=alice.hub)
    with pytest.raises(InvalidReference):
        append_remote("local://fits/summer-v0", "fits/summer-v0", hub=alice.hub)
    with pytest.raises(HubError, match="right to write"):
        append_remote("acme/fits/summer-v0", episodes(1, 8), hub=user("rita").hub)
    assert alice.snapshot("acme/fits").commit == made.commit


def test_a_dry_run_sends_nothing(alice: User, home: Path) -> None:
    write("dry/summer-v0", count=2)
    made = publish("dry/summer-v0", "acme", hub=alice.hub)
    planned = append_remote("acme/dry/summer-v0", episodes(1, 9), hub=alice.hub, dry_run=True)
    assert "summer-v0/data/main_data.hdf5" in planned.files
    assert alice.snapshot("acme/dry").commit == made.commit
    assert not list((home / "cache" / "publishing").glob("work-*"))


@pytest.mark.parametrize(
    "writers", [pytest.param(3, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.extended)]
)
def test_many_recorders_append_at_the_same_time(alice: User, writers: int) -> None:
    repo = f"acme/many-{writers}"
    write(f"many-{writers}/summer-v0", count=2, seed=100)
    publish(f"many-{writers}/summer-v0", "acme", hub=alice.hub)
    with ThreadPoolExecutor(writers) as pool:
        list(
            pool.map(
                lambda seed: append_remote(f"{repo}/summer-v0", episodes(2, seed), hub=alice.hub),
                range(writers),
            )
        )
    found = published(alice, repo)
    assert found[:2] == recorded((2, 100))
    batches = [found[first : first + 2] for first in range(2, len(found), 2)]
    assert sorted(batches) == sorted(recorded((2, seed)) for seed in range(writers))
    assert len(json.loads(alice.read(repo, "provenance.json"))["steps"]) == writers + 1
    assert json.loads(alice.read(repo, "summer-v0/data/metadata.json"))["total_episodes"] == 2 * writers + 2
