"""Blobs from one object store to another, each checked on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pytupli_registry.server.errors import Unprocessable
from pytupli_registry.server.objects import ObjectNotFound, ObjectStore
from pytupli_registry.server.objects.keys import is_hash
from pytupli_registry.server.services.blobs import blob_key

__all__ = ["Copied", "copy_blobs"]

MOST_NAMED = 100


@dataclass(slots=True)
class Copied:
    """What was copied.

    Attributes:
        blobs: how many.
        size: their bytes.
        skipped: how many were there already.
        damaged: how many are missing or have wrong bytes.
        damages: the first of these, and what is wrong with them.
    """

    blobs: int = 0
    size: int = 0
    skipped: int = 0
    damaged: int = 0
    damages: list[str] = field(default_factory=list)

    def damage(self, sha256: str, message: str) -> None:
        """Note a blob that could not be copied."""
        self.damaged += 1
        if self.damaged <= MOST_NAMED:
            self.damages.append(f"{sha256} {message}")


def copy_blobs(
    source: ObjectStore,
    target: ObjectStore,
    blobs: Iterable[tuple[str, int]],
    progress: Callable[[int], None] = lambda _: None,
) -> Copied:
    """Copy blobs that the target does not have in the right size.

    Raises:
        StorageFull: the target is full. What was copied until then stays, and is skipped the next time.
        StoreUnavailable: one of them does not answer.
    """
    copied = Copied()
    for sha256, size in blobs:
        if not is_hash(sha256):
            copied.damage(repr(sha256[:100]), "is no SHA-256")
            continue
        there = target.size(blob_key(sha256))
        if there == size:
            copied.skipped += 1
        else:
            if there is not None:
                target.delete(blob_key(sha256))
            _copy(source, target, sha256, size, copied)
        progress(1)
    return copied


def _copy(source: ObjectStore, target: ObjectStore, sha256: str, size: int, copied: Copied) -> None:
    try:
        with target.stage() as staged:
            for block in source.read(
                blob_key(sha256), length=size + 1
            ):  # what is longer is wrong, however long
                staged.write(block)
            if staged.size != size:
                copied.damage(sha256, f"has {_told(staged.size, size)} instead of {size}")
                return
            staged.publish(blob_key(sha256))
    except ObjectNotFound:
        copied.damage(sha256, "is missing in the object store")
    except Unprocessable:
        copied.damage(sha256, "has other bytes than its name says")
    else:
        copied.blobs += 1
        copied.size += size


def _told(found: int, size: int) -> str:
    return f"{found} bytes" if found <= size else "more bytes"
