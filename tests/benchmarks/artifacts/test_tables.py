"""Tables come back equal to the last frequency; other tools read them; hostile files are errors."""

from __future__ import annotations

import datetime as dt
import io
import json
import subprocess
import sys
import zoneinfo
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import pandas as hpd

from pytupli_registry.benchmarks.artifacts.tables import TableCodec
from pytupli_registry.errors import ArtifactError, FormatError

if TYPE_CHECKING:
    from pathlib import Path

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
CODEC = TableCodec()
HOURS = pd.date_range("2020-10-25", periods=3, freq="h", tz=BERLIN, name="time")
PAYLOADS = np.array([0x7FF8000000000123, 0xFFF8000000000001, 0x8000000000000000], np.uint64).view(np.float64)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "value.parquet"


def written(value, path: Path) -> bytes:
    with path.open("wb") as file:
        details = CODEC.write(value, file)
    assert details == {"type": type(value).__name__, "rows": len(value)}
    return path.read_bytes()


def through(value, path: Path):
    written(value, path)
    return CODEC.read(path, {})


def assert_same(one, other) -> None:
    assert type(one) is type(other)
    compare = pd.testing.assert_series_equal if isinstance(one, pd.Series) else pd.testing.assert_frame_equal
    compare(one, other, check_exact=True, check_freq=True, check_index_type=True)
    assert type(one.index) is type(other.index)
    assert one.index.names == other.index.names
    assert one.attrs == other.attrs
    if isinstance(one, pd.DataFrame):
        assert one.dtypes.tolist() == other.dtypes.tolist()
        assert type(one.columns) is type(other.columns)
        assert [type(label) for label in one.columns] == [type(label) for label in other.columns]


def of_everything() -> pd.DataFrame:
    moments = ["2020-01-01T00:00:01", None, "1960-05-05T00:00:00"]
    return pd.DataFrame(
        {
            **{kind: np.array([1, 2, 3], kind) for kind in ("i1", "i2", "i4", "u1", "u2", "u4", "f2", "f4")},
            "i8": np.array([-(2**63), 2**63 - 1, 0]),
            "u8": np.array([2**64 - 1, 2**63, 0], np.uint64),
            "f8": PAYLOADS,
            "bool": [True, False, True],
            "str": ["a", None, "é✓"],
            "string": pd.array(["a", pd.NA, ""], dtype=pd.StringDtype("python")),
            "arrow string": pd.array(["a", pd.NA, ""], dtype=pd.StringDtype("pyarrow")),
            "texts and None": pd.Series(["a", None, ""], dtype=object, index=HOURS),
            "texts and nan": pd.Series(["a", np.nan, ""], dtype=object, index=HOURS),
            "texts and NA": pd.Series(["a", pd.NA, ""], dtype=object, index=HOURS),
            "Int64": pd.array([2**62 + 1, None, -1], dtype="Int64"),
            "UInt8": pd.array([255, None, 0], dtype="UInt8"),
            "Float64": pd.arrays.FloatingArray(np.array([1.5, np.nan, 0]), np.array([False, False, True])),
            "boolean": pd.array([True, None, False], dtype="boolean"),
            "categorical": pd.Categorical(["u", None, "v"], categories=["v", "u", "unused"], ordered=True),
            "numbers": pd.Categorical([1.5, -0.0, 1.5]),
            "days": pd.Categorical(pd.date_range("2020", periods=3, freq="D")),
            **{
                f"M8[{unit}]": pd.Series(pd.to_datetime(moments), index=HOURS).astype(f"M8[{unit}]")
                for unit in ("s", "ms", "us", "ns")
            },
            **{f"m8[{unit}]": pd.Series(pd.to_timedelta([1, None, -1], "D"), index=HOURS).astype(f"m8[{unit}]") for unit in ("s", "ns")},
            "Berlin": pd.Series(HOURS, index=HOURS),
            "UTC": pd.Series(pd.to_datetime(moments, utc=True), index=HOURS),
            "offset": pd.Series(pd.date_range("2020", periods=3, tz=dt.timezone(dt.timedelta(hours=-3))), index=HOURS),
            "months": pd.array(pd.PeriodIndex(["2020-01", None, "2019-12"], freq="M")),
        },
        index=HOURS,
    )  # fmt: skip


def test_every_dtype_comes_back(path):
    frame = of_everything()
    back = through(frame, path)
    assert_same(back, frame)
    assert back["f8"].to_numpy().tobytes() == PAYLOADS.tobytes()
    assert back["Float64"].array.isna().tolist() == [False, False, True]
    assert back["texts and None"].iloc[1] is None
    assert back["texts and NA"].iloc[1] is pd.NA
    assert type(back["texts and nan"].iloc[1]) is float
    assert back["string"].dtype.storage == "python"
    assert back["arrow string"].dtype.storage == "pyarrow"
    assert back.index.tz == BERLIN
    assert back.index.freq == HOURS.freq


FRAMES = {
    "series": pd.Series([1.0, 2.0], name="speed"),
    "no name": pd.Series(["a"]),
    "tuple name": pd.Series([1], name=("a", 1)),
    "empty": pd.DataFrame(),
    "no rows": pd.DataFrame({"a": np.zeros(0), "b": pd.Series([], dtype="string")}),
    "no columns": pd.DataFrame(index=range(3, 9, 2)),
    "no columns, times": pd.DataFrame(index=HOURS),
    "same names": pd.DataFrame([[1, "x"], [2, "y"]], columns=["a", "a"]),
    "odd names": pd.DataFrame([[1, 2, 3, 4]], columns=[0, "a", ("b", 1.5), None]),
    "numbers as names": pd.DataFrame(np.eye(2)),
    "times as names": pd.DataFrame(np.eye(3), columns=HOURS),
    "awkward names": pd.DataFrame([[1, 2, 3]], columns=["a.b", "", "ARROW:schema"]),
    "two levels of names": pd.DataFrame(np.eye(4), columns=pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", 3])),
    "levels": pd.DataFrame({"v": range(4)}, index=pd.MultiIndex.from_product([["a", "b"], HOURS[:2]], names=["x", None])),
    "levels with gaps": pd.Series([1, 2, 3], index=pd.MultiIndex.from_arrays([["a", None, "b"], [1.5, 2.5, np.nan]])),
    "unused levels": pd.Series(range(4), index=pd.MultiIndex.from_product([["a", "b"], [1, 2]]))[:1],
    "steps": pd.Series([1, 2, 3], index=pd.RangeIndex(10, 4, -2, name="r")),
    "durations": pd.Series([1, 2, 3], index=pd.timedelta_range("1h", periods=3, freq="90min")),
    "quarters": pd.Series([1, 2, 3], index=pd.period_range("2020", periods=3, freq="Q")),
    "business days": pd.Series([1, 2, 3], index=pd.bdate_range("2020-01-01", periods=3)),
    "weeks": pd.Series([1, 2], index=pd.date_range("2020-01-01", periods=2, freq="W-WED")),
    "categories": pd.Series([1, 2, 3], index=pd.CategoricalIndex(["a", "b", "a"], name="c")),
    "objects": pd.Series([1, 2], index=pd.Index(["a", None], dtype=object)),
    "twice the same": pd.Series([1, 2], index=["a", "a"]),
    "gap in times": pd.Series([1, 2], index=pd.DatetimeIndex(["2020-01-01", None])),
}  # fmt: skip


@pytest.mark.parametrize("value", FRAMES.values(), ids=FRAMES)
def test_shapes_and_indexes_come_back(path, value):
    assert_same(through(value, path), value)


def test_unused_levels_stay(path):
    value = FRAMES["unused levels"]
    assert [level.tolist() for level in through(value, path).index.levels] == [["a", "b"], [1, 2]]


def test_attributes_and_flags(path):
    value = pd.DataFrame({"a": [1]})
    value.attrs = {"unit": "m/s", "scale": (1, 2)}
    value = value.set_flags(allows_duplicate_labels=False)
    back = through(value, path)
    assert back.attrs == {"unit": "m/s", "scale": (1, 2)}
    assert not back.flags.allows_duplicate_labels


COLUMNS = st.sampled_from(["f8", "f4", "i8", "u2", "?", "M8[ns]", "m8[ns]"]).map(np.dtype)
FRAME = COLUMNS.flatmap(
    lambda dtype: hpd.data_frames(
        [
            hpd.column("a", dtype=dtype),
            hpd.column("b", elements=st.text(st.characters(codec="utf-8")), dtype=object),
        ],
        index=hpd.range_indexes(max_size=5) | hpd.indexes(dtype=np.int64, max_size=5),
    )
)


@given(FRAME)
@settings(max_examples=40, deadline=None)
def test_any_frame_comes_back(path, value):
    assert_same(through(value, path), value)


@given(
    hpd.series(
        elements=st.none() | st.text(st.characters(codec="utf-8")),
        dtype=object,
        index=hpd.range_indexes(max_size=6),
    )
)
@settings(max_examples=40, deadline=None)
def test_any_texts_come_back(path, value):
    back = through(value, path)
    assert back.tolist() == value.tolist()


def test_what_comes_back_is_new(path):
    value = pd.DataFrame({"a": [1.0, 2.0]})
    first = through(value, path)
    first.loc[0, "a"] = 9
    assert CODEC.read(path, {})["a"].tolist() == [1.0, 2.0]


def test_the_same_value_gives_the_same_bytes(path):
    assert written(of_everything(), path) == written(of_everything(), path)
    spread = pd.DataFrame({"x": np.arange(6)[::2], "y": np.arange(12).reshape(6, 2)[::2, 1]})
    assert written(spread, path) == written(spread.copy(), path)


def test_bytes_do_not_depend_on_what_lies_under_missing_values(path):
    one = pd.arrays.IntegerArray(np.array([1, 77]), np.array([False, True]))
    other = pd.arrays.IntegerArray(np.array([1, 88]), np.array([False, True]))
    assert written(pd.Series(one), path) == written(pd.Series(other), path)


def test_other_tools_read_it(path):
    written(pd.DataFrame({"speed": [1.5, 2.5], "when": HOURS[:2], "site": ["a", None]}), path)
    table = pq.read_table(path)
    assert table.column_names == ["speed", "when", "site"]
    assert table["speed"].to_pylist() == [1.5, 2.5]
    assert table["site"].to_pylist() == ["a", None]
    assert [str(moment) for moment in table["when"].to_pylist()] == [
        "2020-10-24 22:00:00+00:00",
        "2020-10-24 23:00:00+00:00",
    ]


GAPS = pd.arrays.IntegerArray(np.zeros(1 << 20, np.int8), np.ones(1 << 20, np.bool_))
REFUSED = {
    "complex": (pd.DataFrame({"a": [1j]}), "column 'a'.*complex128"),
    "lists": (pd.DataFrame({"a": [[1], [2]]}), "column 'a'.*no text"),
    "mixture": (pd.DataFrame({"a": [1, "x"]}), "column 'a'.*no text"),
    "dates": (pd.Series([dt.date(2020, 1, 1)], name="a"), "column 'a'.*no text"),
    "kinds of missing": (pd.Series(["a", None, np.nan], dtype=object), "more than one kind of missing"),
    "objects as pickle would keep them": (pd.Series([object()]), "no text"),
    "interval": (pd.DataFrame({"a": pd.interval_range(0, 2)}), "interval"),
    "sparse": (pd.Series(pd.arrays.SparseArray([0, 1])), "Sparse"),
    "arrow": (pd.Series([1], dtype="int64[pyarrow]"), "pyarrow"),
    "half of a pair": (pd.Series(["\ud800"], dtype=object), "cannot be written"),
    "name": (pd.Series([1], name=pd.Timestamp("2020")), "name"),
    "attrs": (pd.Series([1]), "attrs"),
    "holidays": (
        pd.Series([1], index=pd.DatetimeIndex(["2020-01-01"], freq=pd.offsets.CustomBusinessDay(holidays=["2020-03-01"]))),
        "frequency",
    ),
    "zone": (pd.Series(pd.date_range("2020", periods=1, tz="dateutil/Europe/Berlin")), "time zone"),
    "nothing but gaps": (pd.DataFrame(dict.fromkeys(range(20), GAPS)), "missing"),
    "a long column of gaps": (pd.concat([pd.Series(GAPS)] * 3, ignore_index=True), "missing"),
}  # fmt: skip
REFUSED["attrs"][0].attrs = {"x": object()}


@pytest.mark.parametrize(("value", "named"), REFUSED.values(), ids=REFUSED)
def test_what_would_not_come_back_is_refused(value, named):
    with pytest.raises(ArtifactError, match=named):
        CODEC.write(value, io.BytesIO())


class Frame(pd.DataFrame):
    pass


def test_only_frames_and_series_themselves_are_accepted():
    assert CODEC.accepts(pd.DataFrame())
    assert CODEC.accepts(pd.Series([1]))
    assert not any(
        CODEC.accepts(value) for value in (Frame(), pd.Index([1]), pd.Timestamp("2020"), np.eye(2))
    )


def test_pandas_is_imported_for_tables_only(path):
    written(pd.DataFrame({"a": [1]}), path)
    code = f"""
import sys
from pathlib import Path
from pytupli_registry.benchmarks.arguments import encode
from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
with ArtifactSpool() as spool:
    encode([1, (2,), b"x", {{"a": "y" * 5000}}], spool, "x")
assert not {{"pandas", "pyarrow", "gymnasium"}} & set(sys.modules), set(sys.modules)
sys.modules["pandas"] = None  # as if it were not installed
from pytupli_registry.benchmarks.artifacts.tables import TableCodec
from pytupli_registry.errors import ArtifactError
try:
    TableCodec().read(Path({str(path)!r}), {{}})
except ArtifactError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "pip install 'pytupli-registry[pandas]'" in ran.stdout


def described(**changes) -> dict:
    plain = {
        "format": "pytupli.table", "version": 1, "type": "DataFrame", "rows": 2,
        "columns": [{"type": "numpy", "dtype": "int64"}],
        "labels": {"type": "values", "name": None, "freq": None, "objects": ["a"]},
        "index": {"type": "range", "range": [0, 2, 1], "name": None}, "attrs": {}, "duplicates": True,
    }  # fmt: skip
    return plain | changes


def hostile(path: Path, description: object, columns: dict | None = None, **options) -> Path:
    arrays = columns or {"a": pa.array([1, 2])}
    table = pa.table(
        arrays, schema=pa.schema([pa.field(n, a.type, nullable=a.null_count > 0) for n, a in arrays.items()])
    )
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False, "store_schema": False}
    with pq.ParquetWriter(path, table.schema, **(plain | options)) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(
            {"pytupli": description if isinstance(description, str) else json.dumps(description)}
        )
    return path


def test_a_plain_file_by_another_writer_is_read(path):
    assert CODEC.read(hostile(path, described()), {}).equals(pd.DataFrame({"a": [1, 2]}))


def index(**changes) -> dict:
    return described(index={"type": "values", "name": None, "freq": None} | changes)


DESCRIPTIONS = {
    "no JSON": "{",
    "deep": "[" * 100_000,
    "no object": [1],
    "another format": described(format="x"),
    "another version": described(version=2),
    "no columns": described(columns=None),
    "missing columns": described(columns=[]),
    "more columns": described(columns=[{"type": "numpy", "dtype": "int64"}] * 2),
    "another dtype": described(columns=[{"type": "numpy", "dtype": "float64"}]),
    "object": described(columns=[{"type": "numpy", "dtype": "object"}]),
    "object by letter": described(columns=[{"type": "numpy", "dtype": "O"}]),
    "unknown": described(columns=[{"type": "pickle"}]),
    "no dict": described(columns=["int64"]),
    "unhashable": described(columns=[{"type": ["numpy"]}]),
    "texts": described(columns=[{"type": "texts", "missing": "None"}]),
    "nullable": described(columns=[{"type": "nullable", "dtype": "Int32"}]),
    "zone": described(columns=[{"type": "zoned", "unit": "ns", "zone": "../../etc/passwd"}]),
    "codes": described(columns=[{"type": "categorical", "codes": "int64", "ordered": False, "categories": described()["labels"]}]),
    "period": described(columns=[{"type": "period", "freq": "x" * 1000}]),
    "unknown period": described(columns=[{"type": "period", "freq": "nothing"}]),
    "rows": described(rows=3),
    "negative rows": described(rows=-1),
    "rows as text": described(rows="2"),
    "type": described(type="Panel"),
    "labels": described(labels=None),
    "too many labels": described(labels={"type": "range", "range": [0, 10**18, 1], "name": None}),
    "too long an index": described(index={"type": "range", "range": [0, 10**18, 1], "name": None}),
    "no step": described(index={"type": "range", "range": [0, 2, 0], "name": None}),
    "beyond integers": described(index={"type": "range", "range": [0, 10**40, 1], "name": None}),
    "attrs": described(attrs=[1]),
    "name": described(index={"type": "range", "range": [0, 2, 1], "name": {"$artifact": "x"}}),
    "column of the index": index(column=0, dtype={"type": "numpy", "dtype": "int64"}),
    "column that is not there": index(column=7, dtype={"type": "numpy", "dtype": "int64"}),
    "negative column": index(column=-1, dtype={"type": "numpy", "dtype": "int64"}),
    "unknown index": described(index={"type": "tree"}),
    "levels": described(index={"type": "levels", "levels": [], "codes": [], "names": [], "sortorder": None}),
    "series": described(type="Series", labels={"$tuple": 1}),
}  # fmt: skip


@pytest.mark.parametrize("description", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_hostile_descriptions(path, description):
    with pytest.raises(FormatError):
        CODEC.read(hostile(path, description), {})


LABELS = st.fixed_dictionaries(
    {"type": st.sampled_from(["values", "range", "levels", "x"]), "name": st.none() | st.just({"$tuple": [1]}), "freq": st.none() | st.sampled_from(["D", "h", "x", "W-MON"])},
    optional={
        "inline": st.lists(st.none() | st.integers() | st.booleans() | st.text(max_size=3) | st.floats(allow_nan=False, allow_infinity=False), max_size=3),
        "objects": st.lists(st.none() | st.integers() | st.just({"$date": "2020-01-01"}), max_size=3),
        "dtype": st.sampled_from([{"type": "numpy", "dtype": d} for d in ("int8", "float16", "datetime64[s]", "bool")] + [{"type": "texts", "missing": "nan"}, {"type": "zoned", "unit": "s", "zone": "UTC"}, {"type": "nullable", "dtype": "Int8"}, {"type": "period", "freq": "D"}]),
        "range": st.lists(st.integers(), max_size=4),
        "column": st.integers(-2, 2),
    },
)  # fmt: skip


@given(LABELS, st.booleans())
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore")  # of pandas, about what a hostile file asks for
def test_any_description_is_a_table_or_a_format_error(path, labels, of_rows):
    description = described(index=labels) if of_rows else described(labels=labels)
    try:
        assert CODEC.read(hostile(path, description), {}).shape == (2, 1)
    except FormatError:
        assert True


def test_compressed_or_encoded_columns_are_refused(path):
    for options in ({"compression": "zstd"}, {"use_dictionary": True}, {"data_page_version": "2.0"},
                    {"column_encoding": "DELTA_BINARY_PACKED"}):  # fmt: skip
        with pytest.raises(FormatError, match=r"stored plainly|compressed, encoded"):
            CODEC.read(hostile(path, described(), **options), {})


def test_gaps_that_cost_nothing_are_counted(path):
    columns = {f"{at}": pa.nulls(1 << 20, pa.int64()) for at in range(20)}
    with pytest.raises(FormatError, match="it declares"):
        CODEC.read(hostile(path, described(), columns), {})


def test_missing_numbers_are_refused_where_none_can_be(path):
    with pytest.raises(FormatError, match="missing"):
        CODEC.read(hostile(path, described(), {"a": pa.array([1, None])}), {})


def test_arrows_own_schema_is_refused_before_arrow_reads_it(path):
    """An extension type that was registered here would be made from what the file says."""
    made = []

    class Trap(pa.ExtensionType):
        def __init__(self) -> None:
            super().__init__(pa.int64(), "pytupli.tests.trap")

        def __arrow_ext_serialize__(self) -> bytes:
            return b"boom"

        @classmethod
        def __arrow_ext_deserialize__(cls, storage_type, serialized):
            made.append(serialized)
            return cls()

    pa.register_extension_type(Trap())
    try:
        column = pa.ExtensionArray.from_storage(Trap(), pa.array([1, 2]))
        hostile(path, described(), {"a": column}, store_schema=True)
        with pytest.raises(FormatError, match="schema of Arrow"):
            CODEC.read(path, {})
        assert made == []
        pq.read_schema(path)
        assert b"boom" in made  # the trap works
    finally:
        pa.unregister_extension_type("pytupli.tests.trap")


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_changed_bytes_are_a_table_or_a_format_error(path, data):
    content = bytearray(written(pd.DataFrame({"a": [1, 2], "b": ["x", None]}), path))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert len(CODEC.read(path, {})) < 1 << 24
    except FormatError:
        assert True


@pytest.mark.parametrize("value", [76, 97])
def test_metadata_that_ends_pyarrow_s_process_is_a_format_error(path, value):
    good = written(pd.DataFrame({"a": [1, 2], "b": ["x", None]}), path)
    footer = int.from_bytes(good[-8:-4], "little")
    refused = 0
    for place in range(len(good) - 8 - footer, len(good) - 8):
        path.write_bytes(good[:place] + bytes([value]) + good[place + 1 :])
        try:
            CODEC.read(path, {})
        except FormatError as error:
            refused += "of its columns" in error.problem
    assert refused  # for these, pyarrow aborts


@pytest.mark.parametrize(
    "content",
    [b"", b"PAR1", b"PAR1PAR1", b"PAR1\xff\xff\xff\xffPAR1", b"PAR1\xff\xff\xff\x7fPAR1", bytes(100)],
)
def test_what_is_no_parquet(path, content):
    path.write_bytes(content)
    with pytest.raises(FormatError):
        CODEC.read(path, {})
