"""Taking in a shard: its files become blobs of the repository, and the xorbs they came in become maps."""

from __future__ import annotations

from dataclasses import dataclass

from pytupli_registry.server.errors import TooLarge
from pytupli_registry.server.objects import Staged
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.lfs.registration import check_upload, has_blob
from pytupli_registry.server.services.xet.batches import Batch
from pytupli_registry.server.services.xet.chunks import Place
from pytupli_registry.server.services.xet.losses import answer_loss
from pytupli_registry.server.services.xet.sources import MissingChunks, Sources
from pytupli_registry.server.wire.xet.shard import ChunkRange, Shard, ShardFile

__all__ = ["Progress", "ShardIntake"]


@dataclass(slots=True)
class Progress:
    """How far a shard has been taken in; written by one thread, read by another.

    Attributes:
        done: bytes of files.
        total: bytes of all files, once they were counted.
    """

    done: int = 0
    total: int = 0


class ShardIntake:
    """Takes in one shard.

    Args:
        hub: the Hub.
        grant: who uploads it, for which repository.
        shard: the shard.
        progress: is told how far it is.
    """

    def __init__(self, hub: Hub, grant: UploadGrant, shard: Shard, progress: Progress) -> None:
        self._progress = progress
        self._hub = hub
        self._grant = grant
        self._shard = shard
        self._sources = Sources(hub, grant)

    def run(self) -> None:
        """Check everything, then put the files together one after the other.

        What was taken in before an error stays: it is verified content of this repository, and a retry finds it.

        Raises:
            XetFormatError: the shard contradicts itself or the xorbs.
            TooLarge: a file is larger than this Hub takes.
            Conflict: chunks are missing; the client has to send them again.
            Unprocessable: a file has another SHA-256 than the shard says.
            NotAuthenticated, RepoNotFound, Forbidden: the grant has ended.
            StorageFull, StoreUnavailable, Unavailable: the files cannot be kept.
        """
        try:
            self._check()
            with Batch(self._hub, self._grant, self._sources) as batch:
                for file in self._shard.files():
                    self._take_in(file, batch)
                batch.flush()
        except MissingChunks as missing:
            raise answer_loss(self._hub, self._grant, missing.xorb_hash) from missing

    def _check(self) -> None:
        for file in self._shard.files():
            if file.size > self._hub.settings.max_file_size:
                most = self._hub.settings.max_file_size
                raise TooLarge(f"A file of the upload has {file.size} bytes; this Hub takes at most {most}.")
            for part in self._shard.ranges(file):
                self._sources.places(part)
            self._progress.total += file.size
        # A range of a few bytes can name many megabytes: a shard must not order more than it may take.
        if self._progress.total > self._hub.settings.max_file_size:
            raise TooLarge(f"The files of one upload have {self._progress.total} bytes together; split it.")

    def _take_in(self, file: ShardFile, batch: Batch) -> None:
        if self._is_there(file):
            self._progress.done += file.size
            return
        staged = batch.stage()
        for part in self._shard.ranges(file):
            for place in self._sources.places(part):
                if place.in_xorb:
                    batch.move(part.xorb, place, staged.size)
                self._copy(part, place, staged)
        if file.sha256 is not None:
            check_upload(staged, file.sha256, file.size)
        batch.add(staged)

    def _copy(self, part: ChunkRange, place: Place, staged: Staged) -> None:
        for block in self._sources.blocks(part, place):
            staged.write(block)
            self._progress.done += len(block)

    def _is_there(self, file: ShardFile) -> bool:
        if file.sha256 is None or not has_blob(self._hub, self._grant.repository_id, file.sha256, file.size):
            return False
        # Bytes of xorbs that are still kept go only when their chunks have got a place in a blob.
        return not any(
            place.in_xorb for part in self._shard.ranges(file) for place in self._sources.places(part)
        )
