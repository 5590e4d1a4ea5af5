"""Arguments of an environment as JSON plus artifacts, and back as what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytupli_registry.benchmarks.artifacts.paths import names_file
from pytupli_registry.benchmarks.artifacts.tagged import Encoded, TaggedReader, TaggedWriter
from pytupli_registry.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytupli_registry.benchmarks.artifacts.reader import ArtifactReader
    from pytupli_registry.benchmarks.artifacts.spool import ArtifactSpool

__all__ = ["INLINE_BYTES", "decode", "decode_arguments", "encode", "encode_arguments"]

INLINE_BYTES: Final = 4096


def encode(value: Any, spool: ArtifactSpool, place: str) -> Any:  # noqa: ANN401 - any value in, JSON out
    """Return a value as JSON; what JSON cannot hold, or more than 4096 bytes of it, goes into the spool.

    The value is not changed, and nothing of it is kept.

    Args:
        value: an argument.
        spool: takes the artifacts.
        place: what a person calls the argument; messages and the artifacts' names come from it.

    Raises:
        ArtifactError: a part of it can be kept neither way; the message names the part.
    """

    def keep(part: Any, part_place: str) -> Any | None:  # noqa: ANN401
        if type(part) is str and not names_file(part):
            return None
        return {"$artifact": spool.add(part, part_place)}

    def settle(encoded: Encoded) -> Any:  # noqa: ANN401
        if encoded.size <= INLINE_BYTES:
            return encoded.json
        return {"$artifact": spool.add_json(encoded.json, encoded.place)}

    encoded = TaggedWriter(keep, settle).encode(value, place)
    return settle(encoded) if encoded.whole else encoded.json


def encode_arguments(arguments: Mapping[str, Any], spool: ArtifactSpool, place: str = "") -> dict[str, Any]:
    """Encode keyword arguments, each by itself: a large one becomes an artifact, the others stay readable.

    Args:
        arguments: by name.
        spool: takes the artifacts.
        place: what the arguments belong to, where that is not the environment: the name of a wrapper.

    Raises:
        ArtifactError: as :func:`encode`.
    """
    for name in arguments:
        if type(name) is not str or name.startswith("$"):
            raise ArtifactError(f"{name!r:.80} is no name of an argument.")
    start = f"{place}." if place else ""
    return {name: encode(value, spool, f"{start}{name}") for name, value in arguments.items()}


def decode(encoded: Any, reader: ArtifactReader, place: str = "value") -> Any:  # noqa: ANN401
    """Return the value that :func:`encode` was given; each call makes it anew.

    Raises:
        FormatError: it is nothing that :func:`encode` writes, or an artifact is not what its entry says.
        ArtifactError: a codec or a package that an artifact needs is not installed.
    """
    return TaggedReader(reader.directory / "benchmark.json", reader.read).decode(encoded, place)


def decode_arguments(
    encoded: Mapping[str, Any], reader: ArtifactReader, place: str = "kwargs"
) -> dict[str, Any]:
    """Return the keyword arguments that :func:`encode_arguments` was given.

    Raises:
        FormatError: as :func:`decode`.
        ArtifactError: likewise.
    """
    return {name: decode(value, reader, f"{place}.{name}") for name, value in encoded.items()}
