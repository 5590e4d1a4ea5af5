"""Codecs: how a value becomes the bytes of an artifact, and is read back as what it was.

Built-in ones come first, then those that are installed under the entry-point group ``pytupli_registry.codecs``. Only
encoding and decoding look for installed ones: loading, showing and validating a benchmark import nothing.
"""

from __future__ import annotations

import importlib.metadata
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from pytupli_registry.benchmarks.artifacts.arrays import ArrayCodec
from pytupli_registry.benchmarks.artifacts.json_text import JsonCodec
from pytupli_registry.benchmarks.artifacts.octets import BytesCodec
from pytupli_registry.benchmarks.artifacts.paths import FileCodec
from pytupli_registry.benchmarks.artifacts.tables import TableCodec
from pytupli_registry.errors import ArtifactError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint
    from pathlib import Path

__all__ = ["GROUP", "Codec", "FoundCodec", "builtin_codecs", "codec_for", "codec_named"]

GROUP = "pytupli_registry.codecs"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,95}")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9_-]{1,16}){0,3}")


class Codec(Protocol):
    """How values of some types become files and come back.

    The same value must give the same bytes, and reading must run nothing that is in the file: no pickle.

    Attributes:
        name: what ``benchmark.json`` calls it; the name of its entry point.
        suffix: of its files, ``.npy``.
    """

    name: str
    suffix: str

    def accepts(self, value: Any, /) -> bool:  # noqa: ANN401 - whatever a constructor takes
        """Say whether this codec keeps the value, by its exact type. Must not import what is not imported yet."""
        ...

    def write(self, value: Any, file: BinaryIO, /) -> Mapping[str, Any]:  # noqa: ANN401
        """Write the value, and return what :meth:`read` has to know beside the bytes, as plain JSON.

        Raises:
            ArtifactError: this value cannot be kept; the message says why.
        """
        ...

    def read(self, path: Path, details: Mapping[str, Any], /) -> Any:  # noqa: ANN401
        """Return the value. The file's bytes are those that were written; who wrote them is not known.

        Raises:
            FormatError: the file does not hold what it should.
            ArtifactError: something is not installed.
        """
        ...


@dataclass(frozen=True, slots=True)
class FoundCodec:
    """A codec and where it is from.

    Attributes:
        codec: the codec.
        distribution: what it is installed with (``acme-codecs``), or None for a built-in one.
    """

    codec: Codec
    distribution: str | None = None


def builtin_codecs() -> tuple[Codec, ...]:
    """Return the codecs that are always there, in the order in which they are asked."""
    return (FileCodec(), BytesCodec(), ArrayCodec(), TableCodec(), JsonCodec())


def codec_for(value: object) -> FoundCodec | None:
    """Return the first codec that accepts a value.

    Raises:
        ArtifactError: an installed codec cannot be loaded or asked.
    """
    for codec in builtin_codecs():
        if codec.accepts(value):
            return FoundCodec(codec)
    return next((found for found in map(_loaded, _installed()) if _accepts(found, value)), None)


def codec_named(name: str, distribution: str | None = None) -> FoundCodec:
    """Return the codec of that name.

    Args:
        name: what ``benchmark.json`` says.
        distribution: what the artifact's writer had it from, for the hint.

    Raises:
        ArtifactError: it is not installed, or cannot be loaded.
    """
    builtin = {codec.name: codec for codec in builtin_codecs()}
    if name in builtin:
        return FoundCodec(builtin[name])
    entry_points = _installed()
    chosen = next((point for point in entry_points if point.name == name), None)
    if chosen is not None:
        return _loaded(chosen)
    known = [*builtin, *(point.name for point in entry_points)]
    hint = f"Install what provides it: pip install {distribution}" if distribution else None
    raise ArtifactError(
        f"The codec {name!r:.100} is not installed here.",
        hint=hint or did_you_mean(name, known) or f"Install what provides it under the entry point {GROUP}.",
    )


def _installed() -> list[EntryPoint]:
    found = importlib.metadata.entry_points(group=GROUP)
    return sorted(found, key=lambda point: (point.name, point.value))


def _loaded(point: EntryPoint) -> FoundCodec:
    source = point.dist.name if point.dist else None
    try:
        loaded = point.load()
        codec: Codec = loaded() if isinstance(loaded, type) else loaded
    except Exception as error:  # whatever a foreign module raises when it is imported
        raise _broken(point, f"could not be loaded ({_short(error)})") from error
    if not (
        all(callable(getattr(codec, method, None)) for method in ("accepts", "write", "read"))
        and getattr(codec, "name", None) == point.name
        and _NAME.fullmatch(point.name)
        and _SUFFIX.fullmatch(getattr(codec, "suffix", "?"))
    ):
        raise _broken(point, "lacks accepts, write, read, a suffix, or the name of its entry point")
    return FoundCodec(codec, source)


def _accepts(found: FoundCodec, value: object) -> bool:
    try:
        return bool(found.codec.accepts(value))
    except Exception as error:  # foreign code
        raise ArtifactError(
            f"The codec {found.codec.name!r} failed to say whether it keeps a value ({_short(error)})."
        ) from error


def _broken(point: EntryPoint, problem: str) -> ArtifactError:
    source = point.dist.name if point.dist else point.value
    return ArtifactError(
        f"The codec {point.name!r:.100} of {source} {problem}.", hint="Mend or uninstall that package."
    )


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error!s:.160}".replace("\n", " ")
