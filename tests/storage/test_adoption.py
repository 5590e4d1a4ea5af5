import json
import logging
import warnings

import h5py
import minari
import numpy as np
import pytest

from pytupli_registry.errors import DatasetExists, EpisodeError
from pytupli_registry.storage.trust import DATA_NAME


def contents(path):
    """Every dataset and attribute of an HDF5 file, read through h5py alone."""
    found = {}

    def visit(name, thing):
        found.update({f"{name}@{key}": value for key, value in thing.attrs.items()})
        if isinstance(thing, h5py.Dataset):
            found[name] = thing[()]

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def same(one, other):
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype == object or other.dtype == object:
        return one.shape == other.shape and all(
            np.array_equal(a, b) for a, b in zip(one.ravel(), other.ravel(), strict=True)
        )
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def assert_same_contents(first, second):
    one, other = contents(first), contents(second)
    assert set(one) == set(other)
    different = [name for name in one if not same(one[name], other[name])]
    assert different == []


@pytest.mark.parametrize("jpeg", [False, True])
def test_keeps_every_value_and_attribute(workshop, kind, jpeg, same_episode, caplog):
    theirs = workshop.minari(kind, jpeg_encoding=jpeg)
    theirs.storage.update_episode_metadata(
        [
            {"month": f"month {i}", "expert": bool(i % 2), "level": np.int32(i), "spread": [0.5, i]}
            for i in range(4)
        ]
    )
    with caplog.at_level(logging.ERROR):
        ours = workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
    assert_same_contents(workshop.directory() / DATA_NAME, workshop.directory("zoo/ours-v0") / DATA_NAME)
    read_back = minari.load_dataset("zoo/ours-v0")
    for our, their, again in zip(ours, theirs, read_back, strict=True):
        same_episode(our, their)
        same_episode(our, again)
        assert our.metadata["month"] == f"month {our.episode_id}"


def test_columns_are_single_pieces(workshop, kind):
    workshop.minari(kind, jpeg_encoding=False)
    ours = workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
    arrays = [path for path, leaf in ours.leaves.items() if leaf.is_array]
    assert arrays
    assert all(ours.reader.is_mapped(path) for path in arrays)


def test_keeps_seeds_options_and_dataset_metadata(workshop):
    theirs = workshop.minari("box", author="somebody", code_permalink="https://example.org/code")
    ours = workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
    assert [episode.seed for episode in ours] == [None, 101, 102, None]
    assert [episode.options for episode in ours] == [
        None,
        {"mass": 1.5, "goal": {"x": 1, "name": "ä"}},
        None,
        {"mass": 4.5, "goal": {"x": 3, "name": "ä"}},
    ]
    before = json.loads((workshop.directory() / "metadata.json").read_text())
    after = json.loads((workshop.directory("zoo/ours-v0") / "metadata.json").read_text())
    for changed in ("dataset_id", "minari_version", "dataset_size"):
        before.pop(changed)
        after.pop(changed)
    assert json.loads(after.pop("observation_space")) == json.loads(before.pop("observation_space"))
    assert json.loads(after.pop("action_space")) == json.loads(before.pop("action_space"))
    assert after == before
    assert theirs.total_steps == ours.metadata.total_steps == 15


def test_converts_in_place_without_touching_the_metadata(workshop, same_episode):
    theirs = list(workshop.minari("dict"))
    before = (workshop.directory() / "metadata.json").read_bytes()
    advanced = []
    ours = workshop.store.adopt(workshop.directory(), advance=advanced.append)
    assert advanced == [1, 1, 1, 1]
    assert ours.reader.is_mapped("observations/position")
    assert (workshop.directory() / "metadata.json").read_bytes() == before
    assert [path.name for path in workshop.store.root.iterdir() if path.name != ".pytupli-spool"] == ["zoo"]
    for our, their, again in zip(ours, theirs, minari.load_dataset("zoo/kind-v0"), strict=True):
        same_episode(our, their)
        same_episode(our, again)


def test_refuses_to_overwrite(workshop):
    workshop.minari("box")
    workshop.minari("discrete", "zoo/other-v0")
    before = (workshop.directory("zoo/other-v0") / DATA_NAME).read_bytes()
    with pytest.raises(DatasetExists, match="zoo/other-v0"):
        workshop.store.adopt(workshop.directory(), "zoo/other-v0")
    assert (workshop.directory("zoo/other-v0") / DATA_NAME).read_bytes() == before


def test_takes_the_directory_above(workshop, tmp_path, same_episode):
    theirs = list(workshop.minari("tuple"))
    elsewhere = tmp_path / "elsewhere"
    (workshop.store.root / "zoo" / "kind-v0").rename(elsewhere)
    ours = workshop.store.adopt(elsewhere)
    assert ours.metadata.dataset_id == "zoo/kind-v0"
    for our, their in zip(ours, theirs, strict=True):
        same_episode(our, their)


def test_values_of_another_dtype_than_the_space(workshop):
    """D4RL's conversions keep float64 observations of float32 spaces: they stay what they are."""
    workshop.minari("box")
    with h5py.File(workshop.directory() / DATA_NAME, "a") as file:
        for episode in file.values():
            values = episode["observations"][()].astype(np.float64) / 3
            del episode["observations"]
            episode["observations"] = values
    expected = contents(workshop.directory() / DATA_NAME)["episode_1/observations"]
    ours = workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
    np.testing.assert_array_equal(ours[1].observations, expected, strict=True)


def test_infos_that_are_no_rows_are_read_but_not_written(workshop):
    workshop.minari("box")
    with h5py.File(workshop.directory() / DATA_NAME, "a") as file:
        file["episode_2/infos/constant"] = 3.5
    assert workshop.store.open("zoo/kind-v0")[2].infos["constant"] == 3.5
    with pytest.raises(EpisodeError, match="infos/constant of episode 2"):
        workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
    assert list(workshop.store.unfinished()) == []


def test_minari_goes_on_with_what_was_adopted(workshop, buffers, same_episode):
    """Stock Minari appends to our layout; we read the result."""
    workshop.minari("box")
    workshop.store.adopt(workshop.directory())
    dataset = minari.load_dataset("zoo/kind-v0")
    dataset.storage.update_episodes(buffers("box", (2, 5), seed=7))
    ours = workshop.store.open("zoo/kind-v0")
    assert ours.lengths.tolist() == [4, 7, 1, 3, 2, 5]
    for our, their in zip(ours, minari.load_dataset("zoo/kind-v0"), strict=True):
        same_episode(our, their)
    expected = np.concatenate([episode.observations for episode in ours])
    np.testing.assert_array_equal(ours.array("observations"), expected)


def test_minari_combines_and_splits_what_was_adopted(workshop, same_episode):
    workshop.minari("dict")
    workshop.minari("dict", "zoo/second-v0", lengths=(2, 6), seed=3)
    for dataset_id in ("zoo/kind-v0", "zoo/second-v0"):
        workshop.store.adopt(workshop.directory(dataset_id))
    pieces = [minari.load_dataset("zoo/kind-v0"), minari.load_dataset("zoo/second-v0")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        combined = minari.combine_datasets(pieces, "zoo/both-v0")
    ours = workshop.store.open("zoo/both-v0")
    assert ours.lengths.tolist() == [4, 7, 1, 3, 2, 6]
    for our, their in zip(ours, combined, strict=True):
        same_episode(our, their)
    for part in minari.split_dataset(combined, [2, 4]):
        for their in part:
            same_episode(ours[int(their.id)], their)
