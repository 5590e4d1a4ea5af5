"""The artifacts of a benchmark that is on disk."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytupli_registry.benchmarks.artifacts.codecs import codec_named
from pytupli_registry.benchmarks.artifacts.files import open_verified
from pytupli_registry.benchmarks.artifacts.spool import PROVIDER
from pytupli_registry.errors import ArtifactError, FormatError, PytupliError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytupli_registry.benchmarks.artifacts.codecs import FoundCodec
    from pytupli_registry.benchmarks.artifacts.files import FileStamp
    from pytupli_registry.benchmarks.specification import ArtifactEntry

__all__ = ["ArtifactReader"]

_MAX_READS = 1000  # of one benchmark: as many artifacts as it can list
_MAX_AGAIN = 1 << 28  # bytes of what is read once more; a name is short, and its value may be large
_DISTRIBUTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class ArtifactReader:
    """Reads artifacts by name; each is checked against its hash before anything looks into it.

    One that was checked is not hashed again while its file is the same and untouched, as the system tells.

    Args:
        directory: of the benchmark.
        entries: what ``benchmark.json`` lists.
        checked: what other readers of this benchmark have hashed, by SHA-256; this one adds to it.

    Attributes:
        directory: of the benchmark.
        hashes: SHA-256 of each file whose path was handed out, by path.
    """

    def __init__(
        self,
        directory: Path,
        entries: Mapping[str, ArtifactEntry],
        checked: dict[str, FileStamp] | None = None,
    ) -> None:
        self.directory = directory
        self.hashes: dict[Path, str] = {}
        self._entries = entries
        self._checked: dict[str, FileStamp] = {} if checked is None else checked
        self._reads: Counter[str] = Counter()
        self._again = 0

    def path(self, name: str) -> Path:
        """Return the path of an artifact's file.

        Raises:
            FormatError: there is none of that name, or its file is not what its entry says.
        """
        entry = self._entry(name)
        with open_verified(entry, self.directory, self._checked):
            return self._handed_out(entry)

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of an artifact, in hexadecimal, as its entry says.

        Raises:
            FormatError: there is none of that name.
        """
        return self._entry(name).sha256

    def read(self, name: str) -> Any:  # noqa: ANN401 - whatever was kept
        """Return the value of an artifact, made anew by each call.

        Raises:
            FormatError: there is none of that name, its file is not what its entry says, or it is named too often.
            ArtifactError: its codec, or what that needs, is not installed, or failed.
        """
        entry = self._entry(name)
        self._count(entry, name)
        details = dict(entry.details)
        provider = details.pop(PROVIDER, None)
        known = isinstance(provider, str) and _DISTRIBUTION.fullmatch(provider)
        found = codec_named(entry.codec, str(provider) if known else None)
        with open_verified(entry, self.directory, self._checked) as file:
            if entry.codec == "file":
                return found.codec.read(self._handed_out(entry), details)
            # A built-in codec reads the very file that was checked. Others may need its real name.
            opened = Path(f"/dev/fd/{file.fileno()}")
            if found.distribution is None and opened.exists():
                return _read_opened(found, opened, details, self.directory / entry.path)
            return _read(found, self._handed_out(entry), details, name)

    def _entry(self, name: str) -> ArtifactEntry:
        if name not in self._entries:
            raise FormatError(
                self.directory / "benchmark.json",
                f"there is no artifact {name!r:.100}",
                hint=did_you_mean(name, self._entries) or f"There are: {', '.join(self._entries) or 'none'}.",
            )
        return self._entries[name]

    def _count(self, entry: ArtifactEntry, name: str) -> None:
        """Count what is read, by content: several names of one file are no more than one of them."""
        into_memory = entry.codec != "file"  # of which only the path is told
        self._again += entry.size if into_memory and entry.sha256 in self._reads else 0
        self._reads[entry.sha256] += 1
        if self._reads.total() > _MAX_READS or self._again > _MAX_AGAIN:
            raise FormatError(
                self.directory / "benchmark.json", f"the artifact {name!r:.100} is named too often"
            )

    def _handed_out(self, entry: ArtifactEntry) -> Path:
        path = Path(os.path.abspath(self.directory / entry.path))  # noqa: PTH100 - resolve() would follow links
        self.hashes[path] = entry.sha256
        return path


def _read_opened(found: FoundCodec, opened: Path, details: dict[str, Any], path: Path) -> Any:  # noqa: ANN401
    try:
        return found.codec.read(opened, details)
    except FormatError as error:  # a descriptor's number says nothing to anybody
        raise FormatError(path, error.problem, where=error.where, hint=error.hint) from error


def _read(found: FoundCodec, path: Path, details: dict[str, Any], name: str) -> Any:  # noqa: ANN401
    try:
        return found.codec.read(path, details)
    except PytupliError:
        raise
    except Exception as error:  # foreign code, unless the codec is a built-in one
        if found.distribution is None:
            raise
        raise ArtifactError(
            f"The codec {found.codec.name!r} could not read the artifact {name!r:.100} "
            f"({type(error).__name__}: {error!s:.160})."
        ) from error
