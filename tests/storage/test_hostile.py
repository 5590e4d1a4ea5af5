"""Files from the network: a clear error or the right values, never a crash, a hang or a flood of memory."""

import json
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytupli_registry.errors import FormatError, InvalidReference, PytupliError, SpaceError, UnsafeFile
from pytupli_registry.storage.local import LocalStore, open_directory
from pytupli_registry.storage.parquet import read_index
from pytupli_registry.storage.stamps import Stamps
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME, METADATA_NAME


@pytest.fixture
def chunked(workshop):
    """The directory of a dataset as Minari writes it."""
    workshop.minari("box")
    return workshop.directory()


@pytest.fixture
def ours(workshop):
    """The directory of a dataset in our layout, with its index and no stamp: as it comes from the network."""
    workshop.minari("box")
    workshop.store.adopt(workshop.directory(), "zoo/ours-v0")
    shutil.rmtree(workshop.store.cache)
    return workshop.directory("zoo/ours-v0")


def edit(directory):
    return h5py.File(directory / DATA_NAME, "a")


def refused(directory, cache, match, error=UnsafeFile):
    with pytest.raises(error, match=match) as raised:
        open_directory(directory, cache)
    assert str(directory) in str(raised.value)


def values(directory, cache):
    """Everything a user could touch."""
    dataset = open_directory(directory, cache)
    for episode in dataset:
        for leaf in episode.leaves().values():
            np.asarray(leaf).sum() if isinstance(leaf, np.ndarray) else len(leaf)
    return dataset


# What the HDF5 format allows and we do not.


def test_external_link(chunked, workshop, tmp_path):
    with h5py.File(tmp_path / "secret.hdf5", "w") as other:
        other["observations"] = np.zeros((5, 3), np.float32)
    with edit(chunked) as file:
        del file["episode_0/observations"]
        file["episode_0/observations"] = h5py.ExternalLink(str(tmp_path / "secret.hdf5"), "/observations")
    refused(chunked, workshop.store.cache, "link to elsewhere")


@pytest.mark.parametrize("place", ["episode_4", "episode_0/infos/more", "episode_0/more"])
def test_soft_and_external_links_anywhere(chunked, workshop, place):
    with edit(chunked) as file:
        file[place] = h5py.SoftLink("/episode_1")
    refused(chunked, workshop.store.cache, "link to elsewhere")


def test_external_storage(chunked, workshop, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(4 * 8))
    with edit(chunked) as file:
        del file["episode_0/rewards"]
        file.create_dataset(
            "episode_0/rewards", (4,), np.float64, external=[(str(tmp_path / "secret"), 0, 32)]
        )
    refused(chunked, workshop.store.cache, "in another file")


def test_virtual_dataset(chunked, workshop, tmp_path):
    with h5py.File(tmp_path / "other.hdf5", "w") as other:
        other["rewards"] = np.zeros(4)
    layout = h5py.VirtualLayout(shape=(4,), dtype=np.float64)
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.hdf5"), "rewards", shape=(4,))
    with edit(chunked) as file:
        del file["episode_0/rewards"]
        file["episode_0"].create_virtual_dataset("rewards", layout)
    refused(chunked, workshop.store.cache, "virtual dataset")


def test_filter_plugin(chunked, workshop):
    with edit(chunked) as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((4,))
        plist.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (1,))  # blosc, which is not there
        del file["episode_0/rewards"]
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file["episode_0"].id, b"rewards", h5py.h5t.IEEE_F64LE, space, plist)
    refused(chunked, workshop.store.cache, "plug-in 32001")


@pytest.mark.parametrize("codec", ["gzip", "lzf"])
def test_ordinary_compression_is_read(chunked, workshop, codec):
    with edit(chunked) as file:
        expected = file["episode_1/observations"][()]
        del file["episode_1/observations"]
        file.create_dataset("episode_1/observations", data=expected, compression=codec, shuffle=True)
    np.testing.assert_array_equal(
        values(chunked, workshop.store.cache)[1].observations, expected, strict=True
    )


@pytest.mark.parametrize(
    "dtype",
    [
        h5py.ref_dtype,
        h5py.regionref_dtype,
        np.dtype([("a", "f8"), ("b", "i4")]),
        h5py.opaque_dtype(np.dtype("V8")),
        h5py.vlen_dtype(np.float64),
        np.dtype(("f8", (2,))),
    ],
    ids=["reference", "region", "compound", "opaque", "vlen", "array"],
)
@pytest.mark.parametrize("place", ["rewards", "infos/odd", "attribute"])
def test_types_that_are_no_numbers(chunked, workshop, dtype, place):
    with edit(chunked) as file:
        episode = file["episode_0"]
        if place == "attribute":
            space = h5py.h5s.create(h5py.h5s.SCALAR)
            h5py.h5a.create(episode.id, b"odd", h5py.h5t.py_create(dtype, logical=True), space)
        else:
            if place in episode:
                del episode[place]
            episode.create_dataset(place, (4,), dtype=dtype)
    refused(chunked, workshop.store.cache, "type|variable-length")


@pytest.mark.parametrize("rows", [4, 5_000_000_000])
def test_chunks_that_were_never_written(chunked, workshop, rows):
    with edit(chunked) as file:
        del file["episode_0/rewards"]
        file.create_dataset("episode_0/rewards", (rows,), np.float64, chunks=(min(rows, 1024),))
        file["episode_0"].attrs["total_steps"] = rows
    refused(chunked, workshop.store.cache, "declares")


def test_impossible_chunks(chunked, workshop):
    with edit(chunked) as file:
        del file["episode_0/rewards"]
        file.create_dataset("episode_0/rewards", (4,), np.float64, chunks=(1 << 28,), maxshape=(None,))
    refused(chunked, workshop.store.cache, "chunks")


def test_one_dataset_under_many_names(ours, workshop):
    """A small file that declares terabytes by repeating itself."""
    with edit(ours) as file:
        episode = file["episode_0"]
        episode.create_dataset(
            "infos/big", data=np.zeros((5, 1_000_000)), chunks=(5, 1000), compression="gzip"
        )
        for number in range(100):
            episode[f"infos/copy{number}"] = episode["infos/big"]
    refused(ours, workshop.store.cache, "declares more than")


def test_aliased_columns_are_still_right(ours, workshop):
    """Hard links are harmless: the shared bytes are read through HDF5."""
    with edit(ours) as file:
        for episode in file.values():
            episode["infos/again"] = episode["infos/energy"]
    dataset = values(ours, workshop.store.cache)
    assert not dataset.reader.is_mapped("infos/again")
    np.testing.assert_array_equal(dataset.array("infos/again"), dataset.array("infos/energy"))


def test_nesting_without_end(chunked, workshop):
    with edit(chunked) as file:
        file["episode_0/infos/loop"] = file["episode_0/infos"]
    refused(chunked, workshop.store.cache, "nested")


def test_flags_that_are_neither_true_nor_false(ours, workshop):
    with h5py.File(ours / DATA_NAME) as file:
        offset = file["episode_1/terminations"].id.get_offset()
    with (ours / DATA_NAME).open("r+b") as file:
        file.seek(offset)
        file.write(b"\x07")
    refused(ours, workshop.store.cache, "neither 0 nor 1", FormatError)


# What no Minari dataset is.


def rename(file):
    file.move("episode_3", "episode_7")


def stray(file):
    file["notes"] = 1


def shorter(file):
    observations = file["episode_1/observations"][:-1]
    del file["episode_1/observations"]
    file["episode_1/observations"] = observations


def miscounted(file):
    file["episode_1"].attrs["total_steps"] = 8


def misnumbered(file):
    file["episode_1"].attrs["id"] = 2


def gone(file):
    del file["episode_2/actions"]


def extra(file):
    file["episode_2/observations_more"] = 1
    values = file["episode_2/observations"][()]
    del file["episode_2/observations"]
    file["episode_2/observations/inner"] = values


def integer(file):
    for episode in file.values():
        length = len(episode["terminations"])
        del episode["terminations"]
        episode["terminations"] = np.zeros(length, np.int64)


def wide(file):
    for episode in file.values():
        length = len(episode["actions"])
        del episode["actions"]
        episode["actions"] = np.zeros((length, 3))


def complex_actions(file):
    for episode in file.values():
        length = len(episode["actions"])
        del episode["actions"]
        episode["actions"] = np.zeros((length, 2), np.complex128)


def emptied(file):
    for name in list(file):
        del file[name]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (rename, "numbered"),
        (stray, "no episode"),
        (shorter, "does not begin with 8 rows"),
        (miscounted, "total_steps is 8, not 7"),
        (misnumbered, "id is 2, not 1"),
        (gone, "some episodes lack it"),
        (extra, "lack"),
        (integer, "cannot be int64"),
        (wide, r"cannot be float64 \(3,\)"),
        (complex_actions, "cannot be complex128"),
        (emptied, "no episodes"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_minari_dataset(chunked, workshop, change, match):
    with edit(chunked) as file:
        change(file)
    refused(chunked, workshop.store.cache, match, FormatError)


def test_spaces_that_do_not_fit(chunked, workshop):
    path = chunked / METADATA_NAME
    content = json.loads(path.read_text())
    content["observation_space"] = content["observation_space"].replace(
        '"shape": [3]', '"shape": [1000000000000]'
    )
    path.write_text(json.dumps(content))
    with pytest.raises(SpaceError, match="impossible shape"):
        open_directory(chunked, workshop.store.cache)


@pytest.mark.parametrize(
    "dataset_id", ["../x-v0", "a/../../x-v0", "/etc/x-v0", "a//x-v0", ".hidden/x-v0", "a\x00/x-v0"]
)
def test_path_tricks_in_ids(workshop, dataset_id):
    for act in (workshop.store.open, workshop.store.delete, workshop.store.data_path):
        with pytest.raises(InvalidReference):
            act(dataset_id)


def test_symbolic_link_out_of_the_store(workshop, tmp_path):
    workshop.minari("box")
    outside = tmp_path / "outside"
    (workshop.store.root / "zoo" / "kind-v0").rename(outside)
    (workshop.store.root / "zoo" / "kind-v0").symlink_to(outside)
    for act in (workshop.store.open, workshop.store.delete):
        with pytest.raises(UnsafeFile, match="out of the store"):
            act("zoo/kind-v0")
    assert (outside / "data" / DATA_NAME).exists()


# Damage.


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("name", [DATA_NAME, INDEX_NAME, METADATA_NAME])
def test_truncated(ours, workshop, name, tenth):
    expected = {path: array.copy() for path, array in values(ours, workshop.store.cache).columns().items()}
    shutil.rmtree(workshop.store.cache)
    whole = (ours / name).read_bytes()
    (ours / name).write_bytes(whole[: len(whole) * tenth // 10])
    try:
        found = values(ours, workshop.store.cache)
    except PytupliError:
        assert name != INDEX_NAME
        return
    assert name == INDEX_NAME, "a shorter data file or metadata cannot be right"
    for path, array in found.columns().items():
        np.testing.assert_array_equal(array, expected[path])


FUZZ = """
import sys, random
from pathlib import Path
from pytupli_registry.errors import PytupliError
from pytupli_registry.storage.local import open_directory
directory, cache, name, first, last = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
target = directory / name
whole = target.read_bytes()
import resource
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
for seed in range(int(first), int(last)):
    rng = random.Random(seed)
    damaged = bytearray(whole)
    for _ in range(rng.choice([1, 1, 2, 8])):
        place = rng.randrange(min(len(damaged), 1 << 14))
        damaged[place] = rng.choice([0, 255, damaged[place] ^ (1 << rng.randrange(8)), rng.randrange(256)])
    target.write_bytes(bytes(damaged))
    print(seed, flush=True)
    try:
        dataset = open_directory(directory, cache)
        for episode in dataset:
            for leaf in episode.leaves().values():
                len(leaf)
        for field in dataset.fields:
            dataset.fields[field]
        dataset.describe()
    except PytupliError:
        pass
"""


@pytest.mark.parametrize("name", [DATA_NAME, INDEX_NAME])
@pytest.mark.parametrize("layout", ["ours", "chunked"])
@pytest.mark.parametrize(
    "seeds",
    [
        (0, 8),
        pytest.param((8, 200), marks=pytest.mark.slow),
        pytest.param((200, 800), marks=pytest.mark.extended),
    ],
)
def test_flipped_bits(request, workshop, layout, name, seeds, tmp_path):
    """In a process of its own, with bounded memory and time: the HDF5 library is C."""
    directory = request.getfixturevalue(layout)
    if layout == "chunked":
        open_directory(directory, workshop.store.cache)  # makes the index
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, str(directory), str(tmp_path / "fuzz-cache"), name, *map(str, seeds)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout.splitlines()[-1:], done.stderr[-2000:])
    assert done.stdout.split()[-1] == str(seeds[1] - 1)


# getrusage() would not do: the maximum it gives is inherited, so a large pytest process would be blamed on the child.
FRUGAL = """
import resource, sys
from pathlib import Path
import h5py, pyarrow.parquet
from pytupli_registry.errors import UnsafeFile
from pytupli_registry.storage.local import open_directory

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])

resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
before = peak()
try:
    open_directory(Path(sys.argv[1]), Path(sys.argv[2]))
except UnsafeFile:
    print(before, peak())
"""


def test_huge_declarations_cost_no_memory(chunked, workshop):
    with edit(chunked) as file:
        del file["episode_0/observations"]
        file.create_dataset("episode_0/observations", (1 << 40, 3), np.float32, chunks=(1024, 3))
    done = subprocess.run(
        [sys.executable, "-c", FRUGAL, str(chunked), str(workshop.store.cache)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert before < 400 * 1024
    assert after - before < 64 * 1024


# An index that lies.


def tamper(directory, header=None, columns=None):
    path = directory / INDEX_NAME
    table = pq.read_table(path)
    said = json.loads(table.schema.metadata[b"pytupli"])
    if header is not None:
        header(said)
    for name, change in (columns or {}).items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, change(table.column(name)))
    pq.write_table(table.replace_schema_metadata({b"pytupli": json.dumps(said).encode()}), path)


def leaf(said, path):
    return next(described for described in said["leaves"] if described["path"] == path)


def test_honest_index_is_kept(ours, workshop):
    before = (ours / INDEX_NAME).read_bytes()
    open_directory(ours, workshop.store.cache)
    assert (ours / INDEX_NAME).read_bytes() == before
    stamp = Stamps(workshop.store.cache).find(ours / DATA_NAME)
    assert stamp is not None
    assert stamp.index_path == (ours / INDEX_NAME).resolve()


def test_index_of_another_file(ours, workshop):
    workshop.minari("box", "zoo/other-v0", seed=5)
    other = workshop.store.adopt(workshop.directory("zoo/other-v0"))
    shutil.rmtree(workshop.store.cache)
    expected = [episode.total_return for episode in open_directory(ours, workshop.store.cache)]
    shutil.rmtree(workshop.store.cache)
    shutil.copy(workshop.directory("zoo/other-v0") / INDEX_NAME, ours / INDEX_NAME)
    found = open_directory(ours, workshop.store.cache)
    np.testing.assert_allclose(found.fields["total_return"].values, expected)
    assert not np.allclose(found.fields["total_return"].values, other.fields["total_return"].values)


def swap(said):
    first, second = leaf(said, "rewards"), leaf(said, "infos/energy")
    first["extents"][0][2] = second["extents"][0][2]
    said["leaves"].remove(second)


def shift(said):
    leaf(said, "observations")["extents"][0][2] += 12


def outside(said):
    leaf(said, "observations")["extents"][0][2] = said["data"]["size"] - 1


def huge(said):
    leaf(said, "observations")["row_shape"] = [1 << 40]


def other_version(said):
    said["version"] = 99


@pytest.mark.parametrize(
    "change", [swap, shift, outside, huge, other_version], ids=lambda change: change.__name__
)
def test_wrong_offsets_and_shapes(ours, workshop, change):
    expected = values(ours, workshop.store.cache).array("observations").copy()
    rewards = values(ours, workshop.store.cache).array("rewards").copy()
    shutil.rmtree(workshop.store.cache)
    tamper(ours, change)
    found = open_directory(ours, workshop.store.cache)
    np.testing.assert_array_equal(found.array("observations"), expected, strict=True)
    np.testing.assert_array_equal(found.array("rewards"), rewards, strict=True)
    assert read_index(ours / INDEX_NAME).leaves == {
        path: stored for path, stored in read_index(ours / INDEX_NAME).leaves.items() if path in found.leaves
    }


def constant(value):
    return lambda column: pa.array([value] * len(column), type=column.type)


@pytest.mark.parametrize(
    "column",
    ["total_return", "terminated", "observations[1].max", "observations.crc", "seed", "options.mass"],
)
def test_wrong_values_in_the_index(ours, workshop, column):
    honest = pq.read_table(ours / INDEX_NAME)
    lie = True if column == "terminated" else 12345
    tamper(ours, columns={column: constant(lie)})
    assert not pq.read_table(ours / INDEX_NAME).equals(honest)
    open_directory(ours, workshop.store.cache)
    assert pq.read_table(ours / INDEX_NAME).equals(honest), "it was built again from the data"


def test_index_that_was_exchanged_after_the_stamp(ours, workshop):
    open_directory(ours, workshop.store.cache)
    tamper(ours, columns={"total_return": constant(1e9)})
    assert open_directory(ours, workshop.store.cache).fields["total_return"].values.max() < 1e3


def test_data_that_was_changed_after_the_stamp(ours, workshop):
    before = open_directory(ours, workshop.store.cache).fields["total_return"].values.copy()
    with edit(ours) as file:
        file["episode_2/rewards"][...] = 77.0
    after = open_directory(ours, workshop.store.cache).fields["total_return"].values
    assert after[2] == 77.0
    np.testing.assert_array_equal(np.delete(after, 2), np.delete(before, 2))


@given(
    said=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["format", "version", "data", "leaves", "size", "sha256", "path", "dtype", "extents"]
                ),
                inner,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_header(tmp_path, said):
    path = tmp_path / "index.parquet"
    header = {
        "format": "pytupli.episodes",
        "version": 1,
        **(said if isinstance(said, dict) else {"leaves": said}),
    }
    table = pa.table({"episode_id": [0], "length": [1], "row_start": [0]})
    pq.write_table(table.replace_schema_metadata({b"pytupli": json.dumps(header).encode()}), path)
    with pytest.raises(FormatError):
        read_index(path)


def test_many_rows_in_few_bytes(tmp_path):
    path = tmp_path / "index.parquet"
    count = 50_000_000
    zeros = pa.array(np.zeros(1, np.int64)).take(pa.array(np.zeros(count, np.int8)))
    pq.write_table(pa.table({"episode_id": zeros}), path)
    assert path.stat().st_size * 16 < count
    with pytest.raises(FormatError, match="declares 50000000 rows"):
        read_index(path)


def test_store_lists_what_it_cannot_open(workshop):
    workshop.minari("box")
    for name, text in (
        ("broken-v0", "{"),
        ("alien-v0", '{"dataset_id": "zoo/other-v3"}'),
        ("bad name", "{}"),
    ):
        place = workshop.store.root / "zoo" / name / "data"
        place.mkdir(parents=True)
        (place / METADATA_NAME).write_text(text)
    found = {
        stored.dataset_id: stored.problem
        for stored in LocalStore(workshop.store.root, workshop.store.cache).list()
    }
    assert found.pop("zoo/kind-v0") is None
    assert set(found) == {"zoo/broken-v0", "zoo/alien-v0", "zoo/bad name"}
    assert all(found.values())


@pytest.mark.parametrize("name", [DATA_NAME, METADATA_NAME])
@pytest.mark.parametrize("endless", [True, False])
def test_what_never_ends_is_not_read(ours, tmp_path, name, endless):
    """A pipe that nobody writes to, and a link to a device that never stops."""
    (ours / name).unlink()
    if endless:
        (ours / name).symlink_to("/dev/zero")
    else:
        os.mkfifo(ours / name)
    refused(ours, tmp_path / "cache", "no regular file", FormatError)


def test_an_index_that_never_ends_is_replaced(ours, tmp_path):
    (ours / INDEX_NAME).unlink()
    os.mkfifo(ours / INDEX_NAME)
    assert len(values(ours, tmp_path / "cache")) == 4
    assert len(read_index(ours / INDEX_NAME).table) == 4


def test_the_index_is_not_written_through_links(ours, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (ours / INDEX_NAME).unlink()
    for name in (INDEX_NAME, f".{INDEX_NAME}.{os.getpid()}", f".{INDEX_NAME}.partial"):
        (ours / name).symlink_to(precious)
    assert len(values(ours, tmp_path / "cache")) == 4
    assert precious.read_text() == "mine"
