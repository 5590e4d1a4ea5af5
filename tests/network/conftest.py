"""Hubs to publish to and load from; each test has a home of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.public_hub import PublicHub

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def public_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicHub]:
    """A Hub that behaves as huggingface.co does; ada is its user and a member of acme."""
    hub = PublicHub(tmp_path_factory.mktemp("public") / "hub")
    hub.person("ada")
    hub.organization("acme", ada="write")
    hub.start()
    yield hub
    hub.stop()
