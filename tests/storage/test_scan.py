import h5py
import numpy as np
import pytest

from pytupli_registry.errors import FormatError, UnsafeFile
from pytupli_registry.storage.hdf5.scan import scan
from pytupli_registry.storage.local import read_metadata
from pytupli_registry.storage.trust import DATA_NAME


def look(directory):
    return scan(directory / DATA_NAME, read_metadata(directory))


def rewrite_contiguously(path, order):
    """Let h5py write every number again as a contiguous dataset, column by column or episode by episode."""
    with h5py.File(path) as file:
        values = {
            (number, name): episode[name][()]
            for number, episode in ((int(key.split("_")[1]), group) for key, group in file.items())
            for name in ("observations", "actions", "rewards", "terminations", "truncations")
        }
    with h5py.File(path, "w", libver="earliest", meta_block_size=1 << 20) as file:
        for number, _ in sorted(values):
            file.require_group(f"episode_{number}")
        for number, name in sorted(values, key=order):
            file[f"episode_{number}"].create_dataset(name, data=values[number, name])


def test_finds_every_leaf_of_what_minari_writes(workshop, kind):
    theirs = list(workshop.minari(kind, jpeg_encoding=False))
    found = look(workshop.directory())
    assert found.lengths.tolist() == [4, 7, 1, 3]
    with h5py.File(workshop.directory() / DATA_NAME) as file:
        names = []
        file["episode_1"].visititems(
            lambda name, thing: names.append(name) if isinstance(thing, h5py.Dataset) else None
        )
        assert set(found.leaves) == set(names)
        for path, stored in found.leaves.items():
            dataset = file[f"episode_1/{path}"]
            if stored.leaf.encoding == "text":
                assert h5py.check_string_dtype(dataset.dtype)
            else:
                assert stored.leaf.dtype == dataset.dtype
                assert stored.leaf.row_shape == dataset.shape[1:]
            assert dataset.shape[0] == 7 + stored.leaf.extra_row
            assert stored.extents is None, "Minari's chunks do not lie in the file as they are"
    assert len(theirs) == 4


def test_facts_are_the_attributes(workshop):
    workshop.minari("box").storage.update_episode_metadata(
        [{"month": f"m{i}", "rewards_max": 2.5, "flag": np.True_, "goal": np.array([1, i])} for i in range(4)]
    )
    assert look(workshop.directory()).facts == {
        "metadata.month": ["m0", "m1", "m2", "m3"],
        "metadata.rewards_max": [2.5] * 4,
        "metadata.flag": [True] * 4,
        "metadata.goal": ["[1, 0]", "[1, 1]", "[1, 2]", "[1, 3]"],
        "seed": [None, 101, 102, None],
        "options.mass": [None, 1.5, None, 4.5],
        "options.goal.x": [None, 1, None, 3],
        "options.goal.name": [None, "ä", None, "ä"],
    }


@pytest.mark.parametrize(
    ("written", "expected"), [("None", None), ("17", 17), (np.uint8(3), 3), ("x" * 30, None)]
)
def test_seeds_of_early_releases(workshop, written, expected):
    workshop.minari("box")
    with h5py.File(workshop.directory() / DATA_NAME, "a") as file:
        for episode in file.values():
            episode.attrs["seed"] = written
    assert look(workshop.directory()).facts["seed"] == [expected] * 4


def test_without_infos(workshop):
    workshop.minari("box")
    with h5py.File(workshop.directory() / DATA_NAME, "a") as file:
        for episode in file.values():
            del episode["infos"]
    assert [path for path in look(workshop.directory()).leaves if path.startswith("infos")] == []
    assert workshop.store.open("zoo/kind-v0")[0].infos == {}


@pytest.mark.parametrize("episodewise", [False, True])
def test_contiguous_files_of_others_are_mapped(workshop, episodewise, same_episode):
    workshop.minari("box", lengths=(4, 7, 1, 3, 9, 2, 8, 5, 6, 3, 2, 4))
    path = workshop.directory() / DATA_NAME
    rewrite_contiguously(path, order=(lambda key: key) if episodewise else (lambda key: (key[1], key[0])))
    found = look(workshop.directory())
    pieces = {name: len(stored.extents) for name, stored in found.leaves.items()}
    assert max(pieces.values()) == (12 if episodewise else 1)
    dataset = workshop.store.open("zoo/kind-v0")
    with h5py.File(path) as file:
        for position, episode in enumerate(dataset):
            for name, values in episode.leaves().items():
                np.testing.assert_array_equal(values, file[f"episode_{position}/{name}"][()], strict=True)


def test_a_user_block_shifts_nothing(workshop):
    """Bytes before the HDF5 file: offsets would be off by them, so such files are read through HDF5."""
    workshop.minari("box")
    path = workshop.directory() / DATA_NAME
    rewrite_contiguously(path, order=lambda key: (key[1], key[0]))
    with h5py.File(path) as source, h5py.File(path.with_suffix(".new"), "w", userblock_size=512) as target:
        for name in source:
            source.copy(name, target)
    path.with_suffix(".new").replace(path)
    with h5py.File(path) as file:
        expected = file["episode_1/observations"][()]
    np.testing.assert_array_equal(workshop.store.open("zoo/kind-v0")[1].observations, expected, strict=True)


def test_big_endian_and_odd_numbers(workshop):
    workshop.minari("box", lengths=(4, 2))
    path = workshop.directory() / DATA_NAME
    rewrite_contiguously(path, order=lambda key: (key[1], key[0]))
    odd = h5py.h5t.IEEE_F32LE.copy()
    odd.set_fields(31, 20, 11, 0, 20)  # 32 bits, but not the float32 of any machine
    odd.set_ebias(1023)
    with h5py.File(path, "a") as file:
        for episode in file.values():
            actions, observations = episode["actions"][()], episode["observations"][()]
            del episode["actions"], episode["observations"]
            episode.create_dataset("actions", data=actions.astype(">f8"))
            space = h5py.h5s.create_simple(observations.shape)
            stored = h5py.h5d.create(episode.id, b"observations", odd, space)
            stored.write(h5py.h5s.ALL, h5py.h5s.ALL, np.round(observations * 8) / 8)
            expected = np.round(observations * 8) / 8
    try:
        dataset = workshop.store.open("zoo/kind-v0")
    except (FormatError, UnsafeFile):
        return  # h5py has no NumPy type for it: refused is right too
    assert dataset.leaves["actions"].dtype == np.dtype(">f8")
    assert dataset.reader._stored["observations"].extents is None
    np.testing.assert_array_equal(dataset[1].observations, expected)


def test_irregular_infos(workshop):
    workshop.minari("box")
    with h5py.File(workshop.directory() / DATA_NAME, "a") as file:
        file["episode_0/infos/sometimes"] = np.arange(5)
        file["episode_2/infos/sometimes"] = np.arange(2.0)
        for number, length in enumerate((4, 7, 1, 3)):
            file[f"episode_{number}/infos/said"] = [f"{number}-{row}" for row in range(length + 1)]
            file[f"episode_{number}/infos/shape"] = np.zeros((length + 1, number + 1))
    leaves = look(workshop.directory()).leaves
    assert {
        path: leaves[f"infos/{path}"].leaf.encoding for path in ("sometimes", "said", "shape", "energy")
    } == {
        "sometimes": "irregular",
        "said": "text",
        "shape": "irregular",
        "energy": "array",
    }
    dataset = workshop.store.open("zoo/kind-v0")
    assert dataset[0].infos["sometimes"].tolist() == [0, 1, 2, 3, 4]
    assert "sometimes" not in dataset[1].infos
    assert dataset[2].infos["sometimes"].dtype == np.float64
    assert dataset[2].infos["said"] == ["2-0", "2-1"]
    assert [episode.infos["shape"].shape for episode in dataset] == [(5, 1), (8, 2), (2, 3), (4, 4)]


def test_no_hdf5_file(workshop):
    workshop.minari("box")
    path = workshop.directory() / DATA_NAME
    for content in (b"", b"not HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="no readable HDF5 file"):
            look(workshop.directory())
    path.unlink()
    with pytest.raises(FormatError):
        look(workshop.directory())
