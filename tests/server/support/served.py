"""A live Hub behind the protocol that `pytupli-server start` serves with, and requests as they stand on the wire."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pytupli_registry.server.protocol import HubProtocol
from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Answer", "Line", "ServedHub"]


class ServedHub(LiveHub):
    """A Hub whose connections send files by zero copy."""

    protocol: ClassVar[type[HubProtocol]] = HubProtocol

    def __init__(self, directory: Path, **settings: Any) -> None:
        super().__init__(directory, **settings)
        self.organization("acme", alice="admin")
        self.person("bob")
        self.person("carol")

    def start(self) -> Self:
        """Listen and serve until :meth:`stop`."""
        super().start()
        self._server.config.http_protocol_class = self.protocol
        return self


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        headers: by their names in small letters, without those that tell the time and number of the request.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Line:
    """One connection, which is kept alive; paths are sent as they are given.

    Args:
        hub: where to.
        who: whose token is sent, None for nobody's.
    """

    def __init__(self, hub: LiveHub, who: str | None = None) -> None:
        self._token = hub.person(who).token if who else None
        self._connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)

    def ask(self, method: str, path: str, token: str | None = None, **headers: str) -> Answer:
        """Ask; ``If_Range`` is the header If-Range."""
        self._connection.putrequest(method, path, skip_accept_encoding=True, skip_host="Host" in headers)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        token = token or self._token
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        for name, value in sent.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        answer = self._connection.getresponse()
        kept = {name.lower(): value for name, value in answer.getheaders()}
        body = answer.read()
        return Answer(
            answer.status, {k: v for k, v in kept.items() if k not in ("date", "x-request-id")}, body
        )

    def get(self, path: str, token: str | None = None, **headers: str) -> Answer:
        """GET it."""
        return self.ask("GET", path, token, **headers)

    def head(self, path: str, token: str | None = None, **headers: str) -> Answer:
        """HEAD it."""
        return self.ask("HEAD", path, token, **headers)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
