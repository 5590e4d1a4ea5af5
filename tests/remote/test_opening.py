from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from huggingface_hub import hf_hub_download

from pytupli_registry import api
from pytupli_registry.errors import (
    ChecksumError,
    DatasetNotFound,
    HubError,
    NotCached,
    RepositoryNotFound,
    RevisionNotFound,
)
from pytupli_registry.storage.mirrors import Mirrors
from tests.support.faults import Answer, Cut, Flip, first, rate_limit

pytestmark = pytest.mark.usefixtures("home")

DATA = "main_data.hdf5"


def data_bytes(world):
    """Return how many bytes of data files have travelled."""
    return sum(exchange.received for exchange in world.network.log if DATA in exchange.asked.target)


def cell_bytes(world, kept, paths):
    """Return how many bytes h5py finds in some leaves of some episodes."""
    with h5py.File(Path(world.local.source) / DATA) as file:
        return sum(file[f"episode_{position}/{path}"].nbytes for position in kept for path in paths)


def same(found, expected):
    assert found.keys() == expected.keys()
    for path, values in expected.items():
        np.testing.assert_array_equal(found[path], values, err_msg=path)


def test_opening_brings_no_numbers(world):
    dataset = world.open()
    assert len(dataset) == len(world.local)
    assert dataset.describe().returns == world.local.describe().returns
    assert data_bytes(world) == 0


def test_it_says_where_it_is_from(world):
    dataset = world.open("acme/hvac@main/summer-v0").where("month == 'July'")
    commit = world.hub.api("bob").dataset_info("acme/hvac").sha
    assert (dataset.origin.repo, dataset.origin.commit) == ("acme/hvac", commit)
    assert dataset.origin.endpoint == world.network.endpoint
    assert commit in dataset.source
    assert dataset.origin.reference == f"hf://acme/hvac@{commit}/summer-v0"
    saved = api.save(dataset, "mine/july-v0")
    assert saved.metadata.extra["filtered_from"] == dataset.origin.reference


def test_only_what_a_filter_keeps_travels(world):
    kept = world.open().where("month == 'July'")
    expected = world.local.where("month == 'July'")
    assert 2 <= len(kept) < len(world.local) / 5
    same(kept.columns(), expected.columns())
    wanted = cell_bytes(world, kept.positions, kept.leaves)
    assert wanted <= data_bytes(world) <= 1.15 * wanted


def test_statistics_bring_their_columns_only(world):
    dataset = world.open()
    for path in ("rewards", "terminations", "truncations"):
        np.testing.assert_array_equal(dataset.column(path), world.local.column(path))
    wanted = cell_bytes(world, dataset.positions, ("rewards", "terminations", "truncations"))
    assert data_bytes(world) == wanted


def test_a_step_filter_reads_the_leaves_it_names_of_the_episodes_it_must(world):
    dataset, local = world.open().where("month == 'July'"), world.local.where("month == 'July'")
    kept, expected = dataset.where(steps="reward > 0"), local.where(steps="reward > 0")
    np.testing.assert_array_equal(kept.step_mask, expected.step_mask)
    heads = 200 * len(dataset.positions)  # of ranges that come together
    assert data_bytes(world) <= 1.1 * cell_bytes(world, dataset.positions, ["rewards"]) + heads
    found, right = kept.transitions(), expected.transitions()
    for name in ("observations", "actions", "rewards", "next_observations", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(found, name), getattr(right, name))


def test_zone_maps_settle_step_filters_without_reading(world):
    assert not world.open().where(steps="reward > 1000").step_mask.any()
    assert data_bytes(world) == 0


def test_an_episode_filter_over_steps_reads_what_it_must(world):
    text = "any(reward > 3.5)"
    kept = world.open().where(text)
    np.testing.assert_array_equal(kept.positions, world.local.where(text).positions)
    assert 0 < data_bytes(world) <= 1.1 * cell_bytes(world, range(len(world.local)), ["rewards"])


@pytest.mark.parametrize("index", [0, -1, 31])
def test_one_episode_is_that_episode(world, index):
    found, expected = world.open()[index], world.local[index]
    same(found.leaves(), expected.leaves())
    assert (found.seed, found.metadata) == (expected.seed, expected.metadata)
    with h5py.File(Path(world.local.source) / DATA) as file:
        group = file[f"episode_{found.episode_id}"]
        np.testing.assert_array_equal(found.observations, group["observations"][()])
        np.testing.assert_array_equal(found.infos["energy"], group["infos/energy"][()])


def test_episodes_and_batches_come_little_by_little(world):
    dataset = world.open()
    same(next(iter(dataset)).leaves(), world.local[0].leaves())
    one = data_bytes(world)
    assert one <= cell_bytes(world, [0], dataset.leaves) * 1.15
    batch, expected = next(dataset.batches(16)), next(world.local.batches(16))
    np.testing.assert_array_equal(batch.observations, expected.observations)
    assert data_bytes(world) == one
    for found, right in zip(dataset.batches(64, seed=3), world.local.batches(64, seed=3), strict=True):
        np.testing.assert_array_equal(found.next_observations, right.next_observations)
        np.testing.assert_array_equal(found.rewards, right.rewards)


def test_a_second_load_asks_for_no_data(world):
    world.open().where("month == 'July'").columns()
    world.network.forget()
    again = world.open().where("month == 'July'")
    same(again.columns(), world.local.where("month == 'July'").columns())
    assert data_bytes(world) == 0


def test_a_whole_file_is_found_by_the_stock_client_and_kept_once(world):
    dataset = world.open()
    same(dataset.columns(), world.local.columns())
    dataset.reader.fetcher.fetch_whole()
    assert data_bytes(world) <= 1.05 * (Path(world.local.source) / DATA).stat().st_size
    found = hf_hub_download("acme/hvac", f"summer-v0/data/{DATA}", repo_type="dataset", local_files_only=True)
    assert Path(found).read_bytes() == (Path(world.local.source) / DATA).read_bytes()
    assert [facts.held for facts in Mirrors.from_environment().list()] == [0]
    again = world.open()
    world.network.forget()
    same(again.columns(), world.local.columns())
    assert data_bytes(world) == 0


def test_what_the_stock_client_has_is_not_asked_for(world):
    alice = world.hub.api("bob")
    alice.hf_hub_download("acme/hvac", f"summer-v0/data/{DATA}", repo_type="dataset")
    same(world.open().columns(), world.local.columns())
    assert data_bytes(world) == 0


def test_a_damaged_file_of_the_stock_client_is_not_believed(world):
    place = Path(
        world.hub.api("bob").hf_hub_download("acme/hvac", f"summer-v0/data/{DATA}", repo_type="dataset")
    ).resolve()
    content = bytearray(place.read_bytes())
    content[-100] ^= 1
    place.write_bytes(content)
    same(world.open().columns(), world.local.columns())


def test_offline_with_a_warm_cache(world, monkeypatch):
    world.open().where("month == 'July'").columns()
    world.network.forget()
    monkeypatch.setenv("PYTUPLI_OFFLINE", "1")
    offline = world.open().where("month == 'July'")
    same(offline.columns(), world.local.where("month == 'July'").columns())
    with pytest.raises(NotCached, match="main_data"):
        world.open().columns()
    with pytest.raises(NotCached, match="other"):
        world.open("acme/other/summer-v0")
    with pytest.raises(NotCached, match="v7"):
        world.open("acme/hvac@v7/summer-v0")
    assert not world.network.log


def test_what_there_is_not(world):
    with pytest.raises(DatasetNotFound, match="winter-v0"):
        world.open("acme/hvac/winter-v0")
    with pytest.raises(RepositoryNotFound, match="Log in"):
        world.open("acme/secret/summer-v0")
    with pytest.raises(HubError, match="no revision 'v9'"):
        world.open("acme/hvac@v9/summer-v0")


def test_revisions_with_slashes(world, monkeypatch):
    alice = world.hub.api("alice")
    told = {"path_or_fileobj": b"changed", "path_in_repo": "notes.txt", "repo_type": "dataset"}
    alice.create_branch("acme/hvac", branch="feature/x", repo_type="dataset")
    heads = {"feature%2Fx": alice.upload_file(repo_id="acme/hvac", revision="feature/x", **told).oid}
    proposed = alice.upload_file(repo_id="acme/hvac", create_pr=True, **told)
    heads[proposed.pr_revision] = heads[proposed.pr_revision.replace("/", "%2F")] = proposed.oid
    whole = world.open()
    whole.columns()
    for revision, commit in heads.items():
        dataset = world.open(f"acme/hvac@{revision}/summer-v0")
        assert dataset.origin.commit == commit != whole.origin.commit
        same(dataset.columns(), world.local.columns())
    monkeypatch.setenv("PYTUPLI_OFFLINE", "1")
    for revision, commit in heads.items():
        assert world.open(f"acme/hvac@{revision}/summer-v0").origin.commit == commit
    monkeypatch.delenv("PYTUPLI_OFFLINE")
    with pytest.raises(RevisionNotFound, match=r"no revision 'feature' .* written %2F, as in '@feature%2Fx'"):
        world.open("acme/hvac@feature/x/summer-v0")


def test_the_local_store_comes_first(world, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", world.network.endpoint)
    monkeypatch.setenv("HF_TOKEN", world.hub.person("bob").token)
    assert api.load("acme/hvac/summer-v0").origin is not None
    api.save(world.local.where("episode_id < 2"), "acme/hvac/summer-v0")
    assert len(api.load("acme/hvac/summer-v0")) == 2
    assert len(api.load("local://acme/hvac/summer-v0")) == 2
    assert len(api.load("hf://acme/hvac/summer-v0")) == len(world.local)
    assert len(api.load("acme/hvac@main/summer-v0", "month == 'July'")) == 6
    with pytest.raises(DatasetNotFound, match="nor on"):
        api.load("acme/nothing/summer-v0")


def test_a_flipped_bit_on_the_wire_is_asked_for_again(world):
    world.network.rule = first(1, Flip(5), containing=DATA)
    kept = world.open().where("month == 'July'")
    same(kept.columns(), world.local.where("month == 'July'").columns())


def test_what_is_always_damaged_is_never_delivered(world):
    world.network.rule = lambda asked: Flip(5) if DATA in asked.target else None
    kept = world.open().where("episode_id in [3, 40]")
    with pytest.raises(ChecksumError, match="main_data"):
        kept.columns()
    world.network.rule = None
    same(kept.columns(), world.local.where("episode_id in [3, 40]").columns())


@pytest.mark.parametrize(
    "fault", [Cut(0), Cut(4000), Answer(503), rate_limit(0)], ids=["cut", "later", "busy", "limit"]
)
def test_a_network_that_fails_twice(world, fault):
    world.network.rule = first(2, fault)
    dataset = world.open()
    world.network.rule = first(2, fault, containing=DATA)
    same(dataset.where("month == 'July'").columns(), world.local.where("month == 'July'").columns())


def test_columns_in_several_pieces(world):
    api.save(world.local.where("episode_id < 6"), "mine/pieces-v0")
    local = api.append("mine/pieces-v0", world.local.where("episode_id >= 50").episodes())
    alice = world.hub.api("alice")
    alice.create_repo("acme/pieces", repo_type="dataset", exist_ok=True)
    alice.upload_folder(
        folder_path=Path(local.source).parent,
        path_in_repo="pieces-v0",
        repo_id="acme/pieces",
        repo_type="dataset",
    )
    remote = world.open("acme/pieces/pieces-v0")
    assert max(len(stored.extents) for stored in remote.reader.index.leaves.values()) == 2
    kept = remote.where("episode_id in [1, 5, 6, 12]")
    same(kept.columns(), local.where("episode_id in [1, 5, 6, 12]").columns())
    same(remote[7].leaves(), local[7].leaves())
    same(remote.columns(), local.columns())


def test_pickled_readers_open_again_without_a_token(world, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", world.network.endpoint)
    monkeypatch.setenv("HF_TOKEN", world.hub.person("bob").token)
    sent = pickle.dumps(world.open().reader)
    assert world.hub.person("bob").token.encode() not in sent
    reader = pickle.loads(sent)
    np.testing.assert_array_equal(
        reader.episode_value("observations", 3), world.local.reader.episode_value("observations", 3)
    )
