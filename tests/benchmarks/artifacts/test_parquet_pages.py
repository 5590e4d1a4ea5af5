"""Pages say how they are stored, whatever the end of the file promises."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytupli_registry.benchmarks.artifacts.parquet_pages import check_plain
from pytupli_registry.errors import FormatError

PLAIN = {"compression": "none", "use_dictionary": False, "write_statistics": False, "store_schema": False}


def parquet(table: pa.Table, **options) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **(PLAIN | options))
    return file.getvalue()


def check(content: bytes) -> None:
    check_plain("x.parquet", io.BytesIO(content), pq.ParquetFile(io.BytesIO(content)).metadata)


TABLES = {
    "numbers": pa.table({"a": np.arange(1000), "b": np.arange(1000) * 0.5}),
    "texts with gaps": pa.table({"a": ["x", None, "y" * 5000] * 50}),
    "nothing": pa.table({"a": pa.array([], pa.int64())}),
    "many pages": pa.table({"a": np.arange(400_000)}),
    "only gaps": pa.table({"a": pa.nulls(100, pa.float64())}),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("options", [{}, {"row_group_size": 300}])
def test_plain_files_pass(table, options):
    check(parquet(table.slice(0, 1000) if "row_group_size" in options else table, **options))


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zstd"},
        {"compression": "snappy"},
        {"use_dictionary": True},
        {"data_page_version": "2.0"},
        {"column_encoding": "DELTA_BINARY_PACKED"},
        {"column_encoding": "BYTE_STREAM_SPLIT"},
    ],
)
def test_others_do_not(options):
    with pytest.raises(FormatError, match=r"plain|compressed"):
        check(parquet(pa.table({"a": np.arange(1000)}), **options))


class Chunk:
    """What a hostile file's end says of a column."""

    def __init__(self, chunk, **said) -> None:
        self._chunk, self._said = chunk, said

    def __getattr__(self, name):
        return self._said.get(name, getattr(self._chunk, name))


class Metadata:
    num_row_groups = num_columns = 1

    def __init__(self, chunk) -> None:
        self._chunk = chunk

    def row_group(self, _number):
        return self

    def column(self, _number):
        return self._chunk


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"use_dictionary": True}, {"has_dictionary_page": False, "data_page_offset": 4}),
        ({"compression": "zstd"}, {"compression": "UNCOMPRESSED"}),
        ({}, {"total_compressed_size": 10**12}),
        ({}, {"total_compressed_size": 5}),
        ({}, {"num_values": 10**9}),
        ({}, {"data_page_offset": 0}),
        ({}, {"data_page_offset": 10**9}),
    ],
)
def test_the_pages_are_believed_not_the_end_of_the_file(options, said):
    content = parquet(pa.table({"a": ["x" * 100] * 1000}), **options)
    chunk = Chunk(pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(0), **said)
    with pytest.raises(FormatError):
        check_plain("x.parquet", io.BytesIO(content), Metadata(chunk))
