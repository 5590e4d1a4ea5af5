"""What a filter is evaluated on: episode fields and step leaves, whoever holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FieldValues", "FilterSource", "StepLeaf"]


@dataclass(frozen=True, slots=True, eq=False)
class FieldValues:
    """One episode field of all episodes.

    Attributes:
        values: one value an episode; bool, int64, float64 or object (of ``str``).  # (N,)
        missing: True where the episode has no such field; None when none is missing.  # (N,)
    """

    values: NDArray[Any]
    missing: NDArray[np.bool_] | None = None


class StepLeaf(Protocol):
    """Shape of one array of steps: ``(rows, *row_shape)``, T or T+1 rows an episode."""

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Dtype of a value; None where values have no fixed shape (text, ragged) and cannot be filtered by."""

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of the value of one step."""

    @property
    def extra_row(self) -> int:
        """1 where an episode has T+1 rows (observations, infos), 0 where it has T."""

    @property
    def is_array(self) -> bool:
        """Whether rows are numbers that ``FilterSource.array`` can give; images kept as JPEG are not."""


class FilterSource(Protocol):
    """Episodes as the filters see them.

    Episodes lie in row order: the T-row leaves of the episode at position ``i`` are rows
    ``row_starts[i] : row_starts[i] + lengths[i]``, and its T+1-row leaves are rows
    ``row_starts[i] + i : row_starts[i] + i + lengths[i] + 1``.
    """

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each episode.  # (N,)"""  # noqa: D415 - the shape ends the line

    @property
    def row_starts(self) -> NDArray[np.int64]:
        """First T-row of each episode.  # (N,)"""  # noqa: D415

    @property
    def fields(self) -> Mapping[str, FieldValues]:
        """Episode fields by full name: ``total_return``, ``options.mass``, ``metadata.month``."""

    @property
    def leaves(self) -> Mapping[str, StepLeaf]:
        """Step leaves by path: ``observations``, ``observations/camera``, ``rewards``, ``infos/energy``."""

    def require(self, paths: Iterable[str], positions: NDArray[np.int64]) -> None:
        """Make some leaves of some episodes ready, together, before they are read with ``array``."""

    def array(self, path: str, positions: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Return all rows of a leaf of fixed shape, without a copy where possible.

        Args:
            path: of the leaf.
            positions: of the episodes whose rows will be read; None means all.

        Returns:
            Rows in the order above.  # (rows, *row_shape)
        """

    def zone(self, path: str, component: int) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """Return each episode's minimum and maximum of one flat component of a leaf, or None if unknown.

        A minimum or maximum is NaN for an episode that holds a NaN: it then says nothing.
        """
