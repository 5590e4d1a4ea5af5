"""A Hub behind the protocol that it is served with, and sockets that say what no client says."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx2
import pytest

from pytupli_registry.server.protocol import HubProtocol
from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class HostileHub(LiveHub):
    """A Hub with small limits, and repositories to attack."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, max_commit_size=2 << 20, login_attempts=1_000_000)
        self.start()
        # Its own protocol, as `pytupli-server start` uses it.
        self._server.config.http_protocol_class = HubProtocol
        self.client = httpx2.Client(base_url=self.endpoint, timeout=20)
        self.organization("acme", alice="admin")
        self.person("mallory")
        api = self.api("alice")
        api.create_repo("acme/hvac", repo_type="dataset", private=False)
        api.upload_file(path_or_fileobj=b"a", path_in_repo="a.txt", repo_id="acme/hvac", repo_type="dataset")

    def say(self, *pieces: bytes, hangs_up: bool = False, timeout_s: float = 20) -> bytes:
        """Send bytes, and return all that is answered until the server closes; it must have been told to."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as line:
            with suppress(OSError):  # it may refuse, and hang up, before all was sent
                for piece in pieces:
                    line.sendall(piece)
                if hangs_up:
                    line.shutdown(socket.SHUT_WR)
            answer = bytearray()
            with suppress(ConnectionResetError):
                while block := line.recv(1 << 16):
                    answer += block
            return bytes(answer)

    def head(self, method: str, path: str, *headers: bytes, who: str | None = "mallory") -> bytes:
        """Return the head of a request without its last empty line."""
        lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: hub.example", b"Connection: close", *headers]
        if who is not None:
            lines.append(b"Authorization: Bearer " + self.person(who).token.encode())
        return b"\r\n".join(lines) + b"\r\n"

    def is_alive(self) -> bool:
        """Return whether the server still answers somebody else."""
        return self.say(self.head("GET", "/health", who=None) + b"\r\n").startswith(b"HTTP/1.1 200")


def status_of(answer: bytes) -> int:
    """Return the status of an answer, 0 for none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileHub]:
    hub = HostileHub(tmp_path_factory.mktemp("hostile") / "hub")
    yield hub
    hub.client.close()
    hub.stop()
