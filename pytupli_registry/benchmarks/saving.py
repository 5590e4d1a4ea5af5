"""Writes a benchmark's directory: artifacts first, ``benchmark.json`` last, so that readers see the old or the new."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from pytupli_registry.benchmarks.artifacts.files import store_artifact
from pytupli_registry.benchmarks.datasets import dataset_names
from pytupli_registry.benchmarks.identity import identity_of
from pytupli_registry.benchmarks.reading import FILE_NAME, read_specification, specification_to_json
from pytupli_registry.errors import BenchmarkExists, WriteError
from pytupli_registry.storage.durable import hold_lock, make_directories, write_durably
from pytupli_registry.storage.namespaces import NAMESPACE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from pytupli_registry.benchmarks.specification import ArtifactEntry, BenchmarkSpecification

__all__ = ["ARTIFACTS", "delete_benchmark", "save_benchmark"]

ARTIFACTS = "artifacts"
_LOCK = ".benchmark.lock"
_CARD = "README.md"
_DIGITS = re.compile("[0-9a-f]{16}")  # an artifact's directory, see ArtifactEntry.path


def save_benchmark(
    specification: BenchmarkSpecification,
    locate: Callable[[ArtifactEntry], Path],
    directory: Path,
    *,
    replace: bool = False,
) -> None:
    """Write a benchmark into a directory, in place of an earlier version of the same one.

    Args:
        specification: what ``benchmark.json`` will say.
        locate: tells where the content of an artifact is now.
        directory: made where it is missing; datasets in it stay.
        replace: whether a benchmark of another identity may be replaced.

    Raises:
        BenchmarkExists: another benchmark is there already.
        ArtifactError: the content of an artifact has changed since it was captured.
        WriteError: the directory cannot be written; what was there stays.
    """
    try:
        make_directories(directory)
        with hold_lock(directory / _LOCK, wait=True):
            _check_target(specification, directory, replace=replace)
            for entry in specification.artifacts.values():
                store_artifact(locate(entry), entry, directory)
            if not (directory / NAMESPACE_NAME).exists():
                write_durably(directory / NAMESPACE_NAME, "{}")
            write_durably(directory / FILE_NAME, specification_to_json(specification))
            _drop_artifacts(directory, {entry.sha256[:16] for entry in specification.artifacts.values()})
    except OSError as error:
        raise WriteError(
            f"The benchmark cannot be written to {directory}: {error.strerror or error}.",
            hint="What was there before is unchanged.",
        ) from error


def delete_benchmark(directory: Path, *, datasets: bool = False) -> None:
    """Delete a benchmark; its datasets go with it only if that is asked for.

    Raises:
        FormatError: there is no readable ``benchmark.json``, so that this is no benchmark's directory.
        WriteError: the directory cannot be changed.
    """
    read_specification(directory)
    try:
        with hold_lock(directory / _LOCK, wait=True):
            # The file that makes it a benchmark goes first: half a benchmark must not be found by anyone.
            (directory / FILE_NAME).unlink()
            _drop_artifacts(directory, keep=())
            if datasets:
                _remove(directory / _CARD)
                for name in dataset_names(directory):
                    _remove(directory / name)
        (directory / _LOCK).unlink()
        if {child.name for child in directory.iterdir()} <= {NAMESPACE_NAME}:
            _remove(directory)
    except OSError as error:
        raise WriteError(
            f"The benchmark in {directory} cannot be deleted: {error.strerror or error}."
        ) from error


def _check_target(specification: BenchmarkSpecification, directory: Path, *, replace: bool) -> None:
    if replace or not (directory / FILE_NAME).exists():
        return
    if identity_of(read_specification(directory)) != identity_of(specification):
        raise BenchmarkExists(str(directory))


def _drop_artifacts(directory: Path, keep: Collection[str]) -> None:
    """Remove artifacts; what else somebody has in a directory of that name is not ours."""
    home = directory / ARTIFACTS
    if home.is_symlink() or not home.is_dir():
        return
    for child in list(home.iterdir()):
        if child.name not in keep and _DIGITS.fullmatch(child.name):
            _remove(child)
    if not any(home.iterdir()):
        home.rmdir()


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
