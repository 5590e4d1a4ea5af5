"""``episodes.parquet``: the index as any Parquet tool reads it (docs/storage.md describes every column)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.dataset.table import FIXED_FIELDS, EpisodeTable
from pytupli_registry.errors import FormatError
from pytupli_registry.filters.source import FieldValues
from pytupli_registry.storage.arrow import from_arrow, to_arrow
from pytupli_registry.storage.durable import replacement
from pytupli_registry.storage.extents import MAX_FILE_BYTES, Extent, StoredLeaf, check_layout
from pytupli_registry.storage.records import Index, LazyMapping
from pytupli_registry.storage.statistics import has_zones

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FORMAT_VERSION", "read_index", "write_index"]

FORMAT_VERSION = 1
_FORMAT = "pytupli.episodes"
_KEY = b"pytupli"
_ROW_GROUP = 1 << 17
# Every row costs some bytes even compressed: a small file that declares many rows is no index of ours.
_ROWS_PER_BYTE = 16
_STEPS_PER_BYTE = 4096
_MAX_HEADER = 1 << 28
_OTHER_FIELDS = ("seed", "recorded_at", "recorded_by", "policy")
_FIELD_TYPES = {
    **dict.fromkeys(("episode_id", "length", "row_start"), ("int64",)),
    **dict.fromkeys(("total_return", "min_reward", "max_reward", "mean_reward"), ("double",)),
    **dict.fromkeys(("terminated", "truncated"), ("bool",)),
}
_FACT_TYPES = ("bool", "int64", "double", "string")
_DTYPE = re.compile(r"[<>|][biufc]\d{1,2}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ENCODINGS = ("array", "text", "jpeg", "irregular")


def component_names(leaf: Leaf) -> list[str]:
    """Return the name of each flat component of a leaf: ``observations[2]``, ``actions/grid[0,1]``, ``rewards``."""
    if not leaf.row_shape:
        return [leaf.path]
    return [f"{leaf.path}[{','.join(map(str, index))}]" for index in np.ndindex(*leaf.row_shape)]


def write_index(index: Index, path: Path) -> None:
    """Write the index, replacing what was there in one step.

    Raises:
        OSError: the directory cannot be written.
    """
    import pyarrow as pa  # noqa: PLC0415 - reading what is no index must not cost pyarrow's import
    import pyarrow.parquet as pq  # noqa: PLC0415

    columns = _columns(index)
    table = pa.Table.from_arrays(list(columns.values()), names=list(columns))
    table = table.replace_schema_metadata({_KEY: json.dumps(_header(index)).encode()})
    texts = [name for name, column in columns.items() if column.type == pa.string()]
    with replacement(path) as file:
        pq.write_table(
            table, file, row_group_size=_ROW_GROUP, compression="zstd", use_dictionary=texts or False
        )


def _columns(index: Index) -> dict[str, Any]:
    table = index.table
    columns: dict[str, Any] = {}
    for name, found in table.fields.items():
        columns[name] = to_arrow(found.values, found.missing)
        if name == "length":
            columns["row_start"] = to_arrow(table.row_starts)
    for path, (low, high) in table.zones.items():
        for component, name in enumerate(component_names(index.leaves[path].leaf)):
            columns[f"{name}.min"] = to_arrow(low[:, component])
            columns[f"{name}.max"] = to_arrow(high[:, component])
    for path, sums in index.checksums.items():
        columns[f"{path}.crc"] = to_arrow(sums)
    return columns


def _header(index: Index) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "version": FORMAT_VERSION,
        "data": {"size": index.data_size, "sha256": index.data_sha256},
        "leaves": [
            {
                "path": path,
                "dtype": None if stored.leaf.dtype is None else stored.leaf.dtype.str,
                "row_shape": list(stored.leaf.row_shape),
                "extra_row": stored.leaf.extra_row,
                "encoding": stored.leaf.encoding,
                "extents": None
                if stored.extents is None
                else [[extent.first_row, extent.rows, extent.offset] for extent in stored.extents],
                "zones": path in index.table.zones,
                "checksums": path in index.checksums,
            }
            for path, stored in index.leaves.items()
        ],
    }


def read_index(path: Path) -> Index:
    """Open an index; columns are converted when they are first used.

    What it says about itself is checked here. Whether it describes a given data file is for the caller to know
    (:mod:`pytupli_registry.storage.trust`).

    Raises:
        FormatError: it is no index, of another format version, or contradicts itself.
    """
    columns = _ParquetColumns(path)
    header = columns.header()
    leaves = _leaves(path, header)
    size, sha256 = _data(path, header)
    lengths = columns.lengths(size)
    check_layout(path, {name: stored for name, (stored, _, _) in leaves.items()}, lengths, size)
    fields = columns.fields()
    zoned = {name: stored.leaf for name, (stored, zones, _) in leaves.items() if zones}
    for name, leaf in zoned.items():
        columns.check_zones(name, leaf)
    summed = [name for name, (_, _, sums) in leaves.items() if sums]
    for name in summed:
        columns.check_type(f"{name}.crc", ("uint32",))
    checksums = LazyMapping(summed, lambda name: columns.numbers(f"{name}.crc"))
    table = EpisodeTable(
        lengths,
        LazyMapping(fields, columns.field),
        LazyMapping(zoned, lambda name: columns.zones(zoned[name])),
        checksums,
    )
    stored = {name: stored for name, (stored, _, _) in leaves.items()}
    return Index(table, stored, size, sha256, checksums)


class _ParquetColumns:
    """The columns of one Parquet file, checked before they are believed."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415

        self.path = path
        self._errors = (pa.ArrowException, OSError, ValueError)
        try:
            size = path.stat().st_size
            # The mapping outlives the file's name: what was opened stays readable when it is replaced.
            self._file = pq.ParquetFile(pa.memory_map(str(path)), memory_map=True)
            self._schema = self._file.schema_arrow
            rows = self._file.metadata.num_rows
        except self._errors as error:
            raise FormatError(path, f"it is no Parquet file ({_short(error)})") from error
        if not 0 < rows <= size * _ROWS_PER_BYTE:
            raise FormatError(path, f"it declares {rows} rows in {size} bytes")
        self._rows = rows
        self._types = {field.name: str(field.type) for field in self._schema}
        if len(self._types) != len(self._schema):
            raise FormatError(path, "two of its columns have the same name")

    def header(self) -> Mapping[str, Any]:
        """Return our own metadata of the file."""
        text = (self._schema.metadata or {}).get(_KEY, b"")
        if not text or len(text) > _MAX_HEADER:
            raise FormatError(self.path, "it is a Parquet file but no index of episodes")
        try:
            header = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FormatError(self.path, f"its metadata is no JSON ({_short(error)})") from error
        if not isinstance(header, dict) or header.get("format") != _FORMAT:
            raise FormatError(self.path, "it is a Parquet file but no index of episodes")
        if header.get("version") != FORMAT_VERSION:
            raise FormatError(
                self.path,
                f"its format version is {header.get('version')!r:.40}, this library knows {FORMAT_VERSION}",
                hint="A newer pytupli-registry wrote it: upgrade.",
            )
        return header

    def check_type(self, name: str, allowed: tuple[str, ...]) -> None:
        """Check that there is a column of that name and type."""
        if self._types.get(name) not in allowed:
            found = self._types.get(name, "missing")
            raise FormatError(self.path, f"it is {found:.80}, not {' or '.join(allowed)}", where=name)

    def lengths(self, data_size: int) -> NDArray[np.int64]:
        """Return the episodes' lengths once they agree with the numbers beside them."""
        for name, allowed in _FIELD_TYPES.items():
            self.check_type(name, allowed)
        table = self._read(["episode_id", "length", "row_start"])
        ids, lengths, starts = (self._numbers(table, name) for name in ("episode_id", "length", "row_start"))
        if int(lengths.min()) < 1 or float(lengths.astype(np.float64).sum()) > data_size * _STEPS_PER_BYTE:
            raise FormatError(self.path, "its episodes have impossible lengths", where="length")
        if not np.array_equal(ids, np.arange(self._rows)):
            raise FormatError(self.path, "its episodes are not numbered 0, 1, 2, …", where="episode_id")
        if not np.array_equal(starts, np.cumsum(lengths) - lengths):
            raise FormatError(self.path, "it does not follow from the lengths", where="row_start")
        return lengths

    def fields(self) -> list[str]:
        """Return the names of the episode fields, in the order of the file."""
        names = [
            name
            for name in self._types
            if name in FIXED_FIELDS or name in _OTHER_FIELDS or name.startswith(("options.", "metadata."))
        ]
        for name in names:
            if name not in FIXED_FIELDS:
                self.check_type(name, _FACT_TYPES)
        return names

    def field(self, name: str) -> FieldValues:
        """Convert one episode field."""
        if name in FIXED_FIELDS:
            return FieldValues(self.numbers(name))
        column = self._read([name]).column(0)
        self._check_rows(column, name)
        try:
            return FieldValues(*from_arrow(column.combine_chunks()))
        except UnicodeDecodeError as error:
            raise FormatError(self.path, "a text in it is no UTF-8", where=name) from error

    def check_zones(self, path: str, leaf: Leaf) -> None:
        """Check that the zone maps of a leaf are there and of its dtype."""
        if leaf.dtype is None or not has_zones(leaf.dtype) or leaf.row_bytes == 0:
            raise FormatError(self.path, "zone maps of what is no number", where=path)
        if leaf.row_bytes // leaf.dtype.itemsize > len(self._types):
            raise FormatError(self.path, "zone maps are missing", where=path)
        for name in component_names(leaf):
            for end in ("min", "max"):
                self.check_type(f"{name}.{end}", (_zone_type(leaf.dtype),))

    def zones(self, leaf: Leaf) -> tuple[NDArray[Any], NDArray[Any]]:
        """Convert the zone maps of one leaf."""
        names = component_names(leaf)
        table = self._read([f"{name}.{end}" for name in names for end in ("min", "max")])
        low = np.stack([self._numbers(table, f"{name}.min") for name in names], axis=1)
        high = np.stack([self._numbers(table, f"{name}.max") for name in names], axis=1)
        return low, high

    def numbers(self, name: str) -> NDArray[Any]:
        """Convert one column of numbers, none of them missing."""
        return self._numbers(self._read([name]), name)

    def _numbers(self, table: Any, name: str) -> NDArray[Any]:  # noqa: ANN401 - pyarrow has no types
        column = table.column(name)
        self._check_rows(column, name)
        values, missing = from_arrow(column.combine_chunks())
        if missing is not None:
            raise FormatError(self.path, "values are missing", where=name)
        return values

    def _check_rows(self, column: Any, name: str) -> None:  # noqa: ANN401
        if len(column) != self._rows:
            raise FormatError(self.path, f"it has {len(column)} rows instead of {self._rows}", where=name)

    def _read(self, names: list[str]) -> Any:  # noqa: ANN401
        try:
            # Arrow's threads do not survive a fork, and one column is quick.
            return self._file.read(columns=names, use_threads=False)
        except self._errors as error:
            raise FormatError(
                self.path, f"a column cannot be read ({_short(error)})", where=names[0]
            ) from error


def _leaves(path: Path, header: Mapping[str, Any]) -> dict[str, tuple[StoredLeaf, bool, bool]]:
    listed = header.get("leaves")
    if not isinstance(listed, list):
        raise FormatError(path, "its metadata lists no leaves")
    found: dict[str, tuple[StoredLeaf, bool, bool]] = {}
    for described in listed:
        try:
            stored = _leaf(described)
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(path, f"its metadata describes a leaf badly ({_short(error)})") from error
        found[stored.leaf.path] = stored, described.get("zones") is True, described.get("checksums") is True
    if len(found) != len(listed):
        raise FormatError(path, "its metadata describes a leaf twice")
    return found


def _leaf(described: Mapping[str, Any]) -> StoredLeaf:
    encoding, extra_row = described["encoding"], described["extra_row"]
    if encoding not in _ENCODINGS or extra_row not in {0, 1} or not isinstance(described["path"], str):
        raise ValueError(f"unknown encoding {encoding!r:.40} or extra row {extra_row!r:.40}")
    dtype = None if described["dtype"] is None else np.dtype(_matching(_DTYPE, described["dtype"]))
    if encoding != "array" and dtype not in {None, np.dtype(np.uint8)}:
        raise ValueError(f"{encoding} values of the dtype {dtype}")
    row_shape = tuple(_count(extent) for extent in described["row_shape"])
    extents = None
    if described["extents"] is not None:
        if encoding != "array":
            raise ValueError("extents of what is no array")
        extents = tuple(Extent(*map(_count, extent)) for extent in described["extents"])
    return StoredLeaf(Leaf(described["path"], dtype, row_shape, extra_row, encoding), extents)


def _data(path: Path, header: Mapping[str, Any]) -> tuple[int, str]:
    try:
        size, sha256 = _count(header["data"]["size"]), _matching(_SHA256, header["data"]["sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(path, f"its metadata names no data file ({_short(error)})") from error
    return size, sha256


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_FILE_BYTES:
        raise ValueError(f"{value!r:.40} is no size")
    return value


def _matching(pattern: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{value!r:.80} does not look like {pattern.pattern}")
    return value


def _zone_type(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "bool"
    if dtype.kind == "f":
        return "double" if dtype.itemsize == 8 else "float"
    return dtype.newbyteorder("=").name


def _short(error: BaseException) -> str:
    return f"{error!s:.160}".replace("\n", " ")
