"""Opens a dataset that lies on a Hub: metadata and index come now, numbers when they are read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pytupli_registry.config import ClientConfig
from pytupli_registry.dataset.dataset import Dataset
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.dataset.origin import Origin
from pytupli_registry.errors import ChecksumError, DatasetNotFound, FormatError, PytupliError
from pytupli_registry.hub.progress import progress_bar
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.hub.whole_files import find_whole
from pytupli_registry.remote.columns import RemoteColumns
from pytupli_registry.remote.fetching import Fetcher
from pytupli_registry.storage.columns import MappedColumns
from pytupli_registry.storage.index import read_index
from pytupli_registry.storage.mirrors import Mirrors
from pytupli_registry.storage.stamps import Stamps, sha256_of
from pytupli_registry.storage.trust import DATA_NAME, INDEX_NAME, METADATA_NAME, fits, index_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytupli_registry.dataset.columns import Columns
    from pytupli_registry.hub.remembered import RemoteFile
    from pytupli_registry.hub.snapshots import Snapshot
    from pytupli_registry.references import Reference
    from pytupli_registry.storage.mirror import Mirror
    from pytupli_registry.storage.records import Index

__all__ = ["open_at", "open_dataset", "whole_file"]

_MAX_METADATA = 1 << 28
_MAX_INDEX = 1 << 32

_log = logging.getLogger(__name__)


def open_dataset(
    reference: Reference, hub: Hub | None = None, *, advance: Callable[[int], None] | None = None
) -> Dataset:
    """Open a dataset of a Hub at the commit that its revision is now.

    Args:
        reference: names the dataset.
        hub: None takes the one that is meant.
        advance: called with the bytes that come, now and later.

    Raises:
        InvalidReference: it names no dataset in a repository.
        DatasetNotFound: the repository has no such dataset.
        RepositoryNotFound, RevisionNotFound: there is no such repository or revision, or none that one may read.
        NotCached: offline, and something is not on this machine.
        HubError: the Hub refuses, or cannot be reached.
        FormatError: a file does not hold what it should.
    """
    snapshot = (hub or Hub()).snapshot(reference.repo, reference.revision)
    return open_at(snapshot, reference.path_in_repo, advance=advance)


def open_at(
    snapshot: Snapshot, path_in_repo: str, *, advance: Callable[[int], None] | None = None
) -> Dataset:
    """Open a dataset of a repository at a commit, see :func:`open_dataset`.

    Args:
        snapshot: the repository.
        path_in_repo: where the dataset lies in it, ``summer-v0``.
        advance: called with the bytes that come.
    """
    files = _files(snapshot, path_in_repo)
    metadata = DatasetMetadata.from_json(
        snapshot.read(files[METADATA_NAME].path, _MAX_METADATA), path=files[METADATA_NAME].path
    )
    index = _index(snapshot, files, metadata)
    if index is not None and not _describes(index, files[DATA_NAME]):
        files = _files_again(snapshot, path_in_repo, files)
        index = index if _describes(index, files[DATA_NAME]) else None
    found: tuple[Index, Columns]
    if index is None:
        found = _open_whole(snapshot, files[DATA_NAME], metadata, advance)
    else:
        found = index, _ranged(snapshot, files[DATA_NAME], metadata, index, advance)
    index, columns = found
    if any(leaf.encoding == "jpeg" for leaf in columns.leaves.values()):
        _log.warning("the images of %s were stored as JPEG, which changed their values", metadata.dataset_id)
    origin = Origin(
        snapshot.hub.endpoint,
        snapshot.repo,
        path_in_repo,
        snapshot.revision,
        snapshot.commit,
        index.data_sha256,
    )
    _log.info("loading %s", origin)
    metadata = metadata.with_counts(len(index.table), index.table.step_count)
    return Dataset.over(metadata, index.table, columns, str(origin), origin)


def _files(snapshot: Snapshot, path_in_repo: str) -> dict[str, RemoteFile]:
    """Return the files of a dataset by name."""
    names = (DATA_NAME, METADATA_NAME, INDEX_NAME)
    found = snapshot.look(f"{path_in_repo}/data/{name}" for name in names)
    files = {path.rsplit("/", 1)[1]: file for path, file in found.items()}
    if DATA_NAME not in files or METADATA_NAME not in files:
        where = f"{snapshot.repo} at {snapshot.commit:.12} ({snapshot.hub.endpoint})"
        raise DatasetNotFound(path_in_repo, where, hint="`pytupli search` shows what there is.")
    return files


def _index(snapshot: Snapshot, files: dict[str, RemoteFile], metadata: DatasetMetadata) -> Index | None:
    """Return the index of the repository; None where there is none, or none that can be used."""
    if INDEX_NAME not in files or files[DATA_NAME].sha256 is None:
        return None
    path = files[INDEX_NAME].path
    place = snapshot.local(path, _MAX_INDEX)
    try:
        index = None if place is None else read_index(place)
    except FormatError as error:
        _log.warning("%s of %s is no index and is not used: %s", path, snapshot.repo, error)
        return None
    return index if index is not None and fits(index, metadata) else None


def _describes(index: Index, data: RemoteFile) -> bool:
    return (index.data_size, index.data_sha256) == (data.size, data.sha256)


def _files_again(
    snapshot: Snapshot, path_in_repo: str, files: dict[str, RemoteFile]
) -> dict[str, RemoteFile]:
    """Ask again for what the Hub has said about the files: it does not fit to the index."""
    if snapshot.hub.is_offline:
        return files
    try:
        snapshot.asked_again(files[DATA_NAME])
    except ChecksumError:  # it says the same: the index is another file's
        _log.warning(
            "the index of %s in %s describes another data file and is not used", path_in_repo, snapshot.repo
        )
    return _files(snapshot, path_in_repo)


def _mirror(snapshot: Snapshot, file: RemoteFile) -> Mirror:
    """Open the mirror of a data file; a whole one where ``huggingface_hub`` has the file, and it is right."""
    config, sha256 = ClientConfig.from_environment(), file.sha256 or ""
    mirrors = Mirrors(config.cache_path)
    mirror = mirrors.open(sha256, file.size)
    mirror.describe(
        {
            "endpoint": snapshot.hub.endpoint,
            "repo": snapshot.repo,
            "path": file.path,
            "commit": snapshot.commit,
        }
    )
    if not mirror.is_whole and (known := find_whole(snapshot, file)) is not None:
        if sha256_of(known) == sha256:
            mirror.keep_whole(known)
            mirror = mirrors.open(sha256, file.size)
        else:
            _log.warning("%s is damaged and is not used", known)
    if config.cache_size is not None:
        mirrors.prune(to=config.cache_size)
    return mirror


def _fetcher(
    snapshot: Snapshot,
    file: RemoteFile,
    index: Index | None,
    advance: Callable[[int], None] | None,
    relative: Path | None = None,
) -> Fetcher:
    return Fetcher(snapshot, snapshot.bytes_of(file.path), _mirror(snapshot, file), index, advance, relative)


def _ranged(
    snapshot: Snapshot,
    file: RemoteFile,
    metadata: DatasetMetadata,
    index: Index,
    advance: Callable[[int], None] | None = None,
) -> RemoteColumns:
    fetcher = _fetcher(snapshot, file, index, advance)
    again = snapshot.hub.endpoint, snapshot.repo, snapshot.commit, file.path.rsplit("/", 2)[0]
    cache = ClientConfig.from_environment().cache_path
    return RemoteColumns(index, metadata, fetcher, (_reopened, again), cache)


def _reopened(endpoint: str, repo: str, commit: str, path_in_repo: str) -> RemoteColumns:
    """Open the columns in another process, with the token that it finds itself: none travels in a pickle."""
    columns = open_at(Hub(endpoint).snapshot(repo, commit), path_in_repo).reader
    if not isinstance(columns, RemoteColumns):
        raise PytupliError(f"{path_in_repo} of {repo} is not what it was.")
    return columns


def _open_whole(
    snapshot: Snapshot,
    file: RemoteFile,
    metadata: DatasetMetadata,
    advance: Callable[[int], None] | None,
) -> tuple[Index, Columns]:
    """Bring the whole file here and index it, as what stock Minari has uploaded."""
    path = whole_file(snapshot, file.path, advance=advance)
    index = index_of(path, metadata, Stamps(ClientConfig.from_environment().cache_path))
    return index, MappedColumns(path, index.leaves, index.table.lengths)


def whole_file(
    snapshot: Snapshot,
    path: str,
    index: Index | None = None,
    *,
    relative: Path | None = None,
    advance: Callable[[int], None] | None = None,
    bar: bool = False,
) -> Path:
    """Bring a data file here as a whole, checked; what earlier versions of it have does not travel.

    Args:
        snapshot: the repository.
        path: of the file in it.
        index: of the file; without it, all of it travels.
        relative: a file of this machine that may be another version of it, or the same.
        advance: called with the bytes that come.
        bar: show a progress bar on stderr instead.

    Raises:
        FileNotInRepository: there is none.
        ChecksumError: it does not have its SHA-256 however often it comes.
        NotCached: offline, and it is not on this machine.
        HubError: the Hub refuses, or cannot be reached.
        WriteError: the disk is full.
    """
    file = snapshot.file(path)
    if file.sha256 is None:
        return snapshot.download(file.path)
    fetcher = _fetcher(snapshot, file, index, advance, relative)
    try:
        _fetch_whole(fetcher, bar=bar)
    except ChecksumError:
        fetcher = _fetcher(snapshot, snapshot.asked_again(file), index, advance)
        _fetch_whole(fetcher, bar=bar)
    return fetcher.mirror.path


def _fetch_whole(fetcher: Fetcher, *, bar: bool) -> None:
    fetcher.take_over()
    missing = fetcher.mirror.missing.total
    if not bar or not missing:
        fetcher.fetch_whole()
        return
    with progress_bar(fetcher.source.file.path, missing) as fetcher.advance:
        fetcher.fetch_whole()
