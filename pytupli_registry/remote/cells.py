"""Cells of a data file: the bytes of one leaf of one episode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytupli_registry.storage.extents import leaf_starts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytupli_registry.storage.extents import StoredLeaf
    from pytupli_registry.storage.records import Index

__all__ = ["Cells", "cell_bounds", "cells_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Some cells, and what their bytes must be.

    Attributes:
        starts: first byte of each.  # (n,) int64
        stops: one past the last byte of each.  # (n,) int64
        checksums: CRC-32 of the bytes of each.  # (n,) uint32
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    checksums: NDArray[np.uint32]

    @classmethod
    def none(cls) -> Cells:
        """Return no cells."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint32))

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def total(self) -> int:
        """Bytes of all of them."""
        return int((self.stops - self.starts).sum())

    def by_place(self) -> dict[tuple[int, int], int]:
        """Return the checksums by start and stop."""
        places = zip(self.starts.tolist(), self.stops.tolist(), strict=True)
        return dict(zip(places, self.checksums.tolist(), strict=True))

    def where(self, mask: NDArray[np.bool_]) -> Cells:
        """Return some of them."""
        return Cells(self.starts[mask], self.stops[mask], self.checksums[mask])


def cells_of(index: Index, wanted: Mapping[str, NDArray[np.int64]]) -> Cells:
    """Return the cells of some leaves, all with extents, of some episodes each, in the order of the file."""
    starts, stops, checksums = [], [], []
    for path, positions in wanted.items():
        first, last = cell_bounds(index.leaves[path], index.table.lengths, positions)
        starts.append(first)
        stops.append(last)
        checksums.append(index.checksums[path][positions])
    if not starts:
        return Cells.none()
    found = Cells(np.concatenate(starts), np.concatenate(stops), np.concatenate(checksums))
    found = found.where(found.stops > found.starts)
    order = np.argsort(found.starts, kind="stable")
    return Cells(found.starts[order], found.stops[order], found.checksums[order])


def cell_bounds(
    stored: StoredLeaf, lengths: NDArray[np.int64], positions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return first and one past last byte of a leaf, which has extents, in some episodes.  # (n,) each"""  # noqa: D415
    row_bytes = stored.leaf.row_bytes
    if not stored.extents or row_bytes == 0:
        nothing = np.zeros(len(positions), np.int64)
        return nothing, nothing
    rows = leaf_starts(lengths, stored.leaf.extra_row)
    first_rows = np.array([extent.first_row for extent in stored.extents], np.int64)
    shifts = np.array([extent.offset for extent in stored.extents], np.int64) - first_rows * row_bytes
    extents = np.searchsorted(first_rows, rows[positions], side="right") - 1
    starts = rows[positions] * row_bytes + shifts[extents]
    return starts, starts + (rows[positions + 1] - rows[positions]) * row_bytes
