"""Which HDF5 datasets are read at all, and what they hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytupli_registry.errors import UnsafeFile
from pytupli_registry.storage.extents import DTYPE_KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from h5py import h5d, h5t

__all__ = ["StoredType", "check_storage", "stored_type"]

# deflate, shuffle, fletcher32, szip, nbit, scaleoffset come with HDF5; 32000 (lzf) comes with h5py.
_FILTERS = {1, 2, 3, 4, 5, 6, 32000}
# deflate cannot do better than 1 : 1032. What declares more has chunks that were never written.
_MAX_RATIO = 1100
_SMALL = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredType:
    """What the values of an HDF5 dataset are.

    Attributes:
        kind: ``number``, ``text`` (strings) or ``bytes`` (variable-length uint8, as Minari keeps JPEG frames).
        dtype: of numbers, in the file's byte order.
        exact: whether the bytes in the file are the bytes of a NumPy array of that dtype.
    """

    kind: Literal["number", "text", "bytes"]
    dtype: np.dtype[Any] | None
    exact: bool


def stored_type(path: Path, where: str, type_id: h5t.TypeID) -> StoredType:
    """Classify an HDF5 type.

    Raises:
        UnsafeFile: it holds objects, references, compounds or anything else that is no number, text or image.
    """
    import h5py  # noqa: PLC0415

    dtype = type_id.dtype
    if h5py.check_string_dtype(dtype) is not None:
        return StoredType("text", None, exact=False)
    if h5py.check_vlen_dtype(dtype) == np.uint8:
        return StoredType("bytes", None, exact=False)
    if dtype.kind not in DTYPE_KINDS or h5py.check_ref_dtype(dtype) is not None:
        raise UnsafeFile(path, f"values of the HDF5 type {dtype} are not read", where=where)
    plain = np.dtype(dtype.str)
    expected = h5py.h5t.py_create(plain, logical=True) if plain.kind == "b" else h5py.h5t.py_create(plain)
    return StoredType("number", plain, exact=bool(expected.equal(type_id)))


def check_storage(path: Path, where: str, dataset: h5d.DatasetID, item_bytes: int) -> None:
    """Check a dataset that does not lie in the file as one piece.

    Raises:
        UnsafeFile: its bytes come from other files or datasets, need a plug-in, or are far fewer than it declares.
    """
    from h5py import h5d  # noqa: PLC0415

    plist = dataset.get_create_plist()
    layout = plist.get_layout()
    if layout == h5d.VIRTUAL:
        raise UnsafeFile(path, "a virtual dataset takes its values from other files", where=where)
    if layout == h5d.CONTIGUOUS and plist.get_external_count():
        raise UnsafeFile(path, "its values lie in another file", where=where)
    if layout == h5d.CHUNKED:
        for position in range(plist.get_nfilters()):
            code = plist.get_filter(position)[0]
            if code not in _FILTERS:
                raise UnsafeFile(path, f"reading it needs the filter plug-in {code}", where=where)
        if math.prod(plist.get_chunk()) * item_bytes > _MAX_RATIO * max(path.stat().st_size, _SMALL):
            raise UnsafeFile(path, f"its chunks of {plist.get_chunk()} values are impossible", where=where)
    declared = math.prod(dataset.shape) * item_bytes
    stored = dataset.get_storage_size()
    if declared > _MAX_RATIO * stored and (declared > _SMALL or stored == 0 < declared):
        raise UnsafeFile(path, f"it declares {declared} bytes and holds {stored}", where=where)
