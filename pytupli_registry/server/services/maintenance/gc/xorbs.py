"""Xet's xorbs: bytes that no shard used, and maps whose blobs are gone."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Blob, Xorb
from pytupli_registry.server.services.maintenance.gc.run import GcRun
from pytupli_registry.server.services.xet.epochs import renew_epoch
from pytupli_registry.server.services.xet.xorbs import xorb_key

__all__ = ["collect_xorbs"]

PAGE = 100


def collect_xorbs(run: GcRun) -> None:
    """Remove the bytes and maps of old xorbs that are of no use; clients are told to forget their chunks then."""
    last = (0, "")
    changed = False
    while page := _page(run, last):
        last = page[-1]
        for user_id, xorb_hash in page:
            changed |= _collect(run, user_id, xorb_hash)
    if changed and not run.dry:
        with run.hub.database.write() as session:
            renew_epoch(run.hub, session)


def _page(run: GcRun, last: tuple[int, str]) -> list[tuple[int, str]]:
    after = or_(Xorb.user_id > last[0], (Xorb.user_id == last[0]) & (Xorb.hash > last[1]))
    query = select(Xorb.user_id, Xorb.hash).where(Xorb.touched_at < run.cutoff, after)
    with run.hub.database.read() as session:
        return list(session.execute(query.order_by(Xorb.user_id, Xorb.hash).limit(PAGE)))


def _collect(run: GcRun, user_id: int, xorb_hash: str) -> bool:
    with run.hub.database.read() as session:
        xorb = session.get(Xorb, (user_id, xorb_hash))
        if xorb is None or not (xorb.stored or _has_lost(session, xorb)):
            return False
        run.removed["xorbs"] += 1
        run.freed["xorbs"] += xorb.size if xorb.stored else 0
    if run.dry:
        return True
    with run.hub.database.write() as session:
        return _shrink(session, run, user_id, xorb_hash)


def _shrink(session: Session, run: GcRun, user_id: int, xorb_hash: str) -> bool:
    old = select(Xorb).where(Xorb.user_id == user_id, Xorb.hash == xorb_hash, Xorb.touched_at < run.cutoff)
    xorb = session.scalar(old.with_for_update(skip_locked=True))
    if xorb is None:
        return False
    there = _existing(session, xorb)
    xorb.segments = [segment for segment in xorb.segments if segment[2] in there]
    if not xorb.segments:
        session.delete(xorb)
    if xorb.stored:
        xorb.stored = False
        session.flush()
        run.hub.objects.delete(xorb_key(user_id, xorb_hash))
    return True


def _has_lost(session: Session, xorb: Xorb) -> bool:
    return len(_existing(session, xorb)) < len({segment[2] for segment in xorb.segments}) or not xorb.segments


def _existing(session: Session, xorb: Xorb) -> set[str]:
    named = {segment[2] for segment in xorb.segments}
    return set(session.scalars(select(Blob.sha256).where(Blob.sha256.in_(named))))
