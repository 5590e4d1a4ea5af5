"""What monitors ask, over a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2 as httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pytupli_registry import __version__
from pytupli_registry.server.database.migrations import migrating, upgrade
from tests.server.support.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def far_hub(tmp_path: Path) -> Iterator[LiveHub]:
    """One whose measurements are for administrators only."""
    hub = LiveHub(tmp_path / "hub", metrics_addresses=()).start()
    yield hub
    hub.stop()


def test_health_asks_nothing_else(live_hub: LiveHub):
    answer = httpx.get(f"{live_hub.endpoint}/health")
    assert answer.json() == {"status": "ok", "version": __version__}


def test_ready_tells_what_is_missing(far_hub: LiveHub):
    before = httpx.get(f"{far_hub.endpoint}/ready")
    assert before.status_code == 503
    (problem,) = before.json()["problems"]  # the tables of this test were not made by migrations
    assert "schema" in problem
    with migrating(far_hub.hub.database) as connection:
        for (table,) in connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall():
            connection.exec_driver_sql(f"DROP TABLE {table}")
        upgrade(connection)
    after = httpx.get(f"{far_hub.endpoint}/ready")
    assert (after.status_code, after.json()) == (200, {"status": "ok", "problems": []})


def samples(text: str) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("route") in (None, "/health")
    }


def test_measurements_are_for_neighbours(live_hub: LiveHub):
    httpx.get(f"{live_hub.endpoint}/health")
    answer = httpx.get(f"{live_hub.endpoint}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    measured = samples(answer.text)
    assert measured["pytupli_requests_total"] == 1
    assert measured["pytupli_requests_running"] == 1  # this one
    assert measured["pytupli_database_connections"] >= 0


def test_measurements_are_for_administrators(far_hub: LiveHub):
    def status(headers: dict[str, str]) -> tuple[int, str]:
        answer = httpx.get(f"{far_hub.endpoint}/metrics", headers=headers)
        return answer.status_code, answer.text if answer.status_code != 200 else ""

    admin, person = far_hub.person("root", is_admin=True), far_hub.person("alice")
    assert status({"Authorization": f"Bearer {admin.token}"})[0] == 200
    missing = httpx.get(f"{far_hub.endpoint}/nothing")
    for headers in ({}, {"Authorization": f"Bearer {person.token}"}, {"X-Forwarded-For": "127.0.0.1"}):
        assert status(headers) == (missing.status_code, missing.text) == (404, missing.text)
