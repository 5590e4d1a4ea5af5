"""Webhook deliveries that wait in the database: which are due, and whose turn it is.

Several processes may deliver at the same time: each takes deliveries by moving their due time past the longest
that one attempt may take, so what a killed process took comes up again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.orm import Session

from pytupli_registry.server.database.schema import Webhook, WebhookDelivery, now

if TYPE_CHECKING:
    from datetime import datetime

    from pytupli_registry.server.services.hub import Hub

__all__ = ["PACE", "Pace", "Sending", "settle", "take"]

AT_ONCE = 16
AT_ONCE_EACH = 2  # of one user, and to one host: those that are dead must not hold all places
OLDEST_OF_USER = 8  # that are looked at, should the first be for hosts that are busy
MOST_LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How patiently webhooks are sent.

    Attributes:
        look_s: seconds between two looks for what is due.
        timeout_s: seconds that one attempt may take in all.
        delays_s: seconds to wait after each failed attempt; after one more failure the event is given up.
    """

    look_s: float = 1.0
    timeout_s: float = 10.0
    delays_s: tuple[float, ...] = (10, 60, 600, 3600)


PACE = Pace()


@dataclass(frozen=True, slots=True)
class Sending:
    """One attempt of one delivery."""

    id: int
    user_id: int
    attempts: int
    url: str
    secret: str | None
    payload: dict[str, Any] = field(repr=False)

    @property
    def host(self) -> str:
        """Where it goes."""
        return _host_of(self.url)


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # an address that nobody can reach; sending it says so
        return ""


def take(hub: Hub, pace: Pace, under_way: Iterable[Sending], before: datetime | None = None) -> list[Sending]:
    """Take deliveries that are due, as many as there are places beside those ``under_way``: the oldest of each user.

    Args:
        hub: the Hub.
        pace: how long one attempt takes at most.
        under_way: what this process sends already.
        before: only what was due then.
    """
    running = list(under_way)
    if len(running) >= AT_ONCE:
        return []
    due = WebhookDelivery.due_at <= (before or now())
    with hub.database.read() as session:
        if session.scalar(select(WebhookDelivery.id).where(due).limit(1)) is None:
            return []
        chosen = _chosen(_waiting(session, due), running)
    if not chosen:
        return []
    with hub.database.write() as session:
        return _taken(session, pace, select(WebhookDelivery.id).where(WebhookDelivery.id.in_(chosen), due))


def _waiting(session: Session, due: Any) -> Iterable[Row[Any]]:  # noqa: ANN401 - a condition of SQLAlchemy's
    oldest_first = (WebhookDelivery.due_at, WebhookDelivery.id)
    place = func.row_number().over(partition_by=Webhook.user_id, order_by=oldest_first)
    waiting = (
        select(WebhookDelivery.id, WebhookDelivery.due_at, Webhook.user_id, Webhook.url, place.label("place"))
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(due)
        .subquery()
    )
    turns = select(waiting).where(waiting.c.place <= OLDEST_OF_USER)
    return session.execute(
        turns.order_by(waiting.c.place, waiting.c.due_at, waiting.c.id).limit(MOST_LOOKED_AT)
    )


def _chosen(waiting: Iterable[Row[Any]], running: list[Sending]) -> list[int]:
    users = Counter(sending.user_id for sending in running)
    hosts = Counter(sending.host for sending in running)
    chosen: list[int] = []
    for row in waiting:
        host = _host_of(row.url)
        if len(running) + len(chosen) < AT_ONCE and max(users[row.user_id], hosts[host]) < AT_ONCE_EACH:
            users[row.user_id] += 1
            hosts[host] += 1
            chosen.append(row.id)
    return chosen


def _taken(session: Session, pace: Pace, due: Any) -> list[Sending]:  # noqa: ANN401 - a query of SQLAlchemy's
    ids = session.scalars(due.with_for_update(skip_locked=True)).all()
    session.execute(
        delete(WebhookDelivery).where(
            WebhookDelivery.id.in_(ids), WebhookDelivery.attempts > len(pace.delays_s)
        )
    )
    session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.id.in_(ids))
        .values(due_at=now() + timedelta(seconds=2 * pace.timeout_s), attempts=WebhookDelivery.attempts + 1)
    )
    rows = session.execute(
        select(
            WebhookDelivery.id,
            Webhook.user_id,
            WebhookDelivery.attempts,
            Webhook.url,
            Webhook.secret,
            WebhookDelivery.payload,
        )
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(WebhookDelivery.id.in_(ids))
        .order_by(WebhookDelivery.id)
    )
    return [Sending(*row) for row in rows]


def settle(hub: Hub, delivery_id: int, delay: float | None) -> None:
    """Forget a delivery, or have it tried again later."""
    with hub.database.write() as session:
        if delay is None:
            session.execute(delete(WebhookDelivery).where(WebhookDelivery.id == delivery_id))
        else:
            session.execute(
                update(WebhookDelivery)
                .where(WebhookDelivery.id == delivery_id)
                .values(due_at=now() + timedelta(seconds=delay))
            )
