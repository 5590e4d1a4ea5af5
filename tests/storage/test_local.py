import json
import logging
import os
import shutil

import h5py
import minari
import numpy as np
import pytest
from minari.namespace import create_namespace, list_local_namespaces

from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import DatasetNotFound, FormatError
from pytupli_registry.storage.index import read_index, same_index
from pytupli_registry.storage.local import LocalStore, open_directory, read_metadata
from pytupli_registry.storage.stamps import Stamps
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME, METADATA_NAME, rebuild_index


def test_finds_minaris_root(workshop):
    store = LocalStore.from_environment()
    assert (store.root, store.cache) == (workshop.store.root, workshop.store.cache)
    assert ClientConfig.from_environment().datasets_path == store.root


def test_opens_what_minari_wrote(workshop, kind, same_episode, caplog):
    theirs = workshop.minari(kind)
    with caplog.at_level(logging.ERROR):
        first = workshop.store.open("zoo/kind-v0")
        again = workshop.store.open("zoo/kind-v0")
    for dataset in (first, again):
        for our, their in zip(dataset, theirs, strict=True):
            same_episode(our, their)


def test_second_opening_does_not_touch_the_values(workshop, monkeypatch):
    workshop.minari("box")
    expected = workshop.store.open("zoo/kind-v0").fields["total_return"].values
    monkeypatch.setattr("pytupli_registry.storage.trust.rebuild_index", None)
    assert workshop.store.open("zoo/kind-v0").fields["total_return"].values.tolist() == expected.tolist()


def test_what_we_write_opens_at_once(workshop, monkeypatch):
    workshop.minari("box")
    monkeypatch.setattr("pytupli_registry.storage.trust.rebuild_index", None)
    assert len(workshop.store.adopt(workshop.directory(), "zoo/ours-v0")) == 4
    assert len(workshop.store.adopt(workshop.directory())) == 4


@pytest.mark.parametrize("jpeg", [False, True])
def test_the_writers_index_is_the_one_the_file_tells(workshop, kind, jpeg, caplog):
    workshop.minari(kind, jpeg_encoding=jpeg).storage.update_episode_metadata(
        [{"month": "ä", "level": 3}] * 4
    )
    with caplog.at_level(logging.ERROR):
        ours = workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
        with workshop.store.append("zoo/ours-v0") as writer:
            for episode in list(ours)[:3]:
                writer.add(episode)
    directory = workshop.directory("zoo/ours-v0")
    written = read_index(directory / INDEX_NAME)
    assert len(written.table) == 7
    assert same_index(written, rebuild_index(directory / DATA_NAME, read_metadata(directory)))


def test_lists_without_opening(workshop):
    workshop.minari("box")
    workshop.minari("image", "zoo/inner/more-v12", lengths=(2, 2))
    (workshop.store.root / "zoo" / ".hidden-v0" / "data").mkdir(parents=True)
    for found in workshop.store.list():
        (found.directory / DATA_NAME).write_bytes(b"not opened")
    listed = workshop.store.list()
    assert [found.dataset_id for found in listed] == ["zoo/inner/more-v12", "zoo/kind-v0"]
    assert [found.metadata.total_steps for found in listed] == [4, 15]
    assert [found.size for found in listed] == [10, 10]
    assert not any(found.indexed or found.problem for found in listed)


def test_an_empty_or_missing_root(tmp_path):
    assert LocalStore(tmp_path / "none", tmp_path / "cache").list() == []
    with pytest.raises(DatasetNotFound, match="There is no dataset 'a/b-v0'"):
        LocalStore(tmp_path / "none", tmp_path / "cache").open("a/b-v0")


def test_unknown_dataset_suggests(workshop):
    workshop.minari("box")
    with pytest.raises(DatasetNotFound, match="Did you mean 'zoo/kind-v0'"):
        workshop.store.open("zoo/kimd-v0")


def test_delete_takes_empty_namespaces_along(workshop):
    workshop.minari("box", "zoo/inner/one-v0")
    workshop.minari("box", "zoo/other-v0")
    create_namespace("zoo/inner/deep")
    workshop.store.delete("zoo/inner/one-v0")
    assert list_local_namespaces() == ["zoo", "zoo/inner", "zoo/inner/deep"]
    (workshop.store.root / "zoo" / "inner" / "deep" / "namespace_metadata.json").unlink()
    (workshop.store.root / "zoo" / "inner" / "deep").rmdir()
    workshop.minari("box", "zoo/inner/one-v0")
    workshop.store.delete("zoo/inner/one-v0")
    assert sorted(path.name for path in (workshop.store.root / "zoo").iterdir()) == [
        "namespace_metadata.json",
        "other-v0",
    ]
    workshop.store.delete("zoo/other-v0")
    assert [left.name for left in workshop.store.root.iterdir()] == [".pytupli-spool"]  # with the lock
    assert workshop.store.root.is_dir()
    with pytest.raises(DatasetNotFound):
        workshop.store.delete("zoo/other-v0")


def test_deleted_and_written_again(workshop, same_episode):
    workshop.minari("box")
    workshop.store.open("zoo/kind-v0")
    workshop.store.delete("zoo/kind-v0")
    theirs = workshop.minari("box", seed=9)
    for our, their in zip(workshop.store.open("zoo/kind-v0"), theirs, strict=True):
        same_episode(our, their)


def test_counts_come_from_the_data(workshop):
    """A process that died in the middle of an append."""
    workshop.minari("box")
    path = workshop.directory() / METADATA_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"total_episodes": 2, "total_steps": 11}))
    dataset = workshop.store.open("zoo/kind-v0")
    assert (len(dataset), dataset.metadata.total_episodes, dataset.metadata.total_steps) == (4, 4, 15)


def test_spaces_that_were_edited_after_the_stamp(workshop):
    workshop.minari("box")
    workshop.store.open("zoo/kind-v0")
    path = workshop.directory() / METADATA_NAME
    content = json.loads(path.read_text())
    content["observation_space"] = content["action_space"]
    path.write_text(json.dumps(content))
    with pytest.raises(FormatError, match="observations"):
        workshop.store.open("zoo/kind-v0")


def test_stale_index_is_replaced_and_told(workshop, caplog, buffers):
    dataset = workshop.minari("box")
    workshop.store.open("zoo/kind-v0")
    dataset.storage.update_episodes(buffers("box", (2,), seed=3))
    with caplog.at_level(logging.WARNING):
        ours = workshop.store.open("zoo/kind-v0")
    assert len(ours) == 5
    assert "did not describe the data file" in caplog.text
    assert len(read_index(workshop.directory() / INDEX_NAME).table) == 5


def test_index_that_cannot_be_put_beside_the_data(workshop):
    """A directory in its place stands for a file system that refuses, also for root."""
    workshop.minari("box")
    (workshop.directory() / INDEX_NAME).mkdir()
    check_index_in_the_cache(workshop)


def check_index_in_the_cache(workshop):
    expected = [episode.total_return for episode in workshop.store.open("zoo/kind-v0")]
    stamp = Stamps(workshop.store.cache).find(workshop.directory() / DATA_NAME)
    assert stamp is not None
    assert stamp.index_path.is_relative_to(workshop.store.cache)
    assert workshop.store.open("zoo/kind-v0").fields["total_return"].values == pytest.approx(expected)


def test_cache_that_cannot_be_written(workshop, tmp_path):
    workshop.minari("box")
    (tmp_path / "file").write_text("no directory")
    assert len(open_directory(workshop.directory(), tmp_path / "file" / "cache")) == 4


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 1}', b"\xff", b'{"version": 1, "data": 3}']
)
def test_damaged_stamps_are_ignored(workshop, content):
    workshop.minari("box")
    workshop.store.open("zoo/kind-v0")
    (stamp,) = (workshop.store.cache / "stamps").glob("*.json")
    stamp.write_bytes(content)
    assert Stamps(workshop.store.cache).find(workshop.directory() / DATA_NAME) is None
    assert len(workshop.store.open("zoo/kind-v0")) == 4
    assert Stamps(workshop.store.cache).find(workshop.directory() / DATA_NAME) is not None


def test_stamp_survives_touching_and_not_changing(workshop):
    workshop.minari("box")
    workshop.store.open("zoo/kind-v0")
    data_path, stamps = workshop.directory() / DATA_NAME, Stamps(workshop.store.cache)
    os.utime(data_path)
    assert stamps.find(data_path) is not None
    with h5py.File(data_path, "a") as file:
        file["episode_0/rewards"][0] += 1
    assert stamps.find(data_path) is None


def test_moved_datasets_open(workshop, tmp_path, same_episode):
    theirs = list(workshop.minari("dict"))
    workshop.store.adopt(workshop.directory())
    moved = tmp_path / "moved"
    shutil.move(workshop.directory(), moved)
    for our, their in zip(open_directory(moved, workshop.store.cache), theirs, strict=True):
        same_episode(our, their)


@pytest.mark.parametrize("kind_of_change", ["append", "combine", "split"])
def test_reads_what_minari_makes_of_its_own(workshop, kind, kind_of_change, buffers, same_episode, caplog):
    import warnings

    dataset = workshop.minari(kind)
    workshop.store.open("zoo/kind-v0")
    with warnings.catch_warnings(), caplog.at_level(logging.ERROR):
        warnings.simplefilter("ignore", UserWarning)
        if kind_of_change == "append":
            dataset.storage.update_episodes(buffers(kind, (2, 5), seed=7))
            ours, theirs = workshop.store.open("zoo/kind-v0"), list(minari.load_dataset("zoo/kind-v0"))
        elif kind_of_change == "combine":
            other = workshop.minari(kind, "zoo/second-v0", lengths=(2, 6), seed=2)
            theirs = list(minari.combine_datasets([dataset, other], "zoo/both-v0"))
            ours = workshop.store.open("zoo/both-v0")
        else:
            whole = workshop.store.open("zoo/kind-v0")
            theirs = [episode for part in minari.split_dataset(dataset, [2, 2]) for episode in part]
            ours = [whole[int(episode.id)] for episode in theirs]
        assert len(ours) == len(theirs) == {"append": 6, "combine": 6, "split": 4}[kind_of_change]
        for our, their in zip(ours, theirs, strict=True):
            same_episode(our, their)


def test_nested_options_and_types_of_facts(workshop):
    workshop.minari("box").storage.update_episode_metadata(
        [{"month": "June", "expert": bool(i % 2), "level": i, "score": i / 2} for i in range(4)]
    )
    dataset = workshop.store.open("zoo/kind-v0")
    assert dataset[1].options == {"mass": 1.5, "goal": {"x": 1, "name": "ä"}}
    assert dataset[3].metadata == {"month": "June", "expert": True, "level": 3, "score": 1.5}
    types = {name: dataset.fields[f"metadata.{name}"].values.dtype for name in ("expert", "level", "score")}
    assert types == {"expert": np.dtype(bool), "level": np.dtype(np.int64), "score": np.dtype(float)}
    assert dataset.where("metadata.expert and month == 'June'").episode_count == 2
