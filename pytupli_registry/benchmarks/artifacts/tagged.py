"""Python values as strict JSON and back, exact in type and value.

None, bools, ints, finite floats, texts, lists and str-keyed dicts stand for themselves. Everything else is an object
with one key that begins with ``$`` (docs/artifacts.md lists them). Reading imports nothing, and makes nothing larger
than what it was given.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pytupli_registry.benchmarks.artifacts.moments import MOMENTS, moment_from_json, moment_to_json
from pytupli_registry.benchmarks.artifacts.refusal import refusal
from pytupli_registry.benchmarks.artifacts.scalars import scalar_from_json, scalar_to_json
from pytupli_registry.errors import ArtifactError, FormatError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["MAX_DEPTH", "Encoded", "TaggedReader", "TaggedWriter"]

MAX_DEPTH: Final = 100
_MAX_VALUES = 10_000_000
_PLAIN = (type(None), bool, int, float, str)
_NUMBERS = {bool, int, float}
_text_of = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as JSON.

    Attributes:
        place: of the value, as a person names it: ``controller.model``.
        json: what it became.
        size: of that as compact JSON, in bytes.
        whole: whether all of it is in ``json``; False where a part of it was kept as an artifact.
    """

    place: str
    json: Any
    size: int
    whole: bool


class TaggedWriter:
    """Writes values as tagged JSON.

    Args:
        keep: what to do with a value that JSON has no form for: returns JSON that names it, or None if it can not
            be kept either. Texts are shown to it, too, since a text may name a file.
        settle: what to do with a part that is whole, of a value that is not: returns JSON that stands for it.
    """

    def __init__(
        self,
        keep: Callable[[Any, str], Any | None] = lambda _value, _place: None,
        settle: Callable[[Encoded], Any] = lambda encoded: encoded.json,
    ) -> None:
        self._keep = keep
        self._settle = settle
        self._around: set[int] = set()
        self._left = _MAX_VALUES

    def encode(self, value: Any, place: str, depth: int = 0) -> Encoded:  # noqa: ANN401 - whatever a constructor takes
        """Return a value as tagged JSON.

        Raises:
            ArtifactError: it contains itself, is nested too deep, or something in it has no form.
        """
        self._spend(1, place)
        if depth > MAX_DEPTH:
            raise ArtifactError(
                f"The argument {place!r:.200} is nested too deep.",
                hint=f"At most {MAX_DEPTH} levels of JSON can be kept.",
            )
        if type(value) in {list, tuple, dict}:
            return self._container(value, place, depth)
        return self._leaf(value, place)

    def _leaf(self, value: Any, place: str) -> Encoded:  # noqa: ANN401
        encoded = _form(value)
        if (encoded is None and value is not None) or type(value) is str:
            kept = self._keep(value, place)
            if kept is not None:
                return Encoded(place, kept, 0, whole=False)
        if encoded is None and value is not None:
            raise refusal(value, place)
        return Encoded(place, encoded, _size(encoded, place), whole=True)

    def _container(self, value: Any, place: str, depth: int) -> Encoded:  # noqa: ANN401
        if id(value) in self._around:
            raise ArtifactError(
                f"The argument {place!r:.200} contains itself.", hint="Pass a value without cycles."
            )
        self._around.add(id(value))
        try:
            if type(value) is dict:
                return self._dict(value, place, depth)
            return self._sequence(value, place, depth)
        finally:
            self._around.discard(id(value))

    def _sequence(self, value: Any, place: str, depth: int) -> Encoded:  # noqa: ANN401
        tagged = type(value) is tuple
        below = depth + (2 if tagged else 1)
        if below <= MAX_DEPTH and _are_numbers(value):
            return self._numbers(value, place)
        items = [self.encode(item, f"{place}[{index}]", below) for index, item in enumerate(value)]
        whole = all(item.whole for item in items)
        listed = self._parts(items, whole)
        size = sum(item.size for item in items) + _separators(len(items))
        if tagged:
            return Encoded(place, {"$tuple": listed}, size + len('{"$tuple":}'), whole)
        return Encoded(place, listed, size, whole)

    def _numbers(self, value: Any, place: str) -> Encoded:  # noqa: ANN401
        """Take a list or tuple of plain numbers in one step."""
        self._spend(len(value), place)
        encoded = {"$tuple": list(value)} if type(value) is tuple else list(value)
        return Encoded(place, encoded, _size(encoded, place), whole=True)

    def _spend(self, count: int, place: str) -> None:
        self._left -= count
        if self._left < 0:
            raise ArtifactError(
                f"The argument {place!r:.200} holds more than {_MAX_VALUES} values.",
                hint="Pass an array, a table, or a path to a file.",
            )

    def _dict(self, value: dict[Any, Any], place: str, depth: int) -> Encoded:
        if not all(type(key) is str and not key.startswith("$") for key in value):
            return self._pairs(value, place, depth)
        items = [self.encode(item, _member(place, key), depth + 1) for key, item in value.items()]
        whole = all(item.whole for item in items)
        keys = sum(_size(key, place) + 1 for key in value)
        size = sum(item.size for item in items) + keys + _separators(len(items))
        return Encoded(place, dict(zip(value, self._parts(items, whole), strict=True)), size, whole)

    def _pairs(self, value: dict[Any, Any], place: str, depth: int) -> Encoded:
        keys = [self.encode(key, f"{place}, the key {key!r:.40}", depth + 3) for key in value]
        items = [self.encode(item, _member(place, key), depth + 3) for key, item in value.items()]
        whole = all(item.whole for item in (*keys, *items))
        pairs = [list(pair) for pair in zip(self._parts(keys, whole), self._parts(items, whole), strict=True)]
        size = sum(item.size for item in (*keys, *items)) + 3 * len(pairs) + _separators(len(pairs))
        return Encoded(place, {"$pairs": pairs}, size + len('{"$pairs":}'), whole)

    def _parts(self, items: list[Encoded], whole: bool) -> list[Any]:
        return [item.json if whole or not item.whole else self._settle(item) for item in items]


class TaggedReader:
    """Reads tagged JSON.

    Args:
        path: the file it is from, for messages.
        fetch: returns the value of an artifact; without it there must be none.
    """

    def __init__(self, path: Path | str, fetch: Callable[[str], Any] | None = None) -> None:
        self._path = path
        self._fetch = fetch

    def decode(self, encoded: Any, place: str, depth: int = 0) -> Any:  # noqa: ANN401 - JSON in, anything out
        """Return the value that tagged JSON stands for.

        Raises:
            FormatError: it is no tagged JSON, or nested too deep.
            ArtifactError: an artifact cannot be read here.
        """
        if depth > MAX_DEPTH:
            raise self._error("it is nested too deep", place)
        if type(encoded) in _PLAIN:
            if type(encoded) is float and not math.isfinite(encoded):
                raise self._error("it is a number that JSON does not have", place)
            return encoded
        if type(encoded) is list:
            if depth < MAX_DEPTH and _are_numbers(encoded):
                return list(encoded)
            return [self.decode(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(encoded)]
        if type(encoded) is not dict or not all(type(key) is str for key in encoded):
            raise self._error(f"a value of the type {type(encoded).__qualname__} is no JSON", place)
        if any(key.startswith("$") for key in encoded):
            return self._tagged(encoded, place, depth)
        return {key: self.decode(item, _member(place, key), depth + 1) for key, item in encoded.items()}

    def _tagged(self, encoded: dict[str, Any], place: str, depth: int) -> Any:  # noqa: ANN401
        if len(encoded) != 1:
            raise self._error("an object with a key that begins with $ has other keys, too", place)
        ((tag, content),) = encoded.items()
        if tag == "$artifact":
            return self._artifact(content, place)
        if tag == "$tuple":
            if type(content) is not list:
                raise self._error("a tuple is written as what is no list", place)
            return tuple(self.decode(content, place, depth + 1))
        if tag == "$pairs":
            return self._pairs(content, place, depth)
        return self._value(tag, content, place)

    def _value(self, tag: str, content: Any, place: str) -> Any:  # noqa: ANN401
        try:
            if tag == "$float":
                return _NOT_FINITE[content]
            if tag == "$scalar":
                return scalar_from_json(content)
            if tag in MOMENTS:
                return moment_from_json(tag, content)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise self._error(f"{content!r:.80} is no {tag[1:]}", place) from error
        raise self._error(f"the tag {tag!r:.40} is unknown", place, "A newer pytupli-registry may know it.")

    def _artifact(self, name: Any, place: str) -> Any:  # noqa: ANN401
        if type(name) is not str:
            raise self._error("an artifact is named by what is no text", place)
        if self._fetch is None:
            raise self._error("an artifact names another one", place)
        return self._fetch(name)

    def _pairs(self, content: Any, place: str, depth: int) -> dict[Any, Any]:  # noqa: ANN401
        if type(content) is not list:
            raise self._error("pairs are written as what is no list", place)
        found: dict[Any, Any] = {}
        for pair in content:
            if type(pair) is not list or len(pair) != 2:
                raise self._error("a pair is written as what is no list of two", place)
            key = self.decode(pair[0], f"{place}, a key", depth + 3)
            try:
                twice = key in found
            except TypeError as error:
                raise self._error(f"{key!r:.80} cannot be a key", place) from error
            if twice:
                raise self._error(f"the key {key!r:.80} is there twice", place)
            found[key] = self.decode(pair[1], f"{place}[{key!r:.40}]", depth + 3)
        return found

    def _error(self, problem: str, place: str, hint: str | None = None) -> FormatError:
        return FormatError(self._path, problem, where=f"{place:.200}", hint=hint)


def _form(value: Any) -> Any:  # noqa: ANN401
    """Return the JSON of a value that has no parts, or None where it has no form (and for None)."""
    if type(value) is float and not math.isfinite(value):
        return {"$float": str(value)}
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.generic):
        return scalar_to_json(value)
    return moment_to_json(value)


def _member(place: str, key: Any) -> str:  # noqa: ANN401
    if type(key) is str and key.isidentifier():
        return f"{place}.{key}" if place else key
    return f"{place}[{key!r:.80}]"


def _size(encoded: Any, place: str) -> int:  # noqa: ANN401
    try:
        if type(encoded) in _NUMBERS:
            return len(repr(encoded))
        return len(_text_of(encoded).encode("utf-8"))
    except UnicodeEncodeError as error:
        raise ArtifactError(f"A text in the argument {place!r:.200} cannot be written as UTF-8.") from error
    except ValueError as error:  # Python's limit of digits
        raise ArtifactError(
            f"An integer in the argument {place!r:.200} has more than 4300 digits."
        ) from error


def _are_numbers(values: Any) -> bool:  # noqa: ANN401
    """Whether all of them are plain, finite numbers: there may be millions, and they need no look one by one."""
    return set(map(type, values)) <= _NUMBERS and all(map(_is_finite, values))


def _is_finite(number: float) -> bool:
    return number - number == 0  # NaN for what is not finite; takes integers of any size


def _separators(count: int) -> int:
    return 2 + max(count - 1, 0)
