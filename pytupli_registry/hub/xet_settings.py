"""How the stock client sends large files: in little memory, and so that what was sent before is remembered."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["careful_uploads"]

# hf_xet cuts files into packs of 64 MB. As it is, it sends ever more of them at once as long as that goes well, packs
# others meanwhile, reads eight files at the same time, and notes only every 20 seconds which packs the Hub has. These
# are settings of its XetConfig by their names in the environment; a release that does not know one ignores it.
_SETTINGS = {
    "HF_XET_CLIENT_AC_INITIAL_UPLOAD_CONCURRENCY": "1",
    "HF_XET_CLIENT_AC_MAX_UPLOAD_CONCURRENCY": "1",
    "HF_XET_DATA_MAX_CONCURRENT_FILE_INGESTION": "1",
    "HF_XET_DATA_INGESTION_BLOCK_SIZE": "1000000",
    # "auto" keeps a pack until all of it is compressed; a scheme that is named lets go of it bit by bit. This one
    # groups the bytes of numbers, and made nothing larger that we tried: floats, frames, flags.
    "HF_XET_XORB_COMPRESSION_POLICY": "bg4-lz4",
    # A pack is noted when it has arrived: a process that is killed sends again no more than the one on its way.
    "HF_XET_DATA_SESSION_XORB_METADATA_FLUSH_MAX_COUNT": "1",
}
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_AT_ONCE = 1 << 17  # bytes
_USUAL = 32 << 20  # to which glibc lets it grow by itself


@contextmanager
def careful_uploads() -> Iterator[None]:
    """Let the client's session, made at the first transfer of a process, have these settings.

    What the user has set in the environment wins, and so does a session that was made before.
    """
    given = {name: value for name, value in _SETTINGS.items() if name not in os.environ}
    os.environ.update(given)
    _return_freed_from(_AT_ONCE)
    try:
        yield
    finally:
        _return_freed_from(_USUAL)
        for name in given:
            os.environ.pop(name, None)


def _return_freed_from(size: int) -> None:
    """Let memory of this size go back to the system when it is freed, which saves a pack or two."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):  # not glibc, which alone keeps it
        return
    library.mallopt(_M_MMAP_THRESHOLD, size)
    library.mallopt(_M_TRIM_THRESHOLD, 2 * size)
    library.malloc_trim(0)
