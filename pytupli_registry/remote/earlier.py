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

from pytupli_registry.storage.intervals import Intervals
from pytupli_registry.storage.mirrors import Mirrors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pytupli_registry.hub.remembered import RemoteFile
    from pytupli_registry.hub.snapshots import Snapshot
    from pytupli_registry.remote.cells import Cells

__all__ = ["Earlier", "earlier_versions", "same_cells"]


class Earlier(Protocol):
    """A file of which some bytes are here."""

    @property
    def checked(self) -> Intervals:
        """Which."""

    def read(self, start: int, stop: int) -> bytes:
        """Return some of them."""


class _LocalFile:
    """A file that is here as a whole."""

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        weakref.finalize(self, os.close, handle)
        self._handle = handle

    @property
    def checked(self) -> Intervals:
        return Intervals.nothing().gaps(os.fstat(self._handle).st_size)

    def read(self, start: int, stop: int) -> bytes:
        return os.pread(self._handle, stop - start, start)


def earlier_versions(snapshot: Snapshot, file: RemoteFile, relative: Path | None = None) -> Iterator[Earlier]:
    """Yield what is here of other versions of a data file.

    Args:
        snapshot: the repository.
        file: in it.
        relative: a file that may be one of them, if it is there; it may be this version itself.
    """
    if relative is not None and relative.is_file():
        with suppress(OSError):
            yield _LocalFile(relative)
    mirrors = Mirrors.from_environment()
    wanted = snapshot.hub.endpoint, snapshot.repo, file.path
    for facts in mirrors.list():
        origin = tuple(facts.origin.get(key) for key in ("endpoint", "repo", "path"))
        if origin == wanted and facts.sha256 != file.sha256:
            mirror = mirrors.reopen(facts)
            if mirror is not None:
                yield mirror


def same_cells(earlier: Earlier, cells: Cells) -> NDArray[np.bool_]:
    """Return which cells an earlier version has at the same place.  # (n,)"""  # noqa: D415
    here = earlier.checked.covers(cells.starts, cells.stops)
    for place in np.flatnonzero(here).tolist():
        content = earlier.read(int(cells.starts[place]), int(cells.stops[place]))
        here[place] = crc32(content) == int(cells.checksums[place])
    return here
