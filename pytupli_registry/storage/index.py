"""The index of a dataset: which episodes there are, and which bytes are theirs.

An index describes one ``main_data.hdf5`` and says so with its size and SHA-256. It can always be built again from
that file; how it is kept on disk is :mod:`pytupli_registry.storage.parquet`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS
from pytupli_registry.dataset.table import EpisodeTable, field_values, reward_fields
from pytupli_registry.errors import FormatError
from pytupli_registry.filters.source import FieldValues
from pytupli_registry.storage.extents import Extent, StoredLeaf, check_layout, leaf_starts
from pytupli_registry.storage.parquet import read_index, write_index
from pytupli_registry.storage.records import Index
from pytupli_registry.storage.statistics import (
    LeafStatistics,
    checksums,
    episode_blocks,
    extremes,
    zone_components,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    RowReader = Callable[[str, int, int], NDArray[Any]]

__all__ = ["Extent", "Index", "StoredLeaf", "build_index", "read_index", "same_index", "write_index"]

_FACTS = ("seed", "recorded_at", "recorded_by", "policy")
# Sums may differ in the last bits between machines, whose NumPy adds in another order.
_SUMS = ("total_return", "mean_reward")
_SUM_TOLERANCE = 1e-9


def build_index(
    data_path: Path,
    lengths: NDArray[np.int64],
    leaves: Mapping[str, StoredLeaf],
    facts: Mapping[str, Sequence[Any]],
    data_sha256: str | Callable[[], str],
    *,
    read_rows: RowReader | None = None,
) -> Index:
    """Build the index of a data file, a block of episodes at a time.

    Args:
        data_path: the ``main_data.hdf5``, complete.
        lengths: steps of each episode.  # (N,)
        leaves: the leaves by path, and where they lie.
        facts: per-episode values by full field name (``seed``, ``options.mass``, ``metadata.month``,
            ``recorded_at``, ``recorded_by``, ``policy``); None where an episode has none.
        data_sha256: hash of the file, or what returns it, which is asked last.
        read_rows: reads leaves that are arrays without extents: path, first episode and the one after the last →
            their rows. Without it such leaves get no zone maps and no checksums.

    Raises:
        FormatError: the leaves cannot lie where they say, or a flag is neither 0 nor 1.
    """
    data_size = data_path.stat().st_size
    lengths = np.asarray(lengths, dtype=np.int64)
    if len(lengths) == 0 or int(lengths.min()) < 1:
        raise FormatError(data_path, "there is no episode, or an episode has no step")
    check_layout(data_path, leaves, lengths, data_size)
    columns = _Blocks(data_path, leaves, lengths, read_rows)
    statistics, fields = _scan_columns(columns, lengths)
    sums = {path: found.checksums for path, found in statistics.items()}
    table = EpisodeTable(
        lengths,
        {**fields, **_fact_fields(facts, len(lengths))},
        {path: found.zones for path, found in statistics.items() if found.zones is not None},
        sums,
    )
    digest = data_sha256 if isinstance(data_sha256, str) else data_sha256()
    return Index(table, dict(leaves), data_size, digest, sums)


class _Blocks:
    """Rows of a data file, some episodes at a time."""

    def __init__(
        self,
        data_path: Path,
        leaves: Mapping[str, StoredLeaf],
        lengths: NDArray[np.int64],
        read_rows: RowReader | None,
    ) -> None:
        self.path = data_path
        self.leaves = leaves
        self._lengths = lengths
        self._read_rows = read_rows

    def readable(self, path: str) -> bool:
        """Whether the leaf can be read here."""
        stored = self.leaves[path]
        return stored.leaf.is_array and (stored.extents is not None or self._read_rows is not None)

    def of(self, path: str) -> Iterator[tuple[int, NDArray[np.int64], NDArray[Any]]]:
        """Yield the first episode of each block, the starts of its episodes (and the end), and its rows."""
        stored = self.leaves[path]
        starts = leaf_starts(self._lengths, stored.leaf.extra_row)
        for first, last in self._cuts(stored, starts):
            rows = self._rows(stored, int(starts[first]), int(starts[last]), first, last)
            if rows.dtype == np.bool_ and bool(np.any(rows.view(np.uint8) > 1)):
                raise FormatError(self.path, "a truth value is neither 0 nor 1", where=path)
            yield first, starts[first : last + 1] - starts[first], rows

    def _cuts(self, stored: StoredLeaf, starts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
        if not stored.extents:
            yield from episode_blocks(starts, stored.leaf.row_bytes)
            return
        for extent in stored.extents:
            first, last = np.searchsorted(starts, [extent.first_row, extent.first_row + extent.rows])
            for start, stop in episode_blocks(starts[first : last + 1], stored.leaf.row_bytes):
                yield int(first) + start, int(first) + stop

    def _rows(self, stored: StoredLeaf, start: int, stop: int, first: int, last: int) -> NDArray[Any]:
        leaf = stored.leaf
        shape = (stop - start, *leaf.row_shape)
        if stored.extents is None:
            assert self._read_rows is not None  # noqa: S101 - readable() was asked first
            return self._read_rows(leaf.path, first, last).reshape(shape)
        if leaf.row_bytes == 0:
            return np.zeros(shape, dtype=leaf.dtype)
        firsts = [extent.first_row for extent in stored.extents]
        extent = stored.extents[int(np.searchsorted(firsts, start, side="right")) - 1]
        offset = extent.offset + (start - extent.first_row) * leaf.row_bytes
        assert leaf.dtype is not None  # noqa: S101 - check_layout saw to it
        count = (stop - start) * (leaf.row_bytes // leaf.dtype.itemsize)
        # Not through a map: its pages would stay this process's until the whole file counts as its memory.
        rows = np.fromfile(self.path, dtype=leaf.dtype, count=count, offset=offset)
        if len(rows) < count:
            raise FormatError(self.path, "it became shorter while it was read", where=leaf.path)
        return rows.reshape(shape)


def _scan_columns(
    columns: _Blocks, lengths: NDArray[np.int64]
) -> tuple[dict[str, LeafStatistics], dict[str, FieldValues]]:
    components = zone_components([stored.leaf for stored in columns.leaves.values()])
    fields: dict[str, FieldValues] = {
        "episode_id": FieldValues(np.arange(len(lengths), dtype=np.int64)),
        "length": FieldValues(lengths),
    }
    statistics: dict[str, LeafStatistics] = {}
    for path in columns.leaves:
        if not columns.readable(path):
            continue
        statistics[path], found = _scan_leaf(columns, path, components.get(path), lengths)
        fields.update(found)
    if {REWARDS, TERMINATIONS, TRUNCATIONS} - statistics.keys():
        raise FormatError(columns.path, "rewards and flags cannot be read without HDF5")
    order = ("episode_id", "length", "total_return", "min_reward", "max_reward", "mean_reward")
    return statistics, {name: fields[name] for name in (*order, "terminated", "truncated")}


def _scan_leaf(
    columns: _Blocks, path: str, components: int | None, lengths: NDArray[np.int64]
) -> tuple[LeafStatistics, dict[str, FieldValues]]:
    sums: list[int] = []
    zones: list[tuple[NDArray[Any], NDArray[Any]]] = []
    found: list[dict[str, FieldValues]] = []
    for first, starts, rows in columns.of(path):
        sums += checksums(rows, starts)
        if components is not None:
            zones.append(extremes(rows, starts[:-1], components))
        if path in _DERIVED:
            found.append(_DERIVED[path](rows, lengths[first : first + len(starts) - 1], starts))
    joined = (
        (np.concatenate([low for low, _ in zones]), np.concatenate([high for _, high in zones]))
        if zones
        else None
    )
    fields = {
        name: FieldValues(np.concatenate([part[name].values for part in found]))
        for name in (found or [{}])[0]
    }
    return LeafStatistics(joined, np.array(sums, dtype=np.uint32)), fields


def _returns(rows: NDArray[Any], lengths: NDArray[np.int64], _: NDArray[np.int64]) -> dict[str, FieldValues]:
    with np.errstate(invalid="ignore", over="ignore"):
        return reward_fields(rows, lengths)


def _terminated(
    rows: NDArray[Any], _: NDArray[np.int64], starts: NDArray[np.int64]
) -> dict[str, FieldValues]:
    return {"terminated": FieldValues(rows[starts[1:] - 1])}


def _truncated(rows: NDArray[Any], _: NDArray[np.int64], starts: NDArray[np.int64]) -> dict[str, FieldValues]:
    return {"truncated": FieldValues(rows[starts[1:] - 1])}


_DERIVED = {REWARDS: _returns, TERMINATIONS: _terminated, TRUNCATIONS: _truncated}


def _fact_fields(facts: Mapping[str, Sequence[Any]], count: int) -> dict[str, FieldValues]:
    """Return the facts as typed fields: seed always, others where some episode has one."""
    fields: dict[str, FieldValues] = {}
    known = {"seed": [None] * count, **facts}
    for name in sorted(known, key=lambda name: (name not in _FACTS, name)):
        values = known[name]
        if name not in _FACTS and not name.startswith(("options.", "metadata.")):
            raise ValueError(f"{name!r} is no name of an episode fact")
        if len(values) != count:
            raise ValueError(f"{name!r} has {len(values)} values for {count} episodes")
        if any(value is not None for value in values):
            fields[name] = field_values(values)
        elif name == "seed":
            fields[name] = FieldValues(np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.bool_))
    return fields


def same_index(first: Index, second: Index) -> bool:
    """Whether two indexes say the same about the same file; sums may differ by rounding."""
    tables = first.table, second.table
    return (
        (first.data_size, first.data_sha256) == (second.data_size, second.data_sha256)
        and first.leaves == second.leaves
        and np.array_equal(tables[0].lengths, tables[1].lengths)
        and _same_keys(tables[0].fields, tables[1].fields, _same_field)
        and _same_keys(tables[0].zones, tables[1].zones, _same_zone)
        and _same_keys(first.checksums, second.checksums, lambda _, a, b: np.array_equal(a, b))
    )


def _same_keys(
    first: Mapping[str, Any], second: Mapping[str, Any], same: Callable[[str, Any, Any], bool]
) -> bool:
    return set(first) == set(second) and all(same(name, first[name], second[name]) for name in first)


def _same_field(name: str, first: FieldValues, second: FieldValues) -> bool:
    none = np.zeros(len(first.values), dtype=np.bool_)
    absent = none if first.missing is None else first.missing
    if not np.array_equal(absent, none if second.missing is None else second.missing):
        return False
    one, other = first.values[~absent], second.values[~absent]
    if one.dtype != other.dtype:
        return False
    if name in _SUMS:
        return bool(np.allclose(one, other, rtol=_SUM_TOLERANCE, atol=_SUM_TOLERANCE, equal_nan=True))
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _same_zone(
    _: str, first: tuple[NDArray[Any], NDArray[Any]], second: tuple[NDArray[Any], NDArray[Any]]
) -> bool:
    return all(
        one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        for one, other in zip(first, second, strict=True)
    )
