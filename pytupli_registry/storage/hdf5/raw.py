"""A second, plain way to read Minari HDF5, to check the first one against.

Nothing here is shared with the fast path: values come from h5py alone, one episode at a time. Call
it on files that opened as datasets, so that what is refused there has been refused.
"""

from __future__ import annotations

import io
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import FormatError, UnsafeFile
from pytupli_registry.storage.hdf5.opening import open_file, reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import h5py
    from h5py import h5d, h5g
    from numpy.typing import NDArray

__all__ = ["RawFile", "decode_frames", "open_raw"]

_MAX_BYTES = 1 << 34
_NUMBERS = "biufc"


@dataclass(frozen=True, slots=True)
class RawFile:
    """A ``main_data.hdf5`` as h5py sees it.

    Attributes:
        path: the file.
        file: h5py's handle.
    """

    path: Path
    file: h5py.File

    def names(self) -> list[str]:
        """Return the names of the file's groups, episodes in the order of their numbers and others last."""
        return sorted(self.file.keys(), key=_number)

    def attributes(self, name: str, keys: Iterable[str]) -> dict[str, Any]:
        """Return those attributes of an episode that it has."""
        with reading(self.path, name):
            attributes = self.file[name].attrs
            return {key: attributes[key] for key in keys if key in attributes}

    def leaves(self, name: str) -> dict[str, Any]:
        """Return every leaf of an episode by path: an array, or a list of str for texts.

        JPEG frames come as an object array, or a ``uint8`` matrix, of their bytes.

        Raises:
            FormatError: HDF5 cannot read it.
            UnsafeFile: a leaf is a link out of the file, or declares more bytes than memory may hold.
        """
        from h5py import h5o  # noqa: PLC0415

        found: dict[str, Any] = {}
        with reading(self.path, name):
            self._collect(h5o.open(self.file.id, name.encode()), name, "", found)
        return found

    def _collect(self, group: h5g.GroupID, where: str, prefix: str, found: dict[str, Any]) -> None:
        from h5py import h5d, h5g, h5l, h5o  # noqa: PLC0415

        links: list[tuple[bytes, int]] = []
        group.links.iterate(lambda name, info: links.append((name, info.type)), info=True)
        for name, kind in links:
            key = name.decode("utf-8")
            if kind != h5l.TYPE_HARD:
                raise UnsafeFile(self.path, "it is a link", where=f"{where}/{key}")
            member = h5o.open(group, name)
            if isinstance(member, h5g.GroupID):
                self._collect(member, f"{where}/{key}", f"{prefix}{key}/", found)
            elif isinstance(member, h5d.DatasetID):
                found[f"{prefix}{key}"] = self._read(member, f"{where}/{key}")

    def _read(self, identifier: h5d.DatasetID, where: str) -> Any:  # noqa: ANN401 - array or list of str
        import h5py  # noqa: PLC0415

        shape, dtype = identifier.shape, identifier.dtype
        if identifier.get_offset() is None:  # what has an offset in this file lies in it
            stored = h5py.Dataset(identifier)
            if stored.external or stored.is_virtual:
                raise UnsafeFile(self.path, "its values lie outside the file", where=where)
        if math.prod(shape or ()) * dtype.itemsize > _MAX_BYTES:
            raise UnsafeFile(self.path, f"it declares the shape {shape}", where=where)
        if shape and dtype.kind in _NUMBERS:
            # What h5py.Dataset does, without what it does around it, which takes longer than reading an episode.
            values = np.zeros(shape, dtype=dtype)
            if values.size:
                identifier.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
            return values
        stored = h5py.Dataset(identifier)
        if h5py.check_string_dtype(dtype) is not None:
            return [str(text) for text in stored.asstr()[()]] if shape else str(stored.asstr()[()])
        return stored[()]


@contextmanager
def open_raw(path: Path) -> Iterator[RawFile]:
    """Open a file for reading.

    Raises:
        FormatError: it is no HDF5 file.
    """
    with open_file(path) as file:
        yield RawFile(path, file)


def decode_frames(path: Path, where: str, frames: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Decode JPEG frames with Pillow.

    Args:
        path: the file, for messages.
        where: the leaf, for messages.
        frames: the bytes of each frame.  # (rows,) of uint8 arrays, or (rows, bytes) uint8
        shape: what the space says a frame is; other sizes are not decoded.

    Returns:
        the frames.  # (rows, *shape) uint8

    Raises:
        FormatError: a frame is no image, or of another size.
    """
    from PIL import Image  # noqa: PLC0415 - most datasets have no frames

    decoded = np.empty((len(frames), *shape), dtype=np.uint8)
    for row, frame in enumerate(frames):
        try:
            with Image.open(
                io.BytesIO(np.asarray(frame, dtype=np.uint8).tobytes()), formats=["JPEG"]
            ) as image:
                if image.size != (shape[1], shape[0]):
                    raise FormatError(path, f"frame {row} is {image.size}, not {shape}", where=where)
                decoded[row] = np.asarray(image, dtype=np.uint8).reshape(shape)
        except (OSError, ValueError) as error:
            raise FormatError(path, f"frame {row} is no JPEG image", where=where) from error
    return decoded


def _number(name: str) -> tuple[int, str]:
    digits = name.removeprefix("episode_")
    return (
        (int(digits), "")
        if digits.isdecimal() and name.startswith("episode_") and len(digits) < 19
        else (1 << 62, name)
    )
