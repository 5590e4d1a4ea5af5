"""Attributes of episode groups as bytes: their forms, their values, and the heap that holds their texts."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.errors import EpisodeError
from pytupli_registry.storage.hdf5.messages import TEXT, can_encode, padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["AttributeForm", "TextHeap", "attribute_form", "encode_values", "normalise", "relocate"]

_COLLECTION = 4096
_COLLECTION_HEADER = 16
_LARGEST = 60_000  # bytes of one attribute: a header message counts in 16 bits
_TEXT_REFERENCE = 16


@dataclass(frozen=True, slots=True)
class AttributeForm:
    """Dtype (None: text) and shape of an attribute; attributes of one form lie alike in the file."""

    dtype: np.dtype[Any] | None
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the value in the object header."""
        return math.prod(self.shape) * (_TEXT_REFERENCE if self.dtype is TEXT else self.dtype.itemsize)


def attribute_form(value: Any) -> AttributeForm:  # noqa: ANN401 - bool, int, float, str or array
    """Return the form of a value that :func:`normalise` gave."""
    kind = type(value)
    if kind is str:
        return AttributeForm(TEXT, ())
    if kind in {bool, int, float}:
        return AttributeForm(np.dtype(kind), ())
    return AttributeForm(TEXT if value.dtype.kind == "U" else value.dtype, value.shape)


def normalise(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever a user gives
    """Return a value as bool, int, float, str, or an array of those as an HDF5 attribute can hold them.

    Raises:
        EpisodeError: it is none of those, too large, or holds a text that is not UTF-8 or contains NUL.
    """
    kind = type(value)
    if kind is float or kind is bool or (kind is int and -(2**63) <= value < 2**63):
        return value
    if kind is str:
        _check_text(name, value)
        return value
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise EpisodeError(f"The episode's {name!r} is ragged: {value!r:.80}.") from error
    if array.dtype.kind == "O" and all(isinstance(text, str) for text in array.ravel().tolist()):
        array = array.astype(np.str_)
    if array.dtype.kind == "U":
        for text in array.ravel().tolist():
            _check_text(name, text)
        size = array.size * _TEXT_REFERENCE
    elif can_encode(array.dtype):
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        size = array.nbytes
    else:
        raise EpisodeError(
            f"The episode's {name!r} cannot be kept: {value!r:.80} is a {kind.__name__}.",
            hint="Use a bool, int, float, str, or an array or list of one of those.",
        )
    if size > _LARGEST:
        raise EpisodeError(f"The episode's {name!r} needs {size} bytes; an attribute holds {_LARGEST}.")
    return str(array) if array.dtype.kind == "U" and array.shape == () else array


def _check_text(name: str, text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise EpisodeError(f"The episode's {name!r} is no valid Unicode: {text!r:.80}.") from error
    if "\0" in text or size > _LARGEST:
        raise EpisodeError(f"The episode's {name!r} holds NUL or more than {_LARGEST} bytes of text.")


@dataclass(slots=True)
class TextHeap:
    """Global heap collections, filled in order; texts are never shared, as the library frees what it overwrites.

    Attributes:
        collections: the finished ones, to be written one after another.
    """

    collections: list[bytes] = field(default_factory=list)
    _objects: list[bytes] = field(default_factory=list)
    _used: int = _COLLECTION_HEADER
    _start: int = 0

    def add(self, text: str) -> bytes:
        """Store a text and return the reference to it, with an address relative to the heap's start."""
        data = text.encode()
        if not data:
            return bytes(_TEXT_REFERENCE)
        size = _COLLECTION_HEADER + len(data) + -len(data) % 8
        if self._objects and self._used + size > _COLLECTION:
            self.close()
        self._objects.append(data)
        self._used += size
        return struct.pack("<IQI", len(data), self._start, len(self._objects))

    def close(self) -> int:
        """Finish the collection at hand; return the bytes of all collections."""
        if self._objects:
            size = max(_COLLECTION, self._used)
            parts = [struct.pack("<4sB3xQ", b"GCOL", 1, size)]
            for number, data in enumerate(self._objects, start=1):
                parts += [struct.pack("<HHIQ", number, 0, 0, len(data)), padded(data)]
            free = size - self._used
            if free >= _COLLECTION_HEADER:
                parts.append(struct.pack("<HHIQ", 0, 0, 0, free))
            self.collections.append(b"".join(parts).ljust(size, b"\0"))
            self._start += size
            self._objects, self._used = [], _COLLECTION_HEADER
        return self._start


def encode_values(
    form: AttributeForm, values: Sequence[Any] | NDArray[Any], heap: TextHeap
) -> NDArray[np.uint8]:
    """Return one attribute of many episodes as it lies in their headers.  # (len(values), form.size)"""  # noqa: D415
    if form.dtype is not TEXT:
        joined = np.array(values, dtype=form.dtype)
        return np.frombuffer(joined.tobytes(), dtype=np.uint8).reshape(len(values), form.size)
    texts = values if form.shape == () else [text for value in values for text in value.ravel().tolist()]
    references = bytearray().join(map(heap.add, texts))
    return np.frombuffer(references, dtype=np.uint8).reshape(len(values), form.size)


def relocate(form: AttributeForm, encoded: NDArray[np.uint8], start: int) -> None:
    """Turn the heap-relative addresses of texts into addresses in the file, in place."""
    if form.dtype is not TEXT or encoded.size == 0:
        return
    references = encoded.reshape(-1).view(
        np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])
    )
    references["address"] += np.where(references["length"] > 0, np.uint64(start), np.uint64(0))
