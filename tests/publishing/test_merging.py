"""Merging: every episode of every source, with what is known of it."""

import json
from itertools import chain

import numpy as np
import pytest
from gymnasium import spaces

from pytupli_registry import api
from pytupli_registry.errors import DatasetExists, DatasetNotFound, EpisodeError
from pytupli_registry.publishing.merging import merge
from pytupli_registry.publishing.publish import publish
from tests.publishing.conftest import OBSERVATIONS, User, episodes, write


def test_local_and_remote_datasets_become_one(alice: User) -> None:
    write("sum/first-v0", count=3, seed=1)
    write("sum/second-v0", count=4, seed=2)
    made = publish("sum/second-v0", "acme", hub=alice.hub)
    api.delete("sum/second-v0")
    advanced: list[int] = []
    merged = merge(
        [api.load("sum/first-v0").where("metadata.month == 'May'"), "acme/sum/second-v0"],
        "sum/all-v0",
        description="Both.",
        hub=alice.hub,
        advance=advanced.append,
    )
    expected = list(chain((one for one in episodes(3, 1) if one.metadata["month"] == "May"), episodes(4, 2)))
    assert len(expected) == merged.episode_count == len(advanced) == 6
    for number, (found, wanted) in enumerate(zip(merged.episodes(), expected, strict=True)):
        assert (found.episode_id, found.seed, dict(found.metadata)) == (
            number,
            wanted.seed,
            dict(wanted.metadata),
        )
        np.testing.assert_array_equal(found.observations, wanted.observations)
        np.testing.assert_array_equal(found.actions, wanted.actions)
        np.testing.assert_array_equal(found.rewards, wanted.rewards)
    extra = merged.metadata.extra
    assert (extra["author"], extra["description"]) == ("alice", "Both.")
    first, second = extra["merged_from"]
    assert (first["dataset"], first["episodes"], first["episode_filter"]) == (
        "sum/first-v0", 2, "metadata.month == 'May'",
    )  # fmt: skip
    assert (second["dataset"], second["commit"]) == ("acme/sum/second-v0", made.commit)


def test_what_cannot_be_merged() -> None:
    write("sum/first-v0")
    api.write(
        "sum/wide-v0",
        episodes(1),
        observation_space=OBSERVATIONS,
        action_space=spaces.Discrete(3),
    )
    with pytest.raises(EpisodeError, match="action spaces differ"):
        merge(["sum/first-v0", "sum/wide-v0"], "sum/all-v0")
    for name in ("Heat-v0", "Cool-v0"):
        write_of(name)
    with pytest.raises(EpisodeError, match="Heat-v0 and Cool-v0"):
        merge(["sum/heat-v0", "sum/cool-v0"], "sum/all-v0")
    assert merge(["sum/heat-v0", "sum/cool-v0"], "sum/both-v0", any_environment=True).episode_count == 2
    with pytest.raises(DatasetExists):
        merge(["sum/first-v0"], "sum/wide-v0")
    with pytest.raises(EpisodeError, match="nothing to merge"):
        merge([], "sum/all-v0")
    with pytest.raises(DatasetNotFound):
        merge(["first-v9"], "sum/all-v0")
    assert "sum/all-v0" not in {one.dataset_id for one in api.list_datasets()}


def write_of(environment: str) -> None:
    """Write a dataset of an environment, whose name is the environment's."""
    api.write(
        f"sum/{environment.lower()}",
        episodes(1),
        observation_space=OBSERVATIONS,
        action_space=spaces.Discrete(2),
        env_spec=json.dumps({"id": environment}),
    )
