"""The datasets on this machine, in Minari's own directory."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytupli_registry.config import ClientConfig
from pytupli_registry.dataset.dataset import Dataset
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.errors import (
    DatasetNotFound,
    FormatError,
    PytupliError,
    StaleIndex,
    UnsafeFile,
    WriteError,
)
from pytupli_registry.references import Reference
from pytupli_registry.storage.adoption import adopt, adopt_in_place
from pytupli_registry.storage.columns import FileIdentity, MappedColumns
from pytupli_registry.storage.commit import Unfinished, recover, unfinished
from pytupli_registry.storage.namespaces import NAMESPACE_NAME
from pytupli_registry.storage.stamps import Stamps
from pytupli_registry.storage.target import commit_lock
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME, METADATA_NAME, trusted_index
from pytupli_registry.storage.writer import DatasetWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import gymnasium
    import numpy as np

__all__ = ["LocalStore", "StoredDataset", "open_directory", "read_metadata"]

VIEWS_NAME = "views"
_OWN = frozenset({"data", VIEWS_NAME})
_MAX_DEPTH = 16
_MAX_METADATA = 1 << 28
_ATTEMPTS = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """A dataset in the store, as far as its ``metadata.json`` tells.

    Attributes:
        dataset_id: Minari's id, from its place in the store.
        directory: the directory with its files.
        metadata: what ``metadata.json`` says; None where it cannot be read.
        size: bytes of the data file.
        indexed: whether there is an index beside it.
        problem: why it cannot be opened, or None as far as one can tell without opening it.
    """

    dataset_id: str
    directory: Path
    metadata: DatasetMetadata | None
    size: int
    indexed: bool
    problem: str | None = None


class LocalStore:
    """Datasets below one directory, each ``<root>/<dataset id>/data``."""

    def __init__(self, root: Path, cache: Path) -> None:
        """Use a directory as store; it need not exist yet.

        Args:
            root: where the datasets are: Minari's own root, so that both see the same ones.
            cache: where verification stamps are kept.
        """
        self.root = root
        self.cache = cache

    @classmethod
    def from_environment(cls) -> LocalStore:
        """Return the store that the environment names, see :class:`~pytupli_registry.config.ClientConfig`."""
        config = ClientConfig.from_environment()
        return cls(config.datasets_path, config.cache_path)

    def open(self, dataset_id: str) -> Dataset:
        """Open a dataset.

        Raises:
            InvalidReference: the id is malformed.
            DatasetNotFound: there is no such dataset.
            FormatError: its files are damaged or unsafe.
        """
        return open_directory(self.data_path(dataset_id), self.cache)

    def data_path(self, dataset_id: str) -> Path:
        """Return the directory with the files of a dataset.

        Raises:
            InvalidReference: the id is malformed.
            DatasetNotFound: there is no such dataset.
            UnsafeFile: a symbolic link leads out of the store.
        """
        directory = self.directory_for(dataset_id)
        if not directory.is_dir():
            known = [found.dataset_id for found in self.list()]
            raise DatasetNotFound(dataset_id, str(self.root), known=known)
        return directory

    def directory_for(self, dataset_id: str) -> Path:
        """Return where the files of a dataset are or would be.

        Raises:
            InvalidReference: the id is malformed.
            UnsafeFile: a symbolic link leads out of the store.
        """
        reference = Reference.parse_dataset(dataset_id)
        directory = self.root / reference.dataset_id / "data"
        if not directory.resolve().is_relative_to(self.root.resolve()):
            raise UnsafeFile(directory, "a symbolic link leads out of the store")
        return directory

    def list(self) -> list[StoredDataset]:
        """Return every dataset by id; those that cannot be read say why."""
        return sorted(
            (_describe(self.root, path) for path in _find(self.root, 0)), key=lambda found: found.dataset_id
        )

    def writer(
        self,
        dataset_id: str,
        *,
        observation_space: gymnasium.Space[Any] | Mapping[str, Any],
        action_space: gymnasium.Space[Any] | Mapping[str, Any],
        env_spec: object | None = None,
        extra: Mapping[str, Any] | None = None,
        jpeg_encoding: bool = False,
        dtypes: Mapping[str, np.dtype[Any]] | None = None,
    ) -> DatasetWriter:
        """Start a new dataset, see :meth:`~pytupli_registry.storage.writer.DatasetWriter.create`."""
        return DatasetWriter.create(
            self.root,
            dataset_id,
            observation_space=observation_space,
            action_space=action_space,
            env_spec=env_spec,
            extra=extra,
            jpeg_encoding=jpeg_encoding,
            dtypes=dtypes,
            cache=self.cache,
        )

    def append(self, dataset_id: str) -> DatasetWriter:
        """Start adding episodes, see :meth:`~pytupli_registry.storage.writer.DatasetWriter.append_to`."""
        return DatasetWriter.append_to(self.root, dataset_id, cache=self.cache)

    def adopt(
        self,
        source_directory: Path,
        dataset_id: str | None = None,
        *,
        advance: Callable[[int], None] | None = None,
    ) -> Dataset:
        """Bring a Minari dataset into the store in our layout, see :mod:`pytupli_registry.storage.adoption`.

        A dataset that is in the store already, and keeps its id, is converted where it is.

        Args:
            source_directory: holds ``main_data.hdf5`` and ``metadata.json``, or has them in ``data``.
            dataset_id: id in this store; None keeps the one the dataset has.
            advance: called with 1 for each episode.

        Raises:
            InvalidReference: the id is malformed.
            FormatError: the source is damaged or unsafe.
            DatasetExists: there is another dataset of that id.
            EpisodeError: an episode breaks the T / T+1 rule.
            WriteError: the disk is full.
        """
        inner = source_directory / "data"
        source = inner if (inner / METADATA_NAME).is_file() else source_directory
        metadata = read_metadata(source)
        target = self.directory_for(dataset_id or metadata.dataset_id)
        name = Reference.parse_dataset(dataset_id or metadata.dataset_id).dataset_id
        if target.resolve() == source.resolve():
            adopt_in_place(source, metadata, self.root, self.cache, advance)
        else:
            adopt(source, metadata, self.root, name, self.cache, advance)
        return self.open(name)

    def delete(self, dataset_id: str) -> None:
        """Delete a dataset, and the namespaces that are empty without it.

        Raises:
            InvalidReference: the id is malformed.
            DatasetNotFound: there is no such dataset.
            WriteError: the directory cannot be changed.
        """
        files = self.directory_for(dataset_id)
        if not files.is_dir():
            raise DatasetNotFound(
                dataset_id, str(self.root), known=[found.dataset_id for found in self.list()]
            )
        Stamps(self.cache).forget(files / DATA_NAME)
        home = files.parent
        # Only this one's files, should other datasets lie below: nobody asked for those to go.
        others = any(child.is_dir() and child.name not in _OWN for child in home.iterdir())
        doomed = files if others else home
        # Hidden first: a dataset that is half gone must not be found by anyone.
        trash = home.with_name(f".{home.name}.deleted.{os.getpid()}")
        try:
            with commit_lock(self.root):
                doomed.rename(trash)
                shutil.rmtree(trash)
                shutil.rmtree(home / VIEWS_NAME, ignore_errors=True)
                self._drop_empty(home.parent)
        except OSError as error:
            raise WriteError(f"{dataset_id!r} cannot be deleted: {error}.") from error

    def unfinished(self) -> Sequence[Unfinished]:
        """Return the spools of writers that did not finish."""
        return unfinished(self.root)

    def recover(self, spool: Path, dataset_id: str | None = None) -> Path:
        """Make a dataset of a spool, see :func:`~pytupli_registry.storage.commit.recover`."""
        return recover(spool, self.cache, dataset_id)

    def _drop_empty(self, namespace: Path) -> None:
        """Remove namespace directories that hold nothing but Minari's description of them."""
        while namespace != self.root and namespace.is_relative_to(self.root):
            if {found.name for found in namespace.iterdir()} - {NAMESPACE_NAME}:
                return
            (namespace / NAMESPACE_NAME).unlink(missing_ok=True)
            namespace.rmdir()
            namespace = namespace.parent


def open_directory(directory: Path, cache: Path | None = None) -> Dataset:
    """Open the dataset whose files are in a directory.

    Args:
        directory: holds ``main_data.hdf5``, ``metadata.json`` and perhaps ``episodes.parquet``.
        cache: where verification stamps are kept; None asks the environment.

    Raises:
        FormatError: a file is missing, damaged or unsafe.
    """
    stamps = Stamps(ClientConfig.from_environment().cache_path if cache is None else cache)
    for _ in range(_ATTEMPTS):
        try:
            return _open(directory, stamps)
        except (
            StaleIndex
        ) as stale:  # a writer has replaced the data between the look at its index and the map
            problem = stale
    raise problem


def _open(directory: Path, stamps: Stamps) -> Dataset:
    metadata = read_metadata(directory)
    data_path = directory / DATA_NAME
    identity = _identity(data_path)
    index = trusted_index(directory, metadata, stamps)
    table = index.table
    # A process that died between replacing two files leaves old counts: the data itself is right.
    metadata = metadata.with_counts(len(table), table.step_count)
    columns = MappedColumns(data_path, index.leaves, table.lengths, identity)
    if any(leaf.encoding == "jpeg" for leaf in columns.leaves.values()):
        _log.warning("the images of %s were stored as JPEG, which changed their values", metadata.dataset_id)
    return Dataset.over(metadata, table, columns, str(directory))


def _identity(data_path: Path) -> FileIdentity:
    try:
        return FileIdentity.of(data_path)
    except OSError as error:
        raise FormatError(data_path, f"it cannot be read ({error.strerror})") from error


def read_metadata(directory: Path) -> DatasetMetadata:
    """Read the ``metadata.json`` of a directory.

    Raises:
        FormatError: it is missing, malformed, or no regular file.
    """
    path = directory / METADATA_NAME
    try:
        if FileIdentity.of(path).size > _MAX_METADATA:
            raise FormatError(path, f"it is larger than {_MAX_METADATA} bytes")
        return DatasetMetadata.from_json(path.read_bytes(), path=str(path))
    except OSError as error:
        raise FormatError(path, f"it cannot be read ({error.strerror})") from error


def _find(directory: Path, depth: int) -> Iterator[Path]:
    """Yield the data directories below a directory, as Minari finds them: hidden ones are not looked at."""
    if depth > _MAX_DEPTH or not directory.is_dir():
        return
    if depth and (directory / "data").exists():
        yield directory / "data"
        return
    try:
        children = sorted(directory.iterdir())
    except PermissionError:  # somebody else's directory: Minari would stop here, we can do without it
        return
    for child in children:
        if child.is_dir() and not child.name.startswith(".") and not child.is_symlink():
            yield from _find(child, depth + 1)


def _describe(root: Path, directory: Path) -> StoredDataset:
    dataset_id = directory.parent.relative_to(root).as_posix()
    data_path = directory / DATA_NAME
    size = data_path.stat().st_size if data_path.is_file() else 0
    indexed = (directory / INDEX_NAME).is_file()
    problem: str | None = None
    try:
        metadata = read_metadata(directory)
        Reference.parse_dataset(dataset_id)
    except PytupliError as error:
        return StoredDataset(dataset_id, directory, None, size, indexed, str(error))
    if metadata.dataset_id != dataset_id:
        problem = f"It calls itself {metadata.dataset_id!r}."
    elif not size:
        problem = f"There is no {DATA_NAME}."
    return StoredDataset(dataset_id, directory, metadata, size, indexed, problem)
