"""What d3rlpy sees of a column: rows of the shape it wants, made when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ChannelsLastRows", "ConcatenatedRows", "PlainRows", "Rows", "ShiftedRows"]


class Rows(Protocol):
    """Rows over a memory map. Both ways of reading give the dtype of the column, never float32."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row, of rank 1 at least."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the values."""

    @property
    def is_view(self) -> bool:
        """Whether consecutive rows are a view of the memory map."""

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Gather rows; a number past the end gives the last row.

        Args:
            numbers: rows, in an array of any shape.

        Returns:
            A copy.  # (*numbers.shape, *shape)
        """

    def between(self, start: int, stop: int) -> NDArray[Any]:
        """Return consecutive rows, as a view of the memory map where it can be.  # (stop - start, *shape)"""  # noqa: D415 - the shape ends the line


class PlainRows:
    """Rows of one column, reshaped without a copy."""

    __slots__ = ("_column", "dtype", "is_view", "shape")

    def __init__(self, column: NDArray[Any], shape: tuple[int, ...]) -> None:
        # A memmap is an ndarray that pays a Python call for every view: shed the subclass.
        self._column = np.asarray(column).view(np.ndarray).reshape(len(column), *shape)
        self.shape = shape
        self.dtype = self._column.dtype
        self.is_view = True

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Gather rows."""
        return self._column.take(numbers, axis=0, mode="clip")

    def between(self, start: int, stop: int) -> NDArray[Any]:
        """Return a view."""
        return self._column[start:stop]


class ChannelsLastRows:
    """Images kept as (height, width, channels) and seen as (channels, height, width)."""

    __slots__ = ("_rows", "dtype", "is_view", "shape")

    def __init__(self, rows: Rows) -> None:
        height, width, channels = rows.shape
        self._rows = rows
        self.shape = (channels, height, width)
        self.dtype = rows.dtype
        self.is_view = rows.is_view

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Gather images, channels first."""
        return np.moveaxis(self._rows.take(numbers), -1, -3)

    def between(self, start: int, stop: int) -> NDArray[Any]:
        """Return a view, channels first."""
        return np.moveaxis(self._rows.between(start, stop), -1, -3)


class ConcatenatedRows:
    """Several columns of vectors seen as one vector, joined when rows are read."""

    __slots__ = ("_parts", "dtype", "is_view", "shape")

    def __init__(self, parts: tuple[Rows, ...]) -> None:
        self._parts = parts
        self.shape = (sum(part.shape[0] for part in parts),)
        self.dtype = np.result_type(*(part.dtype for part in parts))
        self.is_view = False

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Gather and join."""
        return np.concatenate([part.take(numbers) for part in self._parts], axis=-1)

    def between(self, start: int, stop: int) -> NDArray[Any]:
        """Return a copy, joined."""
        return np.concatenate([part.between(start, stop) for part in self._parts], axis=-1)


class ShiftedRows:
    """Discrete values that start at another number than zero, seen as counted from zero."""

    __slots__ = ("_rows", "_start", "dtype", "is_view", "shape")

    def __init__(self, rows: Rows, start: int) -> None:
        self._rows = rows
        self._start = start
        self.shape = rows.shape
        self.dtype = rows.dtype
        self.is_view = False

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Gather and shift."""
        return self._rows.take(numbers) - self._start

    def between(self, start: int, stop: int) -> NDArray[Any]:
        """Return a copy, shifted."""
        return self._rows.between(start, stop) - self._start
