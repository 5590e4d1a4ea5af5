"""Reads the hourly CSV series of a year, and believes nothing in them unchecked."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks_catalog.environments.year import HOURS
from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["read_series"]

_LARGEST_FILE = 4 * 1024 * 1024  # bytes


def read_series(
    path: str | PathLike[str], columns: Mapping[str, tuple[float, float]]
) -> dict[str, NDArray[np.float64]]:
    """The columns of a CSV file with the header ``hour,<columns>`` and the hours 0 … 8759, each float64 (8760,).

    Args:
        path: the file; at most 4 MiB.
        columns: the names in order, each with the smallest and the largest value that makes sense.

    Raises:
        FormatError: the file is missing, too large, or not such a table; a value is not finite or out of bounds.
    """
    file = Path(path)
    numbers = _numbers(file, _rows(file, ["hour", *columns]))
    if not np.array_equal(numbers[:, 0], np.arange(HOURS)):
        raise _unfit(file, f"its column 'hour' does not count from 0 to {HOURS - 1}")
    for index, (name, bounds) in enumerate(columns.items(), start=1):
        _check_bounds(file, name, numbers[:, index], bounds)
    return {name: numbers[:, index].copy() for index, name in enumerate(columns, start=1)}


def _unfit(file: Path, reason: str) -> FormatError:
    return FormatError(
        file,
        reason,
        hint="Pass a CSV file with one row for every hour of a 365-day year, as the environment's docstring says.",
    )


def _rows(file: Path, header: Sequence[str]) -> list[list[str]]:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise _unfit(file, f"it is larger than {_LARGEST_FILE} bytes")
        first, *rows = list(csv.reader(file.read_text("utf-8").splitlines(), strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unfit(file, f"it cannot be read ({error.__class__.__name__})") from error
    if first != list(header):
        raise _unfit(file, f"its header is not {','.join(header)}")
    if len(rows) != HOURS:
        raise _unfit(file, f"it has {len(rows)} rows, not {HOURS}")
    return rows


def _numbers(file: Path, rows: list[list[str]]) -> NDArray[np.float64]:
    try:
        numbers = np.array([[float(cell) for cell in row] for row in rows], np.float64)
    except ValueError as error:
        raise _unfit(file, f"a cell is no number, or a row has another length ({error})") from error
    return numbers


def _check_bounds(file: Path, name: str, values: NDArray[np.float64], bounds: tuple[float, float]) -> None:
    low, high = bounds
    wrong = np.flatnonzero(~((values >= low) & (values <= high)))  # NaN is wrong too
    if wrong.size:
        value = float(values[wrong[0]])
        raise _unfit(file, f"{name} is {value:g} at hour {wrong[0]}, which is outside of {low:g} … {high:g}")
