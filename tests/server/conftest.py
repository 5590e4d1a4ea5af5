"""A live Hub per test or per module; the client's caches are fresh each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.support.live import LiveHub
from tests.server.support.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def peopled(hub: LiveHub) -> LiveHub:
    """Add the users alice, bob and carol and the organization acme of alice."""
    hub.organization("acme", alice="admin")
    hub.person("bob")
    hub.person("carol")
    return hub


@pytest.fixture
def live_hub(tmp_path: Path) -> Iterator[LiveHub]:
    """A Hub of the test's own: SQLite and a folder, with users and an organization."""
    hub = peopled(LiveHub(tmp_path / "hub").start())
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def module_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """A Hub that the tests of a module share: give repositories names of their own."""
    hub = peopled(LiveHub(tmp_path_factory.mktemp("live") / "hub").start())
    yield hub
    hub.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; ``postgres.database()`` is the URL of a new, empty database."""
    with Postgres() as server:
        yield server
