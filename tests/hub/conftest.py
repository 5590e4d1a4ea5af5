"""A live Hub, and the client's settings pointing at it."""

from collections.abc import Callable, Iterator

import pytest
from huggingface_hub import constants

from pytupli_registry.hub import Administration
from tests.server.support.live import LiveHub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """With the administrator root and the users alice and bob."""
    live = LiveHub(tmp_path_factory.mktemp("hub") / "hub", page_size=3).start()
    live.person("root", is_admin=True)
    live.person("alice")
    live.person("bob")
    yield live
    live.stop()


@pytest.fixture
def as_user(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Administration]:
    """Log in as a user, as HF_ENDPOINT and HF_TOKEN do."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)

    def log_in(name: str) -> Administration:
        monkeypatch.setenv("HF_TOKEN", hub.person(name).token)
        return Administration()

    return log_in
