"""Whether a Parquet file is stored plainly, page by page.

The metadata at a file's end says which compression and encodings its columns have; the pages themselves say it once
more, and a reader goes by them. A hostile file can promise plain values there and hold a dictionary that makes
gigabytes out of kilobytes. So the header of every page is looked at before anything decodes the file.
"""

from __future__ import annotations

import faulthandler
import os
import re
import resource
from typing import TYPE_CHECKING, Any

from pytupli_registry.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["check_plain"]

_VARINT = rb"([\x80-\xff]{0,4}[\x00-\x7f])"
# Thrift's compact form of PageHeader(type=DATA_PAGE, uncompressed_page_size, compressed_page_size,
# data_page_header=DataPageHeader(num_values, encoding=PLAIN, levels in RLE)), and of nothing else.
# https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
_STATISTICS = rb"(?:\x1c(?:\x36" + _VARINT + rb")?\x00)?"  # at most the number of missing values
_PAGE = re.compile(
    rb"\x15\x00\x15"
    + _VARINT
    + rb"\x15"
    + _VARINT
    + rb"\x2c\x15"
    + _VARINT
    + rb"\x15\x00\x15\x06\x15\x06"
    + _STATISTICS
    + rb"\x00\x00",
    re.DOTALL,
)
_LONGEST = 64


def check_plain(path: Path, file: BinaryIO, metadata: Any) -> None:  # noqa: ANN401 - pyarrow has no types
    """Check that no column is compressed or encoded, as the metadata and every page say.

    Raises:
        FormatError: a column is, or its metadata cannot be read.
    """
    if not _survives(metadata):
        raise FormatError(path, "what it says of its columns cannot be read")
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            plain = chunk.compression == "UNCOMPRESSED" and not chunk.has_dictionary_page
            if not plain or sum(_values(path, file, chunk)) != chunk.num_values:
                raise FormatError(path, f"the column {column} is not stored plainly")


def _survives(metadata: Any) -> bool:  # noqa: ANN401
    """Whether pyarrow can look at each column's metadata.

    Its accessors let C++ exceptions through, which end the process: damaged metadata is looked at by a child first.
    """
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    try:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        for group in range(metadata.num_row_groups):
            for column in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(column)
                _ = (chunk.compression, chunk.has_dictionary_page, chunk.num_values)
                _ = (chunk.data_page_offset, chunk.total_compressed_size)
        os._exit(0)
    finally:
        os._exit(1)


def _values(path: Path, file: BinaryIO, chunk: Any) -> Iterator[int]:  # noqa: ANN401
    """Yield the number of values of each page."""
    at = chunk.data_page_offset
    end = at + chunk.total_compressed_size
    while at < end:
        file.seek(at)
        found = _PAGE.match(file.read(_LONGEST))
        if found is None or found[1] != found[2]:
            raise FormatError(path, "a page is compressed, encoded, or no page")
        yield _number(found[3])
        at += found.end() + _number(found[2])
    if at != end:
        raise FormatError(path, "its pages do not fill their column")


def _number(varint: bytes) -> int:
    """Return a zigzag number, which is not negative where a size stands."""
    value = 0
    for position, byte in enumerate(varint):
        value |= (byte & 0x7F) << (7 * position)
    if value & 1:
        return 0
    return value >> 1
