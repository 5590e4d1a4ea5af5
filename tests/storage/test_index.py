import json
import tracemalloc
import zlib
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.errors import FormatError
from pytupli_registry.filters.source import FieldValues
from pytupli_registry.storage.index import (
    Extent,
    StoredLeaf,
    build_index,
    read_index,
    same_index,
    write_index,
)

SHA = "ab" * 32


def lay_out(path, leaves, lengths, pieces=1):
    """Write columns as a data file would hold them, each in some pieces; return where they lie."""
    stored = {}
    lengths = np.asarray(lengths)
    cuts = np.linspace(0, len(lengths), pieces + 1).astype(int)
    content = bytearray(b"\x89HDF head")
    for first, last in pairwise(cuts):
        for name, (values, extra_row) in leaves.items():
            starts = np.concatenate([[0], np.cumsum(lengths + extra_row)])
            rows = values[starts[first] : starts[last]]
            if len(rows):
                found = stored.setdefault(name, [])
                found.append(Extent(int(starts[first]), len(rows), len(content)))
                content += rows.tobytes() + b"\xff" * 3
    path.write_bytes(bytes(content))
    return {
        name: StoredLeaf(Leaf(name, values.dtype, values.shape[1:], extra_row), tuple(stored[name]))
        for name, (values, extra_row) in leaves.items()
    }


def columns(lengths, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    steps, count = sum(lengths), len(lengths)
    return {
        "observations/x": (rng.standard_normal((steps + count, 2)).astype(dtype), 1),
        "actions": (rng.integers(0, 5, (steps,)), 0),
        "rewards": (rng.standard_normal(steps), 0),
        "terminations": (rng.random(steps) < 0.3, 0),
        "truncations": (rng.random(steps) < 0.3, 0),
        "infos/grid": (rng.integers(0, 99, (steps + count, 2, 3)).astype(np.uint8), 1),
    }


def built(tmp_path, lengths, facts=None, pieces=1, leaves=None):
    leaves = leaves or columns(lengths)
    path = tmp_path / "main_data.hdf5"
    return leaves, build_index(
        path, np.array(lengths), lay_out(path, leaves, lengths, pieces), facts or {}, SHA
    )


def episodes(values, lengths, extra_row):
    start = 0
    for length in lengths:
        yield values[start : start + length + extra_row]
        start += length + extra_row


def round_trip(index, tmp_path):
    write_index(index, tmp_path / "episodes.parquet")
    return read_index(tmp_path / "episodes.parquet")


@pytest.mark.parametrize("pieces", [1, 3])
def test_says_what_the_episodes_hold(tmp_path, pieces):
    lengths = [3, 1, 7, 2]
    leaves, index = built(tmp_path, lengths, pieces=pieces)
    for read in (index, round_trip(index, tmp_path)):
        fields = read.table.fields
        rewards = list(episodes(leaves["rewards"][0], lengths, 0))
        assert fields["total_return"].values == pytest.approx([np.sum(part) for part in rewards], rel=1e-12)
        assert fields["mean_reward"].values == pytest.approx([np.mean(part) for part in rewards], rel=1e-12)
        assert fields["min_reward"].values.tolist() == [part.min() for part in rewards]
        assert fields["max_reward"].values.tolist() == [part.max() for part in rewards]
        for field, leaf in (("terminated", "terminations"), ("truncated", "truncations")):
            expected = [bool(part[-1]) for part in episodes(leaves[leaf][0], lengths, 0)]
            assert fields[field].values.tolist() == expected
        assert read.table.lengths.tolist() == lengths
        assert read.table.row_starts.tolist() == [0, 3, 4, 11]
        for path, (values, extra_row) in leaves.items():
            parts = list(episodes(values, lengths, extra_row))
            assert read.checksums[path].tolist() == [zlib.crc32(part.tobytes()) for part in parts]
            low, high = read.table.zones[path]
            flat = [part.reshape(len(part), -1) for part in parts]
            np.testing.assert_array_equal(low, [part.min(axis=0) for part in flat])
            np.testing.assert_array_equal(high, [part.max(axis=0) for part in flat])


def test_columns_have_names_other_tools_can_use(tmp_path):
    facts = {"metadata.month": ["June", None], "options.mass": [1.5, 2.0], "recorded_by": ["me", "me"]}
    _, index = built(tmp_path, [3, 1], facts)
    write_index(index, tmp_path / "episodes.parquet")
    table = pq.read_table(tmp_path / "episodes.parquet")
    expected = {"episode_id", "length", "row_start", "total_return", "seed", "metadata.month", "options.mass"}
    expected |= {"recorded_by", "observations/x[1].min", "rewards.max", "infos/grid[1,2].max", "actions.crc"}
    assert expected <= set(table.column_names)
    assert table["metadata.month"].to_pylist() == ["June", None]
    assert table["seed"].to_pylist() == [None, None]
    assert table["row_start"].to_pylist() == [0, 3]


def test_blocks_do_not_change_the_result(tmp_path, monkeypatch):
    lengths = np.random.default_rng(1).integers(1, 30, 200).tolist()
    _, whole = built(tmp_path, lengths, pieces=2)
    monkeypatch.setattr("pytupli_registry.storage.statistics._BLOCK_BYTES", 100)
    _, cut = built(tmp_path, lengths, pieces=2)
    assert same_index(whole, cut)


def test_memory_stays_bounded(tmp_path):
    lengths = [1000] * 300
    leaves, path = columns(lengths, dtype=np.float64), tmp_path / "main_data.hdf5"
    stored = lay_out(path, leaves, lengths)
    size = path.stat().st_size
    del leaves
    tracemalloc.start()
    build_index(path, np.array(lengths), stored, {}, SHA)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 10_000_000
    assert peak < size / 2


def test_nan_makes_a_zone_unknown(tmp_path):
    leaves = columns([2, 2])
    leaves["observations/x"][0][1, 0] = np.nan
    leaves["rewards"][0][3] = np.nan
    _, index = built(tmp_path, [2, 2], leaves=leaves)
    read = round_trip(index, tmp_path)
    low, high = read.table.zones["observations/x"]
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [[True, False], [False, False]]
    assert np.isnan(read.table.fields["total_return"].values).tolist() == [False, True]
    assert same_index(index, read)


def test_wide_leaves_have_checksums_and_no_zones(tmp_path):
    leaves = columns([2, 3])
    leaves["observations/wide"] = (np.ones((7, 33)), 1)
    leaves["observations/complex"] = (np.ones(7, np.complex64), 1)
    leaves["observations/half"] = (np.arange(7, dtype=np.float16), 1)
    leaves["observations/big"] = (np.arange(7, dtype=">i4"), 1)
    _, index = built(tmp_path, [2, 3], leaves=leaves)
    read = round_trip(index, tmp_path)
    assert {"observations/wide", "observations/complex"}.isdisjoint(read.table.zones)
    assert {"observations/wide", "observations/complex"} <= set(read.checksums)
    assert read.table.zones["observations/half"][1].tolist() == [[2.0], [6.0]]
    assert read.table.zones["observations/big"][1].tolist() == [[2], [6]]
    assert read.leaves["observations/big"].leaf.dtype == np.dtype(">i4")
    assert same_index(index, read)


scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=8)
)
names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)


@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    facts=st.dictionaries(names, st.sampled_from(["bool", "int", "float", "text", "mixed"]), max_size=4),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_round_trip(tmp_path_factory, lengths, facts, data):
    kinds = {
        "bool": st.booleans(),
        "int": st.integers(-(2**63), 2**63 - 1),
        "float": st.floats(),
        "text": st.text(st.characters(codec="utf-8"), max_size=8),
        "mixed": scalars,
    }
    values = {
        f"metadata.{name}": data.draw(
            st.lists(st.none() | kinds[kind], min_size=len(lengths), max_size=len(lengths))
        )
        for name, kind in facts.items()
    }
    seeds = data.draw(
        st.lists(st.none() | st.integers(0, 2**63 - 1), min_size=len(lengths), max_size=len(lengths))
    )
    tmp_path = tmp_path_factory.mktemp("round")
    _, index = built(tmp_path, lengths, {"seed": seeds, **values})
    read = round_trip(index, tmp_path)
    assert same_index(index, read)
    assert list(read.table.fields) == list(index.table.fields)
    found = read.table.fields["seed"]
    missing = np.zeros(len(lengths), bool) if found.missing is None else found.missing
    assert [None if gone else int(v) for v, gone in zip(found.values, missing, strict=True)] == seeds
    for name, field in index.table.fields.items():
        again = read.table.fields[name]
        assert again.values.dtype == field.values.dtype
        assert not again.values.flags.writeable or again.values.dtype == object


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.int8, np.uint64, np.bool_, np.float64]),
        st.tuples(st.just(6), st.integers(0, 3)),
    )
)
@settings(max_examples=60, deadline=None)
def test_zones_of_any_numbers(tmp_path_factory, values):
    tmp_path = tmp_path_factory.mktemp("zones")
    leaves = {**columns([2, 4]), "actions": (values, 0)}
    if values.shape[1] == 0:
        leaves.pop("actions")
        stored = lay_out(tmp_path / "d", leaves, [2, 4])
        stored["actions"] = StoredLeaf(Leaf("actions", values.dtype, (0,), 0), ())
    else:
        stored = lay_out(tmp_path / "d", leaves, [2, 4])
    read = round_trip(build_index(tmp_path / "d", np.array([2, 4]), stored, {}, SHA), tmp_path)
    if values.shape[1] == 0:
        assert "actions" not in read.table.zones
        assert read.checksums["actions"].tolist() == [0, 0]
        return
    low, high = read.table.zones["actions"]
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(low, [values[:2].min(axis=0), values[2:].min(axis=0)])
        np.testing.assert_array_equal(high, [values[:2].max(axis=0), values[2:].max(axis=0)])


def test_same_index_notices_every_difference(tmp_path):
    _, index = built(tmp_path, [3, 2], {"metadata.month": ["June", "July"]})
    for facts in (
        {},
        {"metadata.month": ["June", "June"]},
        {"metadata.month": ["June", None]},
        {"seed": [1, 2]},
    ):
        assert not same_index(index, built(tmp_path, [3, 2], facts)[1])
    assert not same_index(index, built(tmp_path, [2, 3], {"metadata.month": ["June", "July"]})[1])
    assert not same_index(index, built(tmp_path, [3, 2], {"metadata.month": ["June", "July"]}, pieces=2)[1])
    leaves = columns([3, 2])
    leaves["infos/grid"][0][0, 0, 0] += 1
    assert not same_index(
        index, built(tmp_path, [3, 2], {"metadata.month": ["June", "July"]}, leaves=leaves)[1]
    )


def test_replaces_in_one_step(tmp_path):
    _, index = built(tmp_path, [3, 2])
    path = tmp_path / "episodes.parquet"
    write_index(index, path)
    first = read_index(path)
    write_index(built(tmp_path, [1, 1, 1])[1], path)
    assert first.table.fields["total_return"].values.shape == (2,), "what was opened stays readable"
    assert len(read_index(path).table) == 3
    assert [found.name for found in tmp_path.iterdir() if found.name.startswith(".")] == []


def test_build_refuses_what_cannot_be(tmp_path):
    leaves = columns([3, 2])
    path = tmp_path / "main_data.hdf5"
    stored = lay_out(path, leaves, [3, 2])
    wrong = {
        "leaves": {
            **stored,
            "rewards": StoredLeaf(stored["rewards"].leaf, (Extent(0, 5, path.stat().st_size - 8),)),
        },
        "end at": {**stored, "actions": StoredLeaf(stored["actions"].leaf, (Extent(0, 5, 10**9),))},
        "overlap": {**stored, "infos/more": stored["infos/grid"]},
        "too few": {**stored, "actions": StoredLeaf(stored["actions"].leaf, (Extent(0, 4, 0),))},
        "in order": {
            **stored,
            "actions": StoredLeaf(stored["actions"].leaf, (Extent(2, 3, 0), Extent(0, 2, 99))),
        },
        "within": {
            **stored,
            "actions": StoredLeaf(stored["actions"].leaf, (Extent(0, 2, 0), Extent(2, 3, 16))),
        },
        "none": {name: leaf for name, leaf in stored.items() if name != "truncations"},
    }
    for claimed in wrong.values():
        with pytest.raises(FormatError):
            build_index(path, np.array([3, 2]), claimed, {}, SHA)
    for lengths in ([], [5, 0], [3, 3]):
        with pytest.raises(FormatError):
            build_index(path, np.array(lengths, dtype=np.int64), stored, {}, SHA)
    with pytest.raises(ValueError, match="2 episodes"):
        build_index(path, np.array([3, 2]), stored, {"seed": [1]}, SHA)


CHANGES = {
    "no row_start": lambda table: table.drop_columns(["row_start"]),
    "text lengths": lambda table: table.set_column(1, "length", pa.array(["3", "2"])),
    "wrong starts": lambda table: table.set_column(2, "row_start", pa.array([0, 4])),
    "wrong ids": lambda table: table.set_column(0, "episode_id", pa.array([0, 2])),
    "missing id": lambda table: table.set_column(0, "episode_id", pa.array([0, None], pa.int64())),
    "zero length": lambda table: table.set_column(1, "length", pa.array([5, 0])),
    "huge lengths": lambda table: table.set_column(1, "length", pa.array([2**62, 2**62])),
    "no rows": lambda table: table.slice(0, 0),
    "one row": lambda table: table.slice(0, 1),
    "twice": lambda table: table.append_column("length", table["length"]),
    "list metadata": lambda table: table.append_column("metadata.x", pa.array([[1], [2]])),
    "no checksums": lambda table: table.drop_columns(["actions.crc"]),
    "no zones": lambda table: table.drop_columns(["actions.max"]),
    "no key": lambda table: table.replace_schema_metadata({}),
    "key is no JSON": lambda table: table.replace_schema_metadata({b"pytupli": b"{"}),
    "other format": lambda table: table.replace_schema_metadata(
        {b"pytupli": b'{"format": "x", "version": 1}'}
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_read_refuses(tmp_path, case):
    write_index(built(tmp_path, [3, 2])[1], tmp_path / "episodes.parquet")
    table = pq.read_table(tmp_path / "episodes.parquet")
    pq.write_table(CHANGES[case](table), tmp_path / "changed.parquet")
    with pytest.raises(FormatError):
        read_index(tmp_path / "changed.parquet")


def test_unknown_version_says_so(tmp_path):
    write_index(built(tmp_path, [3, 2])[1], tmp_path / "episodes.parquet")
    table = pq.read_table(tmp_path / "episodes.parquet")
    header = json.loads(table.schema.metadata[b"pytupli"]) | {"version": 2}
    pq.write_table(
        table.replace_schema_metadata({b"pytupli": json.dumps(header)}), tmp_path / "newer.parquet"
    )
    with pytest.raises(FormatError, match="version is 2, this library knows 1") as raised:
        read_index(tmp_path / "newer.parquet")
    assert raised.value.hint is not None


def test_fields_can_be_pickled(tmp_path):
    import pickle

    _, index = built(tmp_path, [3, 2], {"metadata.month": ["June", "July"]})
    read = round_trip(index, tmp_path)
    fields = pickle.loads(pickle.dumps(read.table.fields))
    assert fields["metadata.month"].values.tolist() == ["June", "July"]
    assert isinstance(fields["seed"], FieldValues)
