"""Which index to believe: one this machine has verified, or one built from the data file itself."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pytupli_registry.dataset.spaces import leaf_spaces
from pytupli_registry.errors import FormatError
from pytupli_registry.storage.columns import FileIdentity, MappedColumns
from pytupli_registry.storage.hdf5.own_layout import recognise
from pytupli_registry.storage.hdf5.scan import scan
from pytupli_registry.storage.index import build_index, read_index, same_index, write_index
from pytupli_registry.storage.stamps import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytupli_registry.dataset.metadata import DatasetMetadata
    from pytupli_registry.storage.records import Index
    from pytupli_registry.storage.stamps import Stamps

__all__ = ["DATA_NAME", "INDEX_NAME", "METADATA_NAME", "fits", "index_of", "rebuild_index", "trusted_index"]

DATA_NAME = "main_data.hdf5"
INDEX_NAME = "episodes.parquet"
METADATA_NAME = "metadata.json"

_log = logging.getLogger(__name__)


def trusted_index(directory: Path, metadata: DatasetMetadata, stamps: Stamps) -> Index:
    """Return an index that describes the data file of a directory.

    An index that this machine has verified is opened at once. Otherwise the index is built from the data file; the
    one that lies beside it is kept if it says the same, and replaced if it does not.

    Raises:
        FormatError: the data file cannot be read, is unsafe, or is no dataset of the metadata's spaces.
    """
    data_path = directory / DATA_NAME
    known = _stamped(data_path, metadata, stamps)
    if known is not None:
        return known
    verified = _identity(data_path)
    index = rebuild_index(data_path, metadata)
    _keep(index, directory, stamps, verified)
    return index


def index_of(data_path: Path, metadata: DatasetMetadata, stamps: Stamps) -> Index:
    """Return an index of a data file in a directory of somebody else, where nothing is written.

    Built from the file itself, once on this machine.

    Raises:
        FormatError: the data file cannot be read, is unsafe, or is no dataset of the metadata's spaces.
    """
    known = _stamped(data_path, metadata, stamps)
    if known is not None:
        return known
    verified = _identity(data_path)
    index = rebuild_index(data_path, metadata)
    place = stamps.fallback_index(data_path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_index(index, place)
    except OSError as error:
        _log.info("the index cannot be kept at %s (%s)", place, error)
    else:
        stamps.record(data_path, place, index.data_sha256, verified)
    return index


def _identity(data_path: Path) -> FileIdentity:
    try:
        return FileIdentity.of(data_path)
    except OSError as error:
        raise _unreadable(data_path, error) from error


def _sha256(data_path: Path) -> str:
    try:
        return sha256_of(data_path)
    except OSError as error:
        raise _unreadable(data_path, error) from error


def _unreadable(data_path: Path, error: OSError) -> FormatError:
    return FormatError(data_path, f"it cannot be read ({error.strerror})")


def rebuild_index(data_path: Path, metadata: DatasetMetadata) -> Index:
    """Build the index from nothing but the data file and its spaces.

    What lies where comes from the file's layout where it is provably ours, and from h5py where it is not.

    Raises:
        FormatError: the file cannot be read, is unsafe, or is no dataset of those spaces.
    """
    before = _identity(data_path)
    with ThreadPoolExecutor(1, thread_name_prefix="pytupli-hash") as pool:
        digest = pool.submit(_sha256, data_path)  # takes as long as all the rest
        found = recognise(data_path, metadata) or scan(data_path, metadata)
        columns = MappedColumns(data_path, found.leaves, found.lengths, before)
        index = build_index(
            data_path, found.lengths, found.leaves, found.facts, digest.result, read_rows=columns.read_rows
        )
    if _identity(data_path) != before:
        raise FormatError(
            data_path, "it changed while it was read", hint="Try again when nobody writes to it."
        )
    return index


def _stamped(data_path: Path, metadata: DatasetMetadata, stamps: Stamps) -> Index | None:
    stamp = stamps.find(data_path)
    if stamp is None:
        return None
    try:
        index = read_index(stamp.index_path)
    except FormatError:
        return None
    described = (index.data_size, index.data_sha256) == (data_path.stat().st_size, stamp.data_sha256)
    return index if described and fits(index, metadata) else None


def fits(index: Index, metadata: DatasetMetadata) -> bool:
    """Whether the leaves are those of the spaces, which may have been edited since the index was built."""
    spaces = {
        **leaf_spaces(metadata.observation_space, "observations"),
        **leaf_spaces(metadata.action_space, "actions"),
    }
    known = {path for path in index.leaves if path.split("/", 1)[0] in {"observations", "actions"}}
    return known == set(spaces) and all(
        index.leaves[path].leaf.row_shape == space.shape for path, space in spaces.items()
    )


def _keep(index: Index, directory: Path, stamps: Stamps, verified: FileIdentity) -> None:
    """Make the index on disk the one that was built, and remember that it is right for the file that was verified."""
    data_path, beside = directory / DATA_NAME, directory / INDEX_NAME
    if beside.is_file():  # no pipe, which would never end
        if _says_the_same(beside, index):
            stamps.record(data_path, beside, index.data_sha256, verified)
            return
        _log.warning("%s did not describe the data file beside it and was built again", beside)
    elif any(stored.leaf.is_array and stored.extents is None for stored in index.leaves.values()):
        _log.info("%s is read through HDF5; `pytupli import` makes a copy that is mapped at once", data_path)
    for place in (beside, stamps.fallback_index(data_path)):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_index(index, place)
        except OSError as error:
            _log.info("the index cannot be kept at %s (%s)", place, error)
            continue
        stamps.record(data_path, place, index.data_sha256, verified)
        return


def _says_the_same(path: Path, index: Index) -> bool:
    try:
        return same_index(read_index(path), index)
    except FormatError as error:
        _log.info("the index is unusable: %s", error)
        return False
