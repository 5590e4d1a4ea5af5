"""NumPy arrays as ``.npy`` files."""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from pytupli_registry.errors import ArtifactError, FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["ArrayCodec"]

_MAGIC = b"\x93NUMPY\x01\x00"
# The header as NumPy writes it, and nothing else: no expression is parsed.
_HEADER = re.compile(
    rb"\{'descr': '([<>|][biufcmMSU]\d{1,9}(?:\[\d{0,9}[A-Za-z]{1,2}\])?)', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18},(?: \d{1,18},?)*)?|\d{1,18}(?:, \d{1,18})*)\), \} *\n"
)
_KINDS = "biufcmMSU"
_LARGEST_FLOAT = {"f": 8, "c": 16}  # what is longer differs from machine to machine
_MAX_CODE_POINT = 0x10FFFF


class ArrayCodec:
    """Keeps arrays of numbers, truth values, times and fixed-length texts, with dtype, shape and memory order."""

    name = "array"
    suffix = ".npy"

    def accepts(self, value: object, /) -> bool:
        """Accept ``numpy.ndarray`` itself."""
        return type(value) is np.ndarray

    def write(self, value: NDArray[Any], file: BinaryIO, /) -> dict[str, Any]:
        """Write the array.

        Raises:
            ArtifactError: its dtype is no plain data.
        """
        _check_dtype(value.dtype)
        npy.write_array(file, value, version=(1, 0), allow_pickle=False)
        return {}

    def read(self, path: Path, _details: Mapping[str, Any], /) -> NDArray[Any]:
        """Return the array, writable.

        Raises:
            FormatError: it is no ``.npy`` file of such an array, or of another size than it says.
        """
        with path.open("rb") as file:
            dtype, fortran_order, shape, offset = _read_header(file, path)
            expected = offset + dtype.itemsize * math.prod(shape)
            size = os.fstat(file.fileno()).st_size
            if size != expected:
                raise FormatError(path, f"it is of {size} bytes, its header says {expected}")
            file.seek(offset)
            flat = np.fromfile(file, dtype, math.prod(shape))
        _check_values(flat, path)
        try:
            return flat.reshape(shape, order="F" if fortran_order else "C")
        except ValueError as error:
            raise FormatError(path, f"its shape is impossible ({error!s:.80})") from error


def _check_dtype(dtype: np.dtype[Any]) -> None:
    if dtype.kind == "O":
        raise ArtifactError(
            "An array of Python objects cannot be kept.",
            hint="Convert it to numbers or texts: values.astype(float), values.astype(str).",
        )
    if dtype.kind not in _KINDS or dtype.itemsize == 0 or dtype.metadata:
        raise ArtifactError(
            f"An array of the dtype {dtype!s:.80} cannot be kept.",
            hint="Pass an array a field, of numbers, truth values, times or texts.",
        )
    if dtype.itemsize > _LARGEST_FLOAT.get(dtype.kind, dtype.itemsize):
        raise ArtifactError(
            f"An array of {dtype} is not the same on every machine.",
            hint="Convert it to float64 or complex128.",
        )


def _read_header(file: BinaryIO, path: Path) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    start = file.read(len(_MAGIC) + 2)
    if not start.startswith(_MAGIC) or len(start) != len(_MAGIC) + 2:
        raise FormatError(path, "it is no .npy file of version 1.0")
    length = int.from_bytes(start[-2:], "little")
    found = _HEADER.fullmatch(file.read(length))
    if found is None:
        raise FormatError(path, "its header is not what NumPy writes for an array of plain data")
    try:
        dtype = np.dtype(found[1].decode())
        _check_dtype(dtype)
    except (TypeError, ValueError, ArtifactError) as error:
        raise FormatError(path, f"the dtype {found[1].decode()} cannot be read") from error
    shape = tuple(int(extent) for extent in re.findall(rb"\d+", found[3]))
    return dtype, found[2] == b"True", shape, len(start) + length


def _check_values(flat: NDArray[Any], path: Path) -> None:
    """Refuse bit patterns that no array of the dtype has, which NumPy would trip over later."""
    wrong = False
    if flat.dtype.kind == "b" and flat.size:
        wrong = int(flat.view(np.uint8).max()) > 1
    elif flat.dtype.kind == "U" and flat.size:
        wrong = int(flat.view(flat.dtype.byteorder.replace("|", "=") + "u4").max()) > _MAX_CODE_POINT
    if wrong:
        raise FormatError(path, "some of its values are none of its dtype")
