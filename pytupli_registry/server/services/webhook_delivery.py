"""Sending webhooks: in the background, to checked addresses, a bounded number of times.

Receivers may see an event twice, never none of it while they answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Self

import h11
import structlog

from pytupli_registry.server.database.schema import now
from pytupli_registry.server.errors import BadRequest, HubError
from pytupli_registry.server.services.webhook_queue import PACE, Pace, Sending, settle, take
from pytupli_registry.server.wire.webhooks import Target, check_target, is_public

if TYPE_CHECKING:
    from datetime import datetime

    from pytupli_registry.server.services.hub import Hub

__all__ = ["PACE", "Pace", "deliver_due", "delivering"]

LONGEST_HEAD = 16_384
BLOCK = 4096
LATER = (408, 425, 429)


class _RefusedError(Exception):
    """The attempt failed; ``final`` if it makes no sense to try again."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


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
    async with _UnderWay(hub, pace) as under_way:
        while True:
            try:
                if not await under_way.begin():
                    await under_way.wait()
            except HubError as error:  # the database is away: it will come back
                log.warning("webhooks_wait", reason=error.message)
                await asyncio.sleep(pace.look_s)


async def deliver_due(hub: Hub, pace: Pace = PACE) -> int:
    """Try what is due now once, and return how many deliveries that were.

    Raises:
        Unavailable: the database does not answer.
    """
    began, tried = now(), 0
    async with _UnderWay(hub, pace) as under_way:
        while True:
            tried += await under_way.begin(began)
            if not under_way.tasks:
                return tried
            await under_way.wait()


class _UnderWay:
    """What is being sent; on leaving the context, all of it is given up.

    Attributes:
        tasks: each attempt, and of what.
    """

    def __init__(self, hub: Hub, pace: Pace) -> None:
        self._hub = hub
        self._pace = pace
        self.tasks: dict[asyncio.Task[None], Sending] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def begin(self, before: datetime | None = None) -> int:
        """Begin with what is due and has its turn, and return how many deliveries that are."""
        taken = await asyncio.to_thread(take, self._hub, self._pace, list(self.tasks.values()), before)
        for sending in taken:
            self.tasks[asyncio.create_task(_attempt(self._hub, sending, self._pace))] = sending
        return len(taken)

    async def wait(self) -> None:
        """Wait until one has ended, or until it is time to look again."""
        if not self.tasks:
            await asyncio.sleep(self._pace.look_s)
            return
        ended, _ = await asyncio.wait(
            self.tasks, timeout=self._pace.look_s, return_when=asyncio.FIRST_COMPLETED
        )
        for task in ended:
            del self.tasks[task]
            if (defect := task.exception()) is not None:  # a defect of ours must not end all deliveries
                structlog.get_logger("webhooks").error("webhook_defect", exc_info=defect)


async def _attempt(hub: Hub, sending: Sending, pace: Pace) -> None:
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
        await asyncio.to_thread(settle, hub, sending.id, delay)
    else:
        log.info("webhook_delivered", status=status)
        await asyncio.to_thread(settle, hub, sending.id, None)


async def _send(sending: Sending, hosts: tuple[str, ...]) -> int:
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
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target, sending: Sending
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
