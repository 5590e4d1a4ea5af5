"""A Hub with a user who has a password, and a browser."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from pytupli_registry.server.database.schema import Base
from pytupli_registry.server.services.users import set_password
from tests.server.support.live import LiveHub
from tests.server.web.browser import Browser

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # checked with what it was made with


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path_factory.mktemp("web") / "hub", login_attempts=4).start()
    yield live
    live.stop()


@pytest.fixture
def hub(running: LiveHub) -> LiveHub:
    """A Hub of the test's own, as far as it can tell: with nobody in it but alice."""
    with running.hub.database.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
    running.people.clear()
    running.hub.attempts.forget()
    alice = running.person("alice")
    with running.hub.database.write() as session:
        set_password(session, alice.user_id, CHEAP.hash(PASSWORD))
    return running


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
