"""``benchmark.json`` from and to disk: the one door through which a benchmark from outside comes in."""

from __future__ import annotations

import json
import stat
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import ValidationError

from pytupli_registry.benchmarks.specification import FORMAT_VERSION, BenchmarkSpecification
from pytupli_registry.errors import FormatError, UnsupportedFormat

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "FILE_NAME",
    "json_schema",
    "read_specification",
    "specification_from_json",
    "specification_to_json",
]

FILE_NAME = "benchmark.json"

_MAX_BYTES = 16 * 1024 * 1024
_MAX_DEPTH = 64
_SHOWN_PROBLEMS = 10
_FORMAT = "pytupli-benchmark"
_SURROGATE = "\\ud"


def read_specification(directory: Path) -> BenchmarkSpecification:
    """Read the ``benchmark.json`` of a directory; nothing it names is imported, built or opened.

    Raises:
        FormatError: it is missing, not JSON, too large, or says what a benchmark cannot say.
        UnsupportedFormat: it is of a format version that this release does not know.
    """
    path = directory / FILE_NAME
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise FormatError(path, "it is no regular file")
        if found.st_size > _MAX_BYTES:
            raise FormatError(path, f"it is larger than {_MAX_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FormatError(path, f"it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FormatError(path, "it is not UTF-8") from error
    return specification_from_json(text, str(path))


def specification_from_json(text: str, path: str = FILE_NAME) -> BenchmarkSpecification:
    """Check the text of a ``benchmark.json``.

    Args:
        text: the file's content.
        path: the file's name, for messages.

    Raises:
        FormatError: it is not JSON, or says what a benchmark cannot say; the message lists every problem.
        UnsupportedFormat: it is of a format version that this release does not know.
    """
    loaded = _load(text, path)
    _check_version(loaded, path)
    try:
        return BenchmarkSpecification.model_validate(loaded)
    except ValidationError as error:
        raise _told(error, path) from error


def specification_to_json(specification: BenchmarkSpecification) -> str:
    """Return the text of ``benchmark.json``: every key in the order of the schema, two spaces deep."""
    content = specification.model_dump(mode="json")
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``benchmark.json``."""
    schema = BenchmarkSpecification.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _load(text: str, path: str) -> dict[str, Any]:
    if len(text) > _MAX_BYTES:
        raise FormatError(path, f"it is larger than {_MAX_BYTES:,} bytes")
    try:
        loaded = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError as error:
        raise FormatError(path, "it is nested too deeply") from error
    except ValueError as error:
        raise FormatError(path, f"it is not JSON ({error!s:.200})") from error
    if not isinstance(loaded, dict):
        raise FormatError(path, "it is not a JSON object")
    _check_depth(loaded, path)
    _check_texts(loaded, text, path)
    return loaded


def _check_texts(loaded: dict[str, Any], text: str, path: str) -> None:
    """Refuse half of a surrogate pair, which JSON can spell and UTF-8 cannot: nobody could save it again."""
    try:
        if _SURROGATE in text.lower():
            json.dumps(loaded, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError(path, "a text in it is half of a surrogate pair") from error


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers may take different ones of two equal keys: what one checks the other would not use."""
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice!r:.80} stands twice in one object")
    return made


def _check_depth(loaded: dict[str, Any], path: str) -> None:
    level: list[Any] = [loaded]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise FormatError(path, f"it is nested more than {_MAX_DEPTH} levels deep")


def _check_version(loaded: dict[str, Any], path: str) -> None:
    kind, version = loaded.get("format"), loaded.get("format_version")
    if kind != _FORMAT:
        raise FormatError(
            path, f"it is no benchmark: its 'format' is {kind!r:.80}, not {_FORMAT!r}", where="format"
        )
    if isinstance(version, bool) or not isinstance(version, int):
        raise FormatError(path, f"{version!r:.80} is no format version", where="format_version")
    if version > FORMAT_VERSION:
        raise UnsupportedFormat(
            path,
            f"it is of format version {version}, and this release reads up to {FORMAT_VERSION}",
            where="format_version",
            hint="Upgrade: `pip install --upgrade pytupli-registry`.",
        )
    if version < FORMAT_VERSION:
        raise UnsupportedFormat(
            path,
            f"it is of format version {version}, which was never released",
            where="format_version",
            hint="Ask its owner to save it again.",
        )


def _told(error: ValidationError, path: str) -> FormatError:
    problems = error.errors(include_url=False, include_input=False)
    told = [
        f"{_place(problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in problems[:_SHOWN_PROBLEMS]
    ]
    if len(problems) > _SHOWN_PROBLEMS:
        told.append(f"and {len(problems) - _SHOWN_PROBLEMS} more")
    return FormatError(path, "; ".join(told), where=_place(problems[0]["loc"]))


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(f"{part!s:.60}" for part in location) or "the whole"
