"""What moves files into the store, out of it, and under the feet of readers."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from gymnasium import spaces

from pytupli_registry.dataset.episode import Episode
from pytupli_registry.errors import DatasetExists, DatasetNotFound, FormatError, InvalidReference, UnsafeFile
from pytupli_registry.storage import commit, local
from pytupli_registry.storage.local import LocalStore
from pytupli_registry.storage.repack import repack
from pytupli_registry.storage.trust import DATA_NAME

ID = "zoo/made-v0"
SPACES = {"observation_space": spaces.Box(-9, 9, (2,), np.float64), "action_space": spaces.Discrete(3)}


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "datasets", tmp_path / "cache")


def episode(length: int, seed: int) -> Episode:
    rng = np.random.default_rng(seed)
    return Episode(
        rng.uniform(-1, 1, (length + 1, 2)),
        rng.integers(0, 3, length),
        rng.uniform(0, 1, length),
        np.arange(length) == length - 1,
        np.zeros(length, dtype=np.bool_),
        seed=seed,
    )


def make(store: LocalStore, dataset_id: str = ID, lengths: tuple[int, ...] = (3, 5)) -> list[Episode]:
    episodes = [episode(length, seed) for seed, length in enumerate(lengths)]
    with store.writer(dataset_id, **SPACES) as writer:
        for found in episodes:
            writer.add(found)
    return episodes


def returns(store: LocalStore) -> list[float]:
    return store.open(ID).fields["total_return"].values.tolist()


def interrupt_after(number: int, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt a commit after its ``number``-th move into a directory."""
    sync, left = commit.sync, iter(range(number - 1))

    def interrupted(path: Path) -> None:
        if path == directory and next(left, None) is None:
            raise KeyboardInterrupt
        sync(path)

    monkeypatch.setattr(commit, "sync", interrupted)


@pytest.mark.parametrize("moves", [1, 2, 3])
def test_a_commit_that_was_cut_off_does_not_vouch_for_data_it_did_not_write(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    make(store)
    writer = store.append(ID)
    writer.add(episode(4, 9))
    data = store.data_path(ID) / DATA_NAME
    with monkeypatch.context() as patch:
        interrupt_after(moves, data.parent, patch)
        with pytest.raises(KeyboardInterrupt):
            writer.finalise()
    with h5py.File(data, "r+") as file:  # as large as before, and another file
        file["episode_0/rewards"][:] = 7.0
    (left,) = store.unfinished()
    store.recover(left.spool)
    assert returns(store)[0] == 21.0
    assert len(store.open(ID)) == 3
    assert store.unfinished() == []


@pytest.mark.parametrize("moves", [1, 2, 3])
def test_a_commit_that_was_cut_off_is_finished_and_opens_at_once(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    episodes = make(store)
    writer = store.append(ID)
    writer.add(episode(4, 9))
    with monkeypatch.context() as patch:
        interrupt_after(moves, store.data_path(ID), patch)
        with pytest.raises(KeyboardInterrupt):
            writer.finalise()
    store.recover(store.unfinished()[0].spool)
    monkeypatch.setattr("pytupli_registry.storage.trust.rebuild_index", None)
    assert returns(store) == pytest.approx([found.total_return for found in [*episodes, episode(4, 9)]])


def test_a_reader_never_maps_data_that_its_index_does_not_describe(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    episodes = make(store)
    with store.append(ID) as writer:
        writer.add(episode(4, 9))
    index_of, calls = local.trusted_index, []

    def repacked_meanwhile(*given: object) -> object:
        index = index_of(*given)
        if not calls:
            calls.append(repack(store.root, ID, store.cache))
        return index

    monkeypatch.setattr(local, "trusted_index", repacked_meanwhile)
    dataset = store.open(ID)
    assert calls
    for found, wanted in zip(dataset, [*episodes, episode(4, 9)], strict=True):
        np.testing.assert_array_equal(found.observations, wanted.observations)
        np.testing.assert_array_equal(found.rewards, wanted.rewards)


@pytest.mark.parametrize(
    ("dataset_id", "problem"),
    [
        ("z/one-v0", "namespace of one letter"),
        ("zoo/data/one-v0", "directory of a dataset's files"),
        ("zoo/made-v0/inner-v0", "'zoo/made-v0' is a dataset"),
        ("zoo/made-v0/deep/inner-v0", "'zoo/made-v0' is a dataset"),
        ("space-v0", "whose datasets it would hide"),
    ],
)
def test_ids_that_would_be_lost_or_hide_others_are_refused_at_once(
    store: LocalStore, dataset_id: str, problem: str
) -> None:
    make(store)
    make(store, "space-v0/one-v0")
    with pytest.raises(InvalidReference, match=problem):
        store.writer(dataset_id, **SPACES)
    assert store.unfinished() == []
    assert [found.dataset_id for found in store.list()] == ["space-v0/one-v0", "zoo/made-v0"]


def test_a_link_out_of_the_store_is_not_written_through(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    store.root.mkdir()
    (store.root / "zoo").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeFile, match="leads out"):
        store.writer(ID, **SPACES)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_deleting_takes_no_dataset_that_lies_below(store: LocalStore) -> None:
    make(store, "space-v0/one-v0")
    with pytest.raises(DatasetNotFound):
        store.delete("space-v0")
    make(store)
    (store.root / "zoo" / "made-v0" / "inner-v0").mkdir()
    (store.root / "space-v0" / "one-v0" / "data").rename(store.root / ID / "inner-v0" / "data")
    store.delete(ID)
    assert (store.root / ID / "inner-v0" / "data" / DATA_NAME).is_file()
    assert not (store.root / ID / "data").exists()


def test_a_directory_that_may_not_be_read_does_not_hide_the_others(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(store)
    closed = store.root / "closed"
    closed.mkdir()
    entries = Path.iterdir

    def guarded(directory: Path):
        if directory == closed:  # as for anyone but root
            raise PermissionError(13, "Permission denied", str(directory))
        return entries(directory)

    monkeypatch.setattr(Path, "iterdir", guarded)
    assert [found.dataset_id for found in store.list()] == [ID]


def test_a_second_dataset_of_the_same_id_can_be_kept_under_another(store: LocalStore) -> None:
    episodes = make(store)
    with pytest.raises(DatasetExists):
        make(store)
    first, second = store.writer("zoo/other-v0", **SPACES), store.writer("zoo/other-v0", **SPACES)
    first.add(episodes[0])
    second.add(episodes[1])
    first.finalise()
    with pytest.raises(DatasetExists) as refusal:
        second.finalise()
    (left,) = store.unfinished()
    assert f"pytupli recover {left.spool.name} --as" in refusal.value.__notes__[0]
    store.recover(left.spool, "zoo/third-v0")
    assert [found.dataset_id for found in store.list()] == [ID, "zoo/other-v0", "zoo/third-v0"]
    np.testing.assert_array_equal(store.open("zoo/third-v0")[0].rewards, episodes[1].rewards)
    assert store.open("zoo/third-v0").metadata.dataset_id == "zoo/third-v0"


def test_only_a_spool_is_discarded_or_recovered(store: LocalStore, tmp_path: Path) -> None:
    make(store)
    for path in (store.root, tmp_path, store.data_path(ID), tmp_path / "none"):
        for act in (commit.discard, store.recover):
            with pytest.raises(FormatError, match="no such spool"):
                act(path)
    assert not list(tmp_path.rglob("lock"))
    assert len(store.open(ID)) == 2


def test_a_dataset_without_metadata_is_not_said_to_be_absent(store: LocalStore) -> None:
    make(store)
    (store.data_path(ID) / "metadata.json").unlink()
    with pytest.raises(FormatError, match="cannot be read"):
        store.open(ID)
