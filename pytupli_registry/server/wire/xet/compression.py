"""The three ways in which a chunk travels inside a xorb: as it is, LZ4, or byte planes under LZ4."""

from __future__ import annotations

import lz4.frame

from pytupli_registry.server.wire.xet.errors import XetFormatError

__all__ = ["unpack"]

RAW = 0
LZ4 = 1
BYTE_PLANES_LZ4 = 2
PLANES = 4


def unpack(scheme: int, packed: memoryview, length: int) -> memoryview | bytes | bytearray:
    """Return the ``length`` bytes of a chunk; memory is taken for no more than that, whatever ``packed`` holds.

    Raises:
        XetFormatError: the scheme is unknown, or the bytes do not unpack to exactly that length.
    """
    if scheme == RAW:
        return _exactly(packed, length)
    if scheme == LZ4:
        return _lz4_frame(packed, length)
    if scheme == BYTE_PLANES_LZ4:
        return _interleaved(_lz4_frame(packed, length))
    raise XetFormatError(f"A chunk of the xorb is compressed by the unknown scheme {scheme}.")


def _exactly(content: memoryview, length: int) -> memoryview:
    if len(content) != length:
        raise XetFormatError(f"A chunk of the xorb announces {length} bytes and has {len(content)}.")
    return content


def _lz4_frame(packed: memoryview, length: int) -> bytes:
    frame = lz4.frame.LZ4FrameDecompressor()
    try:
        content: bytes = frame.decompress(packed, max_length=length + 1)
    except (RuntimeError, ValueError) as error:
        raise XetFormatError(f"A chunk of the xorb is not an LZ4 frame: {error}.") from error
    if len(content) != length or not frame.eof or frame.unused_data:
        raise XetFormatError(f"A chunk of the xorb does not unpack to the {length} bytes that it announces.")
    return content


def _interleaved(planes: bytes) -> bytearray:
    # The n-th plane holds every fourth byte, starting with the n-th; the first ones are longer by the remainder.
    content = bytearray(len(planes))
    quarter, longer = divmod(len(planes), PLANES)
    start = 0
    for plane in range(PLANES):
        end = start + quarter + (plane < longer)
        content[plane::PLANES] = planes[start:end]
        start = end
    return content
