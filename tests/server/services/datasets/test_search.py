"""Searching, on both databases; routes/test_datasets.py has the rest."""

from __future__ import annotations

import json

import pytest

from pytupli_registry.server.services.datasets.search import SORTS, DatasetSearch, search_datasets


def metadata(dataset_id: str, episodes: int, environment: str) -> bytes:
    said = {
        "dataset_id": dataset_id,
        "total_episodes": episodes,
        "total_steps": episodes * 10,
        "dataset_size": 1,
        "minari_version": "0.5.4",
        "env_spec": json.dumps({"id": environment}),
        "observation_space": json.dumps({"type": "Box", "shape": [2]}),
    }
    return json.dumps(said).encode()


def pages(workshop, search, count):
    cursor, found = "", []
    while cursor is not None:
        with workshop.hub.database.read() as session:
            page, cursor = search_datasets(session, workshop.caller, search, count=count, cursor=cursor)
            found += [one.facts.dataset_id for one in page]
    return found


@pytest.mark.parametrize("workshop", ["sqlite", "postgres"], indirect=True)
def test_on_both_databases(workshop, walker):
    workshop.create("walker", visibility="private")
    more = {f"d{i}-v0/data/metadata.json": metadata(f"walker/d{i}-v0", i % 3, "Ünd_er-v1") for i in range(5)}
    workshop.commit("walker", walker | more)
    every = ["walker/random-v0", *(f"walker/d{i}-v0" for i in range(5))]
    for sort in SORTS:
        for ascending in (True, False):
            search = DatasetSearch(sort=sort, ascending=ascending)
            assert sorted(pages(workshop, search, 2)) == sorted(every)
            assert pages(workshop, search, 2) == pages(workshop, search, 100)
    assert pages(workshop, DatasetSearch(returns=(0.5, 1e9)), 10) == ["walker/random-v0"]
    assert pages(workshop, DatasetSearch(episodes=(None, 0), sort="episodes"), 10) == [
        "walker/d3-v0",
        "walker/d0-v0",
    ]
    assert (
        pages(workshop, DatasetSearch(words=["RANDOM", "cartpole"], environment="cartpole"), 10) == every[:1]
    )
    assert pages(workshop, DatasetSearch(tags=["format:HDF5"], observation="box", author="ACME"), 10) != []
    assert pages(workshop, DatasetSearch(words=["%"]), 10) == []
