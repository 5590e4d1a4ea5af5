"""Which arguments data may hand to code that the user installed for other purposes.

The code is trusted, but it may read a text as a file to load, a class to import or another environment to make. So
texts are plain words, files are of formats that hold data only, and sizes are bounded.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pytupli_registry.environments.permissions import Permissions

__all__ = ["Objection", "is_argument_name", "objections"]

_MAX_VALUES = 1_000_000  # in one argument; what is larger belongs into an array or a table
_MAX_DEPTH = 32
_MAX_NUMBER = 1 << 63
_ARGUMENT = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]{0,63}")
_TEXT = re.compile(r"(?:[A-Za-z0-9_+][A-Za-z0-9_ .+-]{0,63})?")
_SUFFIX = re.compile(r".*\.(?=[A-Za-z_])([A-Za-z0-9_ .+-]*)")
_ENVIRONMENT_ID = re.compile(r".*-v[0-9]+")
_DATA_SUFFIXES = frozenset(
    {
        *(
            ".csv",
            ".feather",
            ".h5",
            ".hdf5",
            ".json",
            ".jsonl",
            ".nc",
            ".npy",
            ".npz",
            ".parquet",
            ".tsv",
            ".txt",
        ),
        *(".bmp", ".gif", ".ico", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff"),
        *(".md", ".stl", ".toml", ".wav", ".xml"),
    }
)
_HARMLESS = (
    bool,
    type(None),
    bytes,
    bytearray,
    dt.datetime,
    dt.date,
    dt.time,
    dt.timedelta,
    np.bool_,
    np.number,
    np.datetime64,
    np.timedelta64,
)
_TABLES = frozenset({"DataFrame", "Series", "DatetimeIndex", "Index", "RangeIndex", "Timestamp", "Timedelta"})
# A cell of a table, as pandas infers it from the values: none of these can be called.
_CELLS = frozenset(
    {
        *("string", "bytes", "boolean", "empty"),
        *("floating", "integer", "mixed-integer-float", "decimal", "complex"),
        *("datetime64", "datetime", "date", "timedelta64", "timedelta", "time", "period"),
    }
)


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an argument may not be handed over.

    Attributes:
        problem: a clause that goes on from "the argument x is …".
        hashes: of the files that consent would have to name.
    """

    problem: str
    hashes: tuple[str, ...] = ()


def is_argument_name(name: object) -> bool:
    """Whether this can be the name of an argument: a plain identifier, not Python's own."""
    return isinstance(name, str) and _ARGUMENT.fullmatch(name) is not None


def objections(
    value: object, permissions: Permissions, files: Collection[Path] = (), default: object = None
) -> Iterator[Objection]:
    """Yield what speaks against handing this value to an environment or wrapper.

    Args:
        value: as it was decoded.
        permissions: whose consents cover files that can hold code.
        files: paths that may be named as texts, since artifacts were read from there.
        default: what is registered for the same argument; a text equal to it is no objection.
    """
    if type(value) is str and type(default) is str and value == default:
        return
    waiting: list[tuple[object, int]] = [(value, 0)]
    seen = 0
    while waiting:
        part, depth = waiting.pop()
        inner = _parts(part)
        if inner is None:
            yield from _objections_to_one(part, permissions, files)
            continue
        seen += len(inner)
        if seen > _MAX_VALUES or depth >= _MAX_DEPTH:
            yield Objection("larger or nested deeper than an argument may be")
            return
        waiting.extend((entry, depth + 1) for entry in inner)


def _parts(value: object) -> list[object] | None:
    if type(value) in {list, tuple, set, frozenset}:
        return list(value)  # type: ignore[call-overload,no-any-return]
    if type(value) is dict:
        return [*value.keys(), *value.values()]
    return None


def _objections_to_one(
    value: object, permissions: Permissions, files: Collection[Path]
) -> Iterator[Objection]:
    if isinstance(value, PurePath) or (isinstance(value, str) and files and Path(value) in files):
        yield from _objections_to_file(Path(value), permissions)
    elif isinstance(value, str):
        yield from _objections_to_text(str(value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not -_MAX_NUMBER < value < _MAX_NUMBER and (isinstance(value, int) or math.isfinite(value)):
            yield Objection("a number that is too large")
    elif not (_is_harmless(value) or _is_harmless_array(value) or _is_harmless_table(value)):
        yield Objection(f"a {type(value).__name__}, which is neither a number nor other plain data")


def _objections_to_text(text: str) -> Iterator[Objection]:
    if _TEXT.fullmatch(text) is None:
        yield Objection(f"the text {text!a:.80}, which may name a file, an address or code")
    elif _ENVIRONMENT_ID.fullmatch(text):
        yield Objection(f"the text {text!a}, which may name another environment")
    elif (suffix := _SUFFIX.fullmatch(text)) and f".{suffix[1].lower()}" not in _DATA_SUFFIXES:
        yield Objection(f"the text {text!a}, which may name a file or code")


def _objections_to_file(path: Path, permissions: Permissions) -> Iterator[Objection]:
    if path.suffix.lower() in _DATA_SUFFIXES:
        return
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        yield Objection(f"the file {path.name!a:.80}, which cannot be read ({error.strerror})")
        return
    if digest not in permissions.consents:
        yield Objection(
            f"the file {path.name!a:.80} ({digest[:12]}), of a kind that can hold code", (digest,)
        )


def _is_harmless(value: object) -> bool:
    return type(value) in _HARMLESS or (isinstance(value, np.generic) and isinstance(value, _HARMLESS))


def _is_harmless_array(value: object) -> bool:
    return (
        isinstance(value, np.ndarray) and type(value) in {np.ndarray, np.memmap} and not value.dtype.hasobject
    )


def _is_harmless_table(value: Any) -> bool:  # noqa: ANN401 - pandas is not imported for those who do not use it
    name = type(value).__name__
    if name not in _TABLES or type(value) is not getattr(sys.modules.get("pandas"), name, None):
        return False
    if name in {"Timestamp", "Timedelta"}:
        return True
    columns = [column for _, column in value.items()] if name == "DataFrame" else [value]
    axes = list(value.axes) if name in {"DataFrame", "Series"} else []
    return all(_is_plain_column(column) for column in (*columns, *axes))


def _is_plain_column(column: Any) -> bool:  # noqa: ANN401
    levels: Iterable[Any] = getattr(column, "levels", None) or (column,)
    return all(_is_plain_level(level) for level in levels)


def _is_plain_level(level: Any) -> bool:  # noqa: ANN401
    from pandas.api.types import infer_dtype  # noqa: PLC0415 - whoever made a table has imported pandas

    categories = getattr(level.dtype, "categories", None)
    if categories is not None:
        return _is_plain_level(categories)
    if level.dtype.kind in "biufcMm" or infer_dtype(level, skipna=True) in _CELLS:
        return True
    return all(type(cell) in {str, int, float, bool, type(None)} for cell in level)
