"""Where the bytes of a leaf lie in ``main_data.hdf5``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pytupli_registry.dataset.leaves import REWARDS, TERMINATIONS, TRUNCATIONS
from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytupli_registry.dataset.leaves import Leaf

__all__ = ["MAX_FILE_BYTES", "Extent", "StoredLeaf", "check_layout", "leaf_starts"]

MAX_FILE_BYTES = 1 << 50
MAX_ROW_BYTES = 1 << 34
DTYPE_KINDS = "biufc"


@dataclass(frozen=True, slots=True)
class Extent:
    """Rows that lie back to back in the file.

    Attributes:
        first_row: number of the first of them in its column.
        rows: how many.
        offset: byte of the file at which they begin.
    """

    first_row: int
    rows: int
    offset: int


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """A leaf and its place in the file.

    Attributes:
        leaf: the leaf.
        extents: its rows in order, each extent holding whole episodes; None where the leaf must be read through
            HDF5; empty where its rows have no bytes.
    """

    leaf: Leaf
    extents: tuple[Extent, ...] | None


def leaf_starts(lengths: NDArray[np.int64], extra_row: int) -> NDArray[np.int64]:
    """Return the first row of each episode in a leaf, and the number of its rows at the end.  # (N + 1,)"""  # noqa: D415
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths + extra_row, out=starts[1:])
    return starts


def check_layout(
    path: Path, leaves: Mapping[str, StoredLeaf], lengths: NDArray[np.int64], data_size: int
) -> None:
    """Check that the leaves can lie where they say, before anything is read or allocated.

    Args:
        path: the file the claim was read from, for messages.
        leaves: the leaves by path.
        lengths: steps of each episode, all positive.
        data_size: bytes of the data file.

    Raises:
        FormatError: a column leaves the file, has too few or too many rows, splits an episode or overlaps
            another; or rewards and flags are missing.
    """
    for name, kinds in ((REWARDS, "fiu"), (TERMINATIONS, "b"), (TRUNCATIONS, "b")):
        stored = leaves.get(name)
        if stored is None or not stored.leaf.is_array or stored.leaf.row_shape:
            raise FormatError(path, f"there is no column {name!r} of one number a step")
        if stored.leaf.dtype is None or stored.leaf.dtype.kind not in kinds:
            raise FormatError(path, f"values of the dtype {stored.leaf.dtype} cannot be {name}", where=name)
    for name, stored in leaves.items():
        if stored.leaf.is_array:
            _check_leaf(path, name, stored, lengths, data_size)
    _check_overlaps(path, leaves)


def _check_leaf(
    path: Path, name: str, stored: StoredLeaf, lengths: NDArray[np.int64], data_size: int
) -> None:
    leaf = stored.leaf
    if leaf.dtype is None or leaf.dtype.kind not in DTYPE_KINDS or leaf.dtype.itemsize == 0:
        raise FormatError(path, f"the dtype {leaf.dtype} is no number", where=name)
    if any(extent < 0 for extent in leaf.row_shape) or leaf.row_bytes > MAX_ROW_BYTES:
        raise FormatError(path, f"it declares the impossible row shape {leaf.row_shape}", where=name)
    if stored.extents is None or leaf.row_bytes == 0:
        return
    starts = leaf_starts(lengths, leaf.extra_row)
    expected = 0
    for extent in stored.extents:
        if extent.first_row != expected or extent.rows <= 0:
            raise FormatError(path, f"its rows are not in order at row {expected}", where=name)
        end = extent.offset + extent.rows * leaf.row_bytes
        if extent.offset < 0 or end > data_size:
            raise FormatError(path, f"its bytes end at {end}, the file at {data_size}", where=name)
        expected += extent.rows
    if expected != int(starts[-1]):
        raise FormatError(path, f"it has {expected} rows, its episodes {starts[-1]}", where=name)
    firsts = np.array([extent.first_row for extent in stored.extents], dtype=np.int64)
    if not bool(np.all(starts[np.searchsorted(starts, firsts)] == firsts)):
        raise FormatError(path, "an extent begins within an episode", where=name)


def _check_overlaps(path: Path, leaves: Mapping[str, StoredLeaf]) -> None:
    spans = sorted(
        (extent.offset, extent.offset + extent.rows * stored.leaf.row_bytes, name)
        for name, stored in leaves.items()
        for extent in stored.extents or ()
    )
    for (_, end, first), (offset, _, second) in pairwise(spans):
        if offset < end:
            raise FormatError(path, f"its bytes overlap those of {first!r}", where=second)
