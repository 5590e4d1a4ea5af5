"""Arrays come back with dtype, shape, memory order and every bit; hostile files are errors."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytupli_registry.benchmarks.artifacts.arrays import ArrayCodec
from pytupli_registry.errors import ArtifactError, FormatError

if TYPE_CHECKING:
    from pathlib import Path

DTYPES = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.unsigned_integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | hnp.complex_number_dtypes(endianness="?", sizes=(64, 128))
    | hnp.datetime64_dtypes(endianness="?")
    | hnp.timedelta64_dtypes(endianness="?")
    | hnp.byte_string_dtypes(endianness="?", min_len=1)
    | hnp.unicode_string_dtypes(endianness="?", min_len=1)
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
CODEC = ArrayCodec()


def written(value: np.ndarray, path: Path) -> bytes:
    with path.open("wb") as file:
        assert CODEC.write(value, file) == {}
    return path.read_bytes()


def through(value: np.ndarray, path: Path) -> np.ndarray:
    written(value, path)
    return CODEC.read(path, {})


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("arrays") / "value.npy"


def assert_same(one: np.ndarray, other: np.ndarray) -> None:
    assert type(one) is type(other) is np.ndarray
    assert one.dtype == other.dtype
    assert one.dtype.str == other.dtype.str
    assert one.shape == other.shape
    assert one.tobytes() == other.tobytes()


@given(ARRAYS)
def test_arrays_come_back(path, value):
    back = through(value, path)
    assert_same(back, value)
    assert back.flags.writeable


@given(ARRAYS)
@settings(max_examples=30)
def test_numpy_reads_the_file(path, value):
    written(value, path)
    assert_same(np.load(path, allow_pickle=False), value)


@pytest.mark.parametrize(
    "value",
    [
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(24).reshape(2, 3, 4)[:, ::-2, 1:],
        np.broadcast_to(np.float32(3), (4, 5)),
        np.array(5.0),
        np.zeros((0, 3), np.int8),
        np.zeros((3, 0, 2), order="F"),
        np.array([0x7FF8000000000123, 0xFFF0000000000001], np.uint64).view(np.float64),
        np.array(["NaT", "2020-01-01"], "M8[s]"),
        np.array(["é✓", ""]),
    ],
)
def test_examples(path, value):
    back = through(value, path)
    assert_same(back, value)
    if value.flags.f_contiguous and not value.flags.c_contiguous:
        assert back.flags.f_contiguous


@given(ARRAYS)
@settings(max_examples=30)
def test_the_same_value_gives_the_same_bytes(path, value):
    spread = np.zeros((*value.shape, 2), value.dtype)[..., 0]
    spread[...] = value
    first = written(np.ascontiguousarray(value).reshape(value.shape), path)
    assert written(spread, path) == first


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (np.array([{}, None]), "Python objects"),
        (np.zeros(2, [("a", "i4"), ("b", "f8")]), "dtype"),
        (np.zeros(2, "V4"), "dtype"),
        (np.zeros(2, np.longdouble), "every machine"),
        (np.zeros(2, np.clongdouble), "every machine"),
        (np.zeros(2, np.dtype("f8", metadata={"unit": "m"})), "dtype"),
        (np.array(["a"], dtype=np.dtypes.StringDType()) if hasattr(np.dtypes, "StringDType") else np.zeros(1, "V1"), "dtype"),
    ],
)  # fmt: skip
def test_other_dtypes_are_refused(value, named):
    file = io.BytesIO()
    with pytest.raises(ArtifactError, match=named):
        CODEC.write(value, file)
    assert file.getvalue() == b""


def test_only_arrays_themselves_are_accepted():
    assert CODEC.accepts(np.zeros(1))
    assert not any(
        CODEC.accepts(value)
        for value in (np.ma.zeros(1), np.recarray(1, dtype=[("a", "i4")]), np.float64(1), [1], None)
    )


def npy(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + content


def described(descr: str = "'<f8'", shape: str = "(2,)", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


HOSTILE = {
    "empty": b"",
    "no npy": b"PK\x03\x04" + bytes(100),
    "short": npy(described(), bytes(15)),
    "long": npy(described(), bytes(17)),
    "huge": npy(described(shape="(100000000000000,)"), bytes(16)),
    "overflow": npy(described(shape="(999999999999999999, 999999999999999999)"), bytes(16)),
    "overflow to nothing": npy(described(shape="(0, 999999999999999999, 999999999999999999)")),
    "many dimensions": npy(described(shape="(" + "1, " * 99 + "2)"), bytes(16)),
    "negative": npy(described(shape="(-2,)"), bytes(16)),
    "object": npy(described("'|O'"), bytes(16)),
    "pickle": npy(described("'|O'"), b"cos\nsystem\n(S'true'\ntR."),
    "records": npy(described("[('a', '<f8')]"), bytes(16)),
    "void": npy(described("'|V8'"), bytes(16)),
    "nothing long": npy(described("'<U0'", "(999999999,)")),
    "half a number": npy(described("'<f3'"), bytes(6)),
    "long double": npy(described("'<f16'"), bytes(32)),
    "wrong unit": npy(described("'<M8[xx]'"), bytes(16)),
    "large item": npy(described("'<U999999999'", "(1,)"), bytes(16)),
    "code": npy("__import__('os').system('true')", bytes(16)),
    "expression": npy(described(shape="(1+1,)"), bytes(16)),
    "nested": npy("(" * 5000 + ")" * 5000),
    "version 3": npy(described(), bytes(16), b"\x03\x00"),
    "truncated": npy(described())[:20],
    "bool of 2": npy(described("'|b1'"), b"\x01\x02"),
    "text beyond Unicode": npy(described("'<U1'", "(1,)"), b"\xff\xff\xff\x7f"),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files(path, content):
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(FormatError):
        CODEC.read(path, {})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@given(st.data())
@settings(max_examples=100)
def test_changed_bytes_are_a_value_or_a_format_error(path, data):
    content = bytearray(written(np.arange(4, dtype=np.int16), path))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(FormatError):
        assert CODEC.read(path, {}).nbytes <= len(content)
