"""Where an object lies in a folder, and which object it is that lies somewhere."""

from __future__ import annotations

from collections.abc import Sequence

from pytupli_registry.server.objects.errors import InvalidKey
from pytupli_registry.server.objects.keys import checked_key, is_hash

__all__ = ["STAGING", "key_at", "location"]

STAGING = "staging"  # no kind of object has this name


def location(key: str) -> tuple[str, ...]:
    """Return the names of the directories and of the file; ``blobs/abcd…`` lies in ``blobs/ab/cd/abcd…``.

    Raises:
        InvalidKey: no object can have that name.
    """
    *above, name = checked_key(key).split("/")
    return (*above, name[:2], name[2:4], name) if is_hash(name) else (*above, name)


def key_at(names: Sequence[str]) -> str | None:
    """Return the object whose :func:`location` this is, or None if it is a stranger's file."""
    *above, name = names
    key = "/".join((*(above[:-2] if is_hash(name) else above), name))
    try:
        return key if location(key) == tuple(names) else None
    except InvalidKey:
        return None
