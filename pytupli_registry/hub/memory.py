"""What the stock client may use to upload: by default it keeps hundreds of megabytes ready to be sent."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["in_little_memory"]

# hf_xet cuts files into packs of 64 MB, and holds each of these twice while it packs it. As it is, it sends ever more
# of them at once as long as that goes well, packs while others are sent, and reads eight files at the same time.
# Settings of :class:`hf_xet.XetConfig` by their names in the environment; releases that know one not ignore it.
_XET = {
    "HF_XET_CLIENT_AC_INITIAL_UPLOAD_CONCURRENCY": "1",
    "HF_XET_CLIENT_AC_MAX_UPLOAD_CONCURRENCY": "1",
    "HF_XET_DATA_MAX_CONCURRENT_FILE_INGESTION": "1",
    "HF_XET_DATA_INGESTION_BLOCK_SIZE": "1000000",
    # "auto" keeps a pack until all of it is compressed, a scheme that is named lets go of it bit by bit.
    "HF_XET_XORB_COMPRESSION_POLICY": "bg4-lz4",
}
# mallopt(3). Freed packs go back to the system at once, instead of waiting for others of their size.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_SMALL = 1 << 17
_USUAL = 32 << 20  # to which glibc lets it grow


@contextmanager
def in_little_memory() -> Iterator[None]:
    """Let the client's session, which is made at its first transfer and stays, be a modest one.

    What the user has set in the environment stays as it is, and so does a session that was made before.
    """
    given = {name: value for name, value in _XET.items() if name not in os.environ}
    os.environ.update(given)
    _return_what_is_freed(at_once=True)
    try:
        yield
    finally:
        _return_what_is_freed(at_once=False)
        for name in given:
            os.environ.pop(name, None)


def _return_what_is_freed(*, at_once: bool) -> None:
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):  # musl returns it anyway
        return
    threshold = _SMALL if at_once else _USUAL
    library.mallopt(_M_MMAP_THRESHOLD, threshold)
    library.mallopt(_M_TRIM_THRESHOLD, 2 * threshold)
    library.malloc_trim(0)
