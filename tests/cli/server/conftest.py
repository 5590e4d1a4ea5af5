"""What the commands of the server share with the server's own tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.support.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server
