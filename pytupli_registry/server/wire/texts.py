"""Free text from outside: what databases and terminals take without harm."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

__all__ = ["EmailAddress", "Line", "Prose", "check_line", "check_prose"]

_NEVER = frozenset({"Cc", "Cs"})  # control characters (PostgreSQL takes no NUL) and halves of surrogate pairs
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def check_line(text: str) -> str:
    """Return ``text`` if it is one line of printable text.

    Raises:
        ValueError: it holds control characters or cannot be encoded.
    """
    if any(unicodedata.category(sign) in _NEVER for sign in text):
        raise ValueError("control characters are not allowed")
    return text


def check_prose(text: str) -> str:
    """Return ``text`` if it is printable, line breaks and tabs aside.

    Raises:
        ValueError: it holds other control characters or cannot be encoded.
    """
    check_line(text.translate({ord(sign): " " for sign in "\n\r\t"}))
    return text


def _check_email(text: str) -> str:
    if not _EMAIL.fullmatch(check_line(text)):
        raise ValueError("it is no e-mail address")
    return text


Line = Annotated[str, Field(max_length=255), AfterValidator(check_line)]
Prose = Annotated[str, Field(max_length=10_000), AfterValidator(check_prose)]
EmailAddress = Annotated[str, Field(max_length=320), AfterValidator(_check_email)]
