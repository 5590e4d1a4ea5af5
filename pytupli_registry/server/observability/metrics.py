"""Measurements in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
COMMIT = "/commit/{revision}"
LFS = "/lfs/"
XORB = "/v1/xorbs/"


class Metrics:
    """The measurements of one application.

    Labels take few values: routes appear as templates, never with the names that were asked for.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "pytupli_request_seconds",
            "Time from a request's head to the end of its answer.",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._answers: dict[tuple[str, str, int], tuple[Histogram, Counter, Counter]] = {}
        self._requests = self._counter(
            "pytupli_requests", "Requests that were answered.", "method", "route", "status"
        )
        self._received = self._counter("pytupli_received_bytes", "Bytes of requests' bodies.", "route")
        self._sent = self._counter("pytupli_sent_bytes", "Bytes of answers' bodies.", "route")
        self._commits = self._counter("pytupli_commits", "Commits that were accepted.")
        self._uploads = self._counter(
            "pytupli_uploads", "Uploads (whole files, parts, xorbs) that were accepted."
        )
        self.running = Gauge(
            "pytupli_requests_running", "Requests that are being answered.", registry=self.registry
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show what ``value`` returns whenever the measurements are read."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def request(self, method: str, route: str, status: int, seconds: float, received: int, sent: int) -> None:
        """Count a request that has ended."""
        key = (method, route, status)
        if key not in self._answers:  # looking up labels takes longer than counting
            self._answers[key] = (
                self._seconds.labels(*key[:2]),
                self._requests.labels(method, route, str(status)),
                self._sent.labels(route),
            )
        took, counted, bytes_sent = self._answers[key]
        took.observe(seconds)
        counted.inc()
        bytes_sent.inc(sent)
        if received:
            self._received.labels(route).inc(received)
        if 200 <= status < 300 and method in ("POST", "PUT"):
            self._count_accepted(method, route)

    def _count_accepted(self, method: str, route: str) -> None:
        if route.endswith(COMMIT):
            self._commits.inc()
        elif (method == "PUT" and route.startswith(LFS)) or XORB in route:
            self._uploads.inc()

    def text(self) -> bytes:
        """Return all measurements as Prometheus reads them."""
        return generate_latest(self.registry)
