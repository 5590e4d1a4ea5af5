"""The application with everything around it that watches and limits requests."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

from pytupli_registry.server.limits import BodyLimit
from pytupli_registry.server.observability.metrics import Metrics
from pytupli_registry.server.observability.requests import Observed
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.state import connections_in_use

__all__ = ["watched"]


def watched(answering: ASGIApp, app: FastAPI, hub: Hub) -> ASGIApp:
    """Return ``answering`` with logs, measurements (``app.state.metrics``) and limits around it."""
    metrics = Metrics()
    metrics.watch(
        "pytupli_database_connections",
        "Connections to the database that are in use.",
        lambda: connections_in_use(hub.database),
    )
    app.state.metrics = metrics
    return Observed(BodyLimit(answering), metrics)
