"""Rows that grow while an episode runs: of a space, whose shape is known, and of infos, whose shape is not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pytupli_registry.dataset.leaves import Tree, unflatten
from pytupli_registry.dataset.spaces import leaf_spaces
from pytupli_registry.errors import EpisodeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["InfoBuffer", "RowBuffer", "row_buffer"]

_LOGGER = logging.getLogger(__name__)
_FIRST_ROWS = 64
_NUMBERS = "biufc"


class RowBuffer(Protocol):
    """One row a step; a later row of the same number replaces the earlier one."""

    def put(self, row: int, value: Tree) -> None:
        """Copy a value into a row.

        Raises:
            EpisodeError: the value does not have the shape of the space, or its dtype cannot keep it.
        """

    def take(self, count: int) -> Tree:
        """Return copies of the first ``count`` rows as arrays, lists of str, or a tree of those."""


def row_buffer(description: Mapping[str, Any], path: str) -> RowBuffer:
    """Return an empty buffer for values of a space.

    Args:
        description: the space as Minari's JSON object.
        path: ``observations`` or ``actions``, for messages.

    Raises:
        SpaceError: the description is malformed.
    """
    if description.get("type") == "Dict":
        return _DictRows(
            {key: row_buffer(part, f"{path}/{key}") for key, part in description["subspaces"].items()}, path
        )
    if description.get("type") == "Tuple":
        parts = [
            row_buffer(part, f"{path}/_index_{number}")
            for number, part in enumerate(description["subspaces"])
        ]
        return _TupleRows(parts, path)
    leaf = leaf_spaces(description, path)[path]
    return _TextRows() if leaf.dtype is None else _ArrayRows(leaf.dtype, leaf.shape, path)


class _ArrayRows:
    __slots__ = ("_dtype", "_path", "_shape", "_values")

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...], path: str) -> None:
        self._dtype, self._shape, self._path = dtype, shape, path
        self._values: NDArray[Any] = np.empty((_FIRST_ROWS, *shape), dtype=dtype)

    def put(self, row: int, value: Tree) -> None:
        array = value if type(value) is np.ndarray else np.asarray(value)
        if array.shape != self._shape:
            raise EpisodeError(
                f"A value of {self._path} has the shape {array.shape}; its space says {self._shape}."
            )
        if array.dtype != self._dtype:
            array = self._converted(array)
        if row >= len(self._values):
            self._grow()
        self._values[row] = array

    def take(self, count: int) -> NDArray[Any]:
        return self._values[:count].copy()

    def _grow(self) -> None:
        grown = np.empty((2 * len(self._values), *self._shape), dtype=self._dtype)
        grown[: len(self._values)] = self._values
        self._values = grown

    def _converted(self, array: NDArray[Any]) -> NDArray[Any]:
        """Convert to the dtype of the space: floats may be rounded, nothing else may change."""
        if array.dtype.kind not in _NUMBERS:
            raise EpisodeError(f"A value of {self._path} is no number: {array!r:.80}.")
        with np.errstate(invalid="ignore", over="ignore"):
            converted = array.astype(self._dtype)
        rounded = array.dtype.kind == "f" and self._dtype.kind == "f"
        same = (
            np.array_equal(np.isfinite(array), np.isfinite(converted))
            if rounded
            else np.array_equal(array, converted)
        )
        if not same:
            raise EpisodeError(
                f"A value of {self._path} does not fit the dtype {self._dtype} of its space: {array!r:.80}.",
                hint="Give the recorder a space that describes what is recorded.",
            )
        return converted


class _TextRows:
    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: list[str] = []

    def put(self, row: int, value: Tree) -> None:
        del self._values[row:]
        self._values.append(str(value))

    def take(self, count: int) -> list[str]:
        return self._values[:count]


class _DictRows:
    __slots__ = ("_parts", "_path")

    def __init__(self, parts: dict[str, RowBuffer], path: str) -> None:
        self._parts, self._path = parts, path

    def put(self, row: int, value: Tree) -> None:
        if not isinstance(value, Mapping) or value.keys() != self._parts.keys():
            raise EpisodeError(
                f"A value of {self._path} does not have the keys {sorted(self._parts)} of its space."
            )
        for key, part in self._parts.items():
            part.put(row, value[key])

    def take(self, count: int) -> dict[str, Tree]:
        return {key: part.take(count) for key, part in self._parts.items()}


class _TupleRows:
    __slots__ = ("_parts", "_path")

    def __init__(self, parts: list[RowBuffer], path: str) -> None:
        self._parts, self._path = parts, path

    def put(self, row: int, value: Tree) -> None:
        if len(value) != len(self._parts):
            raise EpisodeError(
                f"A value of {self._path} has {len(value)} parts; its space has {len(self._parts)}."
            )
        for part, inner in zip(self._parts, value, strict=True):
            part.put(row, inner)

    def take(self, count: int) -> tuple[Tree, ...]:
        return tuple(part.take(count) for part in self._parts)


class InfoBuffer:
    """Infos of the steps of one episode after another.

    Numbers, booleans, arrays of those, texts, and dicts of these are kept; anything else is left out, and the log
    says so once a key. A key that is missing at some steps is NaN there, which makes integers and booleans float64;
    a missing text is empty. What a key was in earlier episodes is remembered, so that its column stays one.
    """

    __slots__ = ("_found", "_kinds", "_told")

    def __init__(self) -> None:
        self._found: dict[str, tuple[list[int], list[Any]]] = {}
        self._kinds: dict[str, tuple[np.dtype[Any], tuple[int, ...]] | None] = {}
        self._told: set[str] = set()

    def clear(self) -> None:
        """Forget the steps, but not what the keys were."""
        self._found = {}

    def put(self, row: int, info: Mapping[str, Any], prefix: str = "infos/") -> None:
        """Copy the infos of one step."""
        for key, value in info.items():
            if isinstance(value, Mapping):
                self.put(row, value, f"{prefix}{key}/")
            elif value is not None:
                self._put_value(row, key, f"{prefix}{key}", value)

    def take(self, count: int) -> dict[str, Tree]:
        """Return the infos of an episode by name.  # (count, ...) each"""  # noqa: D415
        leaves: dict[str, Any] = {}
        for path, (rows, values) in self._found.items():
            if any(other.startswith(f"{path}/") for other in self._found):
                self._tell(path, "it is a value at some steps and a dict at others")
                continue
            column = self._column(path, rows, values, count)
            if column is not None:
                leaves[path] = column
        for path, kind in self._kinds.items():
            if path not in self._found and (kind is None or kind[0].kind in "fc"):
                leaves[path] = (
                    [""] * count if kind is None else np.full((count, *kind[1]), np.nan, dtype=kind[0])
                )
        self.clear()
        return unflatten(leaves, "infos") or {}

    def _put_value(self, row: int, key: object, path: str, value: object) -> None:
        if not _is_name(key):
            self._tell(path, "its name cannot be kept in HDF5")
            return
        kept = _plain(value)
        if kept is None:
            self._tell(path, f"a {type(value).__name__} is neither number, text nor array")
            return
        rows, values = self._found.setdefault(path, ([], []))
        rows.append(row)
        values.append(kept)

    def _column(
        self, path: str, rows: list[int], values: list[Any], count: int
    ) -> NDArray[Any] | list[str] | None:
        texts = sum(isinstance(value, str) for value in values)
        if texts == len(values):
            self._kinds.setdefault(path, None)
            found = dict(zip(rows, values, strict=True))
            return [found.get(row, "") for row in range(count)]
        if texts or len({np.shape(value) for value in values}) > 1:
            self._tell(path, "its values are of several kinds or shapes within an episode")
            return None
        array = np.asarray(values)
        if array.dtype.kind not in _NUMBERS:
            self._tell(path, "its numbers fit no dtype")
            return None
        return self._numbers(path, rows, array, count)

    def _numbers(self, path: str, rows: list[int], array: NDArray[Any], count: int) -> NDArray[Any]:
        remembered = self._kinds.get(path)
        dtype = array.dtype
        if len(rows) < count and dtype.kind not in "fc":
            dtype = np.dtype(np.float64)
        seen_as_float = (
            remembered is not None and remembered[1] == array.shape[1:] and remembered[0].kind == "f"
        )
        if remembered is not None and seen_as_float and dtype.kind in "biuf":
            dtype = np.result_type(remembered[0], dtype) if dtype.kind == "f" else remembered[0]
        self._kinds.setdefault(path, (dtype, array.shape[1:]))
        if len(rows) == count:
            return array.astype(dtype, copy=False)
        column = np.full((count, *array.shape[1:]), np.nan, dtype=dtype)
        column[rows] = array
        return column

    def _tell(self, path: str, reason: str) -> None:
        if path not in self._told:
            self._told.add(path)
            _LOGGER.warning("%s is not recorded: %s.", path, reason)


def _is_name(key: object) -> bool:
    return (
        isinstance(key, str)
        and key not in {"", ".", ".."}
        and not key.startswith("_index_")
        and not any(character in key for character in "/\x00")
    )


def _plain(value: object) -> Any:  # noqa: ANN401 - a number, a str or an array
    """Return a value that will not change any more, or None if there is no column for it."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | int | float | complex):
        return value
    if not isinstance(value, np.ndarray | np.generic | list | tuple):
        return None
    try:
        array = np.array(value)
    except ValueError:  # a list of unequal lists
        return None
    return array if array.dtype.kind in _NUMBERS else None
