"""Pieces that many answers share: times, pages, ids."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from pytupli_registry.server.errors import BadRequest
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.wire.names import RepoType

__all__ = [
    "address_of_repo",
    "date_text",
    "page_of",
    "page_response",
    "read_cursor",
    "read_row_cursor",
    "truth",
]

LONGEST_ROW = 19  # digits that fit 64 bits


def date_text(time: datetime) -> str:
    """Return a time as clients parse it: ISO 8601, UTC, milliseconds, ``Z``."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def address_of_repo(base: str, kind: RepoType, full_name: str) -> str:
    """Return a repository's address, which clients take apart.

    Those before 1.0 take what stands before a model's id for its kind, so there must be no other path there.
    """
    prefix = kind.prefix or (f"{kind.plural}/" if urlsplit(base).path.strip("/") else "")
    return f"{base}/{prefix}{full_name}"


def page_of(hub: Hub, limit: int | None) -> int:
    """Return how many entries a page has: what the client asked for, at most what the Hub gives."""
    return min(limit or hub.settings.page_size, hub.settings.page_size)


def page_response(
    request: Request,
    base: str,
    entries: Any,  # noqa: ANN401 - any JSON
    cursor: str | None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a page of a listing; ``cursor`` is where the next one begins, None on the last."""
    if cursor is None:
        return JSONResponse(entries, headers=headers)
    encoded = base64.urlsafe_b64encode(cursor.encode()).decode()
    url = request.url.include_query_params(cursor=encoded)
    link = f'<{base}{url.path}?{url.query}>; rel="next"'
    return JSONResponse(entries, headers={**(headers or {}), "Link": link})


def read_cursor(text: str | None) -> str:
    """Return where a page begins ("" is the beginning).

    Raises:
        BadRequest: the text was not made by :func:`page_response`.
    """
    if not text:
        return ""
    try:
        return base64.urlsafe_b64decode(text.encode("ascii")).decode()
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise BadRequest("The cursor is not one of this Hub. Begin the listing again.") from error


def read_row_cursor(text: str | None) -> int:
    """Return the row behind which a page begins (0 is before the first).

    Raises:
        BadRequest: the text was not made by :func:`page_response`.
    """
    row = read_cursor(text)
    if row and not (row.isascii() and row.isdecimal() and len(row) < LONGEST_ROW):
        raise BadRequest("The cursor is not one of this Hub. Begin the listing again.")
    return int(row or 0)


def truth(text: str | None) -> bool:
    """Return what a query flag says; clients write ``true``, ``True`` and ``1``."""
    return text is not None and text.lower() in ("1", "true", "yes", "on")
