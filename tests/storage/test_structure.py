"""Files laid out by hand, read and changed by the HDF5 library."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.errors import EpisodeError
from pytupli_registry.storage.hdf5.attribute_values import normalise
from pytupli_registry.storage.hdf5.messages import TEXT, can_encode, datatype
from pytupli_registry.storage.hdf5.structure import Structure

if TYPE_CHECKING:
    from pathlib import Path

DTYPES = ["?", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16"]
ROWS = ["observations", "actions", "rewards", "terminations", "truncations"]

LEAVES = [
    Leaf("observations/far/_index_0", np.dtype("<f8"), (4,), 1),
    Leaf("observations/far/_index_1", np.dtype("?"), (2, 3), 1),
    Leaf("observations/日本", np.dtype("<u2"), (), 1),
    Leaf("actions", np.dtype("<i8"), (), 0),
    Leaf("rewards", np.dtype("<f4"), (), 0),
    Leaf("infos/nothing", np.dtype("<f4"), (0, 3), 1),
    Leaf("infos/wave", np.dtype("<c16"), (1,), 1),
]


class Laid:
    """A file with random values, and what must be in it."""

    def __init__(
        self, path: Path, lengths: Any, leaves: list[Leaf], attributes: list[dict[str, Any]], seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)
        self.path, self.leaves, self.attributes = path, leaves, attributes
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.structure = Structure(self.lengths, leaves, attributes)
        self.columns: dict[str, Any] = {}
        with path.open("wb") as file:
            for chunk in self.structure.chunks():
                file.write(chunk)
            assert file.tell() == self.structure.header_size
            for leaf in leaves:
                size = self.structure.rows(leaf) * leaf.row_bytes
                raw = rng.integers(0, 2 if leaf.dtype == np.bool_ else 256, size, dtype=np.uint8)
                shape = (self.structure.rows(leaf), *leaf.row_shape)
                self.columns[leaf.path] = np.frombuffer(raw.tobytes(), leaf.dtype).reshape(shape)
                file.seek(self.structure.offsets[leaf.path])
                file.write(raw.tobytes())
            file.truncate(self.structure.size)

    def check(self, file: h5py.File, numbers: Any = None) -> None:
        """Compare values, dtypes, shapes, places and attributes with what h5py finds."""
        starts = np.cumsum(self.lengths) - self.lengths
        for number in range(len(self.lengths)) if numbers is None else numbers:
            group, length = file[f"episode_{number}"], int(self.lengths[number])
            assert group.attrs["id"] == number
            assert group.attrs["id"].dtype == np.int64
            assert group.attrs["total_steps"] == length
            for name, value in self.attributes[number].items():
                found = group.attrs[name]
                assert isinstance(found, str) == isinstance(value, str), name
                np.testing.assert_array_equal(found, value)
            for leaf in self.leaves:
                first = int(starts[number]) + number * leaf.extra_row
                expected = self.columns[leaf.path][first : first + length + leaf.extra_row]
                found = group[leaf.path]
                assert found[()].dtype == expected.dtype
                assert found.shape == expected.shape
                assert found[()].tobytes() == expected.tobytes()
                if leaf.row_bytes:
                    offset = self.structure.offsets[leaf.path]
                    assert found.id.get_offset() == offset + first * leaf.row_bytes


def attributes_for(number: int) -> dict[str, Any]:
    """Return attributes of several kinds, not the same ones in every episode."""
    found: dict[str, Any] = {
        "month": ["June", "Jänner", ""][number % 3],
        "mass": number / 3,
        "expert": number % 2 == 0,
    }
    if number % 2:
        found["seed"] = number
    if number % 5 == 0:
        found["options/words"] = np.array(["a", "", "日本"])
        found["options/grid"] = np.arange(6, dtype=np.float32).reshape(2, 3)
    return found


@pytest.mark.parametrize("count", [1, 2, 8, 9, 15, 16, 17, 257, 1000])
def test_every_number_of_episodes_reads_back(tmp_path: Path, count: int) -> None:
    lengths = np.random.default_rng(count).integers(1, 20, count)
    laid = Laid(tmp_path / "a.h5", lengths, LEAVES, [attributes_for(number) for number in range(count)])
    with h5py.File(laid.path, "r") as file:
        assert set(file) == {f"episode_{number}" for number in range(count)}
        laid.check(file, range(0, count, 1 + count // 50))
        assert sorted(file["episode_0"]) == ["actions", "infos", "observations", "rewards"]
        assert sorted(file["episode_0/observations/far"]) == ["_index_0", "_index_1"]


def test_a_large_file_is_found_its_way_in_by_name(tmp_path: Path) -> None:
    lengths = np.full(70_000, 2)
    laid = Laid(tmp_path / "a.h5", lengths, LEAVES[3:5], [{}] * len(lengths))
    with h5py.File(laid.path, "r") as file:
        assert len(file) == 70_000
        laid.check(file, np.random.default_rng(0).integers(0, 70_000, 200))
        assert "episode_70000" not in file


def test_columns_are_aligned_and_the_headers_small(tmp_path: Path) -> None:
    leaves = [Leaf(path, np.dtype("<f8"), (), int(path == "observations")) for path in ROWS]
    structure = Structure(np.full(20_000, 50), leaves, [{}] * 20_000)
    assert all(offset % 64 == 0 for offset in structure.offsets.values())
    assert structure.size % 64 == 0
    assert structure.header_size / 20_000 < 1100


@pytest.mark.parametrize("libver", ["earliest", "latest", ("v108", "v110")])
def test_the_library_extends_changes_and_deletes(tmp_path: Path, libver: Any) -> None:
    laid = Laid(tmp_path / "a.h5", range(1, 31), LEAVES, [attributes_for(number) for number in range(30)])
    with h5py.File(laid.path, "a", libver=libver) as file:
        for number in range(30, 200):
            group = file.create_group(f"episode_{number}")
            group.attrs["id"] = number
            group.create_dataset("rewards", data=np.arange(number), chunks=True, maxshape=(None,))
        for number in range(0, 30, 5):
            group = file[f"episode_{number}"]
            group.attrs["month"] = laid.attributes[number]["month"] = f"changed {number} " * 9
            for extra in range(20):
                group.attrs[f"extra{extra}"] = "x" * extra
                group.create_dataset(f"infos/more{extra}", data=np.arange(extra + 1))
    with h5py.File(laid.path, "r") as file:
        assert len(file) == 200
        laid.check(file)
        for number in range(30, 200):
            np.testing.assert_array_equal(file[f"episode_{number}/rewards"], np.arange(number))
        for extra in range(20):
            assert file["episode_5"].attrs[f"extra{extra}"] == "x" * extra
            assert len(file[f"episode_5/infos/more{extra}"]) == extra + 1
    with h5py.File(laid.path, "a", libver=libver) as file:
        for number in range(0, 200, 2):
            del file[f"episode_{number}"]
    with h5py.File(laid.path, "r") as file:
        assert set(file) == {f"episode_{number}" for number in range(1, 200, 2)}
        laid.check(file, range(1, 30, 2))


def test_the_library_copies_every_object_to_another_file(tmp_path: Path) -> None:
    laid = Laid(tmp_path / "a.h5", [3, 1, 7], LEAVES, [attributes_for(number) for number in range(3)])
    with h5py.File(laid.path, "r") as file, h5py.File(tmp_path / "b.h5", "w") as other:
        for name in file:
            file.copy(name, other)
        names: list[str] = []
        file.visit(names.append)
        copied: list[str] = []
        other.visit(copied.append)
        assert names == copied
        for name in names:
            if isinstance(file[name], h5py.Dataset):
                np.testing.assert_array_equal(file[name][()], other[name][()], strict=True)
            assert dict(file[name].attrs).keys() == dict(other[name].attrs).keys()


def test_many_leaves_in_one_group_stay_readable_when_one_more_comes(tmp_path: Path) -> None:
    leaves = [Leaf(f"observations/part{number}", np.dtype("<f4"), (), 1) for number in range(40)]
    laid = Laid(tmp_path / "a.h5", [2, 3], leaves, [{}, {}])
    with h5py.File(laid.path, "a") as file:
        laid.check(file)
        file["episode_1/observations/one_more"] = 1.0
    with h5py.File(laid.path, "r") as file:
        laid.check(file)
        assert len(file["episode_1/observations"]) == 41


@pytest.mark.parametrize("code", DTYPES)
def test_datatypes_are_the_bytes_that_h5py_writes(code: str) -> None:
    dtype = np.dtype(code)
    assert datatype(dtype) == h5py.h5t.py_create(dtype, logical=True).encode()[2:]
    assert can_encode(dtype)


def test_text_is_the_datatype_that_h5py_writes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["month"] = "June"
    assert datatype(TEXT) in (tmp_path / "a.h5").read_bytes()


@pytest.mark.parametrize("code", ["g", "G", "S3", "U3", "O", "M8[s]"])
def test_what_has_no_datatype_is_refused(code: str) -> None:
    assert not can_encode(np.dtype(code))
    with pytest.raises(ValueError, match="no HDF5 datatype"):
        datatype(np.dtype(code))


@pytest.mark.parametrize(
    "value", [object(), [1, [2, 3]], "a\0b", "\ud800", 2**70, {"a": 1}, np.zeros(9000), b"raw"]
)
def test_impossible_attributes_are_refused(value: object) -> None:
    with pytest.raises(EpisodeError, match="fact"):
        normalise("fact", value)


names = st.text(st.characters(exclude_characters="/\0.", exclude_categories=["Cs"]), min_size=1, max_size=12)
numbers = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300),
)
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@st.composite
def files(draw: st.DrawFn) -> tuple[list[int], list[Leaf], list[dict[str, Any]]]:
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=20))
    paths = draw(st.lists(st.tuples(st.sampled_from("abc"), names), min_size=1, max_size=8, unique=True))
    leaves = [
        Leaf(
            "/".join(path),
            np.dtype(draw(st.sampled_from(DTYPES))),
            draw(shapes),
            draw(st.sampled_from([0, 1])),
        )
        for path in paths
    ]
    facts = st.dictionaries(names.filter(lambda name: name not in {"id", "total_steps"}), numbers, max_size=4)
    return lengths, leaves, [draw(facts) for _ in lengths]


@given(files())
@settings(max_examples=40, deadline=None)
def test_random_structures_read_back(tmp_path_factory: pytest.TempPathFactory, given: Any) -> None:
    laid = Laid(tmp_path_factory.mktemp("random") / "a.h5", *given)
    assert laid.structure.size >= sum(math.prod(column.shape) for column in laid.columns.values())
    with h5py.File(laid.path, "r") as file:
        laid.check(file)
