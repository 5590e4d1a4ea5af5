"""Values of many episodes or steps at once, and what operators make of them.

The rules (docs/filters.md): a comparison with a missing value is False, ``!=`` and ``not in`` are the complement of
``==`` and ``in``, whole numbers stay whole where the result surely fits in 64 bits, all other arithmetic is float64,
and a constant takes the float type of the column it is compared with, as in NumPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pytupli_registry.filters.expression import Scalar

__all__ = [
    "Column",
    "absolute",
    "among",
    "calculated",
    "compared",
    "contained",
    "negated",
    "reduced",
    "same_type",
    "truth",
]


@dataclass(frozen=True, slots=True)
class Column:
    """One value a row, or one constant for all rows.

    Attributes:
        values: of each row, or a Python scalar.  # (n, *shape)
        missing: rows without a value, or None where all have one; broadcasts against ``values``.
    """

    values: NDArray[Any] | Scalar
    missing: NDArray[np.bool_] | None = None


_COMPARE: dict[str, Callable[..., Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

_CALCULATE: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "//": np.floor_divide,
    "%": np.remainder,
    "**": np.power,
}


def truth(column: Column) -> NDArray[np.bool_]:
    """Return where a yes-or-no column says yes; what is missing says no."""
    values = np.asarray(column.values, dtype=np.bool_)
    return values if column.missing is None else values & ~column.missing


def compared(operator: str, left: Column, right: Column) -> NDArray[np.bool_]:
    """Compare two columns of numbers, or two of text."""
    if operator == "!=":
        return ~compared("==", left, right)
    result = np.asarray(_compared_values(operator, left.values, right.values), dtype=np.bool_)
    for missing in (left.missing, right.missing):
        if missing is not None:
            result = result & ~missing
    return result


def _compared_values(operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - array or scalar
    if isinstance(right, np.ndarray):
        if isinstance(left, np.ndarray):
            return _COMPARE[operator](left, right)
        return _with_constant(_MIRRORED[operator], right, left)
    if isinstance(left, np.ndarray):
        return _with_constant(operator, left, right)
    return bool(_COMPARE[operator](left, right))


def _with_constant(operator: str, values: NDArray[Any], constant: Any) -> Any:  # noqa: ANN401
    if values.dtype.kind in "biu":
        return _whole_with_constant(operator, values, constant)
    return _COMPARE[operator](values, same_type(values, constant))


def same_type(values: NDArray[Any], constant: Any) -> Any:  # noqa: ANN401 - a scalar
    """Return a constant as the float type of the values it is compared with; text stays text."""
    return values.dtype.type(constant) if values.dtype.kind == "f" else constant


def _whole_with_constant(operator: str, values: NDArray[Any], constant: float) -> Any:  # noqa: ANN401
    # Exact for every whole number, which a conversion of the column to float64 would not be.
    if values.dtype.kind == "b":
        values = values.view(np.uint8)
    if isinstance(constant, float):
        if math.isnan(constant):
            return np.zeros(values.shape, dtype=np.bool_)
        if math.isinf(constant):
            return np.full(values.shape, bool(_COMPARE[operator](0.0, constant)))
        if operator == "==" and not constant.is_integer():
            return np.zeros(values.shape, dtype=np.bool_)
        constant = math.ceil(constant) if operator in {"<", ">="} else math.floor(constant)
    limits = np.iinfo(values.dtype)
    if not limits.min <= constant <= limits.max:
        return np.full(values.shape, operator != "==" and (constant > 0) == (operator in {"<", "<="}))
    return _COMPARE[operator](values, values.dtype.type(constant))


def among(column: Column, choices: Sequence[Scalar]) -> NDArray[np.bool_]:
    """Return where a column equals one of some constants; None among them stands for a missing value."""
    values = np.asarray(column.values)
    if values.dtype.kind in "OUT":
        texts = {choice for choice in choices if isinstance(choice, str)}
        result = np.fromiter((value in texts for value in values.flat), np.bool_, values.size)
        result = result.reshape(values.shape)
    else:
        result = np.isin(
            values, _same_numbers(values, [one for one in choices if isinstance(one, int | float)])
        )
    if column.missing is None:
        return result
    return result | column.missing if None in choices else result & ~column.missing


def _same_numbers(values: NDArray[Any], choices: list[int | float]) -> NDArray[Any]:
    if values.dtype.kind == "f":
        return np.array([same_type(values, choice) for choice in choices], dtype=values.dtype)
    whole = [int(choice) for choice in choices if not isinstance(choice, float) or choice.is_integer()]
    dtype = np.dtype(np.uint8) if values.dtype.kind == "b" else values.dtype
    limits = np.iinfo(dtype)
    return np.array([choice for choice in whole if limits.min <= choice <= limits.max], dtype=dtype)


def calculated(operator: str, left: Column, right: Column, *, whole: bool) -> Column:
    """Return ``left operator right``, in int64 where ``whole``, else in float64."""
    dtype = np.int64 if whole else np.float64
    values = _CALCULATE[operator](_converted(left.values, dtype), _converted(right.values, dtype))
    return Column(values, _either(left.missing, right.missing))


def negated(column: Column, *, whole: bool) -> Column:
    """Return the column with the other sign; whole numbers as int64 where ``whole``, else as float64."""
    return Column(-_signed(column.values, whole=whole), column.missing)


def absolute(column: Column, *, whole: bool) -> Column:
    """Return the column without its sign; whole numbers as int64 where ``whole``, else as float64."""
    return Column(np.abs(_signed(column.values, whole=whole)), column.missing)


def _signed(values: Any, *, whole: bool) -> Any:  # noqa: ANN401 - array or scalar
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return values
    return _converted(values, np.int64 if whole else np.float64)


def _converted(values: Any, dtype: type[np.int64 | np.float64]) -> NDArray[Any]:  # noqa: ANN401 - array or scalar
    return np.asarray(values).astype(dtype, copy=False)


def _either(one: NDArray[np.bool_] | None, other: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    if one is None or other is None:
        return other if one is None else one
    return one | other


def contained(function: str, column: Column, other: Column) -> NDArray[np.bool_]:
    """Return where ``startswith``, ``endswith`` or ``contains`` holds of two columns of text."""
    test: Callable[[str, str], bool] = {
        "startswith": str.startswith,
        "endswith": str.endswith,
        "contains": str.__contains__,
    }[function]
    texts, parts = np.broadcast_arrays(np.asarray(column.values), np.asarray(other.values))
    found = (test(str(text), str(part)) for text, part in zip(texts.flat, parts.flat, strict=True))
    result = np.fromiter(found, np.bool_, texts.size).reshape(texts.shape)
    missing = _either(column.missing, other.missing)
    return result if missing is None else result & ~missing


def reduced(function: str, values: NDArray[Any], *, whole: bool) -> NDArray[Any]:
    """Reduce the components of each row.  # (n, *shape) -> (n,)"""  # noqa: D415 - the shape ends the line
    axes = tuple(range(1, values.ndim))
    if function in {"any", "all", "min", "max"}:
        return np.asarray(getattr(np, function)(values, axis=axes))
    if function == "count":
        return np.asarray(np.count_nonzero(values, axis=axes))
    total = values.sum(axis=axes, dtype=np.int64 if whole else np.float64)
    return np.asarray(total / math.prod(values.shape[1:]) if function == "mean" else total)
