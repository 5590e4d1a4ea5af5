"""Dates, times and durations of the standard library as JSON, with their time zones."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import Any, Final, TypeVar

__all__ = ["MOMENTS", "moment_from_json", "moment_to_json"]

MOMENTS: Final = ("$date", "$datetime", "$timedelta")
# A name of the IANA database, not a path: zoneinfo opens files by it.
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}")
_MAX_TEXT = 64
_Moment = TypeVar("_Moment", bound=dt.date)


def moment_to_json(value: object) -> dict[str, Any] | None:
    """Return ``{"$datetime": …}`` and the like, or None for subclasses and for zones that have no name."""
    if type(value) is dt.datetime:
        written = _datetime_to_json(value)
        return None if written is None else {"$datetime": written}
    if type(value) is dt.date:
        return {"$date": value.isoformat()}
    if type(value) is dt.timedelta:
        return {"$timedelta": [value.days, value.seconds, value.microseconds]}
    return None


def moment_from_json(tag: str, content: Any) -> dt.date | dt.timedelta:  # noqa: ANN401 - checked here
    """Return the moment.

    Raises:
        ValueError: it is none, or not written as :func:`moment_to_json` writes it.
        OverflowError: it is out of range.
        TypeError: likewise.
    """
    if tag == "$timedelta":
        made = dt.timedelta(*_three_integers(content))
        if [made.days, made.seconds, made.microseconds] != content:
            raise ValueError("it is not written in its shortest form")
        return made
    if tag == "$date":
        return _same_text(dt.date.fromisoformat(_text(content)), content)
    return _datetime_from_json(content)


def _datetime_to_json(value: dt.datetime) -> Any | None:  # noqa: ANN401
    zone = value.tzinfo
    if type(zone) is zoneinfo.ZoneInfo:
        if not zone.key or not _ZONE.fullmatch(zone.key):
            return None
        return [value.replace(tzinfo=None).isoformat(), zone.key, value.fold]
    if zone is not None and (type(zone) is not dt.timezone or not _is_plain(zone)):
        return None
    return [value.isoformat(), None, value.fold] if value.fold else value.isoformat()


def _is_plain(zone: dt.timezone) -> bool:
    """Whether a zone is its offset and no more: no name of its own, and no fraction of a second.

    Python writes such fractions but does not read all of them back.
    """
    offset = zone.utcoffset(None)
    return zone.tzname(None) == dt.timezone(offset).tzname(None) and not offset.microseconds


def _datetime_from_json(content: Any) -> dt.datetime:  # noqa: ANN401
    if type(content) is str:
        return _same_text(dt.datetime.fromisoformat(_text(content)), content)
    text, key, fold = content
    if type(content) is not list or type(fold) is not int or fold not in {0, 1}:
        raise ValueError("it is no list of a time, a zone and a fold")
    moment = _same_text(dt.datetime.fromisoformat(_text(text)), text).replace(fold=fold)
    if key is None:
        return moment
    if moment.tzinfo is not None:
        raise ValueError("it has two zones")
    return moment.replace(tzinfo=_zone(key))


def _zone(key: Any) -> zoneinfo.ZoneInfo:  # noqa: ANN401
    if not _ZONE.fullmatch(key):
        raise ValueError("it is no name of a time zone")
    try:
        return zoneinfo.ZoneInfo(key)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"the time zone {key} is not known here") from error


def _same_text(moment: _Moment, text: str) -> _Moment:
    if moment.isoformat() != text:
        raise ValueError("it is not written as Python writes it")
    return moment


def _text(content: Any) -> str:  # noqa: ANN401
    if type(content) is not str or len(content) > _MAX_TEXT:
        raise TypeError("it is no text of a moment")
    return content


def _three_integers(content: Any) -> list[int]:  # noqa: ANN401
    if type(content) is not list or len(content) != 3 or not all(type(part) is int for part in content):
        raise TypeError("it is no list of days, seconds and microseconds")
    return content
