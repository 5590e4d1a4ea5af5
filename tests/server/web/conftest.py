"""A Hub with a user who has a password, and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from pytupli_registry.server.services.users import set_password
from tests.server.support.live import LiveHub
from tests.server.web.browser import Browser

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # checked with what it was made with


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path / "hub", login_attempts=4).start()
    alice = live.person("alice")
    with live.hub.database.write() as session:
        set_password(session, alice.user_id, CHEAP.hash(PASSWORD))
    yield live
    live.stop()


@pytest.fixture
def browser(hub: LiveHub) -> Iterator[Browser]:
    with Browser(hub.endpoint) as opened:
        yield opened


@pytest.fixture
def alice(browser: Browser) -> Browser:
    """The browser of alice, logged in."""
    page = browser.log_in("alice", PASSWORD)
    assert page.path == "/settings/tokens", page.text
    return browser
