"""What d3rlpy sees of a column: rows of the shape it wants, made when they are asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytupli_d3rlpy.one_hot import OneHot

__all__ = [
    "NOTHING",
    "ChannelsLastRows",
    "ConcatenatedRows",
    "OneHotRows",
    "PlainRows",
    "Rows",
    "ShiftedRows",
    "as_float32",
]

# What is read of an array when it is put under d3rlpy's names: StepIndex asks for episodes when they are sampled.
NOTHING: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

_LARGE = 4096  # bytes of a row; copying it costs more than a Python call, and a batch of them no cache holds


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return d3rlpy's dtype in C order, without a copy where that is what it is."""
    return np.ascontiguousarray(values, dtype=np.float32)


class Rows(Protocol):
    """Rows over a memory map, read in the dtype of the column unless said otherwise."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row, of rank 1 at least."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the values."""

    @property
    def is_view(self) -> bool:
        """Whether consecutive rows are a view of the memory map."""

    @property
    def is_large(self) -> bool:
        """Whether rows are best read one by one."""

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Gather rows; a number past the end gives the last row.

        Args:
            numbers: rows, in an array of any shape.

        Returns:
            A copy.  # (*numbers.shape, *shape)
        """

    def take_float32(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gather as :meth:`take` does, in d3rlpy's dtype and C order."""

    def windows(self, first: NDArray[np.int64], size: int) -> NDArray[Any]:
        """Gather runs of consecutive rows.

        Args:
            first: row that each begins with; all of its rows exist.  # (n,)
            size: rows of a run.

        Returns:
            A copy.  # (n, size, *shape)
        """

    def between(self, start: int, stop: int) -> NDArray[Any]:
        """Return consecutive rows, as a view of the memory map where it can be.  # (stop - start, *shape)"""  # noqa: D415 - the shape ends the line


class PlainRows:
    """Rows of one column, reshaped without a copy."""

    __slots__ = ("_column", "_runs", "dtype", "is_large", "is_view", "shape")

    def __init__(self, column: NDArray[Any], shape: tuple[int, ...]) -> None:
        # A memmap is an ndarray that pays a Python call for every view: shed the subclass.
        self._column = np.asarray(column).view(np.ndarray).reshape(len(column), *shape)
        self._runs: tuple[int, NDArray[Any]] | None = None
        self.shape = shape
        self.dtype = self._column.dtype
        self.is_view = True
        self.is_large = self.dtype.itemsize * math.prod(shape) >= _LARGE

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Gather rows."""
        return self._column.take(numbers, axis=0, mode="clip")

    def take_float32(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gather rows, large ones without a copy of them all in between."""
        if not self.is_large:
            return as_float32(self.take(numbers))
        values = np.empty((numbers.size, *self.shape), dtype=np.float32)
        last = len(self._column) - 1
        for place, number in enumerate(numbers.ravel().tolist()):
            values[place] = self._column[min(number, last)]
        return values.reshape(*numbers.shape, *self.shape)

    def windows(self, first: NDArray[np.int64], size: int) -> NDArray[Any]:
        """Gather runs, each copied as one."""
        if not self._column.flags.c_contiguous:
            return self.take(first[:, None] + np.arange(size))
        if self._runs is None or self._runs[0] != size:
            self._runs = size, self._runs_of(size)
        return self._runs[1][first].reshape(len(first), size, *self.shape)

    def _runs_of(self, size: int) -> NDArray[Any]:
        """Return a view of every run of ``size`` rows, flat.  # (rows - size + 1, size * values of a row)"""  # noqa: D415
        row = math.prod(self.shape)
        return np.lib.stride_tricks.sliding_window_view(self._column.reshape(-1), size * row)[::row]

    def between(self, start: int, stop: int) -> NDArray[Any]:
        """Return a view."""
        return self._column[start:stop]


class ChannelsLastRows:
    """Images kept as (height, width, channels) and seen as (channels, height, width)."""

    __slots__ = ("_rows", "dtype", "is_large", "is_view", "shape")

    def __init__(self, rows: Rows) -> None:
        height, width, channels = rows.shape
        self._rows = rows
        self.shape = (channels, height, width)
        self.dtype = rows.dtype
        self.is_view = rows.is_view
        self.is_large = rows.is_large

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Gather images, channels first."""
        return np.moveaxis(self._rows.take(numbers), -1, -3)

    def take_float32(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gather images, channels first, each turned while it lies in the cache."""
        if not self.is_large:
            return as_float32(self.take(numbers))
        values = np.empty((numbers.size, *self.shape), dtype=np.float32)
        turned = np.empty(self.shape, dtype=self.dtype)
        for place, number in enumerate(numbers.ravel().tolist()):
            # Turning, then casting, is faster than both at once.
            turned[...] = self._rows.between(number, number + 1)[0].transpose(2, 0, 1)
            values[place] = turned
        return values.reshape(*numbers.shape, *self.shape)

    def windows(self, first: NDArray[np.int64], size: int) -> NDArray[Any]:
        """Gather runs of images, channels first."""
        return np.moveaxis(self._rows.windows(first, size), -1, -3)

    def between(self, start: int, stop: int) -> NDArray[Any]:
        """Return a view, channels first."""
        return np.moveaxis(self._rows.between(start, stop), -1, -3)


class ConcatenatedRows:
    """Several columns of vectors seen as one vector, joined when rows are read."""

    __slots__ = ("_parts", "dtype", "is_large", "is_view", "shape")

    def __init__(self, parts: tuple[Rows, ...]) -> None:
        self._parts = parts
        self.shape = (sum(part.shape[0] for part in parts),)
        self.dtype = np.result_type(*(part.dtype for part in parts))
        self.is_view = False
        self.is_large = False

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Gather and join."""
        return np.concatenate([part.take(numbers) for part in self._parts], axis=-1)

    def take_float32(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gather and join."""
        return as_float32(self.take(numbers))

    def windows(self, first: NDArray[np.int64], size: int) -> NDArray[Any]:
        """Gather runs and join them."""
        return np.concatenate([part.windows(first, size) for part in self._parts], axis=-1)

    def between(self, start: int, stop: int) -> NDArray[Any]:
        """Return a copy, joined."""
        return np.concatenate([part.between(start, stop) for part in self._parts], axis=-1)


class ShiftedRows:
    """Discrete values that start at another number than zero, seen as counted from zero."""

    __slots__ = ("_rows", "_start", "dtype", "is_large", "is_view", "shape")

    def __init__(self, rows: Rows, start: int) -> None:
        self._rows = rows
        self._start = start
        self.shape = rows.shape
        self.dtype = rows.dtype
        self.is_view = False
        self.is_large = False

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Gather and shift."""
        return self._rows.take(numbers) - self._start

    def take_float32(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gather and shift."""
        return as_float32(self.take(numbers))

    def windows(self, first: NDArray[np.int64], size: int) -> NDArray[Any]:
        """Gather runs and shift."""
        return self._rows.windows(first, size) - self._start

    def between(self, start: int, stop: int) -> NDArray[Any]:
        """Return a copy, shifted."""
        return self._rows.between(start, stop) - self._start


class OneHotRows:
    """Numbers seen as the ones of vectors that are zero elsewhere."""

    __slots__ = ("_code", "_rows", "dtype", "is_large", "is_view", "shape")

    def __init__(self, rows: Rows, code: OneHot) -> None:
        self._rows = rows
        self._code = code
        self.shape = (code.width,)
        self.dtype = np.dtype(np.float32)
        self.is_view = False
        self.is_large = False

    def take(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Gather and encode."""
        return self._code.encode(self._rows.take(numbers))

    def take_float32(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gather and encode."""
        return self._code.encode(self._rows.take(numbers))

    def windows(self, first: NDArray[np.int64], size: int) -> NDArray[Any]:
        """Gather runs and encode them."""
        return self._code.encode(self._rows.windows(first, size))

    def between(self, start: int, stop: int) -> NDArray[Any]:
        """Return a copy, encoded."""
        return self._code.encode(self._rows.between(start, stop))
