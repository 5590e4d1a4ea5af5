"""JSON files from repositories: read with limits on size, depth and number of values."""

from __future__ import annotations

import json
import re
from typing import Any

from pytupli_registry.server.wire.front_matter import clean

__all__ = ["JsonTextError", "cleaned", "read_object", "without_strings"]

_DEEPEST = 64
# What is left of a file when its strings are taken out says how many values it has; Minari keeps spaces, which may
# be large, as strings. The quantifiers are possessive: none of them goes back.
_MOST_STRUCTURE = 1 << 20
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BRACKET = re.compile(rb"[\[{]|[\]}]")


class JsonTextError(ValueError):
    """The text is no JSON object, or more than the server reads."""


def without_strings(content: bytes) -> bytes:
    """Return what is left of JSON when its strings are taken out; fast, whatever ``content`` is."""
    return _STRING.sub(b"", content)


def read_object(content: bytes) -> dict[str, Any]:
    """Return a JSON object, as every client reads it: UTF-8 without a byte order mark.

    Raises:
        JsonTextError: it is none.
    """
    structure = without_strings(content)
    if len(structure) > _MOST_STRUCTURE or _depth(structure) > _DEEPEST:
        raise JsonTextError("it holds more values, or more levels, than the server reads")
    try:
        loaded = json.loads(content.decode())
    except UnicodeDecodeError as error:
        raise JsonTextError("it is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise JsonTextError(f"it is not JSON ({clean(str(error))[:120]})") from error
    if not isinstance(loaded, dict):
        raise JsonTextError("it is not a JSON object")
    return loaded


def _depth(structure: bytes) -> int:
    depth = deepest = 0
    for found in _BRACKET.finditer(structure):
        depth += 1 if found[0] in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def cleaned(value: object, longest: int) -> str | None:
    """Return a text as a database takes it, cut to ``longest`` characters; None for anything else."""
    return clean(value)[:longest] if isinstance(value, str) else None
