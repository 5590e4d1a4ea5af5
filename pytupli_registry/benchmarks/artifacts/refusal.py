"""What to say about a value that can be kept neither as JSON nor as an artifact."""

from __future__ import annotations

import datetime as dt
import enum
import types
from pathlib import PurePath
from typing import Any

import numpy as np

from pytupli_registry.errors import ArtifactError

__all__ = ["refusal", "type_name"]

_BASES = (dict, list, tuple, str, bytes, bytearray, int, float, np.ndarray, dt.date, dt.timedelta)
_PRIVATE = "share the interface only (private=True)"
_ANY = f"Pass a path to a file, register a codec for it (docs/artifacts.md), or {_PRIVATE}."
_CODE = types.FunctionType | types.BuiltinFunctionType | types.MethodType | types.ModuleType | type
_HINTS: tuple[tuple[Any, str], ...] = (
    (enum.Enum, "Pass its name or its value, and let the environment look it up."),
    ((set, frozenset), "Pass a sorted list or a tuple."),
    ((np.random.Generator, np.random.RandomState, np.random.BitGenerator), "Pass a seed."),
    (complex, "Pass a NumPy scalar (np.complex128) or its two parts."),
    (dt.datetime, "Give it a zone of the IANA database (zoneinfo.ZoneInfo) or a plain UTC offset."),
    (
        _CODE,
        f"Code is no data: put it into a class of a module, pass a name that is looked up, or {_PRIVATE}.",
    ),
    (memoryview, "Pass bytes."),
    (PurePath, "Pass a pathlib.Path."),
)


def refusal(value: object, place: str) -> ArtifactError:
    """Return the error for a value, naming the argument, its type, and what to do."""
    name = type_name(value)
    base = next((base for base in _BASES if isinstance(value, base) and type(value) is not base), None)
    hint = next((hint for kind, hint in _HINTS if isinstance(value, kind)), None)
    if base is not None and hint is None:
        return ArtifactError(
            f"The argument {place!r:.200} is of the type {name}, and what that adds to {base.__name__} would be lost.",
            hint=f"Pass it as a plain {base.__name__}, register a codec for it (docs/artifacts.md), or {_PRIVATE}.",
        )
    return ArtifactError(
        f"The argument {place!r:.200} is of the type {name}, which cannot be kept as data.", hint=hint or _ANY
    )


def type_name(value: object) -> str:
    """Return the name of a value's type as an import would find it."""
    kind = type(value)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"[:200]
