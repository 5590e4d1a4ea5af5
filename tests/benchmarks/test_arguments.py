"""Arguments become JSON plus artifacts and come back as what they were."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import json
import math
import re
import struct
import tracemalloc
import zoneinfo
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytupli_registry.benchmarks.arguments import (
    INLINE_BYTES,
    decode,
    decode_arguments,
    encode,
    encode_arguments,
)
from pytupli_registry.benchmarks.artifacts.reader import ArtifactReader
from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool
from pytupli_registry.benchmarks.artifacts.tagged import MAX_DEPTH, TaggedWriter
from pytupli_registry.errors import ArtifactError, FormatError

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
OFFSETS = st.integers(-86_399, 86_399).map(lambda seconds: dt.timezone(dt.timedelta(seconds=seconds)))
ZONES = (
    st.none()
    | OFFSETS
    | st.sampled_from([dt.UTC, BERLIN, zoneinfo.ZoneInfo("UTC"), zoneinfo.ZoneInfo("Asia/Kolkata")])
)
SCALAR_DTYPES = st.sampled_from(
    [
        "?",
        "i1",
        "i2",
        "i4",
        "i8",
        "u1",
        "u2",
        "u4",
        "u8",
        "f2",
        "f4",
        "f8",
        "c8",
        "c16",
        "M8[ns]",
        "M8[25s]",
        "m8[D]",
        "M8",
    ]
)


@st.composite
def scalars(draw):
    dtype = np.dtype(draw(SCALAR_DTYPES))
    if dtype.kind == "b":
        return np.bool_(draw(st.booleans()))
    return np.frombuffer(draw(st.binary(min_size=dtype.itemsize, max_size=dtype.itemsize)), dtype)[0]


MOMENTS = st.datetimes(timezones=ZONES, allow_imaginary=True) | st.dates() | st.timedeltas()
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))
    | scalars() | st.text(st.characters(codec="utf-8")).map(np.str_) | st.binary().map(np.bytes_) | MOMENTS
)  # fmt: skip
KEYS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="utf-8"))
    | st.just("$artifact")
    | st.dates()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS | st.tuples(KEYS, st.integers()), inner, max_size=4)
    ),
    max_leaves=20,
)


def same(one: object, other: object) -> bool:
    """Whether two values are the same in type and value, bit for bit, in the same order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if type(one) is float:
        return (math.isnan(one) and math.isnan(other)) or struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, (np.inexact,)):
        return one.dtype == other.dtype and (one.tobytes() == other.tobytes() or repr(one) == repr(other))
    if isinstance(one, np.generic):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, dt.datetime):
        return repr(one) == repr(other)  # the zone and the fold, too
    return one == other


def through_a_file(value, directory: Path):
    """Encode, store, write JSON, read it again, decode."""
    with ArtifactSpool() as spool:
        text = json.dumps(encode(value, spool, "value"), allow_nan=False)
        spool.store(directory)
        return decode(json.loads(text), ArtifactReader(directory, dict(spool.entries)))


@given(VALUES)
@settings(max_examples=150)
def test_every_value_comes_back_as_it_was(value):
    with ArtifactSpool() as spool:
        text = json.dumps(encode(value, spool, "value"), allow_nan=False)
        if not spool.entries:
            assert same(decode(json.loads(text), ArtifactReader(Path("nowhere"), {})), value)


@given(VALUES)
@settings(max_examples=30)
def test_large_values_come_back_as_they_were(tmp_path_factory, value):
    large = [value, "x" * INLINE_BYTES, (value,)]
    assert same(through_a_file(large, tmp_path_factory.mktemp("bench")), large)


EXAMPLES = [
    -0.0,
    [math.nan, math.inf, -math.inf],
    2**53 + 1,
    -(10**40),
    (),
    ((1,), [()]),
    {},
    {1: "a", "1": "b", (1, 2): None, None: 0},
    {"$artifact": "x"},
    {"a": {"$float": "nan"}},
    {"b": 1, "a": 2},
    np.float32(0.1),
    np.float64(0.1),
    np.uint64(2**64 - 1),
    np.datetime64("NaT", "s"),
    np.str_("a\0"),
    np.bytes_(b"a\0"),
    dt.datetime(2020, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    dt.datetime(2020, 10, 25, 2, 30, fold=1),  # noqa: DTZ001 - on purpose
    dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-3, seconds=7))),
    dt.timedelta(microseconds=-1),
    dt.timedelta.min,
]


@pytest.mark.parametrize("value", EXAMPLES, ids=repr)
def test_examples(value):
    with ArtifactSpool() as spool:
        encoded = json.loads(json.dumps(encode(value, spool, "value"), allow_nan=False))
        assert not spool.entries
    assert same(decode(encoded, ArtifactReader(Path("nowhere"), {})), value)


def test_how_it_is_written():
    with ArtifactSpool() as spool:
        written = encode_arguments(
            {"a": 1, "b": (1.5, math.inf), "c": {1: "x"}, "d": np.float32(0.5), "e": dt.date(2020, 1, 2)},
            spool,
        )
    assert written == {
        "a": 1,
        "b": {"$tuple": [1.5, {"$float": "inf"}]},
        "c": {"$pairs": [[1, "x"]]},
        "d": {"$scalar": ["float32", 0.5]},
        "e": {"$date": "2020-01-02"},
    }


def test_a_part_that_appears_twice_is_written_twice():
    shared = [1, 2]
    with ArtifactSpool() as spool:
        encoded = encode({"a": shared, "b": (shared, shared)}, spool, "value")
    assert encoded == {"a": [1, 2], "b": {"$tuple": [[1, 2], [1, 2]]}}


def test_the_value_is_left_alone():
    value = {"a": [1, (2, {"b": np.arange(3)})]}
    before = repr(value)
    with ArtifactSpool() as spool:
        encoded = encode(value, spool, "value")
        encoded["a"].append("changed")
    assert repr(value) == before


def test_the_largest_whole_part_becomes_one_artifact(tmp_path):
    numbers = list(range(INLINE_BYTES))
    value = {"few": [1, 2], "many": {"x": numbers, "y": (numbers,)}, "array": np.arange(3)}
    with ArtifactSpool() as spool:
        encoded = encode(value, spool, "value")
        assert encoded == {
            "few": [1, 2],
            "many": {"$artifact": "value-many"},
            "array": {"$artifact": "value-array"},
        }
        assert {name: entry.codec for name, entry in spool.entries.items()} == {
            "value-many": "json",
            "value-array": "array",
        }
        spool.store(tmp_path)
        back = decode(encoded, ArtifactReader(tmp_path, spool.entries))
    assert same(back["many"], value["many"])
    assert back["array"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("excess", [0, 1])
def test_4096_bytes_stay(excess):
    text = "x" * (INLINE_BYTES - 2 + excess)
    with ArtifactSpool() as spool:
        encoded = encode(text, spool, "value")
        assert (encoded == text) == (excess == 0)
        assert len(spool.entries) == excess


def test_each_argument_is_judged_by_itself(tmp_path):
    arguments = {"few": [1], "many": "é" * INLINE_BYTES, "more": ["y" * 3000], "again": ["y" * 3000]}
    with ArtifactSpool() as spool:
        encoded = encode_arguments(arguments, spool)
        assert [name for name, value in encoded.items() if value == {"$artifact": name}] == ["many"]
        spool.store(tmp_path)
        assert decode_arguments(encoded, ArtifactReader(tmp_path, spool.entries)) == arguments


def test_decoding_makes_a_new_value_each_time(tmp_path):
    with ArtifactSpool() as spool:
        encoded = encode({"a": np.arange(3), "b": [1]}, spool, "value")
        spool.store(tmp_path)
        reader = ArtifactReader(tmp_path, spool.entries)
        first, second = decode(encoded, reader), decode(encoded, reader)
    first["a"][0], first["b"][0] = 9, 9
    assert second["a"].tolist() == [0, 1, 2]
    assert second["b"] == encoded["b"] == [1]


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Thing:
    pass


Point = collections.namedtuple("Point", "x y")  # noqa: PYI024 - what old code has

REFUSED = [
    (Thing(), "Thing", "private=True"),
    (Colour.RED, "Colour", "name or its value"),
    (Level.LOW, "Level", "name or its value"),
    ({1, 2}, "set", "sorted list"),
    (frozenset(), "frozenset", "sorted list"),
    (1j, "complex", "numpy.complex128|np.complex128"),
    (len, "builtin_function", "Code is no data"),
    (Thing, "type", "Code is no data"),
    (lambda: 0, "function", "Code is no data"),
    (np, "module", "Code is no data"),
    (np.random.default_rng(0), "Generator", "seed"),
    (memoryview(b""), "memoryview", "bytes"),
    (Point(1, 2), "Point", "plain tuple"),
    (collections.OrderedDict(a=1), "OrderedDict", "plain dict"),
    (collections.defaultdict(list), "defaultdict", "plain dict"),
    (np.longdouble(1), "longdouble", "path"),
    (np.void(b"ab"), "void", "path"),
    (np.ma.zeros(2), "MaskedArray", "plain ndarray"),
    (np.recarray(2, dtype=[("a", "i4")]), "recarray", "plain ndarray"),
    (dt.time(1, 2), "time", "path"),
    (dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), "CET")), "datetime", "zone"),
    (dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(microseconds=1))), "datetime", "zone"),
]


@pytest.mark.parametrize(("value", "named", "hint"), REFUSED, ids=[named for _, named, _ in REFUSED])
def test_what_cannot_be_kept_is_named_with_its_place(value, named, hint):
    with ArtifactSpool() as spool, pytest.raises(ArtifactError, match=r"'controller\.parts\[1\]'") as caught:
        encode({"parts": [0, value]}, spool, "controller")
    assert named in caught.value.message
    assert re.search(hint, caught.value.hint)


def test_numpy_scalars_of_other_names_are_the_same_dtype():
    with ArtifactSpool() as spool:
        back = decode(encode(np.longlong(3), spool, "x"), ArtifactReader(Path("nowhere"), {}))
    assert back == 3
    assert back.dtype == np.dtype(np.longlong)


@pytest.mark.parametrize(
    "make", [lambda a: a.append(a), lambda a: a.append({"x": a}), lambda a: a.append((1, a))]
)
def test_cycles_are_refused(make):
    value: list = []
    make(value)
    with ArtifactSpool() as spool, pytest.raises(ArtifactError, match="contains itself"):
        encode(value, spool, "value")


@pytest.mark.parametrize(
    ("around", "levels"),
    [(lambda v: [v], 1), (lambda v: {"a": v}, 1), (lambda v: (v,), 2), (lambda v: {1: v}, 3)],
)
def test_what_can_be_written_can_be_read_and_depth_is_bounded(around, levels):
    value = 1
    for _ in range(MAX_DEPTH // levels):
        value = around(value)
    with ArtifactSpool() as spool:
        encoded = encode(value, spool, "value")
        assert same(decode(encoded, ArtifactReader(Path("nowhere"), {})), value)
        with pytest.raises(ArtifactError, match="nested too deep"):
            encode(around(value), spool, "value")


def test_a_value_that_grows_without_end_is_refused():
    value: object = "x"
    for _ in range(40):
        value = [value, value]
    writer = TaggedWriter()
    writer._left = 10_000  # ten million take a while
    with pytest.raises(ArtifactError, match="holds more than"):
        writer.encode(value, "value")


@pytest.mark.parametrize(
    "value",
    [
        "\ud800",
        {"\ud800": 1},
        {1: "\udfff"},
        pytest.param(1 << 20_000, id="digits"),
        pytest.param([1 << 20_000], id="listed"),
    ],
)
def test_what_no_json_reader_takes_is_refused(value):
    with ArtifactSpool() as spool, pytest.raises(ArtifactError, match="argument 'x"):
        encode(value, spool, "x")


@pytest.mark.parametrize("name", ["$artifact", 3])
def test_names_of_arguments(name):
    with ArtifactSpool() as spool, pytest.raises(ArtifactError, match="no name of an argument"):
        encode_arguments({name: 1}, spool)


HOSTILE = [
    {"$unknown": 1},
    {"$tuple": [], "a": 1},
    {"$tuple": {}},
    {"$tuple": "ab"},
    {"$float": "NaN"},
    {"$float": 1.0},
    {"$float": []},
    {"$pairs": {}},
    {"$pairs": [[1]]},
    {"$pairs": ["ab"]},
    {"$pairs": [[[1], 2]]},
    {"$pairs": [[{"$tuple": [[]]}, 2]]},
    {"$pairs": [[1, 2], [True, 3]]},
    {"$scalar": []},
    {"$scalar": ["O", None]},
    {"$scalar": ["object", "x"]},
    {"$scalar": ["V8", "x"]},
    {"$scalar": ["void", "x"]},
    {"$scalar": ["int8", 300]},
    {"$scalar": ["int8", True]},
    {"$scalar": ["int8", 1.0]},
    {"$scalar": ["uint8", -1]},
    {"$scalar": ["float32", 0.1]},
    {"$scalar": ["float16", 1e300]},
    {"$scalar": ["float64", 10**400]},
    {"$scalar": ["float64", {"$float": "x"}]},
    {"$scalar": ["float64", {"a": 1, "b": 2}]},
    {"$scalar": ["bool", 1]},
    {"$scalar": ["bool", "x"]},
    {"$scalar": ["str", 1]},
    {"$scalar": ["bytes", "xy"]},
    {"$scalar": ["complex64", [1.0]]},
    {"$scalar": ["complex64", 1.0]},
    {"$scalar": ["datetime64[x]", 1]},
    {"$scalar": ["datetime64[999999999999s]", 1]},
    {"$scalar": ["datetime64[s]", 2**63]},
    {"$scalar": ["datetime64[s],datetime64[s]", 1]},
    {"$scalar": [["float32"], 1]},
    {"$scalar": ["U1000000000", "x"]},
    {"$datetime": "yesterday"},
    {"$datetime": "2020-01-01"},
    {"$datetime": "20200101T000000"},
    {"$datetime": "x" * 100_000},
    {"$datetime": ["2020-01-01T00:00:00", "../../../etc/passwd", 0]},
    {"$datetime": ["2020-01-01T00:00:00", "/etc/passwd", 0]},
    {"$datetime": ["2020-01-01T00:00:00", "Europe", 0]},
    {"$datetime": ["2020-01-01T00:00:00", "No/Where", 0]},
    {"$datetime": ["2020-01-01T00:00:00", 3, 0]},
    {"$datetime": ["2020-01-01T00:00:00", None, 2]},
    {"$datetime": ["2020-01-01T00:00:00+00:00", "Europe/Berlin", 0]},
    {"$datetime": {"a": 1, "b": 2, "c": 3}},
    {"$datetime": 5},
    {"$date": "2020-01-01T00:00:00"},
    {"$date": None},
    {"$timedelta": [1, 2]},
    {"$timedelta": [1.0, 2, 3]},
    {"$timedelta": [10**30, 0, 0]},
    {"$timedelta": [0, 10**6, 0]},
    {"$artifact": "nothing"},
    {"$artifact": ["a"]},
    {"$artifact": None},
    [math.nan],
    [1, math.inf],
    math.inf,
    (1, 2),
    {1: 2},
    {"a": b"x"},
    np.float64(1),
]


@pytest.mark.parametrize("encoded", HOSTILE, ids=lambda value: repr(value)[:50])
@pytest.mark.parametrize("around", [lambda v: v, lambda v: {"a": [v]}, lambda v: {"$tuple": [v]}])
def test_hostile_arguments_are_format_errors(encoded, around):
    with pytest.raises(FormatError, match=r"benchmark\.json"):
        decode(around(encoded), ArtifactReader(Path("nowhere"), {}))


def test_deep_nesting_is_a_format_error():
    for around in (
        lambda v: [v],
        lambda v: {"a": v},
        lambda v: {"$tuple": [v]},
        lambda v: {"$pairs": [[1, v]]},
    ):
        encoded: object = 1
        for _ in range(5000):
            encoded = around(encoded)
        with pytest.raises(FormatError, match="nested too deep"):
            decode(encoded, ArtifactReader(Path("nowhere"), {}))


TAGS = st.sampled_from(
    ["$artifact", "$tuple", "$float", "$scalar", "$pairs", "$datetime", "$date", "$timedelta", "$x"]
)
WORDS = st.sampled_from(
    [
        "float32",
        "int8",
        "datetime64[s]",
        "str",
        "bytes",
        "nan",
        "2020-01-01",
        "Europe/Berlin",
        "O",
        "complex64",
    ]
)
WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TAGS | st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=15,
)


@given(WILD)
@settings(max_examples=300)
def test_any_json_is_a_value_or_a_format_error(encoded):
    reader = ArtifactReader(Path("nowhere"), {})
    try:
        value = decode(encoded, reader)
    except FormatError:
        return
    with ArtifactSpool() as spool:  # what was read can be written, and reads back the same
        again = encode(value, spool, "value")
        assert same(decode(again, reader), value)


def test_decoding_takes_no_more_memory_than_it_was_given():
    encoded = [{"$scalar": ["datetime64[s]", 1]}, {"$scalar": ["str", "x"]}] * 100
    reader = ArtifactReader(Path("nowhere"), {})
    decode(encoded, reader)
    tracemalloc.start()
    decode(encoded, reader)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000
