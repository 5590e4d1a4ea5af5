"""The bytes of chunks, from wherever they are, while xorbs turn into maps under the reader's eyes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from pytupli_registry.server.database.schema import Xorb
from pytupli_registry.server.objects import ObjectNotFound
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.xet.chunks import ChunkMap, Place
from pytupli_registry.server.services.xet.xorbs import chunk_map
from pytupli_registry.server.wire.xet.errors import XetFormatError
from pytupli_registry.server.wire.xet.hashes import XetHash, hash_text
from pytupli_registry.server.wire.xet.shard import ChunkRange

__all__ = ["MissingChunks", "Sources"]

MAPS = 256
BLOBS = 10_000


class MissingChunks(Exception):  # noqa: N818 - a finding, which the intake turns into an answer
    """Chunks of a xorb are not there, or may not be used any more."""

    def __init__(self, xorb_hash: str) -> None:
        super().__init__(xorb_hash)
        self.xorb_hash = xorb_hash


class Sources:
    """The xorbs of one user, as one shard needs them.

    Args:
        hub: the Hub.
        grant: who uploads; it is checked whenever something is looked up.

    Attributes:
        readable: what is known of blobs: whether the user may read them.
    """

    def __init__(self, hub: Hub, grant: UploadGrant) -> None:
        self._hub = hub
        self._grant = grant
        self._maps: OrderedDict[XetHash, ChunkMap] = OrderedDict()
        self.readable: dict[str, bool] = {}

    def places(self, part: ChunkRange) -> list[Place]:
        """Return where the chunks of a range are.

        Raises:
            MissingChunks: some are nowhere.
            XetFormatError: the xorb has fewer chunks, or they have another length.
        """
        chunks = self._map(part.xorb)
        if part.end > chunks.count or chunks.length(part.first, part.end) != part.length:
            raise XetFormatError(
                f"The shard takes {part.length} bytes from the chunks {part.first} to {part.end} of the xorb "
                f"{hash_text(part.xorb)}, which has {chunks.count} chunks of other lengths."
            )
        places = list(chunks.places(part.first, part.end))
        if any(place.key is None for place in places):
            raise MissingChunks(hash_text(part.xorb))
        return places

    def blocks(self, part: ChunkRange, place: Place) -> Iterator[bytes]:
        """Give the bytes of a place; should its object go meanwhile, from where the chunks are then.

        Raises:
            MissingChunks: they are nowhere any more.
        """
        given = 0
        try:
            for block in self._read(place, 0):
                given += len(block)
                yield block
        except ObjectNotFound:
            self.forget([part.xorb])
            yield from self._rest(part, place, given)

    def _rest(self, part: ChunkRange, place: Place, given: int) -> Iterator[bytes]:
        for other in self._map(part.xorb).places(place.first, place.end):
            if other.key is None or other.key == place.key:
                raise MissingChunks(hash_text(part.xorb))
            skipped = min(given, other.length)
            given -= skipped
            yield from self._read(other, skipped)

    def _read(self, place: Place, skipped: int) -> Iterator[bytes]:
        if place.key is None:
            raise ValueError("missing chunks cannot be read")
        return self._hub.objects.read(place.key, place.start + skipped, place.length - skipped)

    def forget(self, xorbs: Iterable[XetHash], blobs: Iterable[str] = ()) -> None:
        """Look up again what has changed: xorbs, and who may read blobs."""
        for xorb in xorbs:
            self._maps.pop(xorb, None)
        for sha256 in blobs:
            self.readable.pop(sha256, None)

    def _map(self, xorb_hash: XetHash) -> ChunkMap:
        known = self._maps.get(xorb_hash)
        if known is not None:
            self._maps.move_to_end(xorb_hash)
            return known
        chunks = self._looked_up(hash_text(xorb_hash))
        self._maps[xorb_hash] = chunks
        if len(self._maps) > MAPS:
            self._maps.popitem(last=False)
        return chunks

    def _looked_up(self, xorb_hash: str) -> ChunkMap:
        if len(self.readable) > BLOBS:
            self.readable.clear()
        with self._hub.database.read() as session:
            caller = self._grant.check(session)
            xorb = session.get(Xorb, (self._grant.user_id, xorb_hash))
            if xorb is None:
                raise MissingChunks(xorb_hash)
            return chunk_map(session, caller, xorb, readable=self.readable)
