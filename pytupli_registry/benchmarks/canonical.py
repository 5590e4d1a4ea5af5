r"""Canonical JSON: one text for one value, so that its hash is the value's identity on every machine.

It follows RFC 8785 (JSON Canonicalization Scheme) in all but numbers:

- Members are sorted by the UTF-16 code units of their names; there is no space anywhere; the text is UTF-8.
- Strings are escaped only where JSON demands it (``"``, ``\\``, U+0000 to U+001F), as ECMAScript does, and are never
  normalised: "é" as one character and as two are different strings.
- Numbers with a fraction or a large exponent are written as ECMAScript writes them, with the fewest digits that read
  back the same.

Where it differs, because Python tells an integer from a float and an environment may, too:

- An integer is written with all its digits, also beyond 2**53, where the RFC allows doubles only.
- A float that is a whole number keeps a ``.0`` (``1.0``, not ``1``), and negative zero is ``-0.0``, not ``0``.

A value without whole floats and without integers beyond 2**53 has the text that the RFC gives it.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

from pytupli_registry.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["canonical_json", "digest"]

_MAX_DEPTH = 200  # what pydantic's parser reads
_MAX_INTEGER_BITS = 14_000  # Python writes and reads no more than 4300 digits
_text_of = json.JSONEncoder(ensure_ascii=False).encode


def canonical_json(value: object) -> bytes:
    """Return the canonical JSON of None, bools, ints, finite floats, strings, lists, tuples and str-keyed dicts.

    Raises:
        ArtifactError: there is something else in it, or it is nested more than 200 deep.
    """
    try:
        return "".join(_written(value, 0)).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArtifactError("A text holds half of a surrogate pair, which UTF-8 cannot write.") from error


def digest(value: object) -> str:
    """Return the SHA-256 of the canonical JSON, in hexadecimal.

    Raises:
        ArtifactError: as :func:`canonical_json` does.
    """
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _written(value: Any, depth: int) -> Iterator[str]:  # noqa: ANN401 - anything may come; it is looked at by its type
    if depth > _MAX_DEPTH:
        raise ArtifactError(f"It is nested more than {_MAX_DEPTH} deep, too deep for JSON.")
    if isinstance(value, dict):
        yield from _written_object(value, depth)
    elif isinstance(value, (list, tuple)):
        before = "["
        for item in value:
            yield before
            yield from _written(item, depth + 1)
            before = ","
        yield "]" if value else "[]"
    else:
        yield _scalar(value)


def _written_object(value: dict[Any, Any], depth: int) -> Iterator[str]:
    for name in value:
        if type(name) is not str:
            raise ArtifactError(f"The key {name!r:.80} is no text, which JSON demands.")
    before = "{"
    for name in sorted(value, key=_code_units):
        yield f"{before}{_text_of(name)}:"
        yield from _written(value[name], depth + 1)
        before = ","
    yield "}" if value else "{}"


def _code_units(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _scalar(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if type(value) is str:
        return _text_of(value)
    if type(value) is float:
        return _float_text(value)
    if type(value) is int:
        if value.bit_length() > _MAX_INTEGER_BITS:
            raise ArtifactError("It holds an integer of more than 4000 digits.")
        return str(value)
    raise ArtifactError(f"{value!r:.80} is of the type {type(value).__qualname__}, which JSON does not have.")


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        raise ArtifactError(f"{value} is no number that JSON has.")
    digits, exponent = _shortest(abs(value))
    text = _ecmascript(digits, exponent)
    if not set(text) & set(".e"):
        text += ".0"
    return f"-{text}" if math.copysign(1.0, value) < 0 else text


def _shortest(value: float) -> tuple[str, int]:
    """Return the fewest digits d1d2… and the exponent n so that the value is 0.d1d2… · 10**n and reads back the same."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    joined = whole + fraction
    digits = joined.lstrip("0")
    position = len(whole) - (len(joined) - len(digits)) + int(exponent or 0)
    return (digits.rstrip("0"), position) if digits else ("0", 1)


def _ecmascript(digits: str, point: int) -> str:
    """Write 0.digits · 10**point as Number::toString does (ECMA-262, 6.1.6.1.20)."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    shown = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{shown}e{point - 1:+d}"
