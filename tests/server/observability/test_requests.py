"""What is logged and measured of requests, and what never is."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
from typing import TYPE_CHECKING

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import ClientDisconnect

from pytupli_registry.server.observability.logs import configure_logs
from pytupli_registry.server.observability.metrics import Metrics
from pytupli_registry.server.observability.requests import Observed
from pytupli_registry.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Route:
    path = "/api/{family}/{namespace}/{name}"


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[io.StringIO]:
    before, root = logging.root.handlers, logging.root.level
    stream = io.StringIO()
    configure_logs(Settings(directory=tmp_path), stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.root.handlers, logging.root.level = before, root


def logged(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def ask(
    app, *headers: tuple[bytes, bytes], method: str = "GET", body: bytes = b"", metrics: Metrics | None = None
):
    """Send one request through, and return what was answered."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "headers": list(headers), "client": ("10.0.0.1", 5)}
    asyncio.run(Observed(app, metrics or Metrics())(scope, receive, send))
    return sent


async def hello(scope, receive, send) -> None:
    await receive()
    scope["route"] = Route()
    scope["path_params"] = {"family": "datasets", "namespace": "acme", "name": "hvac"}
    scope["state"]["user"] = "alice"
    await send({"type": "http.response.start", "status": 201, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"12345"})


def header(sent: list[dict], name: bytes) -> bytes | None:
    return dict(sent[0]["headers"]).get(name)


def test_one_line_a_request(lines: io.StringIO):
    ask(hello, method="POST", body=b"123")
    (line,) = logged(lines)
    assert line.pop("ms") >= 0
    assert line.pop("time").endswith("Z")
    assert len(line.pop("request_id")) == 32
    assert line == {
        "event": "request",
        "level": "info",
        "method": "POST",
        "route": "/api/{family}/{namespace}/{name}",
        "status": 201,
        "received": 3,
        "sent": 5,
        "user": "alice",
        "repo": "datasets/acme/hvac",
        "client": "10.0.0.1",
    }


@pytest.mark.parametrize(
    ("headers", "echoed"),
    [
        ([(b"x-request-id", b"mine-1")], b"mine-1"),
        (
            [(b"x-amzn-trace-id", b"Root=1-67891233-abcdef012345678912345678")],
            b"Root=1-67891233-abcdef012345678912345678",
        ),
        ([(b"x-amzn-trace-id", b"theirs"), (b"x-request-id", b"mine")], b"mine"),
        ([(b"x-request-id", b"bad\x1b[31m"), (b"x-amzn-trace-id", b"theirs")], b"theirs"),
        ([(b"x-request-id", b"a" * 129)], None),
        ([(b"x-request-id", b"")], None),
        ([(b"x-request-id", b'a"b')], None),
        ([], None),
    ],
)
def test_ids_of_clients_are_echoed_if_they_can_be(lines: io.StringIO, headers, echoed: bytes | None):
    sent = ask(hello, *headers)
    given = header(sent, b"x-request-id")
    assert given == echoed if echoed else len(given) == 32
    assert logged(lines)[0]["request_id"].encode() == given


def test_errors_are_logged_with_their_traceback(lines: io.StringIO):
    async def broken(scope, receive, send):
        raise RuntimeError("boom")

    ask(broken)
    (line,) = logged(lines)
    assert (line["level"], line["status"]) == ("error", 500)
    assert "RuntimeError: boom" in line["exception"]
    assert "hf_secret" not in line["exception"].replace('secret = "hf_secret"', "")


def test_what_an_answer_hides_is_logged(lines: io.StringIO):
    async def hiding(scope, receive, send):
        try:
            raise OSError("the disk")
        except OSError as error:
            scope["state"]["failure"] = ValueError("hidden")
            scope["state"]["failure"].__cause__ = error
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    ask(hiding)
    (line,) = logged(lines)
    assert line["status"] == 503
    assert "OSError: the disk" in line["exception"]


def test_clients_that_leave_are_no_error(lines: io.StringIO):
    async def left(scope, receive, send):
        raise ClientDisconnect

    metrics = Metrics()
    ask(left, metrics=metrics)
    (line,) = logged(lines)
    assert (line["level"], line["status"]) == ("info", 499)


def test_neither_query_nor_headers_nor_names_of_paths_are_logged(lines: io.StringIO):
    async def unmatched(scope, receive, send):
        scope.update({"path": "/lfs/SECRET", "raw_path": b"/lfs/SECRET", "query_string": b"signature=SECRET"})
        await send({"type": "http.response.start", "status": 404, "headers": [(b"location", b"SECRET")]})
        await send({"type": "http.response.body", "body": b"SECRET"})

    ask(unmatched, (b"authorization", b"Bearer SECRET"), (b"cookie", b"SECRET"))
    assert logged(lines)[0]["route"] == "(none)"
    assert "SECRET" not in lines.getvalue()


def test_libraries_log_in_the_same_form(lines: io.StringIO):
    logging.getLogger("sqlalchemy.pool").warning("a %s", "warning")
    logging.getLogger("sqlalchemy.pool").info("daily work")
    (line,) = logged(lines)
    assert (line["event"], line["level"], line["logger"]) == ("a warning", "warning", "sqlalchemy.pool")


def test_people_can_read_it(tmp_path: Path, lines: io.StringIO):
    stream = io.StringIO()
    configure_logs(Settings(directory=tmp_path, log_format="console"), stream)
    ask(hello)
    assert "request" in stream.getvalue()
    assert "status=201" in stream.getvalue()


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path, lines: io.StringIO):
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    configure_logs(Settings(directory=tmp_path), Full())
    assert ask(hello)[1]["body"] == b"12345"
    logging.getLogger("sqlalchemy").error("lost, too")


def measured(metrics: Metrics) -> dict[tuple, float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
        if "_created" not in sample.name
    }


def test_requests_are_measured():
    metrics = Metrics()
    for _ in range(2):
        ask(hello, method="POST", body=b"123", metrics=metrics)
    values = measured(metrics)
    route = Route.path
    assert values["pytupli_requests_total", *sorted(("201", route, "POST"))] == 2
    assert values["pytupli_request_seconds_count", *sorted((route, "POST"))] == 2
    assert values["pytupli_received_bytes_total", route] == 6
    assert values["pytupli_sent_bytes_total", route] == 10
    assert values["pytupli_requests_running",] == 0


@pytest.mark.parametrize(
    ("method", "route", "status", "counted"),
    [
        ("POST", "/api/{family}/{namespace}/{name}/commit/{revision}", 200, "pytupli_commits_total"),
        ("POST", "/api/{family}/{namespace}/{name}/commit/{revision}", 412, None),
        ("PUT", "/lfs/objects/{oid}", 200, "pytupli_uploads_total"),
        ("GET", "/lfs/objects/{oid}", 200, None),
        (
            "POST",
            "/xet/{epoch}/{user_id}-{generation}/v1/xorbs/{prefix}/{xorb_hash}",
            200,
            "pytupli_uploads_total",
        ),
    ],
)
def test_commits_and_uploads_are_counted(method: str, route: str, status: int, counted: str | None):
    metrics = Metrics()
    metrics.request(method, route, status, 0.1, 0, 0)
    values = measured(metrics)
    for name in ("pytupli_commits_total", "pytupli_uploads_total"):
        assert values[name,] == (name == counted)


def test_strange_methods_make_no_labels():
    metrics = Metrics()
    for method in ("BREW", "WHEN"):
        ask(hello, method=method, metrics=metrics)
    assert ("pytupli_requests_total", *sorted(("201", Route.path, "other"))) in measured(metrics)


def test_it_costs_little(lines: io.StringIO):
    """60 µs are wanted on a free machine; the test allows for a busy one."""
    metrics, count = Metrics(), 2000

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        pass

    def scope():
        return {
            "type": "http",
            "method": "GET",
            "headers": [(b"host", b"a")] * 8,
            "client": ("10.0.0.1", 5),
            "state": {},
        }

    async def cpu_seconds(app) -> float:
        began = time.process_time()
        for _ in range(count):
            await app(scope(), receive, send)
        return time.process_time() - began

    async def bare(scope_, receive_, send_):
        await hello(scope_, receive_, send_)

    watched = Observed(bare, metrics)
    asyncio.run(cpu_seconds(watched))
    costs = [asyncio.run(cpu_seconds(watched)) - asyncio.run(cpu_seconds(bare)) for _ in range(3)]
    assert min(costs) / count < 200e-6
