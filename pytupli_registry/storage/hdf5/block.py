"""Reading back the headers of one episode that :mod:`template` may have laid out.

Nothing here is trusted: what is read is only a guess, to be laid out again and compared byte by byte.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytupli_registry.dataset.leaves import Leaf
from pytupli_registry.storage.hdf5.attribute_values import AttributeForm
from pytupli_registry.storage.hdf5.description import FLAT, MAX_DEPTH, MAX_LEAVES, ROOTS
from pytupli_registry.storage.hdf5.messages import (
    HEADER_PREFIX,
    MESSAGE_PREFIX,
    TEXT,
    UNDEFINED,
    datatype,
    padded,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["Block", "ForeignLayout"]

_SPACE, _TYPE, _LINK, _LAYOUT, _ATTRIBUTE = 0x01, 0x03, 0x06, 0x08, 0x0C
_MAX_HEADER = 1 << 24
_WIDE_NAME, _UTF8_NAME = 0x01, 0x10


class ForeignLayout(Exception):  # noqa: N818 - not an error: HDF5 reads the file
    """The file is not one that we laid out whole."""


@dataclass(frozen=True, slots=True)
class Block:
    """What the headers of an episode seem to say.

    Attributes:
        leaves: in the order in which their columns lie.
        attributes: names and forms, in order.
    """

    leaves: tuple[Leaf, ...]
    attributes: tuple[tuple[str, AttributeForm], ...]

    @classmethod
    def read(cls, data: NDArray[np.uint8], at: int) -> Block:
        """Read the headers at an address of a file.

        Raises:
            ForeignLayout: they are none of ours.
        """
        reader = _Reader(data, at)
        attributes = reader.group(at, "", 0)
        return cls(
            tuple(reader.leaves[place] for place in np.argsort(reader.addresses, kind="stable")), attributes
        )


class _Reader:
    """Walks through the headers of one episode; remembers leaves and the addresses of their values."""

    def __init__(self, data: NDArray[np.uint8], start: int) -> None:
        self._data = data
        self._end = start
        self.leaves: list[Leaf] = []
        self.addresses: list[int] = []

    def group(self, at: int, prefix: str, depth: int) -> tuple[tuple[str, AttributeForm], ...]:
        """Read a group's header and those of all below it; return its attributes."""
        attributes, links = [], []
        messages = list(self._messages(at))
        for kind, body in messages:
            if kind == _LAYOUT:
                self._dataset(dict(messages), prefix)
                return ()
            if kind == _ATTRIBUTE:
                attributes.append(_attribute(body))
            elif kind == _LINK:
                links.append(_link(body))
        if not links or depth > MAX_DEPTH:
            raise ForeignLayout
        for name, address in links:
            if depth == 0 and name not in ROOTS:
                raise ForeignLayout
            self.group(address, f"{prefix}/{name}" if prefix else name, depth + 1)
        return tuple(attributes)

    def _dataset(self, bodies: Mapping[int, bytes], path: str) -> None:
        if len(self.leaves) >= MAX_LEAVES or (path not in FLAT and path.split("/", 1)[0] in FLAT):
            raise ForeignLayout
        shape, end = _shape(bodies.get(_SPACE, b""))
        _, layout_class, address = struct.unpack_from("<BBQ", _at_least(bodies[_LAYOUT], 10))
        dtype = _dtypes().get(bodies.get(_TYPE, b""))
        if dtype is None or not shape or end != len(bodies[_SPACE]) or layout_class != 1:
            raise ForeignLayout
        extra_row: Any = 1 if path.startswith(("observations", "infos")) else 0
        leaf = Leaf(path, dtype, shape[1:], extra_row)
        if max(leaf.row_bytes, *shape) > len(self._data):
            raise ForeignLayout
        # A leaf without bytes has no address; it stays behind the one that it follows.
        nowhere = self.addresses[-1] if self.addresses else 0
        self.leaves.append(leaf)
        self.addresses.append(nowhere if address == UNDEFINED else address)

    def _messages(self, at: int) -> Iterator[tuple[int, bytes]]:
        """Yield kind and body of each message of a header, which must follow the one that was read before."""
        version, _, _, size = struct.unpack("<BxHII4x", self._take(at, HEADER_PREFIX))
        if version != 1 or size > _MAX_HEADER or at != self._end:
            raise ForeignLayout
        self._end += HEADER_PREFIX + size
        messages, place = self._take(at + HEADER_PREFIX, size), 0
        while place < size:
            kind, length = struct.unpack_from("<HH", _at_least(messages, place + MESSAGE_PREFIX), place)
            place += MESSAGE_PREFIX + length
            yield kind, _at_least(messages, place)[place - length : place]

    def _take(self, at: int, size: int) -> bytes:
        if at + size > len(self._data):
            raise ForeignLayout
        return self._data[at : at + size].tobytes()


def _link(body: bytes) -> tuple[str, int]:
    flags = _at_least(body, 4)[1]
    width, start = 1 + (flags & _WIDE_NAME), 3 if flags & _UTF8_NAME else 2
    size = int.from_bytes(body[start : start + width], "little")
    start += width
    (address,) = struct.unpack_from("<Q", _at_least(body, start + size + 8), start + size)
    return _name(body[start : start + size]), address


def _attribute(body: bytes) -> tuple[str, AttributeForm]:
    name_size, type_size, space_size = struct.unpack_from("<HHH", _at_least(body, 8), 2)
    name_end = 8 + name_size
    start = name_end + -name_end % 8
    stored = padded(_at_least(body, start + type_size)[start : start + type_size])
    shape, _ = _shape(_at_least(body, start + len(stored) + space_size)[start + len(stored) :])
    name = _name(body[8 : name_end - 1])
    is_text = stored == padded(datatype(TEXT))
    if not is_text and stored not in _dtypes():
        raise ForeignLayout
    form = AttributeForm(TEXT if is_text else _dtypes()[stored], shape)
    if form.size > len(body):
        raise ForeignLayout
    return name, form


def _shape(body: bytes) -> tuple[tuple[int, ...], int]:
    """Return the shape of a dataspace message and the end of what was read."""
    rank = _at_least(body, 8)[1]
    return struct.unpack_from(f"<{rank}Q", _at_least(body, 8 + 8 * rank), 8), 8 + 8 * rank


def _name(encoded: bytes) -> str:
    """Return a name, unless HDF5 or :class:`Template` could understand it in another way."""
    try:
        name = encoded.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ForeignLayout from error
    if name in {"", "."} or "\0" in name:
        raise ForeignLayout
    return name


def _at_least(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise ForeignLayout
    return data


@cache
def _dtypes() -> dict[bytes, np.dtype[Any]]:
    """Return every dtype that we write, by its padded datatype message."""
    codes = ["?", "i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16"]
    return {padded(datatype(np.dtype(code))): np.dtype(code) for code in codes}
