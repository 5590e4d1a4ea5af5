"""Reading the leaves of single episodes through HDF5."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import FormatError
from pytupli_registry.storage.hdf5.attributes import AttributeReader
from pytupli_registry.storage.hdf5.opening import open_file, reading

if TYPE_CHECKING:
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

    from pytupli_registry.dataset.leaves import Leaf

__all__ = ["EpisodeReader"]


class EpisodeReader:
    """Reads what has no fixed shape, or does not lie in the file as it is, one episode at a time.

    The file must have been looked at by :func:`~pytupli_registry.storage.hdf5.scan.scan`. It is opened when first
    needed, and again in a forked process, which must not share HDF5's state with its parent.
    """

    __slots__ = ("_file", "_path", "_process")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: h5py.File | None = None
        self._process = 0

    def value(self, leaf: Leaf, position: int) -> Any:  # noqa: ANN401 - array, list of str, or None
        """Return one leaf of one episode: an array, a list of str, or None where the episode has no such leaf.

        Raises:
            FormatError: the file does not hold what its index says.
        """
        import h5py  # noqa: PLC0415

        where = f"/episode_{position}/{leaf.path}"
        with reading(self._path, where):
            stored = self._dataset(leaf, position)
            if stored is None and leaf.encoding == "irregular":
                return None
            if not isinstance(stored, h5py.Dataset):
                raise FormatError(self._path, "it is missing", where=where)
            if leaf.encoding == "jpeg":
                return self._decode(leaf, stored, where)
            values = stored[()]
            if isinstance(values, bytes | str) or values.dtype.kind in "OS":
                return _texts(values)
            if leaf.is_array and (values.dtype != leaf.dtype or values.shape[1:] != leaf.row_shape):
                raise FormatError(self._path, f"it holds {values.dtype} {values.shape}", where=where)
            return np.asarray(values)

    def rows(self, leaf: Leaf, first: int, last: int) -> NDArray[Any]:
        """Return an array leaf of the episodes from ``first`` to before ``last``, one after another."""
        return np.concatenate([self.value(leaf, position) for position in range(first, last)])

    def encoded(self, leaf: Leaf, position: int) -> list[bytes]:
        """Return the JPEG files of one episode as they were written."""
        with reading(self._path, f"/episode_{position}/{leaf.path}"):
            stored = self._dataset(leaf, position)
            return (
                [] if stored is None else [bytes(np.asarray(frame, dtype=np.uint8)) for frame in stored[()]]
            )

    def attributes(self, position: int) -> dict[str, Any]:
        """Return the attributes of one episode as they are: arrays, NumPy scalars, str, None for empty ones."""
        where = f"/episode_{position}"
        with reading(self._path, where):
            return AttributeReader(self._path).values(where, self._episode(position).id)

    def _episode(self, position: int) -> h5py.Group:
        if self._file is None or self._process != os.getpid():
            self._file, self._process = open_file(self._path), os.getpid()
        return self._file[f"episode_{position}"]

    def _dataset(self, leaf: Leaf, position: int) -> h5py.Dataset | None:
        return self._episode(position).get(leaf.path)

    def _decode(self, leaf: Leaf, stored: h5py.Dataset, where: str) -> NDArray[np.uint8]:
        from PIL import Image  # noqa: PLC0415 - only lossy datasets need it

        frames = np.empty((len(stored), *leaf.row_shape), dtype=np.uint8)
        for row, encoded in enumerate(stored[()]):
            with Image.open(
                io.BytesIO(bytes(np.asarray(encoded, dtype=np.uint8))), formats=("JPEG",)
            ) as image:
                # Pillow has read no more than the header yet: a huge image is refused before it is decoded.
                if (image.height, image.width) != leaf.row_shape[:2]:
                    raise FormatError(
                        self._path, f"frame {row} is {image.height} × {image.width}", where=where
                    )
                pixels = np.asarray(image, dtype=np.uint8)
            if pixels.shape != leaf.row_shape:
                raise FormatError(self._path, f"frame {row} has the shape {pixels.shape}", where=where)
            frames[row] = pixels
        return frames


def _texts(values: Any) -> Any:  # noqa: ANN401 - str for one string, list of str for many
    if isinstance(values, bytes | str):
        return [values.decode("utf-8") if isinstance(values, bytes) else values]
    return [
        value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values.ravel().tolist()
    ]
