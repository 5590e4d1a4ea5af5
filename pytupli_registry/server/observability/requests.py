"""One log line, one set of measurements and one id for every request."""

from __future__ import annotations

import re
import secrets
from time import perf_counter
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pytupli_registry.server.observability.metrics import Metrics

__all__ = ["ZERO_COPY", "Observed", "request_id_of"]

# Clients send an id of their own, which is what their users quote.
_ID_HEADERS = (b"x-request-id", b"x-amzn-trace-id")
_ID = re.compile(rb"[A-Za-z0-9._:=;/+@-]{1,128}")
_QUIET = frozenset({"/health", "/ready", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ZERO_COPY = "http.response.zerocopysend"  # ASGI's extension: the server sends from a file
_UNMATCHED = "(none)"
_CLIENT_LEFT = 499  # nginx's number for it; never sent
_FAILED = 500


def request_id_of(scope: Scope) -> str:
    """Return the id of a request: the client's if it sent one that can be echoed, else one of ours."""
    found = {name: value for name, value in scope["headers"] if name in _ID_HEADERS}
    for name in _ID_HEADERS:
        if name in found and _ID.fullmatch(found[name]):
            return str(found[name].decode("ascii"))
    return secrets.token_hex(16)


class Observed:
    """Watches every request on its way in and out.

    Inside, ``scope["state"]`` has ``request_id``; whoever knows more puts it there too: ``user`` (a name) and
    ``failure`` (an exception that an answer hides from the client).

    Args:
        app: what answers.
        metrics: where requests are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._log = structlog.get_logger()
        # Without a configuration (tests, other programs) structlog would paint every line on standard output.
        self._logs_all = structlog.is_configured()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = request_id_of(scope)
        structlog.contextvars.bind_contextvars(request_id=state["request_id"])
        watched = _Watched(receive, send, state["request_id"].encode("ascii"))
        self._metrics.running.inc()
        try:
            await self._app(scope, watched.receive, watched.send)
        except ClientDisconnect:
            watched.status = _CLIENT_LEFT
        except Exception as error:  # noqa: BLE001 - the last door: logged here, answered by the application
            state["failure"] = error
            watched.status = watched.status or _FAILED
        finally:
            self._metrics.running.dec()
            self._note(scope, watched)

    def _note(self, scope: Scope, watched: _Watched) -> None:
        seconds = perf_counter() - watched.started
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", _UNMATCHED)
        status = watched.status or _CLIENT_LEFT
        self._metrics.request(method, route, status, seconds, watched.received, watched.sent)
        failure = scope["state"].get("failure")
        if not (self._logs_all or failure):
            return
        log = self._log.error if failure else self._log.debug if route in _QUIET else self._log.info
        log(
            "request",
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            received=watched.received,
            sent=watched.sent,
            user=scope["state"].get("user"),
            repo=_repository(scope),
            client=scope["client"][0] if scope.get("client") else None,
            **({"exc_info": failure} if failure else {}),
        )


class _Watched:
    """A request's two channels, with counters."""

    __slots__ = ("_receive", "_request_id", "_send", "received", "sent", "started", "status")

    def __init__(self, receive: Receive, send: Send, request_id: bytes) -> None:
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self.received = 0
        self.sent = 0
        self.status = 0
        self.started = perf_counter()

    async def receive(self) -> Message:
        message = await self._receive()
        self.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], (b"x-request-id", self._request_id)]}
        elif message["type"] == ZERO_COPY:
            self.sent += message["count"]
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)


def _repository(scope: Scope) -> str | None:
    named: dict[str, Any] = scope.get("path_params", {})
    if "namespace" not in named or "name" not in named:
        return None
    family = f"{named['family']}/" if "family" in named else ""
    return f"{family}{named['namespace']}/{named['name']}"
