"""A fetch from beginning to end: what is answered to a request of ``git-upload-pack``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.orm import Session

from pytupli_registry.server.errors import BadRequest, HubError
from pytupli_registry.server.services.git_protocol.negotiation import History, Selection, select_commits
from pytupli_registry.server.services.git_protocol.packing import Contents, contents_of, pack
from pytupli_registry.server.services.git_protocol.refs import listing, shown_refs
from pytupli_registry.server.wire.pktline import DATA, FAILURE, Mark, packet, side_band
from pytupli_registry.server.wire.upload_pack import FetchRequest, parse_v0, parse_v2

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["LARGEST_BODY", "answer"]

LARGEST_BODY = 8 << 20  # a request names at most some ten thousand commits
PIECE = 256 << 10
SIDE_BAND = "side-band-64k"
DETAILED = "multi_ack_detailed"
EAGER = frozenset({DETAILED, "no-done"})


@dataclass(frozen=True, slots=True)
class _Fetch:
    """What a fetch comes to; the pack is empty where only an interim answer was asked for."""

    request: FetchRequest
    selection: Selection
    contents: Contents | None


def answer(session: Session, hub: Hub, repository_id: int, body: bytes, version: int) -> Iterator[bytes]:
    """Return the answer to a request; it may be sent after ``session`` has ended.

    What cannot be answered is told in git's own way, which shows it to the user.
    """
    try:
        if version == 2:
            return _second_version(session, hub, repository_id, body)
        return _first_version(hub, repository_id, _old_fetch(session, hub, repository_id, body))
    except BadRequest as error:
        return iter([packet(f"ERR {error.message}\n")])


def _old_fetch(session: Session, hub: Hub, repository_id: int, body: bytes) -> _Fetch:
    request = parse_v0(body)
    if SIDE_BAND not in request.capabilities:
        raise BadRequest("This git is too old: it has no side bands.")
    return _fetch(session, hub, repository_id, request, eager=request.capabilities >= EAGER)


def _fetch(session: Session, hub: Hub, repository_id: int, request: FetchRequest, *, eager: bool) -> _Fetch:
    """Return what a fetch comes to; an ``eager`` client takes the pack as soon as it has told enough."""
    history = History.load(session, repository_id, shown_refs(session, repository_id))
    selection = select_commits(history, request)
    if not (request.done or (eager and selection.enough)):
        return _Fetch(request, selection, None)
    return _Fetch(request, selection, contents_of(session, hub, history, selection))


def _first_version(hub: Hub, repository_id: int, fetch: _Fetch) -> Iterator[bytes]:
    request, selection = fetch.request, fetch.selection
    if request.depth is not None:
        yield from _boundaries(selection)
        yield Mark.FLUSH.value
    if not request.haves and not request.done:
        return
    detailed = DETAILED in request.capabilities
    last = selection.common[-1] if selection.common else None
    if detailed:
        yield from (packet(f"ACK {oid} common\n") for oid in selection.common)
    if not request.done:
        yield from _interim(selection, last, detailed=detailed)
    if fetch.contents is None:
        return
    yield packet(f"ACK {last}\n" if last else "NAK\n")
    yield from _banded(hub, repository_id, fetch.contents)
    yield Mark.FLUSH.value


def _interim(selection: Selection, last: str | None, *, detailed: bool) -> Iterator[bytes]:
    if detailed and selection.enough:
        yield packet(f"ACK {last} ready\n")
    if detailed or last is None:
        yield packet("NAK\n")
    elif last is not None:
        yield packet(f"ACK {last}\n")


def _boundaries(selection: Selection) -> Iterator[bytes]:
    yield from (packet(f"shallow {oid}\n") for oid in selection.shallow)
    yield from (packet(f"unshallow {oid}\n") for oid in selection.unshallow)


def _second_version(session: Session, hub: Hub, repository_id: int, body: bytes) -> Iterator[bytes]:
    request = parse_v2(body)
    if not isinstance(request, FetchRequest):
        return listing(shown_refs(session, repository_id), request)
    return _sections(hub, repository_id, _fetch(session, hub, repository_id, request, eager=True))


def _sections(hub: Hub, repository_id: int, fetch: _Fetch) -> Iterator[bytes]:
    request, selection = fetch.request, fetch.selection
    if not request.done:
        yield packet("acknowledgments\n")
        yield from (packet(f"ACK {oid}\n") for oid in selection.common)
        if not selection.common:
            yield packet("NAK\n")
        if fetch.contents is not None:
            yield packet("ready\n") + Mark.DELIMITER.value
    if fetch.contents is None:
        yield Mark.FLUSH.value
        return
    if request.depth is not None:
        yield packet("shallow-info\n")
        yield from _boundaries(selection)
        yield Mark.DELIMITER.value
    yield packet("packfile\n")
    yield from _banded(hub, repository_id, fetch.contents)
    yield Mark.FLUSH.value


def _banded(hub: Hub, repository_id: int, contents: Contents) -> Iterator[bytes]:
    """Yield the pack in the first side band; an error in the third, where git shows it."""
    try:
        for piece in _joined(pack(hub, repository_id, contents)):
            yield side_band(DATA, piece)
    except HubError as error:
        structlog.get_logger("git").error("pack_failed", repository=repository_id, reason=error.message)
        yield side_band(FAILURE, f"{error.message}\n".encode())


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    pending = bytearray()
    for piece in pieces:
        pending += piece
        if len(pending) >= PIECE:
            yield bytes(pending)
            pending.clear()
    yield bytes(pending)
