"""Opening HDF5 files that nobody has vouched for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytupli_registry.errors import FormatError, PytupliError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import h5py

__all__ = ["open_file", "reading"]


@contextmanager
def reading(path: Path, where: str | None = None) -> Iterator[None]:
    """Turn what h5py raises on a damaged file into :class:`FormatError`."""
    try:
        yield
    except PytupliError:
        raise
    # h5py translates HDF5's error classes into these; a damaged file can cause any of them.
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, OverflowError, MemoryError) as error:
        said = f"{error!s:.200}".replace("\n", " ")
        raise FormatError(path, f"it is no readable HDF5 file ({said})", where=where) from error


def open_file(path: Path) -> h5py.File:
    """Open a file for reading, without locking it: readers must not stop a writer that replaces whole files.

    HDF5 lets a process open a file twice only with equal flags. Its ``stdio`` driver keeps our handle apart from
    those of Minari in the same process, which may even append while ours is open.

    Raises:
        FormatError: it is no HDF5 file.
    """
    import h5py  # noqa: PLC0415 - loading an indexed dataset must not cost h5py's import

    with reading(path):
        return h5py.File(path, "r", driver="stdio", locking=False)
