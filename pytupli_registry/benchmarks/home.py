"""Where benchmarks lie: a directory each, and by name below the root of the local store."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytupli_registry.benchmarks.reading import FILE_NAME
from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import (
    BenchmarkNotFound,
    FileNotInRepository,
    HubUnreachable,
    InvalidReference,
    NotCached,
    RepositoryNotFound,
)
from pytupli_registry.references import Reference
from pytupli_registry.remote.repository_copy import RepositoryCopy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytupli_registry.hub.snapshots import Snapshot

__all__ = ["benchmark_in", "find_benchmark", "local_benchmarks", "local_directory", "remote_benchmark"]

_MAX_DEPTH = 4
_REPO_SEGMENTS = 2
_PROJECT = "benchmarks"
_KIND = "benchmark's name"
# Minari takes no namespace of one letter, and `data` is where it keeps a dataset's files.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{1,95}")


def find_benchmark(reference: str | os.PathLike[str]) -> Path:
    """Return the directory of a benchmark.

    A path, or a text that begins with ``.``, ``~`` or the root, is that directory. A name such as ``hvac`` or
    ``acme/hvac`` is looked for in the local store, then as a directory, then in ``benchmarks/`` of the directory one
    works in.

    Raises:
        BenchmarkNotFound: there is none.
        InvalidReference: it names a dataset, a revision or the Hub.
    """
    if not isinstance(reference, str) or reference.startswith((".", "~", os.sep)):
        directory = _expanded(Path(reference))
        if _holds_benchmark(directory):
            return directory
        hint = f"A benchmark's directory holds a {FILE_NAME}."
        if directory.name == FILE_NAME and directory.is_file():
            hint = f"Give the directory that it is in: {directory.parent}."
        raise BenchmarkNotFound(str(reference), f"{directory.parent.absolute()}", hint=hint)
    return _find_named(reference)


def remote_benchmark(reference: str | os.PathLike[str]) -> RepositoryCopy | None:
    """Return the repository on a Hub that a reference means, with its ``benchmark.json``; None where it means none.

    ``hf://acme/hvac`` and ``acme/hvac@v1`` lie on a Hub; ``acme/hvac`` does unless a benchmark of this name is here.

    Raises:
        BenchmarkNotFound: the repository holds no benchmark; or nobody said that it is on a Hub, and it is neither here
            nor there.
        RepositoryNotFound, RevisionNotFound: it is not there, or may not be read.
        HubError: the Hub refuses, or cannot be reached.
    """
    if not isinstance(reference, str) or reference.startswith((".", "~", os.sep)):
        return None
    parsed = Reference.parse(reference.rstrip("/"))
    told = parsed.scheme == "hf" or parsed.revision is not None
    names_a_repo = len(parsed.namespace) == _REPO_SEGMENTS and parsed.dataset is None
    if not told and (parsed.scheme == "local" or not names_a_repo or _place_of(parsed.namespace)):
        return None
    if parsed.dataset is not None or not names_a_repo:
        hint = "As in 'acme/hvac'."
        if parsed.revision is not None and parsed.dataset is None:
            hint = "As in 'acme/hvac@v1'; a '/' in a revision is written %2F, as in 'acme/hvac@feature%2Fx'."
        raise InvalidReference(reference, "it names no benchmark on a Hub", kind=_KIND, hint=hint)
    from pytupli_registry.hub.snapshots import Hub  # noqa: PLC0415 - what is here must not cost the Hub's client

    hub = Hub()
    try:
        snapshot = hub.snapshot(parsed.repo, parsed.revision)
    except (RepositoryNotFound, HubUnreachable) as error:
        if told or isinstance(error, NotCached):
            raise
        here = ClientConfig.from_environment().datasets_path
        where = f"{here}, nor on {hub.endpoint}: {error.message.rstrip('.')}"
        raise BenchmarkNotFound(reference, where, known=local_benchmarks()) from error
    found = benchmark_in(snapshot)
    if found is None:
        where = f"{snapshot.repo} on {snapshot.hub.endpoint}"
        raise BenchmarkNotFound(reference, where, hint=f"It has no {FILE_NAME}.")
    return found


def benchmark_in(snapshot: Snapshot) -> RepositoryCopy | None:
    """Return a repository whose ``benchmark.json`` was brought here; None where it has none.

    Raises:
        HubError: the Hub refuses, or cannot be reached.
    """
    copy = RepositoryCopy(snapshot)
    try:
        copy.file(FILE_NAME)
    except FileNotInRepository:
        return None
    return copy


def local_directory(name: str) -> Path:
    """Return where the benchmark of a name lies, or would lie, in the local store.

    Raises:
        InvalidReference: the name cannot be that of a Minari namespace.
    """
    if not _NAME.fullmatch(name) or name == "data":
        raise InvalidReference(
            name,
            "it could not be a folder's and a Minari namespace's",
            kind=_KIND,
            hint="Use two or more letters, digits, '-' and '_', and not 'data'.",
        )
    return ClientConfig.from_environment().datasets_path / name


def local_benchmarks() -> dict[str, Path]:
    """Return the directories of the benchmarks in the local store, by name."""
    root = ClientConfig.from_environment().datasets_path
    return {found.relative_to(root).as_posix(): found for found in sorted(_below(root, 0))}


def _find_named(text: str) -> Path:
    segments = _segments(text)
    found = _place_of(segments)
    if found is not None:
        return found
    root = ClientConfig.from_environment().datasets_path
    raise BenchmarkNotFound(
        text, f"{root}, ./{'/'.join(segments)} or ./{_PROJECT}/{'/'.join(segments)}", known=local_benchmarks()
    )


def _place_of(segments: tuple[str, ...]) -> Path | None:
    root = ClientConfig.from_environment().datasets_path
    places = (root.joinpath(*segments), Path(*segments), Path(_PROJECT, *segments))
    return next((place for place in places if _holds_benchmark(place)), None)


def _segments(text: str) -> tuple[str, ...]:
    reference = Reference.parse(text.rstrip("/"))
    if reference.scheme == "hf" or reference.revision is not None or reference.dataset is not None:
        what = "a dataset" if reference.dataset is not None else "the Hub, where this is not done"
        raise InvalidReference(
            text, f"it names {what}", kind=_KIND, hint="Give a benchmark's name or directory."
        )
    return reference.namespace


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # nobody of that name has a home
        return path


def _holds_benchmark(directory: Path) -> bool:
    try:
        return (directory / FILE_NAME).is_file()
    except OSError:  # a name that is too long, or somebody else's directory
        return False


def _below(directory: Path, depth: int) -> Iterator[Path]:
    if depth and _holds_benchmark(directory):
        yield directory
    try:
        if depth >= _MAX_DEPTH or (directory / "data").exists():
            return
        children = [child for child in directory.iterdir() if child.is_dir() and not child.is_symlink()]
    except OSError:  # no store yet, or somebody else's directory
        return
    for child in children:
        if not child.name.startswith(".") and child.name != "artifacts":
            yield from _below(child, depth + 1)
