"""Episodes added through the HDF5 library: where they lie, and that nothing moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.errors import WriteError
from pytupli_registry.storage.hdf5.append import align_end, append_columns, append_values
from pytupli_registry.storage.hdf5.structure import Structure

if TYPE_CHECKING:
    from pathlib import Path

LEAVES = [
    Leaf("observations/a", np.dtype("<f8"), (4,), 1),
    Leaf("observations/deep/_index_0", np.dtype("?"), (3,), 1),
    Leaf("actions", np.dtype("<i8"), (), 0),
    Leaf("rewards", np.dtype("<f4"), (), 0),
    Leaf("infos/nothing", np.dtype("<f4"), (0,), 1),
]
FACTS = {
    "seed": 4,
    "month": "Jänner",
    "grid": np.arange(4, dtype=np.float32),
    "words": np.array(["a", "bc"]),
    "ok": True,
}


def fresh(path: Path, lengths: list[int]) -> None:
    """Write a file whose columns are zeros."""
    structure = Structure(np.array(lengths), LEAVES, [{}] * len(lengths))
    with path.open("wb") as file:
        for chunk in structure.chunks():
            file.write(chunk)
        file.truncate(structure.size)


def extend(path: Path, first: int, lengths: list[int], facts: dict[str, Any]) -> dict[str, list[int]]:
    return append_columns(path, first, np.array(lengths), LEAVES, [facts] * len(lengths))


@pytest.mark.parametrize("facts", [{}, FACTS], ids=["plain", "with facts"])
@pytest.mark.parametrize("count", [1, 3, 400])
def test_new_episodes_are_one_extent_a_column_and_nothing_moves(
    tmp_path: Path, count: int, facts: dict[str, Any]
) -> None:
    path, lengths = tmp_path / "a.h5", np.random.default_rng(count).integers(1, 90, count).tolist()
    fresh(path, [5, 6, 7])
    before = path.read_bytes()
    header = Structure(np.array([5, 6, 7]), LEAVES, [{}] * 3).header_size
    align_end(path)
    offsets = extend(path, 3, lengths, facts)
    assert path.read_bytes()[header : len(before)] == before[header:]
    for leaf in LEAVES:
        rows = np.array(lengths) + leaf.extra_row
        places = np.array(offsets[leaf.path])
        if leaf.row_bytes == 0:
            assert not places.any()
            continue
        np.testing.assert_array_equal(np.diff(places), rows[:-1] * leaf.row_bytes, err_msg=leaf.path)
        assert places[0] % leaf.dtype.itemsize == 0
        assert places[0] >= len(before)


def test_the_library_reads_what_is_written_at_the_places_it_reported(tmp_path: Path) -> None:
    path, lengths = tmp_path / "a.h5", [3, 1, 8]
    fresh(path, [2])
    offsets = extend(path, 1, lengths, FACTS)
    rng, written = np.random.default_rng(0), {}
    with path.open("r+b") as file:
        for leaf in LEAVES:
            for number, (length, offset) in enumerate(zip(lengths, offsets[leaf.path], strict=True), start=1):
                values = rng.integers(0, 2, (length + leaf.extra_row, *leaf.row_shape)).astype(leaf.dtype)
                written[number, leaf.path] = values
                if leaf.row_bytes:
                    file.seek(offset)
                    file.write(values.tobytes())
    with h5py.File(path, "r") as file:
        for (number, name), values in written.items():
            np.testing.assert_array_equal(file[f"episode_{number}/{name}"][()], values, strict=True)
        for number, length in enumerate(lengths, start=1):
            attributes = dict(file[f"episode_{number}"].attrs)
            assert (attributes["id"], attributes["total_steps"]) == (number, length)
            assert attributes["month"] == "Jänner"
            assert attributes["ok"] == np.True_
            assert attributes["words"].tolist() == ["a", "bc"]
            np.testing.assert_array_equal(attributes["grid"], FACTS["grid"], strict=True)


def test_a_hundred_appends_in_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    fresh(path, [1])
    for number in range(1, 100):
        extend(path, number, [number], {"serial": number})
    with h5py.File(path, "r") as file:
        assert len(file) == 100
        assert [int(file[f"episode_{number}"].attrs["serial"]) for number in range(1, 100)] == list(
            range(1, 100)
        )
        assert file["episode_99/actions"].shape == (99,)
    assert path.stat().st_size < 100 * 30_000


def test_texts_frames_and_odd_arrays_become_what_minari_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    fresh(path, [2, 2])
    append_values(
        path,
        [
            (0, "infos/said", ["ä", "", "日本"]),
            (1, "infos/odd/one", np.arange(6).reshape(3, 2)),
            (0, "observations/photo", [b"abc", b"de", b"f"]),
            (1, "observations/photo", [b"abc", b"def", b"ghi"]),
        ],
    )
    with h5py.File(path, "r") as file:
        assert [text.decode() for text in file["episode_0/infos/said"][()]] == ["ä", "", "日本"]
        np.testing.assert_array_equal(file["episode_1/infos/odd/one"][()], np.arange(6).reshape(3, 2))
        for number, expected in enumerate([[b"abc", b"de", b"f"], [b"abc", b"def", b"ghi"]]):
            assert [bytes(frame) for frame in file[f"episode_{number}/observations/photo"][()]] == expected


def test_an_end_is_aligned_only_where_the_superblock_is_understood(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "a.h5", tmp_path / "b.h5"
    with h5py.File(ours, "w") as file:
        file["x"] = np.zeros(3, dtype=np.int8)
    with h5py.File(theirs, "w", libver="latest") as file:
        file["x"] = np.zeros(3, dtype=np.int8)
    before = theirs.read_bytes()
    align_end(ours)
    align_end(theirs)
    assert ours.stat().st_size % 64 == 0
    assert theirs.read_bytes() == before
    with h5py.File(ours, "a") as file:
        file["y"] = 1
        assert file["x"].shape == (3,)


def test_a_file_that_cannot_be_extended_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"no HDF5 at all" * 99)
    with pytest.raises(WriteError, match=r"cannot extend a\.h5"):
        extend(tmp_path / "a.h5", 0, [1], {})
    fresh(tmp_path / "b.h5", [1])
    with pytest.raises(WriteError, match=r"cannot extend b\.h5"):
        extend(tmp_path / "b.h5", 0, [1], {})
