"""Where artifacts wait until their benchmark is saved."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from pydantic import ValidationError

from pytupli_registry.benchmarks.artifacts.codecs import FoundCodec, codec_for
from pytupli_registry.benchmarks.artifacts.files import store_artifact
from pytupli_registry.benchmarks.artifacts.json_text import JsonCodec
from pytupli_registry.benchmarks.artifacts.paths import FileCodec, file_name_of, hash_file
from pytupli_registry.benchmarks.artifacts.refusal import refusal
from pytupli_registry.benchmarks.canonical import canonical_json
from pytupli_registry.benchmarks.specification import ArtifactEntry
from pytupli_registry.errors import ArtifactError, PytupliError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

__all__ = ["PROVIDER", "ArtifactSpool"]

PROVIDER = "$distribution"  # the detail that says which package a codec came with
_MAX_NAME = 80
_MAX_DETAILS = 1 << 16


class ArtifactSpool:
    """Collects the artifacts of one benchmark.

    Values are written to a directory of its own, which goes with it. Files that arguments name are not copied: they
    are hashed now, and once more when they are stored.

    Attributes:
        entries: what ``benchmark.json`` says of each artifact, by name.
        contents: the file that holds each content, by SHA-256.
    """

    def __init__(self) -> None:
        self.entries: dict[str, ArtifactEntry] = {}
        self.contents: dict[str, Path] = {}
        self._names: dict[tuple[str, str, bytes, str], str] = {}
        self._directory = Path(tempfile.mkdtemp(prefix="pytupli-artifacts-"))
        self._remove = weakref.finalize(self, _remove, self._directory, os.getpid())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was written; the spool cannot be stored any more."""
        self._remove()

    def scratch(self, file_name: str) -> Path:
        """Return the path for a file that is to be made and then added; it goes with the spool."""
        return Path(tempfile.mkdtemp(dir=self._directory)) / file_name

    def add(self, value: Any, place: str) -> str:  # noqa: ANN401 - whatever a constructor takes
        """Keep a value, and return the name of its artifact.

        Args:
            value: anything that a codec accepts.
            place: of the value, as a person names it: ``controller.model``. The name is derived from it.

        Raises:
            ArtifactError: no codec accepts the value, or it cannot be kept; the message names the argument.
        """
        found = codec_for(value)
        if found is None:
            raise refusal(value, place)
        try:
            return self._keep(value, place, found)
        except PytupliError as error:
            problem = f"The argument {place!r:.200} cannot be kept: {_inner(error.message)}"
            raise ArtifactError(problem, hint=error.hint) from error

    def add_json(self, encoded: Any, place: str) -> str:  # noqa: ANN401 - JSON
        """Keep tagged JSON in a file of its own, and return the name of its artifact.

        Raises:
            ArtifactError: it could not be written.
        """
        codec = JsonCodec()
        return self._written(place, codec.name, codec.suffix, lambda file: codec.write_tagged(encoded, file))

    def add_file(
        self,
        path: Path,
        name: str,
        codec: str = "file",
        *,
        details: Mapping[str, Any] | None = None,
        description: str = "",
    ) -> str:
        """Keep a file that is made already: shipped code, a policy, rollouts. Returns the artifact's name.

        Raises:
            ArtifactError: it is no regular file, or cannot be read.
        """
        sha256, size = hash_file(path)
        file_name = file_name_of(path.name, _artifact_name(name))
        content = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
        return self._entry(name, content, (sha256, size), codec, file_name, details or {}, description)

    def store(self, directory: Path) -> None:
        """Copy every artifact into a benchmark's directory; on an error none of them is left there.

        Raises:
            ArtifactError: a file has changed since it was added, or the directory cannot be written.
            UnsafeFile: a link leads out of the directory.
        """
        made: list[Path] = []
        try:
            for entry in self.entries.values():
                if store_artifact(self.contents[entry.sha256], entry, directory):
                    made.append(directory / entry.path)  # noqa: PERF401 - known when the next one fails
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            raise

    def _keep(self, value: Any, place: str, found: FoundCodec) -> str:  # noqa: ANN401
        codec = found.codec
        if isinstance(codec, FileCodec):
            return self.add_file(Path(value), place, details=codec.details(value))
        write = _guarded(found, value)
        return self._written(place, codec.name, codec.suffix, write)

    def _written(
        self, place: str, codec: str, suffix: str, write: Callable[[BinaryIO], Mapping[str, Any]]
    ) -> str:
        partial = self._directory / "partial"
        try:
            with partial.open("wb") as file:
                details = write(file)
            sha256, size = hash_file(partial)
            content = self.contents.get(sha256) or partial.rename(self._directory / sha256)
        except OSError as error:
            where = f"its copy in {self._directory} could not be written"
            raise ArtifactError(f"{where} ({error!s:.160}).", hint="Free some space there.") from error
        return self._entry(place, content, (sha256, size), codec, f"{_artifact_name(place)}{suffix}", details)

    def _entry(
        self,
        place: str,
        content: Path,
        identity: tuple[str, int],
        codec: str,
        file_name: str,
        details: Mapping[str, Any],
        description: str = "",
    ) -> str:
        sha256, size = identity
        same = (sha256, codec, canonical_json(details), Path(file_name).suffix)
        if same not in self._names:
            name = self._free_name(_artifact_name(place))
            try:
                entry = ArtifactEntry(
                    sha256=sha256,
                    size=size,
                    codec=codec,
                    file_name=file_name,
                    details=dict(details),
                    description=description,
                )
            except ValidationError as error:
                problem = error.errors()[0]
                raise ArtifactError(f"its entry is not valid: {problem['loc']} {problem['msg']}.") from error
            self.entries[name] = entry
            self.contents.setdefault(sha256, content)
            self._names[same] = name
        return self._names[same]

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self.entries:
            number += 1
            name = f"{wanted}-{number}"
        return name


def _guarded(found: FoundCodec, value: Any) -> Callable[[BinaryIO], dict[str, Any]]:  # noqa: ANN401
    codec = found.codec

    def write(file: BinaryIO) -> dict[str, Any]:
        try:
            details = dict(codec.write(value, file))
        except (PytupliError, OSError):
            raise
        except Exception as error:  # foreign code, unless the codec is a built-in one
            if found.distribution is None:
                raise
            problem = f"the codec {codec.name!r} failed ({type(error).__name__}: {error!s:.160})."
            raise ArtifactError(problem) from error
        if len(canonical_json(details)) > _MAX_DETAILS:
            raise ArtifactError(f"the codec {codec.name!r} returned more details than fit beside the file.")
        return {**details, PROVIDER: found.distribution} if found.distribution else details

    return write


def _inner(sentence: str) -> str:
    """Return a sentence as it stands after a colon."""
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence


def _artifact_name(place: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9_]+", "-", place)[:_MAX_NAME].strip("-")
    return safe or "artifact"


def _remove(directory: Path, owner: int) -> None:
    if os.getpid() == owner:  # a child that was forked meanwhile ends, too, and must not take the files along
        shutil.rmtree(directory, ignore_errors=True)
