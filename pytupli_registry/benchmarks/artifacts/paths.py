"""Files that an argument names: ``pathlib.Path``, or a text that is the path of an existing file."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path, PosixPath, WindowsPath
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from pytupli_registry.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedReader

__all__ = ["FileCodec", "file_name_of", "hash_file", "names_file", "open_regular"]

CHUNK: Final = 1 << 20
_MAX_PATH = 4096


class FileCodec:
    """Keeps a file as it is; it comes back as the path of the stored copy."""

    name = "file"
    suffix = ""

    def accepts(self, value: object, /) -> bool:
        """Accept a path, and a text that names an existing file."""
        return type(value) in {PosixPath, WindowsPath} or (type(value) is str and names_file(value))

    def write(self, value: Path | str, file: BinaryIO, /) -> dict[str, Any]:
        """Copy the file, a piece at a time."""
        with open_regular(Path(value)) as source:
            shutil.copyfileobj(source, file, CHUNK)
        return self.details(value)

    def details(self, value: Path | str) -> dict[str, Any]:
        """Say whether a path or a text named the file."""
        return {"type": "text"} if type(value) is str else {"type": "path"}

    def read(self, path: Path, details: Mapping[str, Any], /) -> Path | str:
        """Return the path of the stored copy, as what named the file."""
        return str(path) if details.get("type") == "text" else path


def names_file(text: str) -> bool:
    """Whether a text is meant as a path: it has a separator or a suffix, and a file exists there.

    A directory that a separator tells counts, too: it is refused as its ``pathlib.Path`` is, and not kept as a text that
    means nothing on another machine.
    """
    if not 0 < len(text) <= _MAX_PATH or "\0" in text:
        return False
    path, separated = Path(text), any(separator in text for separator in {"/", os.sep})
    if not path.suffix and not separated:
        return False
    try:
        return path.is_file() or (separated and bool(path.name) and path.is_dir())
    except (OSError, ValueError):  # a name too long, or characters that no file name has
        return False


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file for reading; what it is gets checked on what was opened, and nothing can block.

    Raises:
        ArtifactError: there is none, it cannot be read, or it is a directory, a device or a pipe.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError as error:
        hint = None if path.is_absolute() else f"Relative paths begin at {Path.cwd()}."
        raise ArtifactError(f"There is no file {str(path)!r:.300}.", hint=hint) from error
    except (OSError, ValueError) as error:
        raise ArtifactError(f"The file {str(path)!r:.300} cannot be opened ({error!s:.160}).") from error
    try:
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            what = "a directory" if stat.S_ISDIR(kind) else "no regular file"
            raise ArtifactError(
                f"{str(path)!r:.300} is {what}, which cannot be kept.",
                hint="Pass each file that is needed, or an archive of them.",
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def hash_file(path: Path) -> tuple[str, int]:
    """Return the SHA-256 and the size of a regular file, read a piece at a time.

    Raises:
        ArtifactError: as :func:`open_regular`, or reading fails.
    """
    with open_regular(path) as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
        except OSError as error:
            raise ArtifactError(f"The file {str(path)!r:.300} cannot be read ({error!s:.160}).") from error


def file_name_of(name: str, fallback: str) -> str:
    """Return a name that every system and ``benchmark.json`` take, with the suffix of the given one."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip(".-")
    stem, dot, suffix = safe.rpartition(".")
    if not dot:
        stem, suffix = safe, ""
    return f"{stem[:80].strip('.-') or fallback}{dot}{suffix[:40]}"
