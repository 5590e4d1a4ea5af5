"""NumPy scalars as JSON: ``["float32", 0.5]``."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

__all__ = ["scalar_from_json", "scalar_to_json"]

_INTEGERS = {
    np.dtype(f"{sign}int{bits}").name: np.dtype(f"{sign}int{bits}")
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}
_FLOATS = {name: np.dtype(name) for name in ("float16", "float32", "float64")}
_COMPLEX = {name: np.dtype(name) for name in ("complex64", "complex128")}
_TIME = re.compile(r"(datetime64|timedelta64)(?:\[([1-9]\d{0,8})?(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?")
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def scalar_to_json(value: np.generic) -> dict[str, Any] | None:
    """Return ``{"$scalar": [dtype, value]}``, or None for a scalar of a dtype that is no plain data."""
    name = value.dtype.name
    if type(value) is np.bool_:
        return {"$scalar": ["bool", bool(value)]}
    if type(value) is np.str_:
        return {"$scalar": ["str", "".join(value)]}
    if type(value) is np.bytes_:
        return {"$scalar": ["bytes", bytes(value).hex()]}
    if name in _INTEGERS or name in _FLOATS:
        return {"$scalar": [name, _number(value.item())]}
    if name in _COMPLEX:
        return {"$scalar": [name, [_number(value.item().real), _number(value.item().imag)]]}
    if _TIME.fullmatch(name):
        return {"$scalar": [name, int(value.astype(np.int64))]}
    return None


def scalar_from_json(content: Any) -> np.generic:  # noqa: ANN401 - checked here
    """Return the scalar.

    Raises:
        ValueError: it is no scalar, or does not fit its dtype.
        TypeError, KeyError: likewise.
        OverflowError: likewise.
    """
    if type(content) is not list or len(content) != 2 or type(content[0]) is not str:
        raise ValueError("it is no list of a dtype and a value")
    name, value = content
    if name in ("bool", "str", "bytes"):
        return _text_like(name, value)
    if name in _INTEGERS:
        return _integer(_INTEGERS[name], value)
    if name in _FLOATS:
        return _float(_FLOATS[name], value)
    if name in _COMPLEX:
        return _complex(_COMPLEX[name], value)
    return _time(name, value)


def _number(value: float) -> Any:  # noqa: ANN401
    return value if math.isfinite(value) else {"$float": str(value)}


def _text_like(name: str, value: Any) -> np.generic:  # noqa: ANN401
    if name == "bool" and type(value) is bool:
        return np.bool_(value)
    if type(value) is not str or name == "bool":
        raise TypeError(f"{name} of {type(value).__qualname__}")
    return np.str_(value) if name == "str" else np.bytes_(bytes.fromhex(value))


def _integer(dtype: np.dtype[Any], value: Any) -> np.generic:  # noqa: ANN401
    limits = np.iinfo(dtype)
    if type(value) is not int or not limits.min <= value <= limits.max:
        raise ValueError("it is no integer of that size")
    made: np.generic = dtype.type(value)
    return made


def _plain_float(value: Any) -> float:  # noqa: ANN401
    if type(value) is dict and len(value) == 1:
        return _NOT_FINITE[value["$float"]]
    if type(value) is int:  # what another tool makes of 1.0
        return float(value)
    if type(value) is not float:
        raise TypeError("it is no number")
    return value


def _float(dtype: np.dtype[Any], value: Any) -> np.generic:  # noqa: ANN401
    wanted = _plain_float(value)
    with np.errstate(all="ignore"):
        made: np.generic = dtype.type(wanted)
    if math.isfinite(wanted) and made.item() != wanted:
        raise ValueError("the number does not fit its dtype")
    return made


def _complex(dtype: np.dtype[Any], value: Any) -> np.generic:  # noqa: ANN401
    part = np.dtype(np.float32 if dtype.itemsize == 8 else np.float64)
    if type(value) is not list or len(value) != 2:
        raise TypeError("it is no list of two parts")
    made = np.zeros(2, part)
    made[:] = [_float(part, item) for item in value]
    scalar: np.generic = made.view(dtype)[0]
    return scalar


def _time(name: str, value: Any) -> np.generic:  # noqa: ANN401
    if not _TIME.fullmatch(name):
        raise ValueError("the dtype is unknown")
    scalar: np.generic = _integer(np.dtype(np.int64), value).view(np.dtype(name))
    return scalar
