"""One column or index of pandas as plain values, what is missing, and a description of its dtype; and back."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

__all__ = ["Vector", "array_of", "stored_dtype", "vector_of"]

_NUMBERS = frozenset(
    ["bool", "float16", "float32", "float64"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)
_NULLABLE = {
    **{f"{sign}Int{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "Float32": "float32",
    "Float64": "float64",
    "boolean": "bool",
}
_UNITS = ("s", "ms", "us", "ns")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}")
_FREQUENCY = re.compile(r"[A-Za-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class Vector:
    """Values of one dtype.

    Attributes:
        kind: the pandas dtype as JSON; ``kind["type"]`` says which sort it is.
        plain: numbers, truth values, times, codes or texts, any value where one is missing.  # (n,)
        missing: True where there is no value, or None if all are there.  # (n,)
    """

    kind: Mapping[str, Any]
    plain: NDArray[Any]
    missing: NDArray[np.bool_] | None = None


def vector_of(values: Any, describe_index: Callable[[Any], Any]) -> Vector:  # noqa: ANN401 - pandas is optional
    """Return the plain values of a Series or an Index.

    Args:
        values: a Series or an Index.
        describe_index: says in JSON what the categories of a categorical are.

    Raises:
        ArtifactError: its dtype cannot be kept.
    """
    import pandas as pd  # noqa: PLC0415 - there, as the value is one of pandas

    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return _texts_of(values) if dtype.kind == "O" else _numpy_vector(values.to_numpy(), dtype)
    if isinstance(dtype, pd.StringDtype):
        texts: NDArray[Any] = values.to_numpy(dtype=object, na_value=None)
        kind: dict[str, Any] = {
            "type": "string",
            "storage": dtype.storage,
            "missing": _missing_name(dtype.na_value),
        }
        return Vector(kind, texts, _some(values.isna()))
    if isinstance(dtype, pd.DatetimeTZDtype):
        moments = np.asarray(values.array.tz_convert(None), dtype=f"M8[{dtype.unit}]")
        kind = {"type": "zoned", "unit": dtype.unit, "zone": _zone_name(dtype.tz)}
        return Vector(kind, moments, _some(np.isnat(moments)))
    if isinstance(dtype, pd.CategoricalDtype):
        kind = {
            "type": "categorical",
            "ordered": dtype.ordered,
            "categories": describe_index(dtype.categories),
        }
        return Vector(kind, np.asarray(values.array.codes))
    if isinstance(dtype, pd.PeriodDtype):
        return _periods_of(values, dtype, pd)
    if str(dtype) in _NULLABLE and type(dtype).__module__.partition(".")[0] == "pandas":
        plain = values.to_numpy(dtype=_NULLABLE[str(dtype)], na_value=0)
        return Vector({"type": "nullable", "dtype": str(dtype)}, plain, _some(values.isna()))
    raise _refused(dtype)


def array_of(vector: Vector, index_from: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - a pandas array
    """Return the values as the pandas array they were.

    Raises:
        ValueError, TypeError, KeyError: the description contradicts itself or the values.
    """
    import pandas as pd  # noqa: PLC0415 - optional

    kind = vector.kind["type"]
    if vector.missing is not None and vector.plain.dtype.kind not in "mMO" and kind != "nullable":
        raise ValueError("values are missing where none can be")
    if kind == "numpy":
        return vector.plain
    if kind == "texts":
        return _filled(vector, _missing_value(vector.kind["missing"], pd))
    if kind == "string":
        return pd.array(list(_filled(vector, None)), dtype=_string_dtype(vector.kind, pd))
    if kind == "zoned":
        zone = _zone(vector.kind["zone"])
        return pd.DatetimeIndex(vector.plain).tz_localize("UTC").tz_convert(zone).array
    if kind == "categorical":
        ordered = _flag(vector.kind["ordered"])
        categories = index_from(vector.kind["categories"])
        return pd.Categorical.from_codes(vector.plain, dtype=pd.CategoricalDtype(categories, ordered))
    if kind == "period":
        return pd.arrays.PeriodArray(vector.plain, dtype=_period_dtype(vector.kind["freq"], pd))
    return _nullable(vector, pd)


def stored_dtype(kind: Mapping[str, Any]) -> np.dtype[Any] | None:
    """Return the NumPy dtype of a vector's values, or None for texts.

    Raises:
        ValueError, TypeError, KeyError: the description is not known.
    """
    found = kind["type"]
    if found in ("texts", "string"):
        return None
    if found == "numpy":
        return _numpy_dtype(kind["dtype"])
    if found == "zoned" and kind["unit"] in _UNITS:
        return np.dtype(f"M8[{kind['unit']}]")
    if found == "categorical" and kind["codes"] in ("int8", "int16", "int32", "int64"):
        codes: np.dtype[Any] = np.dtype(kind["codes"])
        return codes
    if found == "period":
        return np.dtype(np.int64)
    if found == "nullable":
        plain: np.dtype[Any] = np.dtype(_NULLABLE[kind["dtype"]])
        return plain
    raise ValueError(f"{found!r:.40} is no known sort of column")


def _numpy_vector(values: NDArray[Any], dtype: np.dtype[Any]) -> Vector:
    name = dtype.name
    if not dtype.isnative or (name not in _NUMBERS and dtype.kind not in "mM"):
        raise _refused(dtype)
    missing = _some(np.isnat(values)) if dtype.kind in "mM" else None
    return Vector({"type": "numpy", "dtype": name}, values, missing)


def _numpy_dtype(name: str) -> np.dtype[Any]:
    if name not in _NUMBERS and name not in {
        f"{kind}64[{unit}]" for kind in ("datetime", "timedelta") for unit in _UNITS
    }:
        raise ValueError(f"{name!r:.40} is no dtype of a column")
    return np.dtype(name)


def _texts_of(values: Any) -> Vector:  # noqa: ANN401
    found: NDArray[Any] = values.to_numpy()
    texts = np.array([type(value) is str for value in found], dtype=np.bool_)
    others = [value for value, is_text in zip(found.tolist(), texts.tolist(), strict=True) if not is_text]
    names = {_missing_name(value) for value in others}
    if len(names) > 1 or None in names:
        odd = next((value for value in others if _missing_name(value) is None), None)
        what = "more than one kind of missing value" if odd is None else f"{odd!r:.40}, which is no text"
        raise ArtifactError(
            f"it is of the dtype object and holds {what}.",
            hint="Convert it: .astype('string'), .astype(float), pd.to_datetime(…), ….",
        )
    kind = {"type": "texts", "missing": names.pop() if names else "None"}
    found = found.copy()
    found[~texts] = None
    return Vector(kind, found, _some(~texts))


def _missing_name(value: Any) -> str | None:  # noqa: ANN401
    import pandas as pd  # noqa: PLC0415

    if value is None:
        return "None"
    if value is pd.NA:
        return "NA"
    return "nan" if type(value) is float and value != value else None


def _missing_value(name: Any, pd: Any) -> Any:  # noqa: ANN401
    return {"None": None, "NA": pd.NA, "nan": np.nan}[name]


def _string_dtype(kind: Mapping[str, Any], pd: Any) -> Any:  # noqa: ANN401
    if kind["storage"] not in ("python", "pyarrow"):
        raise ValueError(f"{kind['storage']!r:.40} is no storage of texts")
    if kind["missing"] == "NA":
        return pd.StringDtype(kind["storage"])
    return pd.StringDtype(kind["storage"], na_value=_missing_value(kind["missing"], pd))


def _zone_name(zone: Any) -> str:  # noqa: ANN401
    if zone is dt.UTC:
        return "UTC"
    if type(zone) is zoneinfo.ZoneInfo and zone.key:
        return f"{zone.key}" if zone.key != "UTC" else "Zone/UTC"
    if type(zone) is dt.timezone:
        written = str(dt.timezone(zone.utcoffset(None)))[3:]
        if _OFFSET.fullmatch(written):
            return written
    raise ArtifactError(
        f"its time zone {zone!r:.80} cannot be kept.",
        hint="Convert it: .dt.tz_convert(zoneinfo.ZoneInfo(…)).",
    )


def _zone(name: Any) -> dt.tzinfo:  # noqa: ANN401
    if name == "UTC":
        return dt.UTC
    offset = _OFFSET.fullmatch(name)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3])
        return dt.timezone(dt.timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    if not _ZONE.fullmatch(name):
        raise ValueError(f"{name!r:.40} is no time zone")
    try:
        return zoneinfo.ZoneInfo("UTC" if name == "Zone/UTC" else name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"the time zone {name!r:.40} is not known here") from error


def _periods_of(values: Any, dtype: Any, pd: Any) -> Vector:  # noqa: ANN401
    freq = str(dtype).removeprefix("period[").removesuffix("]")
    if not _FREQUENCY.fullmatch(freq) or pd.PeriodDtype(freq) != dtype:
        raise _refused(dtype)
    ordinals: NDArray[Any] = pd.PeriodIndex(values.array).asi8
    return Vector({"type": "period", "freq": freq}, ordinals)


def _period_dtype(freq: Any, pd: Any) -> Any:  # noqa: ANN401
    if not _FREQUENCY.fullmatch(freq):
        raise ValueError(f"{freq!r:.40} is no frequency")
    return pd.PeriodDtype(freq)


def _nullable(vector: Vector, pd: Any) -> Any:  # noqa: ANN401
    name = vector.kind["dtype"]
    missing = vector.missing if vector.missing is not None else np.zeros(len(vector.plain), np.bool_)
    if name == "boolean":
        return pd.arrays.BooleanArray(vector.plain, missing)
    made = pd.arrays.FloatingArray if name.startswith("Float") else pd.arrays.IntegerArray
    return made(vector.plain, missing)


def _filled(vector: Vector, value: Any) -> NDArray[Any]:  # noqa: ANN401
    values = vector.plain.copy()
    if vector.missing is not None:
        values[vector.missing] = value
    return values


def _flag(value: Any) -> bool:  # noqa: ANN401
    if type(value) is not bool:
        raise TypeError("it is neither true nor false")
    return value


def _some(missing: Any) -> NDArray[np.bool_] | None:  # noqa: ANN401
    found = np.asarray(missing, dtype=np.bool_)
    return found if found.any() else None


def _refused(dtype: object) -> ArtifactError:
    return ArtifactError(
        f"it is of the dtype {dtype!s:.80}, which cannot be kept.",
        hint="Convert it to numbers, texts, times or a categorical, or pass a path to a file.",
    )
