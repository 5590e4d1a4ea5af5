"""The year of the catalog's hourly series: 365 days, the first of which is a Monday."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

__all__ = ["DAYS", "HOURS", "date_of", "draw_day", "is_workday"]

DAYS = 365
HOURS = 24 * DAYS
_MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def date_of(day: int) -> tuple[int, int]:
    """Month 1 … 12 and day of the month 1 … 31 of the day with index `day`, counted from 0."""
    rest = day % DAYS
    for month, length in enumerate(_MONTH_LENGTHS, start=1):
        if rest < length:
            return month, rest + 1
        rest -= length
    raise AssertionError(day)


def is_workday(day: int) -> bool:
    """Monday to Friday; there are no holidays."""
    return day % 7 < 5


def _checked(options: Mapping[str, Any] | None) -> Mapping[str, Any]:
    asked = options or {}
    unknown = set(asked) - {"month", "day"}
    if unknown or ("day" in asked and "month" not in asked):
        raise ValueError(f"reset options are month, or month and day; not {sorted(asked)}.")
    return asked


def _within(name: str, value: object, last: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or not 1 <= int(value) <= last:
        raise ValueError(f"reset option {name!r} is a whole number from 1 to {last}, not {value!r}.")
    return int(value)


def draw_day(random: np.random.Generator, options: Mapping[str, Any] | None) -> int:
    """The index 0 … 364 of an episode's first day.

    Args:
        random: the environment's generator; what the options leave open is drawn uniformly.
        options: ``{"month": 7}`` for some day in July, ``{"month": 7, "day": 14}`` for the 14th, or nothing.

    Raises:
        ValueError: another option, or no such month or day.
    """
    asked = _checked(options)
    if "month" not in asked:
        return int(random.integers(DAYS))
    month = _within("month", asked["month"], 12)
    length = _MONTH_LENGTHS[month - 1]
    day = _within("day", asked["day"], length) - 1 if "day" in asked else int(random.integers(length))
    return sum(_MONTH_LENGTHS[: month - 1]) + day
