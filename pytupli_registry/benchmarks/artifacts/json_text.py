"""JSON-like values that are too large to stand in ``benchmark.json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

from pytupli_registry.benchmarks.artifacts.tagged import TaggedReader, TaggedWriter
from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["JsonCodec"]

_text_of = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class JsonCodec:
    """Keeps lists, tuples, dicts and long texts as tagged JSON, dicts in the order they have."""

    name = "json"
    suffix = ".json"

    def accepts(self, value: object, /) -> bool:
        """Accept what JSON and its tags can hold as a whole."""
        return type(value) in {list, tuple, dict, str, int, float, bool}

    def write(self, value: Any, file: BinaryIO, /) -> dict[str, Any]:  # noqa: ANN401 - any JSON-like value
        """Write the value.

        Raises:
            ArtifactError: something in it has no form.
        """
        return self.write_tagged(TaggedWriter().encode(value, "value").json, file)

    def write_tagged(self, encoded: Any, file: BinaryIO) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Write what :meth:`write` would, of a value that is tagged JSON already."""
        file.write(_text_of(encoded).encode("utf-8"))
        return {}

    def read(self, path: Path, _details: Mapping[str, Any], /) -> Any:  # noqa: ANN401
        """Return the value.

        Raises:
            FormatError: the file is no tagged JSON.
        """
        try:
            encoded = json.loads(
                path.read_bytes().decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_object
            )
        except (ValueError, RecursionError) as error:
            raise FormatError(path, f"it is no JSON ({error!s:.120})") from error
        return TaggedReader(path).decode(encoded, "value")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found
