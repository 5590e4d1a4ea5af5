"""The names of objects: few kinds, each with one shape, so that no name can leave the store or cross another."""

from __future__ import annotations

import re

from pytupli_registry.server.objects.errors import InvalidKey

__all__ = ["checked_key", "checked_prefix", "is_hash"]

_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_NUMBER = re.compile(r"[0-9]{1,8}")

# Each kind has one depth: what is an object's name can never be needed for a directory.
_KINDS: dict[str, tuple[re.Pattern[str], ...]] = {
    "blobs": (_HASH,),  # SHA-256
    "xorbs": (_NAME, _HASH),  # scope, Xet's hash
    "parts": (_NAME, _NUMBER),  # upload, number
}


def checked_key(key: str) -> str:
    """Return ``key``.

    Raises:
        InvalidKey: no object can have that name.
    """
    kind, *names = key.split("/")
    shapes = _KINDS.get(kind)
    if shapes is None or len(names) != len(shapes) or not _match(shapes, names):
        raise InvalidKey(f"{key[:200]!r} is not the name of an object.")
    return key


def checked_prefix(prefix: str) -> str:
    """Return ``prefix`` without a slash at its end: nothing, a kind, or a kind and some of the names below it.

    Raises:
        InvalidKey: no object's name can begin with it.
    """
    bare = prefix.removesuffix("/")
    kind, *names = bare.split("/")
    shapes = _KINDS.get(kind)
    if prefix and (shapes is None or len(names) >= len(shapes) or not _match(shapes, names)):
        raise InvalidKey(f"{prefix[:200]!r} is not the beginning of an object's name.")
    return bare


def is_hash(name: str) -> bool:
    """Tell whether a name is 64 hexadecimal digits, in lower case."""
    return _HASH.fullmatch(name) is not None


def _match(shapes: tuple[re.Pattern[str], ...], names: list[str]) -> bool:
    return all(shape.fullmatch(name) for shape, name in zip(shapes, names, strict=False))
