"""What makes clients forget the chunks that they have sent: another base URL.

``hf_xet`` keeps a cache of chunks for each base URL. The URL carries an epoch, which is new for every Hub and
after every loss of chunks (gc, a restored backup), and a generation of the user, which goes up when a shard of
that user names chunks that are missing. Old URLs keep working: an upload that is under way does not need to know.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import HubState
from pytupli_registry.server.services.hub import Hub

__all__ = ["renew_epoch", "renew_generation", "xet_path"]

EPOCH = "xet_epoch"


def xet_path(hub: Hub, user_id: int) -> str:
    """Return where a user's client finds Xet's routes, below the Hub's base URL."""
    with hub.database.read() as session:
        epoch = _value(session, EPOCH)
        generation = _value(session, _key(user_id)) or 0
    if epoch is None:
        with hub.database.write() as session:
            epoch = _value(session, EPOCH) or renew_epoch(hub, session)
    return f"/xet/{epoch}/{user_id}-{generation}"


def renew_epoch(hub: Hub, session: Session) -> str:
    """Make every client forget its chunks; to be called whenever chunks are lost for many (gc, restore)."""
    epoch = secrets.token_hex(4)
    hub.database.upsert(session, HubState, [{"key": EPOCH, "value": {"value": epoch}}], update=("value",))
    return epoch


def renew_generation(hub: Hub, session: Session, user_id: int) -> None:
    """Make the clients of one user forget their chunks."""
    generation = (_value(session, _key(user_id)) or 0) + 1
    row = {"key": _key(user_id), "value": {"value": generation}}
    hub.database.upsert(session, HubState, [row], update=("value",))


def _key(user_id: int) -> str:
    return f"xet_generation:{user_id}"


def _value(session: Session, key: str) -> Any:  # noqa: ANN401 - JSON
    state = session.get(HubState, key, populate_existing=True)
    return state.value["value"] if state else None
