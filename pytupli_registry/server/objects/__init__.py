"""Where bytes live: one seam, with a directory or a cloud's object store behind it.

The only part of the server that knows files of blobs, or ``obstore``.
"""

from pytupli_registry.server.objects.errors import InvalidKey, ObjectNotFound, StoreUnavailable
from pytupli_registry.server.objects.opening import open_store
from pytupli_registry.server.objects.store import BLOCK, ObjectStore, Staged, StoredObject

__all__ = [
    "BLOCK",
    "InvalidKey",
    "ObjectNotFound",
    "ObjectStore",
    "Staged",
    "StoreUnavailable",
    "StoredObject",
    "open_store",
]
