"""What goes wrong with stored bytes."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pytupli_registry.server.errors import BadRequest, HubError, StorageFull, Unavailable

__all__ = ["InvalidKey", "ObjectNotFound", "StoreUnavailable", "disk_errors"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class InvalidKey(BadRequest):
    """No object can have this name."""


class ObjectNotFound(HubError):  # noqa: N818 - named as the server's other errors are
    """There is no object of that name. Of one that the database names, it means damage, hence a 500.

    Attributes:
        key: the name.
    """

    status = 500

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The stored object {key} is missing; the administrator can find out more with `pytupli-server fsck`."
        )
        self.key = key


class StoreUnavailable(Unavailable):
    """The store does not answer, or not as it should. The reason is the cause, for the log alone."""

    def __init__(self, doing: str) -> None:
        super().__init__(f"The object store failed while {doing}; nothing was changed. Try again later.")


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn what the operating system says of files into the server's errors.

    Raises:
        StorageFull: no space, no quota, or a file larger than is allowed.
        StoreUnavailable: everything else that the operating system can say.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull("No space is left in the object store; nothing was changed.") from error
        raise StoreUnavailable(doing) from error
