"""Taking in a xorb, and letting go of its bytes once every chunk lies in a blob."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import update
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Xorb, now
from pytupli_registry.server.errors import Unavailable, Unprocessable
from pytupli_registry.server.objects import Staged
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.services.xet.chunks import ChunkMap, Run, packed_lengths
from pytupli_registry.server.services.xet.reading import ownerless_blobs, readable_blobs
from pytupli_registry.server.wire.xet.hashes import hash_text
from pytupli_registry.server.wire.xet.xorb import UnpackedXorb, XorbUnpacker

__all__ = ["XorbIntake", "chunk_map", "is_known", "release", "xorb_intake", "xorb_key"]


def xorb_key(user_id: int, xorb_hash: str) -> str:
    """Return the name of a user's xorb in the object store; what lies there is its unpacked bytes."""
    return f"xorbs/{user_id}/{xorb_hash}"


def chunk_map(
    session: Session, caller: Caller, xorb: Xorb, *, readable: dict[str, bool] | None = None
) -> ChunkMap:
    """Return where the chunks of a xorb are that ``caller``, who has sent it, may still use.

    Args:
        session: any session.
        caller: the xorb's user.
        xorb: the row.
        readable: what is known of blobs; it is added to.
    """
    known = {} if readable is None else readable
    runs = [Run(*segment) for segment in xorb.segments]
    unknown = {run.sha256 for run in runs} - known.keys()
    # What lies in no repository any more is nobody else's: who has sent it may use it again until gc removes it.
    usable = readable_blobs(session, caller, unknown) | ownerless_blobs(session, unknown)
    known.update(dict.fromkeys(unknown, False) | dict.fromkeys(usable, True))
    key = xorb_key(xorb.user_id, xorb.hash) if xorb.stored else None
    return ChunkMap(xorb.lengths, (run for run in runs if known[run.sha256]), key)


class XorbIntake:
    """A xorb that is coming in. Made by :func:`xorb_intake`."""

    def __init__(self, hub: Hub, grant: UploadGrant, xorb_hash: str, staged: Staged) -> None:
        self._hub = hub
        self._grant = grant
        self._hash = xorb_hash
        self._staged = staged
        self._unpacker = XorbUnpacker()

    def take(self, block: bytes | bytearray) -> None:
        """Take the next bytes of the packed xorb.

        Raises:
            XetFormatError: they belong to no xorb.
            StorageFull, StoreUnavailable: they cannot be kept.
        """
        for chunk in self._unpacker.feed(block):
            self._staged.write(chunk)

    def finish(self) -> bool:
        """Keep the xorb, and return whether it is new.

        Raises:
            XetFormatError: it is cut off.
            Unprocessable: it has another hash than announced.
            StorageFull, StoreUnavailable, Unavailable: it cannot be kept.
            NotAuthenticated, RepoNotFound, Forbidden: the grant ended meanwhile.
        """
        xorb = self._unpacker.finish()
        if hash_text(xorb.hash) != self._hash:
            raise Unprocessable(
                f"The xorb's hash is {hash_text(xorb.hash)}, not {self._hash}. It was not kept."
            )
        key = xorb_key(self._grant.user_id, self._hash)
        self._staged.publish(key)
        with self._hub.database.write() as session:
            is_new = self._note(session, self._grant.check(session), xorb)
            # Under the lock of the row, as in its release: what is said to be stored is.
            if is_new and self._hub.objects.size(key) is None:
                raise Unavailable("The xorb was removed by a clean-up. Send it again.")
        if not is_new:
            release(self._hub, self._grant.user_id, [self._hash])
        return is_new

    def _note(self, session: Session, caller: Caller, xorb: UnpackedXorb) -> bool:
        time = now()
        row = {
            "user_id": self._grant.user_id,
            "hash": self._hash,
            "size": self._staged.size,
            "lengths": packed_lengths(xorb.lengths),
            "stored": True,
            "segments": [],
            "created_at": time,
            "touched_at": time,
        }
        if self._hub.database.insert_missing(session, Xorb, [row], tell="hash"):
            return True
        known = session.get_one(Xorb, (self._grant.user_id, self._hash), with_for_update=True)
        known.touched_at = time
        if _is_usable(session, caller, known):
            return False
        known.stored = True
        return True


def _is_usable(session: Session, caller: Caller, xorb: Xorb) -> bool:
    return xorb.stored or chunk_map(session, caller, xorb).is_covered


def is_known(hub: Hub, grant: UploadGrant, xorb_hash: str) -> bool:
    """Tell whether the user has sent this xorb before, and it can still be used; if so, it is kept for longer.

    Raises:
        NotAuthenticated, RepoNotFound, Forbidden: the grant has ended.
    """
    with hub.database.read() as session:
        caller = grant.check(session)
        xorb = session.get(Xorb, (grant.user_id, xorb_hash))
        if xorb is None or not _is_usable(session, caller, xorb):
            return False
    with hub.database.write() as session:
        touched = update(Xorb).where(Xorb.user_id == grant.user_id, Xorb.hash == xorb_hash)
        session.execute(touched.values(touched_at=now()))
    return True


@contextmanager
def xorb_intake(hub: Hub, grant: UploadGrant, xorb_hash: str) -> Iterator[XorbIntake]:
    """Begin to take in a xorb; what was not finished on leaving is dropped."""
    with hub.objects.stage(hashed=False) as staged:  # Xet's own hash is compared instead
        yield XorbIntake(hub, grant, xorb_hash, staged)


def release(hub: Hub, user_id: int, hashes: Iterable[str]) -> None:
    """Delete the bytes of those xorbs that are marked as not stored any more."""
    for xorb_hash in hashes:
        with hub.database.write() as session:
            # The row stays locked until the bytes are gone, so that nobody sends them again in between.
            xorb = session.get(Xorb, (user_id, xorb_hash), with_for_update=True)
            if xorb is None or not xorb.stored:
                hub.objects.delete(xorb_key(user_id, xorb_hash))
