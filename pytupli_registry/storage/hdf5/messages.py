"""Object header messages of an HDF5 file as bytes, in the oldest version that carries what is needed.

Written after the HDF5 File Format Specification 1.1/2.0, sections IV.A.2 (header messages) and III.F (global
heap); the bytes equal those that the HDF5 library writes with ``libver="earliest"``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

__all__ = [
    "HEADER_PREFIX",
    "MESSAGE_PREFIX",
    "TEXT",
    "UNDEFINED",
    "attribute_message",
    "can_encode",
    "dataspace",
    "datatype",
    "hard_link",
    "header",
    "link_info",
    "message",
    "padded",
]

UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF

TEXT = None
"""Stands for variable-length UTF-8 text where a dtype stands for numbers."""

HEADER_PREFIX = 16
MESSAGE_PREFIX = 8
_LIMIT = 65_528  # a message counts its bytes in 16 bits, in steps of 8
_FLOATS = {  # bytes: (sign bit, exponent at, exponent bits, mantissa bits, bias)
    2: (0x0F, 10, 5, 10, 15),
    4: (0x1F, 23, 8, 23, 127),
    8: (0x3F, 52, 11, 52, 1023),
}
_VERSION_1 = 0x10
_FIXED, _FLOAT, _COMPOUND, _ENUM, _VARIABLE = 0, 1, 6, 8, 9


def padded(data: bytes) -> bytes:
    """Pad with zeros to a multiple of 8."""
    return data + bytes(-len(data) % 8)


def can_encode(dtype: np.dtype[Any]) -> bool:
    """Whether :func:`datatype` knows the dtype: bool, integers, floats up to 64 bits and complex of those."""
    if dtype.kind == "c":
        return dtype.itemsize // 2 in _FLOATS
    return dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize in _FLOATS)


def datatype(dtype: np.dtype[Any] | None) -> bytes:
    """Return the datatype message of a little-endian dtype, or of :data:`TEXT`, as h5py chooses it.

    bool is h5py's enumeration FALSE/TRUE over int8, complex its compound of ``r`` and ``i``.

    Raises:
        ValueError: the dtype is none of :func:`can_encode`.
    """
    if dtype is TEXT:
        return _type_head(_VARIABLE, 0x0101, 16) + _integer(1, signed=False)
    if not can_encode(dtype):
        raise ValueError(f"no HDF5 datatype for {dtype}")
    if dtype.kind == "b":
        members = padded(b"FALSE\0") + padded(b"TRUE\0") + b"\x00\x01"
        return _type_head(_ENUM, 2, 1) + _integer(1, signed=True) + members
    if dtype.kind == "f":
        return _float(dtype.itemsize)
    if dtype.kind == "c":
        half = dtype.itemsize // 2
        parts = b"".join(
            padded(name + b"\0") + struct.pack("<I28x", offset) + _float(half)
            for name, offset in ((b"r", 0), (b"i", half))
        )
        return _type_head(_COMPOUND, 2, dtype.itemsize) + parts
    return _integer(dtype.itemsize, signed=dtype.kind == "i")


def _type_head(kind: int, flags: int, size: int) -> bytes:
    return struct.pack("<BHBI", _VERSION_1 | kind, flags, 0, size)


def _integer(size: int, *, signed: bool) -> bytes:
    return _type_head(_FIXED, 8 if signed else 0, size) + struct.pack("<HH", 0, 8 * size)


def _float(size: int) -> bytes:
    sign, exponent_at, exponent_bits, mantissa_bits, bias = _FLOATS[size]
    flags = 0x20 | sign << 8  # mantissa with an implied first bit; place of the sign
    place = struct.pack("<HHBBBBI", 0, 8 * size, exponent_at, exponent_bits, 0, mantissa_bits, bias)
    return _type_head(_FLOAT, flags, size) + place


def dataspace(shape: Sequence[int], *, maximum: bool = False) -> bytes:
    """Return the dataspace message of a shape; ``()`` is a scalar."""
    sizes = struct.pack(f"<{len(shape)}Q", *shape)
    return struct.pack("<BBB5x", 1, len(shape), int(maximum)) + sizes * (1 + maximum)


def message(kind: int, body: bytes, *, constant: bool = False) -> bytes:
    """Return a version 1 header message.

    Raises:
        ValueError: the body is larger than a header message may be.
    """
    body = padded(body)
    if len(body) > _LIMIT:
        raise ValueError(f"{len(body)} bytes do not fit in one HDF5 header message")
    return struct.pack("<HHB3x", kind, len(body), int(constant)) + body


def attribute_message(
    name: str, dtype: np.dtype[Any] | None, shape: Sequence[int], size: int
) -> tuple[bytes, int]:
    """Return the message of an attribute whose value is still zeros, and the place of the value in it."""
    encoded, kind, space = name.encode() + b"\0", datatype(dtype), dataspace(shape)
    lengths = struct.pack("<BxHHH", 1, len(encoded), len(kind), len(space))
    body = lengths + padded(encoded) + padded(kind) + padded(space)
    return message(0x0C, body + bytes(size)), MESSAGE_PREFIX + len(body)


def hard_link(name: str) -> tuple[bytes, int]:
    """Return the message of a link whose address is still zeros, and the place of the address in it."""
    encoded = name.encode()
    width = 0 if len(encoded) < 256 else 1
    is_ascii = name.isascii()
    head = struct.pack("<BB", 1, width | (0 if is_ascii else 0x10)) + (b"" if is_ascii else b"\x01")
    body = head + len(encoded).to_bytes(1 + width, "little") + encoded
    return message(0x06, body + bytes(8)), MESSAGE_PREFIX + len(body)


def link_info(links: int) -> tuple[bytes, bytes]:
    """Return the messages of a group that keeps its links in its header: link info and group info."""
    info = message(0x02, struct.pack("<BBQQ", 0, 0, UNDEFINED, UNDEFINED))
    most, least = max(8, links), max(6, links - 2)  # beyond these the library moves links to a heap and back
    return info, message(0x0A, struct.pack("<BBHH", 0, 1, most, least))


def header(messages: Sequence[bytes]) -> bytes:
    """Return a version 1 object header with one reference to it."""
    body = b"".join(messages)
    return struct.pack("<BxHII4x", 1, len(messages), 1, len(body)) + body
