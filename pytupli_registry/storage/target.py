"""What a spool will become: a new dataset, or more episodes of one that exists."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytupli_registry.dataset.leaves import REWARDS
from pytupli_registry.dataset.metadata import DatasetMetadata
from pytupli_registry.errors import DatasetNotFound, FormatError, WriteError
from pytupli_registry.storage.columns import FileIdentity
from pytupli_registry.storage.durable import hold_lock, write_durably
from pytupli_registry.storage.spool import DESCRIPTION
from pytupli_registry.storage.stamps import Stamps
from pytupli_registry.storage.trust import DATA_NAME, METADATA_NAME, trusted_index

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np

    from pytupli_registry.storage.records import Index

__all__ = ["Base", "Target", "commit_lock", "dataset_directory", "spool_root"]


def spool_root(root: Path) -> Path:
    """Return the directory of all spools of a store; hidden, so Minari does not take it for a namespace."""
    return root / ".pytupli-spool"


@contextmanager
def commit_lock(root: Path) -> Iterator[None]:
    """Let one process at a time change which files a store's datasets have."""
    directory = spool_root(root)
    directory.mkdir(parents=True, exist_ok=True)
    with hold_lock(directory / "commit.lock", wait=True):
        yield


def dataset_directory(root: Path, dataset_id: str) -> Path:
    """Return where the files of a dataset lie."""
    return root / dataset_id / "data"


@dataclass(frozen=True, slots=True)
class Target:
    """What a spool will become.

    Attributes:
        metadata: of the dataset when the spool was started.
        base: identity of the data file to append to; None for a new dataset.
        rewrite: whether the spool holds all episodes of the dataset anew, instead of more of them.
    """

    metadata: DatasetMetadata
    base: tuple[int, ...] | None
    rewrite: bool = False

    def save(self, spool: Path) -> None:
        """Write it into the spool."""
        said = {"version": 1, "metadata": self.metadata.to_json(), "base": self.base, "rewrite": self.rewrite}
        write_durably(spool / DESCRIPTION, json.dumps(said))

    @classmethod
    def load(cls, spool: Path) -> Target:
        """Read it from the spool.

        Raises:
            FormatError: there is none, or it is malformed.
        """
        path = spool / DESCRIPTION
        try:
            said = json.loads(path.read_bytes())
            base = None if said["base"] is None else tuple(int(number) for number in said["base"])
            metadata, rewrite = (
                DatasetMetadata.from_json(said["metadata"], path=str(path)),
                bool(said["rewrite"]),
            )
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise FormatError(path, f"it describes no spool ({error})") from error
        return cls(metadata, base, rewrite)


@dataclass(frozen=True, slots=True)
class Base:
    """The dataset that episodes are appended to.

    Attributes:
        directory: with its files.
        metadata: what they say now.
        index: of its data file.
        identity: of the data file.
    """

    directory: Path
    metadata: DatasetMetadata
    index: Index
    identity: tuple[int, ...]

    @classmethod
    def of(cls, root: Path, dataset_id: str, cache: Path) -> Base:
        """Look at a dataset.

        Raises:
            DatasetNotFound: there is none.
            FormatError: its files are damaged.
            WriteError: it has leaves that HDF5 alone can read where columns are needed.
        """
        directory = dataset_directory(root, dataset_id)
        path = directory / METADATA_NAME
        if not path.is_file():
            raise DatasetNotFound(dataset_id, str(root))
        metadata = DatasetMetadata.from_json(path.read_bytes(), path=str(path))
        identity = data_identity(directory)
        index = trusted_index(directory, metadata, Stamps(cache))
        if data_identity(directory) != identity:
            raise WriteError(
                f"{dataset_id!r} changed while it was read.", hint="Try again when nobody writes to it."
            )
        return cls(directory, metadata, index, identity)

    def required_dtypes(self) -> Mapping[str, np.dtype[Any]]:
        """Return the dtypes of the columns that new episodes must have too."""
        return {
            path: stored.leaf.dtype
            for path, stored in self.index.leaves.items()
            if stored.leaf.dtype is not None
            and (path == REWARDS or path.startswith(("observations", "actions")))
        }


def data_identity(directory: Path) -> tuple[int, ...]:
    """Return what changes when the data file of a directory is replaced or written to.

    Raises:
        FormatError: there is no data file.
    """
    path = directory / DATA_NAME
    try:
        found = FileIdentity.of(path)
    except OSError as error:
        raise FormatError(path, f"it cannot be read ({error.strerror})") from error
    return found.inode, found.size, found.modified
