"""Sending webhooks: in the background, to checked addresses, a bounded number of times.

Several processes may deliver at the same time: each takes deliveries by moving their due time past the longest
that one attempt may take, so what a killed process took comes up again. Receivers may see an event twice, never
none of it while they answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import h11
import structlog
from sqlalchemy import delete, select, update

from pytupli_registry.server.database.schema import Webhook, WebhookDelivery, now
from pytupli_registry.server.errors import BadRequest, HubError
from pytupli_registry.server.wire.webhooks import Target, check_target, is_public

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["PACE", "Pace", "deliver_due", "delivering"]

AT_ONCE = 16
LONGEST_HEAD = 16_384
BLOCK = 4096
LATER = (408, 425, 429)


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


class _RefusedError(Exception):
    """The attempt failed; ``final`` if it makes no sense to try again."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


@dataclass(frozen=True, slots=True)
class _Sending:
    """One attempt of one delivery."""

    id: int
    attempts: int
    url: str
    secret: str | None
    payload: dict[str, Any] = field(repr=False)


@asynccontextmanager
async def delivering(hub: Hub, pace: Pace = PACE) -> AsyncIterator[None]:
    """Deliver webhooks in the background until the context ends."""
    task = asyncio.create_task(_deliver_forever(hub, pace))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _deliver_forever(hub: Hub, pace: Pace) -> None:
    log = structlog.get_logger("webhooks")
    while True:
        try:
            if not await deliver_due(hub, pace):
                await asyncio.sleep(pace.look_s)
        except HubError as error:  # the database is away: it will come back
            log.warning("webhooks_wait", reason=error.message)
            await asyncio.sleep(pace.look_s)


async def deliver_due(hub: Hub, pace: Pace = PACE) -> int:
    """Try what is due now once, and return how many deliveries that were.

    Raises:
        Unavailable: the database does not answer.
    """
    taken = await asyncio.to_thread(_take, hub, pace)
    outcomes = await asyncio.gather(
        *(_attempt(hub, sending, pace) for sending in taken), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):  # a defect of ours must not end all deliveries
            structlog.get_logger("webhooks").error("webhook_defect", exc_info=outcome)
    return len(taken)


def _take(hub: Hub, pace: Pace) -> list[_Sending]:
    due = (
        select(WebhookDelivery.id)
        .where(WebhookDelivery.due_at <= now())
        .order_by(WebhookDelivery.due_at, WebhookDelivery.id)
        .limit(AT_ONCE)
    )
    with hub.database.read() as session:
        if session.scalar(due.limit(1)) is None:
            return []
    taken_until = now() + timedelta(seconds=2 * pace.timeout_s)
    with hub.database.write() as session:
        ids = session.scalars(due.with_for_update(skip_locked=True)).all()
        session.execute(
            delete(WebhookDelivery).where(
                WebhookDelivery.id.in_(ids), WebhookDelivery.attempts > len(pace.delays_s)
            )
        )
        session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id.in_(ids))
            .values(due_at=taken_until, attempts=WebhookDelivery.attempts + 1)
        )
        rows = session.execute(
            select(
                WebhookDelivery.id,
                WebhookDelivery.attempts,
                Webhook.url,
                Webhook.secret,
                WebhookDelivery.payload,
            )
            .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
            .where(WebhookDelivery.id.in_(ids))
            .order_by(WebhookDelivery.id)
        )
        return [_Sending(*row) for row in rows]


async def _attempt(hub: Hub, sending: _Sending, pace: Pace) -> None:
    log = structlog.get_logger("webhooks").bind(delivery=sending.id, attempt=sending.attempts)
    try:
        async with asyncio.timeout(pace.timeout_s):
            status = await _send(sending, hub.settings.webhook_hosts)
    except (TimeoutError, OSError, UnicodeError, h11.ProtocolError, _RefusedError) as error:
        final = isinstance(error, _RefusedError) and error.final
        delay = (
            None if final or sending.attempts > len(pace.delays_s) else pace.delays_s[sending.attempts - 1]
        )
        log.warning("webhook_failed", reason=str(error) or type(error).__name__, again_in_s=delay)
        await asyncio.to_thread(_settle, hub, sending.id, delay)
    else:
        log.info("webhook_delivered", status=status)
        await asyncio.to_thread(_settle, hub, sending.id, None)


def _settle(hub: Hub, delivery_id: int, delay: float | None) -> None:
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


async def _send(sending: _Sending, hosts: tuple[str, ...]) -> int:
    """Send one delivery and return the status of the answer, which was 2xx."""
    try:
        target = check_target(sending.url, hosts)
    except BadRequest as error:  # the operator has changed what may be called
        raise _RefusedError(error.message, final=True) from error
    address = await _resolved(target)
    context = ssl.create_default_context() if target.secure else None
    name = target.host if target.secure else None
    reader, writer = await asyncio.open_connection(address, target.port, ssl=context, server_hostname=name)
    try:
        status = await _exchange(reader, writer, target, sending)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    if not 200 <= status < 300:
        raise _RefusedError(f"it answered {status}", final=300 <= status < 500 and status not in LATER)
    return status


async def _resolved(target: Target) -> str:
    """Return the address to connect to: this one, not the name, was checked."""
    found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if target.listed or is_public(ipaddress.ip_address(address.partition("%")[0])):
            return address
    raise _RefusedError(f"{target.host} is not a public address", final=True)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target, sending: _Sending
) -> int:
    body = json.dumps(sending.payload).encode()
    headers = [
        ("Host", target.authority),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("User-Agent", "pytupli-server"),
        ("Connection", "close"),
    ]
    if sending.secret is not None:
        headers.append(("X-Webhook-Secret", sending.secret))
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
    for event in (
        h11.Request(method="POST", target=target.path, headers=headers),
        h11.Data(data=body),
        h11.EndOfMessage(),
    ):
        writer.write(connection.send(event) or b"")
    await writer.drain()
    while True:
        event_or_wait = connection.next_event()
        if isinstance(event_or_wait, h11.Response):
            return int(event_or_wait.status_code)
        if event_or_wait is h11.NEED_DATA:
            connection.receive_data(await reader.read(BLOCK))
        elif isinstance(event_or_wait, h11.ConnectionClosed):
            raise _RefusedError("it closed the connection without an answer")
