"""Earlier versions of a data file that are on this machine: what is still the same in a new one need not travel.

An append moves nothing, so nearly every cell of the longer file is in the shorter one at the same place. Which ones, the
new file's own index says: where the bytes there have its checksum, they are the cell.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import numpy as np
from zlib_ng.zlib_ng import crc32

from pytupli_registry.config import ClientConfig
from pytupli_registry.storage.intervals import Intervals
from pytupli_registry.storage.mirrors import Mirrors
from pytupli_registry.storage.trust import DATA_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pytupli_registry.hub.remembered import RemoteFile
    from pytupli_registry.hub.snapshots import Snapshot
    from pytupli_registry.remote.cells import Cells
    from pytupli_registry.storage.mirror import Mirror

__all__ = ["Earlier", "earlier_versions", "same_cells"]


class Earlier(Protocol):
    """A file of which some bytes are here."""

    @property
    def checked(self) -> Intervals:
        """Which."""

    def read(self, start: int, stop: int) -> bytes:
        """Return some of them."""


class _LocalFile:
    """A file of the local store."""

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        weakref.finalize(self, os.close, handle)
        self._handle = handle

    @property
    def checked(self) -> Intervals:
        return Intervals.nothing().gaps(os.fstat(self._handle).st_size)

    def read(self, start: int, stop: int) -> bytes:
        return os.pread(self._handle, stop - start, start)


def earlier_versions(snapshot: Snapshot, file: RemoteFile) -> Iterator[Earlier]:
    """Yield what is here of other versions of a data file: first where it was published from, then what was loaded.

    Args:
        snapshot: the repository.
        file: its ``…/data/main_data.hdf5``.
    """
    config = ClientConfig.from_environment()
    name = snapshot.repo.partition("/")[2]
    local = config.datasets_path / name / file.path
    if local.name == DATA_NAME and local.is_file():
        with suppress(OSError):
            yield _LocalFile(local)
    mirrors = Mirrors(config.cache_path)
    wanted = snapshot.hub.endpoint, snapshot.repo, file.path
    for facts in mirrors.list():
        origin = tuple(facts.origin.get(key) for key in ("endpoint", "repo", "path"))
        if origin == wanted and facts.sha256 != file.sha256 and facts.size is not None:
            yield mirrors.open(facts.sha256, facts.size)


def same_cells(earlier: Earlier | Mirror, cells: Cells) -> NDArray[np.bool_]:
    """Return which cells an earlier version has at the same place.  # (n,)"""  # noqa: D415
    here = earlier.checked.covers(cells.starts, cells.stops)
    for place in np.flatnonzero(here).tolist():
        content = earlier.read(int(cells.starts[place]), int(cells.stops[place]))
        here[place] = crc32(content) == int(cells.checksums[place])
    return here
