"""A published dataset, brought to a place where it can be added to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytupli_registry.config import ClientConfig
from pytupli_registry.errors import DatasetNotFound, FormatError, WriteError
from pytupli_registry.publishing.repository import data_files
from pytupli_registry.remote.opening import whole_file
from pytupli_registry.storage.index import read_index
from pytupli_registry.storage.trust import DATA_NAME, METADATA_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from pytupli_registry.publishing.repository import Repository
    from pytupli_registry.storage.records import Index

__all__ = ["bring", "check_there", "published_index"]

_LARGEST_METADATA = 1 << 26
_LARGEST_INDEX = 1 << 32


def check_there(repository: Repository, path: str) -> None:
    """Check that a repository has a dataset.

    Raises:
        DatasetNotFound: it has none of that name, or there is no such repository.
    """
    data, metadata, _ = data_files(path)
    if len(repository.look([data, metadata])) < 2:
        raise DatasetNotFound(
            f"{repository.repo}/{path}",
            "the Hub",
            known=[f"{repository.repo}/{name}" for name in repository.datasets],
            hint=f"`pytupli publish` puts a new one there; {repository.repo} has: "
            f"{', '.join(repository.datasets) or 'none'}.",
        )


def published_index(repository: Repository, path: str) -> Index | None:
    """Return the index of a published dataset, or None where there is none that describes its data file."""
    data, _, index = data_files(path)
    there = repository.look([data, index])
    if repository.snapshot is None or len(there) < 2:
        return None
    try:
        place = repository.snapshot.local(index, _LARGEST_INDEX)
        found = None if place is None else read_index(place)
    except FormatError:
        return None
    described = found is not None and (found.data_size, found.data_sha256) == (
        there[data].size,
        there[data].sha256,
    )
    return found if described else None


def bring(repository: Repository, path: str, root: Path, *, bar: bool = False) -> Path:
    """Bring the data and the metadata of a published dataset below a directory; return where the files are.

    Args:
        repository: has it.
        path: of the dataset in it.
        root: the directory.
        bar: show a progress bar on stderr.

    Raises:
        DatasetNotFound: there is no such dataset.
        HubError: the Hub refuses, or cannot be reached.
        WriteError: there is no room.
    """
    check_there(repository, path)
    assert repository.snapshot is not None  # noqa: S101 - it was just looked into
    data, metadata, _ = data_files(path)
    directory = root / repository.name / path / "data"
    local = (
        ClientConfig.from_environment().datasets_path / repository.name / data
    )  # if it was published from here
    index = published_index(repository, path)
    source = whole_file(repository.snapshot, data, index, relative=local, bar=bar)
    content = repository.snapshot.read(metadata, _LARGEST_METADATA)
    try:
        directory.mkdir(parents=True)
        # What is appended to is copied first, and what is indexed is only read. A hard link would not do: it changes
        # the time stamp by which others, who have the file of the cache open, know that it is still the same.
        (directory / DATA_NAME).symlink_to(source)
        (directory / METADATA_NAME).write_bytes(content)
    except OSError as error:
        raise WriteError(f"{path} cannot be made ready in {root}: {error.strerror or error}.") from error
    return directory
