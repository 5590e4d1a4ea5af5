"""Files of a shard that become blobs together: one transaction for many small ones."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Xorb, now
from pytupli_registry.server.objects import Staged
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.lfs.registration import published
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.services.xet.chunks import ChunkMap, Place, Run
from pytupli_registry.server.services.xet.sources import Sources
from pytupli_registry.server.services.xet.xorbs import chunk_map, release, xorb_key
from pytupli_registry.server.wire.xet.hashes import XetHash, hash_text

__all__ = ["Batch"]

MOST_FILES = 32
MOST_BYTES = 256 << 20
MOST_XORBS = 256


@dataclass(slots=True)
class _Moves:
    """Chunks of one xorb that get a place in a blob; each counts once, so that there are never many."""

    moved: bytearray = field(default_factory=bytearray)
    runs: list[Run] = field(default_factory=list)

    def is_new(self, place: Place) -> bool:
        self.moved.extend(bytes(max(0, place.end - len(self.moved))))
        chunks = slice(place.first, place.end)
        if 0 not in self.moved[chunks]:
            return False
        self.moved[chunks] = b"\x01" * (place.end - place.first)
        return True


class Batch:
    """Staged files, and what their chunks mean for the xorbs. What was not flushed is dropped on leaving."""

    def __init__(self, hub: Hub, grant: UploadGrant, sources: Sources) -> None:
        self._hub = hub
        self._grant = grant
        self._sources = sources
        self._begin()

    def _begin(self) -> None:
        self._open = ExitStack()
        self._files: list[Staged] = []
        self._moves: dict[XetHash, _Moves] = {}
        self._pending: list[tuple[XetHash, Place, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def stage(self) -> Staged:
        """Begin the next file.

        Raises:
            StorageFull: no space is left.
        """
        return self._open.enter_context(self._hub.objects.stage())

    def move(self, xorb: XetHash, place: Place, position: int) -> None:
        """Note that chunks of a xorb stand at that position of the file that was begun last."""
        moves = self._moves.setdefault(xorb, _Moves())
        if moves.is_new(place):
            self._pending.append((xorb, place, position))

    def add(self, staged: Staged) -> None:
        """Add the file that was begun last, which is complete and right.

        Raises:
            StorageFull, StoreUnavailable, Unavailable: the batch was full, and cannot be kept.
        """
        for xorb, place, position in self._pending:
            self._moves[xorb].runs.append(Run(place.first, place.end, staged.sha256, position))
        self._pending.clear()
        self._files.append(staged)
        size = sum(file.size for file in self._files)
        if len(self._files) == MOST_FILES or size >= MOST_BYTES or len(self._moves) >= MOST_XORBS:
            self.flush()

    def flush(self) -> None:
        """Make the files blobs of the repository, and the xorbs maps.

        Raises:
            StorageFull, StoreUnavailable, Unavailable: they cannot be kept.
            NotAuthenticated, RepoNotFound, Forbidden: the grant has ended.
        """
        if self._files:
            with published(self._hub, self._grant, self._files) as (session, caller):
                covered = self._note_moves(session, caller)
            self._sources.forget(self._moves, {file.sha256 for file in self._files})
            release(self._hub, self._grant.user_id, covered)
        self._open.close()
        self._begin()

    def _note_moves(self, session: Session, caller: Caller) -> list[str]:
        # In the order of their hashes, so that nobody waits in a circle.
        covered = []
        for xorb_hash, moves in sorted((hash_text(xorb), moves) for xorb, moves in self._moves.items()):
            xorb = session.get(Xorb, (self._grant.user_id, xorb_hash), with_for_update=True)
            if xorb is not None and _note(session, caller, xorb, moves.runs, self._sources.readable):
                covered.append(xorb_hash)
        return covered


def _note(session: Session, caller: Caller, xorb: Xorb, runs: list[Run], readable: dict[str, bool]) -> bool:
    before = chunk_map(session, caller, xorb, readable=readable)
    chunks = ChunkMap(xorb.lengths, [*before.runs, *runs], xorb_key(xorb.user_id, xorb.hash))
    xorb.segments = [[run.first, run.end, run.sha256, run.offset] for run in chunks.runs]
    xorb.stored = xorb.stored and not chunks.is_covered
    xorb.touched_at = now()
    return not xorb.stored
