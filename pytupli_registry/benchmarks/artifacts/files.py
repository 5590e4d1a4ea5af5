"""Artifacts in a benchmark's directory: stored whole or not at all, and checked before anything reads them."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pytupli_registry.benchmarks.artifacts.paths import CHUNK, open_regular
from pytupli_registry.errors import ArtifactError, FormatError, UnsafeFile
from pytupli_registry.storage.durable import make_directories, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader, BufferedWriter

    from pytupli_registry.benchmarks.specification import ArtifactEntry

__all__ = ["FileStamp", "open_verified", "store_artifact", "verified_path"]

# Which file it is, its size, and when it was last written to or changed in any way (nobody can set the latter back).
FileStamp: TypeAlias = tuple[int, int, int, int, int]

_AGAIN = "Fetch or copy the benchmark again."


def store_artifact(source: Path, entry: ArtifactEntry, directory: Path) -> bool:
    """Copy an artifact into a benchmark's directory in one step that survives a crash.

    Returns whether it was written; False where the same content is there already.

    Raises:
        ArtifactError: the source is not (or no longer) what the entry says, or the directory cannot be written.
        UnsafeFile: a link is in the way.
    """
    target = directory / entry.path
    if _is_there(entry, directory):
        return False
    missing = [path for path in (target.parent, target.parent.parent) if not path.exists()]
    try:
        make_directories(target.parent)
        _refuse_links(entry, directory)
        with open_regular(source) as file:
            return _store(file, entry, target)
    except OSError as error:
        _remove_empty(missing)
        raise ArtifactError(f"The artifact {target} could not be written ({error!s:.160}).") from error
    except BaseException:
        _remove_empty(missing)
        raise


def verified_path(entry: ArtifactEntry, directory: Path) -> Path:
    """Return the path of an artifact that is what its entry says.

    Raises:
        FormatError: it is missing, of another size or another hash.
        UnsafeFile: it, or a directory on the way to it, is a link or no regular file.
    """
    with open_verified(entry, directory):
        return directory / entry.path


@contextmanager
def open_verified(
    entry: ArtifactEntry, directory: Path, checked: dict[str, FileStamp] | None = None
) -> Iterator[BufferedReader]:
    """Open an artifact once, check it, and give the open file: what was checked is what is read.

    Args:
        entry: what ``benchmark.json`` says of it.
        directory: of the benchmark.
        checked: the files that were hashed before, by SHA-256, which need not be again; what is hashed is added.

    Raises:
        FormatError: as :func:`verified_path`.
        UnsafeFile: likewise.
    """
    descriptor = _open_without_links(entry, directory)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnsafeFile(directory / entry.path, "the artifact is no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            stamp = _stamp(file)
            if checked is None or checked.get(entry.sha256) != stamp:
                _verify(file, entry, directory / entry.path)
            if checked is not None:
                checked[entry.sha256] = stamp
            yield file
    finally:
        os.close(descriptor)


def _stamp(file: BufferedReader) -> FileStamp:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _verify(file: BufferedReader, entry: ArtifactEntry, path: Path) -> None:
    size = os.fstat(file.fileno()).st_size
    if size != entry.size:
        raise FormatError(path, f"the artifact is of {size} bytes instead of {entry.size}", hint=_AGAIN)
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != entry.sha256:
        raise FormatError(
            path, f"the artifact's SHA-256 is {sha256}, expected was {entry.sha256}", hint=_AGAIN
        )
    file.seek(0)


def _open_without_links(entry: ArtifactEntry, directory: Path) -> int:
    """Open step by step, each name within the directory that was opened before it."""
    path = directory / entry.path
    *above, name = Path(entry.path).parts
    with ExitStack() as opened:
        try:
            at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, at)
            for part in above:
                at = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                opened.callback(os.close, at)
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
        except FileNotFoundError as error:
            raise FormatError(path, "the artifact is missing", hint=_AGAIN) from error
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}:
                raise UnsafeFile(
                    path, "a link or a file is where a directory or the artifact belongs"
                ) from error
            raise FormatError(path, f"the artifact cannot be opened ({error!s:.120})") from error


def _is_there(entry: ArtifactEntry, directory: Path) -> bool:
    try:
        verified_path(entry, directory)
    except UnsafeFile:
        raise
    except FormatError:
        return False
    return True


def _refuse_links(entry: ArtifactEntry, directory: Path) -> None:
    for path in ((directory / entry.path).parent, (directory / entry.path).parent.parent):
        if path.is_symlink():
            raise UnsafeFile(path, "it is a link, nothing is stored behind it")


def _store(source: BufferedReader, entry: ArtifactEntry, target: Path) -> bool:
    with _partial_file(target) as partial:
        faster = target.is_file() and not target.is_symlink() and _same_content(target, entry)
        try:
            if not faster:
                _copy(source, partial, entry, target)
        except BaseException:
            _partial_path(target).unlink(missing_ok=True)
            raise
        if faster:  # another process stored it while this one waited
            _partial_path(target).unlink()
            return False
        _partial_path(target).replace(target)
    sync(target.parent)
    return True


def _copy(source: BufferedReader, partial: BufferedWriter, entry: ArtifactEntry, target: Path) -> None:
    found, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if size > entry.size:
            break
        found.update(chunk)
        partial.write(chunk)
    if size != entry.size or found.hexdigest() != entry.sha256:
        raise ArtifactError(
            f"What became the artifact {target.name!r} has changed since.",
            hint="Make the benchmark from the environment again.",
        )
    partial.flush()
    os.fsync(partial.fileno())


@contextmanager
def _partial_file(target: Path) -> Iterator[BufferedWriter]:
    """Open the file that the artifact is written to first, alone: what a killed process left is written over."""
    path = _partial_path(target)
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o644), "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_same(file, path):
                continue  # the one who held the lock has moved or removed it
            if not _is_own(os.fstat(file.fileno())):
                path.unlink()
                continue
            file.truncate(0)
            yield file
            return


def _partial_path(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _is_same(file: BufferedWriter, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _is_own(found: os.stat_result) -> bool:
    """Whether writing into it touches nothing else: no pipe, and no second name of another file."""
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def _same_content(path: Path, entry: ArtifactEntry) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256


def _remove_empty(directories: list[Path]) -> None:
    for path in directories:
        try:
            path.rmdir()
        except OSError:
            return  # somebody else put something there
