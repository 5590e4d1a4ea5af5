"""A real Hub on a real socket, in a thread of the test's own process."""

from __future__ import annotations

import logging
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
from huggingface_hub import HfApi
from pydantic import SecretStr

from pytupli_registry.server.app import create_app
from pytupli_registry.server.database.schema import Base
from pytupli_registry.server.services import accounts, tokens
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import Role
from pytupli_registry.server.settings import Settings

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from starlette.types import ASGIApp

__all__ = ["LiveHub", "Person"]


@dataclass(frozen=True)
class Person:
    """A user of the Hub under test, with a write token."""

    name: str
    user_id: int
    token: str

    def api(self, endpoint: str) -> HfApi:
        """Return the stock client, logged in as this user."""
        return HfApi(endpoint=endpoint, token=self.token)


class LiveHub:
    """A Hub that listens on loopback.

    Args:
        directory: where it keeps everything.
        settings: what differs from the defaults.
    """

    def __init__(self, directory: Path, **settings: Any) -> None:
        defaults = {
            "database_url": f"sqlite:///{directory / 'hub.sqlite3'}",
            "objects_url": (directory / "objects").as_uri(),
            "secret": SecretStr("s" * 32),
            "fsync": False,
        }
        self.settings = Settings(**{"directory": directory, **defaults, **settings})
        # structlog's defaults show the local variables of every traceback, which takes seconds.
        plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
        structlog.configure(
            processors=[structlog.processors.add_log_level, plain],
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        )
        self.hub = Hub.open(self.settings)
        Base.metadata.create_all(self.hub.database.engine)
        self.people: dict[str, Person] = {}

    def start(self) -> LiveHub:
        """Listen and serve until :meth:`stop`."""
        listeners = self.listeners()
        config = uvicorn.Config(self.application(), log_level="warning", http="httptools", lifespan="on")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=(listeners,), daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the Hub under test did not start")
            time.sleep(0.005)
        return self

    def listeners(self) -> list[socket.socket]:
        """Return where it listens; the first is the endpoint."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        return [listener]

    def application(self) -> ASGIApp:
        """Return what it serves."""
        return create_app(self.hub)

    def stop(self) -> None:
        """Stop serving and close everything."""
        self._server.should_exit = True
        self._thread.join(20)
        self.hub.close()

    @property
    def endpoint(self) -> str:
        """What ``HF_ENDPOINT`` would be."""
        return f"http://127.0.0.1:{self.port}"

    def person(self, name: str, *, is_admin: bool = False, password: str | None = None) -> Person:
        """Return the user of that name with a write token, creating both when they are new."""
        if name not in self.people:
            with self.hub.database.write() as session:
                user_id = accounts.create_user(session, name, password=password, is_admin=is_admin).id
                token = tokens.create_token(session, user_id, "tests")
            self.people[name] = Person(name, user_id, token)
        return self.people[name]

    def token(
        self, name: str, *, role: str = "write", expires_at: datetime | None = None, label: str = "more"
    ) -> str:
        """Return another token of a user."""
        with self.hub.database.write() as session:
            return tokens.create_token(
                session, self.person(name).user_id, label, role=role, expires_at=expires_at
            )

    def organization(self, name: str, **members: str) -> int:
        """Create an organization; members are given as ``alice="admin"``."""
        people = {self.person(member).user_id: role for member, role in members.items()}
        with self.hub.database.write() as session:
            organization = accounts.create_organization(session, name, None)
            for user_id, role in people.items():
                accounts.add_member(session, organization.id, user_id, Role(role))
            return organization.id

    def api(self, name: str | None = None) -> HfApi:
        """Return the stock client as a user, or as nobody."""
        if name is None:
            return HfApi(endpoint=self.endpoint, token=False)
        return self.person(name).api(self.endpoint)
