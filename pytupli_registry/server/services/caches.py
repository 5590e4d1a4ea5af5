"""What is kept in memory: only what is content-addressed, so that it can never be stale."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytupli_registry.server.services.files import File
    from pytupli_registry.server.wire.git import TreeEntry

__all__ = ["Caches", "LeastRecent"]

Value = TypeVar("Value")
TREE_ENTRIES = 2_000_000  # about 300 bytes each
BLOBS = 200_000


class LeastRecent(Generic[Value]):
    """A mapping that forgets what was not asked for the longest time, by weight.

    Args:
        capacity: the sum of weights that is kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._weight = 0
        self._kept: OrderedDict[str, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> Value | None:
        """Return what was put under ``key``, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: str, value: Value, weight: int = 1) -> None:
        """Keep ``value``; what weighs more than everything together is not kept."""
        if weight > self._capacity:
            return
        with self._lock:
            old = self._kept.pop(key, None)
            self._weight += weight - (old[1] if old else 0)
            self._kept[key] = (value, weight)
            while self._weight > self._capacity:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._weight -= dropped


class Caches:
    """The caches of one process.

    Attributes:
        trees: parsed tree objects by id; never change them.
        files: what git blobs stand for, by id.
    """

    def __init__(self) -> None:
        self.trees: LeastRecent[Mapping[str, TreeEntry]] = LeastRecent(TREE_ENTRIES)
        self.files: LeastRecent[File] = LeastRecent(BLOBS)
