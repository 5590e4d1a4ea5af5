"""What the index says about the numbers of an episode: extremes, checksums, returns."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from zlib_ng.zlib_ng import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytupli_registry.dataset.leaves import Leaf

__all__ = ["LeafStatistics", "checksums", "episode_blocks", "extremes", "has_zones", "zone_components"]

# Zone maps of one leaf cover at most this many components, those of a dataset at most _ALL_COMPONENTS.
_LEAF_COMPONENTS = 32
_ALL_COMPONENTS = 256
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LeafStatistics:
    """Facts about each episode's values of one leaf.

    Attributes:
        zones: minimum and maximum of every flat component, NaN where there is one; None where the leaf has too
            many components.  # two arrays (N, components)
        checksums: CRC-32 of each episode's bytes.  # (N,) uint32
    """

    zones: tuple[NDArray[Any], NDArray[Any]] | None
    checksums: NDArray[np.uint32]


def has_zones(dtype: np.dtype[Any]) -> bool:
    """Whether Parquet has a type for extremes of the dtype."""
    return dtype.kind in "biuf" and dtype.itemsize <= 8


def zone_components(leaves: list[Leaf]) -> dict[str, int]:
    """Return how many components of each leaf get zone maps; leaves without any are left out."""
    found: dict[str, int] = {}
    left = _ALL_COMPONENTS
    for leaf in leaves:
        if not leaf.is_array or leaf.dtype is None or not has_zones(leaf.dtype):
            continue
        components = leaf.row_bytes // leaf.dtype.itemsize
        if 0 < components <= min(_LEAF_COMPONENTS, left):
            found[leaf.path] = components
            left -= components
    return found


def episode_blocks(starts: NDArray[np.int64], row_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut consecutive episodes into blocks of about a megabyte, at least one episode each.

    Args:
        starts: first row of each episode, and the end of the last.  # (N + 1,)
        row_bytes: bytes of a row.

    Yields:
        First episode of the block and the one after its last.
    """
    rows = max(_BLOCK_BYTES // max(row_bytes, 1), 1)
    first, count = 0, len(starts) - 1
    while first < count:
        last = int(np.searchsorted(starts, starts[first] + rows, side="right")) - 1
        last = min(max(last, first + 1), count)
        yield first, last
        first = last


def extremes(
    values: NDArray[Any], starts: NDArray[np.int64], components: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return each episode's minimum and maximum of every component, NaN where there is one.

    Args:
        values: rows of consecutive episodes.  # (rows, *row_shape)
        starts: first row of each episode.  # (n,)
        components: values in a row.

    Returns:
        Minima and maxima, in a dtype that Parquet knows.  # (n, components) each
    """
    flat = values.reshape(len(values), components)
    if flat.dtype.kind == "b":
        low, high = extremes(flat.view(np.uint8), starts, components)
        return low.astype(np.bool_), high.astype(np.bool_)
    # One component after another in memory: the reductions then run at the speed of the cache.
    columns = np.ascontiguousarray(flat.T)
    if columns.dtype.itemsize == 2 and columns.dtype.kind == "f":
        columns = columns.astype(np.float32)
    columns = columns.astype(columns.dtype.newbyteorder("="), copy=False)
    with np.errstate(invalid="ignore"):
        low = np.minimum.reduceat(columns, starts, axis=1)
        high = np.maximum.reduceat(columns, starts, axis=1)
    return low.T, high.T


def checksums(values: NDArray[Any], starts: NDArray[np.int64]) -> list[int]:
    """Return the CRC-32 of the bytes of each episode.

    Args:
        values: rows of consecutive episodes, one after another in memory.  # (rows, *row_shape)
        starts: first row of each episode, and the end of the last.  # (n + 1,)
    """
    if values.nbytes == 0:
        return [0] * (len(starts) - 1)
    raw = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
    edges = (starts * (values.nbytes // len(values))).tolist()
    return [crc32(raw[start:stop]) for start, stop in pairwise(edges)]
