"""When something ends, as people type it: ``90d``, ``12h``, ``2w``, ``2027-01-31`` or ``never``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

__all__ = ["parse_expiry"]

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LONGEST = timedelta(days=36_525)


def parse_expiry(ctx: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    """Return the time that ``text`` means, None for never; a callback of options.

    Raises:
        BadParameter: it is no time, or one that is over.
    """
    del ctx
    if text is None or text == "never":
        return None
    try:
        time = _parse(text)
    except (ValueError, OverflowError):
        time = None
    if time is None or time <= datetime.now(UTC):
        raise click.BadParameter(
            f"{text!r} is no time to come. Write 90d, 12h, 2027-01-31 or never.", param=parameter
        )
    return time


def _parse(text: str) -> datetime:
    if found := re.fullmatch(r"(\d{1,6})([hdw])", text):
        return datetime.now(UTC) + min(int(found[1]) * _UNITS[found[2]], _LONGEST)
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
