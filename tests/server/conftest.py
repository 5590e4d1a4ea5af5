"""A live Hub per test or per module; the client's caches are fresh each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.support.live import LiveHub
from tests.server.support.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; ``postgres.database()`` is the URL of a new, empty database."""
    with Postgres() as server:
        yield server


@pytest.fixture
def live_hub(tmp_path: Path) -> Iterator[LiveHub]:
    """A Hub of the test's own: SQLite and a folder, with the users alice, bob and the organization acme of alice."""
    hub = LiveHub(tmp_path / "hub").start()
    hub.organization("acme", alice="admin")
    hub.person("bob")
    yield hub
    hub.stop()
