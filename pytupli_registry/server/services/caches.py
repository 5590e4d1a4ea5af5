"""What is kept in memory: what is content-addressed, and what the database said since its last change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytupli_registry.server.database.engine import Version
    from pytupli_registry.server.services.files import File
    from pytupli_registry.server.services.permissions import Caller
    from pytupli_registry.server.wire.git import TreeEntry

__all__ = ["Caches", "LeastRecent", "SinceCommit"]

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
TREE_ENTRIES = 400_000  # about 300 bytes each
BLOBS = 100_000  # about 400 bytes each
CONTENT_BYTES = 16 << 20
CALLERS = 10_000


class LeastRecent(Generic[Value]):
    """A mapping that forgets what was not asked for the longest time, by weight.

    Args:
        capacity: the sum of weights that is kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._weight = 0
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Value | None:
        """Return what was put under ``key``, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Return what was put under those of ``keys`` that are known."""
        found: dict[Key, Value] = {}
        with self._lock:
            for key in keys:
                kept = self._kept.get(key)
                if kept is not None:
                    self._kept.move_to_end(key)
                    found[key] = kept[0]
        return found

    def put(self, key: Hashable, value: Value, weight: int = 1) -> None:
        """Keep ``value``; what weighs more than everything together is not kept."""
        if weight <= self._capacity:
            with self._lock:
                self._keep(key, value, weight)

    def put_many(self, values: Mapping[Key, Value]) -> None:
        """Keep all of ``values``, each of which weighs 1."""
        with self._lock:
            for key, value in values.items():
                self._keep(key, value, 1)

    def _keep(self, key: Hashable, value: Value, weight: int) -> None:
        old = self._kept.pop(key, None)
        self._weight += weight - (old[1] if old else 0)
        self._kept[key] = (value, weight)
        while self._weight > self._capacity:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._weight -= dropped


class SinceCommit(Generic[Value]):
    """What was read from the database, until anything at all is committed there.

    So nothing is ever older than the database is; where it has no versions, nothing is kept.

    Args:
        capacity: how many values are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._kept: LeastRecent[tuple[Version, Value]] = LeastRecent(capacity)

    def get(self, key: Hashable, version: Version | None) -> Value | None:
        """Return what was put under ``key`` when the database had this ``version``, which it has now."""
        found = self._kept.get(key)
        return found[1] if found is not None and found[0] == version else None

    def put(self, key: Hashable, version: Version | None, value: Value) -> None:
        """Keep ``value``, for which the database was asked after it told its ``version``."""
        if version is not None:
            self._kept.put(key, (version, value))


class Caches:
    """The caches of one process.

    Attributes:
        trees: parsed tree objects by id; never change them.
        files: what git blobs stand for, by id.
        contents: small files, by the git blob's id.
        callers: who holds an access token, by its digest; the token's expiry is not looked at.
    """

    def __init__(self) -> None:
        self.trees: LeastRecent[Mapping[str, TreeEntry]] = LeastRecent(TREE_ENTRIES)
        self.files: LeastRecent[File] = LeastRecent(BLOBS)
        self.contents: LeastRecent[bytes] = LeastRecent(CONTENT_BYTES)
        self.callers: SinceCommit[Caller] = SinceCommit(CALLERS)
