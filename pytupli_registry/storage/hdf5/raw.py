"""A second, plain way to read Minari HDF5, to check the first one against.

Nothing here is shared with the fast path: values come from h5py's high-level interface, one episode at a time. Call
it on files that opened as datasets, so that what is refused there has been refused.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import FormatError, UnsafeFile
from pytupli_registry.storage.hdf5.opening import open_file, reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

__all__ = ["RawFile", "decode_frames", "open_raw"]

_MAX_BYTES = 1 << 34


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

    def attribute(self, name: str, key: str) -> Any:  # noqa: ANN401 - whatever HDF5 holds
        """Return one attribute of an episode, or None."""
        with reading(self.path, name):
            return self.file[name].attrs.get(key)

    def leaves(self, name: str) -> dict[str, Any]:
        """Return every leaf of an episode by path: an array, or a list of str for texts.

        JPEG frames come as an object array, or a ``uint8`` matrix, of their bytes.

        Raises:
            FormatError: HDF5 cannot read it.
            UnsafeFile: a leaf is a link out of the file, or declares more bytes than memory may hold.
        """
        found: dict[str, Any] = {}
        with reading(self.path, name):
            self._collect(self.file[name], name, "", found)
        return found

    def _collect(self, group: h5py.Group, where: str, prefix: str, found: dict[str, Any]) -> None:
        import h5py  # noqa: PLC0415

        for key in group:
            if type(group.get(key, getlink=True)) is not h5py.HardLink:
                raise UnsafeFile(self.path, "it is a link", where=f"{where}/{key}")
            value = group[key]
            if isinstance(value, h5py.Group):
                self._collect(value, f"{where}/{key}", f"{prefix}{key}/", found)
            elif isinstance(value, h5py.Dataset):
                found[f"{prefix}{key}"] = self._read(value, f"{where}/{key}")

    def _read(self, stored: h5py.Dataset, where: str) -> Any:  # noqa: ANN401 - array or list of str
        import h5py  # noqa: PLC0415

        if stored.external or stored.is_virtual:
            raise UnsafeFile(self.path, "its values lie outside the file", where=where)
        if stored.nbytes > _MAX_BYTES:
            raise UnsafeFile(self.path, f"it declares {stored.nbytes} bytes", where=where)
        if h5py.check_string_dtype(stored.dtype) is not None:
            return [str(text) for text in stored.asstr()[()]] if stored.shape else str(stored.asstr()[()])
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
