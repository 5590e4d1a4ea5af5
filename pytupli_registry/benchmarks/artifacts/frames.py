"""pandas' DataFrame and Series as columns of plain values and a description of the rest; and back."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.benchmarks.artifacts.tagged import TaggedReader, TaggedWriter
from pytupli_registry.benchmarks.artifacts.vectors import Vector, array_of, stored_dtype, vector_of
from pytupli_registry.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Columns", "columns_of", "frame_from"]

_FREQUENCY = re.compile(r"[A-Za-z0-9-]{1,60}")


@dataclass(frozen=True, slots=True)
class Columns:
    """A table as plain columns.

    Attributes:
        description: everything but the values, as JSON.
        rows: number of them.
        vectors: the values, by position; the columns of the frame come first, those of its index after them.
    """

    description: Mapping[str, Any]
    rows: int
    vectors: tuple[Vector, ...]


def columns_of(value: Any) -> Columns:  # noqa: ANN401 - pandas is optional
    """Take a DataFrame or a Series apart.

    Raises:
        ArtifactError: a column, the index or a name cannot be kept.
    """
    import pandas as pd  # noqa: PLC0415 - there, as the value is one of pandas

    return _Apart(pd).columns_of(value)


def frame_from(columns: Columns, path: Path | str) -> Any:  # noqa: ANN401
    """Put a DataFrame or a Series together.

    Raises:
        ValueError, TypeError, KeyError, OverflowError: the description contradicts itself or the values.
        FormatError: a name in it is not tagged JSON.
    """
    import pandas as pd  # noqa: PLC0415 - optional; the caller has imported it

    return _Together(pd, columns, TaggedReader(path)).frame()


class _Apart:
    def __init__(self, pd: Any) -> None:  # noqa: ANN401
        self._pd = pd
        self._vectors: list[Vector] = []

    def columns_of(self, value: Any) -> Columns:  # noqa: ANN401
        is_frame = type(value) is self._pd.DataFrame
        parts = [value.iloc[:, at] for at in range(value.shape[1])] if is_frame else [value]
        labels = list(value.columns) if is_frame else [value.name]
        dtypes = [
            self._column(part, f"the column {label!r:.80}") for part, label in zip(parts, labels, strict=True)
        ]
        description = {
            "format": "pytupli.table",
            "version": 1,
            "type": "DataFrame" if is_frame else "Series",
            "columns": dtypes,
            "labels": self._index(value.columns, inline=True) if is_frame else _name(value.name),
            "index": self._index(value.index, inline=False),
            "attrs": _tagged(value.attrs, "attrs"),
            "duplicates": value.flags.allows_duplicate_labels,
        }
        return Columns(description, len(value), tuple(self._vectors))

    def _column(self, values: Any, what: str) -> dict[str, Any]:  # noqa: ANN401
        vector = self._vector(values, what)
        self._vectors.append(vector)
        return dict(vector.kind)

    def _vector(self, values: Any, what: str) -> Vector:  # noqa: ANN401
        try:
            vector = vector_of(values, lambda categories: self._index(categories, inline=True))
        except ArtifactError as error:
            raise ArtifactError(f"{what}: {error.message}", hint=error.hint) from error
        if vector.kind["type"] == "categorical":
            return replace(vector, kind={**vector.kind, "codes": vector.plain.dtype.name})
        return vector

    def _index(self, index: Any, *, inline: bool) -> dict[str, Any]:  # noqa: ANN401
        kind = type(index)
        if kind is self._pd.RangeIndex:
            return {
                "type": "range",
                "range": [index.start, index.stop, index.step],
                "name": _name(index.name),
            }
        if kind is self._pd.MultiIndex:
            return {
                "type": "levels",
                "levels": [self._index(level, inline=True) for level in index.levels],
                "codes": [self._stored(self._pd.Index(codes), inline=inline) for codes in index.codes],
                "names": [_name(name) for name in index.names],
                "sortorder": index.sortorder,
            }
        described = {"type": "values", "name": _name(index.name), "freq": self._frequency(index)}
        return described | self._stored(index, inline=inline)

    def _stored(self, values: Any, *, inline: bool) -> dict[str, Any]:  # noqa: ANN401
        if inline and values.dtype == object:
            return {"objects": [_tagged(value, "a label") for value in values]}
        if not inline:
            at = len(self._vectors)
            return {"dtype": self._column(values, "the index"), "column": at}
        vector = self._vector(values, "a label")
        return {"dtype": dict(vector.kind), "inline": _listed(vector)}

    def _frequency(self, index: Any) -> str | None:  # noqa: ANN401
        freq = getattr(index, "freq", None)
        if freq is None or isinstance(index, self._pd.PeriodIndex):
            return None
        text = freq.freqstr
        if not _FREQUENCY.fullmatch(text) or self._pd.tseries.frequencies.to_offset(text) != freq:
            raise ArtifactError(
                f"the index's frequency {freq!r:.80} cannot be kept.", hint="Set index.freq to None first."
            )
        return str(text)


class _Together:
    def __init__(self, pd: Any, columns: Columns, names: TaggedReader) -> None:  # noqa: ANN401
        self._pd = pd
        self._columns = columns
        self._names = names

    def frame(self) -> Any:  # noqa: ANN401
        pd, described = self._pd, self._columns.description
        index = self._index(described["index"])
        dtypes = described["columns"]
        parts = [
            self._series(array_of(vector, self._index), index)
            for vector in self._columns.vectors[: len(dtypes)]
        ]
        if described["type"] == "DataFrame":
            made = pd.DataFrame(dict(enumerate(parts)), index=index)
            made.columns = self._index(described["labels"])
        else:
            (made,) = parts
            made.name = self._name(described["labels"])
        attrs = self._names.decode(described["attrs"], "attrs")
        if type(attrs) is not dict:
            raise TypeError("attrs is no dict")
        made.attrs = attrs
        if described["duplicates"] is False:
            made.flags.allows_duplicate_labels = False
        return made

    def _series(self, array: Any, index: Any) -> Any:  # noqa: ANN401
        return self._pd.Series(array, index=index, dtype=array.dtype, copy=False)

    def _index(self, described: Any) -> Any:  # noqa: ANN401
        pd = self._pd
        if described["type"] == "range":
            return pd.RangeIndex(*map(_integer, described["range"]), name=self._name(described["name"]))
        if described["type"] == "levels":
            return self._levels(described)
        array = self._stored(described)
        made = pd.Index(array, dtype=array.dtype, name=self._name(described["name"]))
        if described["freq"] is not None:
            if not isinstance(made, (pd.DatetimeIndex, pd.TimedeltaIndex)):
                raise TypeError("only times have a frequency")
            made.freq = self._frequency(described["freq"])
        return made

    def _levels(self, described: Any) -> Any:  # noqa: ANN401
        levels = [self._index(level) for level in described["levels"]]
        codes = [self._stored(stored) for stored in described["codes"]]
        names = [self._name(name) for name in described["names"]]
        order = None if described["sortorder"] is None else _integer(described["sortorder"])
        return self._pd.MultiIndex(levels, codes, order, names)

    def _stored(self, described: Any) -> Any:  # noqa: ANN401
        if "objects" in described:
            labels = [self._name(value) for value in described["objects"]]
            found = np.empty(len(labels), dtype=object)
            found[:] = labels
            return found
        if "column" in described:
            return array_of(self._columns.vectors[_integer(described["column"])], self._index)
        return array_of(_unlisted(described["dtype"], described["inline"]), self._index)

    def _frequency(self, text: Any) -> Any:  # noqa: ANN401
        if not _FREQUENCY.fullmatch(text):
            raise ValueError(f"{text!r:.40} is no frequency")
        return self._pd.tseries.frequencies.to_offset(text)

    def _name(self, described: Any) -> Any:  # noqa: ANN401
        return self._names.decode(described, "a name")


def _name(name: Any) -> Any:  # noqa: ANN401
    return _tagged(name, "the name")


def _tagged(value: Any, what: str) -> Any:  # noqa: ANN401
    try:
        return TaggedWriter().encode(value, what).json
    except ArtifactError as error:
        raise ArtifactError(
            f"{what} {value!r:.60} cannot be kept.", hint="Use texts, numbers, dates, or tuples of them."
        ) from error


def _listed(vector: Vector) -> list[Any]:
    values = vector.plain.view(np.int64) if vector.plain.dtype.kind in "mM" else vector.plain
    missing = vector.missing if vector.missing is not None else np.zeros(len(values), np.bool_)
    return [
        None if gone else _tagged(value, "a label")
        for value, gone in zip(values.tolist(), missing.tolist(), strict=True)
    ]


def _unlisted(kind: Any, listed: Any) -> Vector:  # noqa: ANN401
    if type(listed) is not list:
        raise TypeError("the labels are no list")
    dtype = stored_dtype(kind)
    absent = np.array([value is None for value in listed], dtype=np.bool_)
    missing = absent if absent.any() else None
    if dtype is None:
        if not all(value is None or type(value) is str for value in listed):
            raise TypeError("a label is no text")
        texts = np.empty(len(listed), dtype=object)
        texts[:] = listed
        return Vector(kind, texts, missing)
    plain = np.dtype(np.int64) if dtype.kind in "mM" else dtype
    fill: Any = np.iinfo(np.int64).min if dtype.kind in "mM" else 0
    reader = TaggedReader("labels")
    numbers = [fill if value is None else _number(reader.decode(value, "a label")) for value in listed]
    with np.errstate(over="ignore"):
        values = np.array(numbers, dtype=plain)
    if dtype.kind != "f" and values.tolist() != numbers:
        raise ValueError("a label does not fit its dtype")
    return Vector(kind, values.view(dtype), missing)


def _number(value: Any) -> Any:  # noqa: ANN401
    if type(value) not in (bool, int, float):
        raise TypeError("a label is no number")
    return value


def _integer(value: Any) -> int:  # noqa: ANN401
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise TypeError("it is no integer")
    return value
