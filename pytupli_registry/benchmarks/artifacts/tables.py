"""pandas' DataFrame and Series as Parquet files that every Parquet tool reads.

The values are stored plainly: not compressed, without dictionaries and without Arrow's own schema. So a file cannot
hold more than its size, its bytes do not depend on a compressor's version, and no extension type is ever looked up
by what a file says. What Parquet does not know (the index, frequencies, pandas' dtypes) is JSON in its metadata.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from pytupli_registry.benchmarks.artifacts.frames import Columns, columns_of, frame_from
from pytupli_registry.benchmarks.artifacts.parquet_pages import check_plain
from pytupli_registry.benchmarks.artifacts.vectors import Vector, stored_dtype
from pytupli_registry.errors import ArtifactError, FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["TableCodec"]

_KEY = b"pytupli"
_ARROW_SCHEMA = b"ARROW:schema"
_ROW_GROUP = 1 << 20
# Missing values cost hardly a byte each: so many may be declared whatever the file's size, and so many a byte of it.
_FREE_VALUES, _VALUES_PER_BYTE = 1 << 21, 8
_TRAILER = 8
_MISSING_TIME = -(2**63)


class TableCodec:
    """Keeps tables of numbers, truth values, texts, times, durations, periods and categoricals, with their index."""

    name = "table"
    suffix = ".parquet"

    def accepts(self, value: object, /) -> bool:
        """Accept DataFrame and Series themselves; pandas is not imported for it."""
        pandas = sys.modules.get("pandas")
        return pandas is not None and type(value) in (pandas.DataFrame, pandas.Series)

    def write(self, value: Any, file: BinaryIO, /) -> dict[str, Any]:  # noqa: ANN401 - pandas is optional
        """Write the table.

        Raises:
            ArtifactError: something in it would not come back as it is; the message names the column.
        """
        columns = columns_of(value)
        _check_same(value, columns)
        _write_parquet(columns, _column_names(value, len(columns.vectors)), file)
        if not _believable(columns.rows, len(columns.vectors), file.tell()):
            raise ArtifactError(
                "nearly all of its values are missing.", hint="Drop empty columns, or pass a path to a file."
            )
        return {"type": type(value).__name__, "rows": columns.rows}

    def read(self, path: Path, _details: Mapping[str, Any], /) -> Any:  # noqa: ANN401
        """Return the table.

        Raises:
            FormatError: the file is no such table.
            ArtifactError: pandas is not installed, or too old for one of its dtypes.
        """
        _require_pandas()
        columns = _read_parquet(path)
        try:
            return frame_from(columns, path)
        except (
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            OverflowError,
            AttributeError,
            RecursionError,
        ) as error:
            raise FormatError(path, f"its description contradicts it ({_short(error)})") from error


def _require_pandas() -> None:
    try:
        import pandas as pd  # noqa: F401, PLC0415 - optional
    except ImportError as error:
        raise ArtifactError(
            "An artifact is a table, and pandas is not installed.",
            hint="pip install 'pytupli-registry[pandas]'",
        ) from error


def _check_same(value: Any, columns: Columns) -> None:  # noqa: ANN401
    """Check that what comes back will be what was given, whatever this version of pandas does."""
    from pandas import testing  # noqa: PLC0415 - there, as the value is one of pandas

    made = frame_from(columns, "table")
    compare = testing.assert_series_equal if hasattr(value, "name") else testing.assert_frame_equal
    try:
        compare(made, value, check_exact=True, check_freq=True, check_index_type=True)
    except AssertionError as error:
        raise ArtifactError(f"it would not come back as it is ({_short(error)}).") from error


def _column_names(value: Any, count: int) -> list[str]:  # noqa: ANN401
    """Return names for other tools; this package goes by position."""
    labels = list(value.columns) if hasattr(value, "columns") else [value.name]
    if not all(type(label) is str and label.isprintable() for label in labels):
        labels = [f"column_{at}" for at in range(len(labels))]
    names = [*labels, *(f"index_{at}" for at in range(count - len(labels)))]
    if len(set(names)) < len(names) or any(_ARROW_SCHEMA.decode() in name for name in names):
        return [f"column_{at}" for at in range(count)]
    return names


def _write_parquet(columns: Columns, names: list[str], file: BinaryIO) -> None:
    import pyarrow as pa  # noqa: PLC0415 - reading a benchmark must not cost pyarrow's import
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        arrays = [_to_arrow(vector) for vector in columns.vectors]
    except (pa.ArrowException, UnicodeEncodeError) as error:
        raise ArtifactError(f"a column cannot be written as Parquet ({_short(error)}).") from error
    schema = pa.schema(
        pa.field(name, array.type, nullable=array.null_count > 0)
        for name, array in zip(names, arrays, strict=True)
    )
    text = json.dumps({**columns.description, "rows": columns.rows}, allow_nan=False, separators=(",", ":"))
    text = text.replace(_ARROW_SCHEMA.decode(), "ARROW\\u003aschema")  # a label may be called so
    with pq.ParquetWriter(
        file, schema, compression="none", use_dictionary=False, write_statistics=False, store_schema=False
    ) as writer:
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=_ROW_GROUP)
        writer.add_key_value_metadata({_KEY.decode(): text})


def _to_arrow(vector: Vector) -> Any:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa  # noqa: PLC0415

    values, kind = vector.plain, _arrow_type(vector.kind)
    if values.dtype.kind in "mM":
        values = values.view(np.int64)
    plain = pa.int64() if pa.types.is_timestamp(kind) else kind
    made = pa.array(values, type=plain, mask=vector.missing, from_pandas=False)
    return made.cast(kind) if plain != kind else made


def _arrow_type(kind: Mapping[str, Any]) -> Any:  # noqa: ANN401
    import pyarrow as pa  # noqa: PLC0415

    dtype = stored_dtype(kind)
    if dtype is None:
        return pa.string()
    if dtype.kind == "M" and dtype != np.dtype("M8[s]"):  # Parquet knows no seconds
        return pa.timestamp(np.datetime_data(dtype)[0], tz="UTC" if kind["type"] == "zoned" else None)
    return pa.int64() if dtype.kind in "mM" else pa.from_numpy_dtype(dtype)


def _read_parquet(path: Path) -> Columns:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    size = _check_footer(path)
    try:
        with path.open("rb") as plain, pq.ParquetFile(path) as file:
            description = _description(path, file.metadata)
            _check_extent(path, file.metadata, size)
            check_plain(path, plain, file.metadata)
            table = file.read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(path, f"it is no Parquet file that can be read ({_short(error)})") from error
    try:
        kinds, rows = _kinds(description), _rows(description)
        _check_shape(table, len(kinds), rows)
        vectors = tuple(_from_arrow(column, kind) for column, kind in zip(table.columns, kinds, strict=True))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FormatError(path, f"its description contradicts it ({_short(error)})") from error
    return Columns(description, rows, vectors)


def _check_footer(path: Path) -> int:
    """Look at the bytes of the metadata before Arrow does: a schema of its own would name extension types."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - _TRAILER, 0))
        trailer = file.read(_TRAILER)
        length = int.from_bytes(trailer[:4], "little")
        if trailer[4:] != b"PAR1" or length > size - _TRAILER:
            raise FormatError(path, "it is no Parquet file")
        file.seek(size - _TRAILER - length)
        if _ARROW_SCHEMA in file.read(length):
            raise FormatError(path, "it holds a schema of Arrow's, which tables of ours do not have")
    return size


def _check_extent(path: Path, metadata: Any, size: int) -> None:  # noqa: ANN401
    rows, columns = metadata.num_rows, metadata.num_columns
    if not _believable(rows, columns, size):
        raise FormatError(path, f"it declares {rows} rows of {columns} columns in {size} bytes")


def _believable(rows: int, columns: int, size: int) -> bool:
    return 0 <= rows * columns <= _FREE_VALUES + size * _VALUES_PER_BYTE


def _description(path: Path, metadata: Any) -> dict[str, Any]:  # noqa: ANN401
    try:
        described = json.loads((metadata.metadata or {}).get(_KEY, b"null"))
    except (ValueError, RecursionError) as error:
        raise FormatError(path, f"its description is no JSON ({_short(error)})") from error
    if not isinstance(described, dict) or described.get("format") != "pytupli.table":
        raise FormatError(path, "it is a Parquet file but no table of ours")
    if described.get("version") != 1:
        raise FormatError(path, f"its format version {described.get('version')!r:.40} is unknown")
    return described


def _kinds(description: Mapping[str, Any]) -> list[Any]:
    """Return the description of every stored column, in order."""
    index = description["index"]
    stored = {"range": [], "values": [index], "levels": index.get("codes")}[index["type"]]
    kinds = [*description["columns"], *(part["dtype"] for part in stored)]
    if [part["column"] for part in stored] != list(range(len(description["columns"]), len(kinds))):
        raise ValueError("the index is not where it should be")
    return kinds


def _rows(description: Mapping[str, Any]) -> int:
    rows = description["rows"]
    if type(rows) is not int or rows < 0:
        raise TypeError("the number of rows is none")
    return rows


def _check_shape(table: Any, columns: int, rows: int) -> None:  # noqa: ANN401
    if columns != table.num_columns or (columns and rows != table.num_rows):
        raise ValueError("rows or columns are missing")


def _from_arrow(column: Any, kind: Mapping[str, Any]) -> Vector:  # noqa: ANN401
    import pyarrow as pa  # noqa: PLC0415

    if column.type != _arrow_type(kind):
        raise ValueError(f"a column of {column.type} should be of {_arrow_type(kind)}")
    missing = column.is_null().to_numpy() if column.null_count else None
    dtype = stored_dtype(kind)
    if dtype is None:
        return Vector(kind, np.array(column.to_pylist(), dtype=object), missing)
    plain = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    if missing is not None:
        plain = plain.fill_null(_MISSING_TIME if dtype.kind in "mM" else dtype.type(0).item())
    values = np.array(plain.to_numpy())  # a copy: Arrow's memory is read-only
    return Vector(kind, values.view(dtype) if dtype.kind in "mM" else values, missing)


def _short(error: BaseException) -> str:
    return f"{error!s:.160}".replace("\n", " ")
