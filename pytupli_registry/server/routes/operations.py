"""What monitors ask: does the process live, can it work, and what does it do."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from pytupli_registry import __version__
from pytupli_registry.server.dependencies import CurrentCaller, CurrentHub
from pytupli_registry.server.errors import NotFound
from pytupli_registry.server.observability.metrics import CONTENT_TYPE, Metrics
from pytupli_registry.server.services.maintenance.state import problems

__all__ = ["router"]

router = APIRouter(tags=["operations"])

UNAVAILABLE = 503


@router.get("/health")
async def health() -> dict[str, str]:
    """Say that the process lives; nothing else is asked."""
    return {"status": "ok", "version": __version__}


@router.get("/ready")
def ready(hub: CurrentHub) -> Response:
    """Say whether requests can be served: database, its migrations, and object store; 503 and reasons if not."""
    found = problems(hub)
    status = {"status": "unavailable" if found else "ok", "problems": found}
    return JSONResponse(status, status_code=UNAVAILABLE if found else 200)


@router.get("/metrics")
def metrics(request: Request, hub: CurrentHub, caller: CurrentCaller) -> Response:
    """Give the measurements to Prometheus, from the addresses that the settings name, or to administrators."""
    address = request.client.host if request.client else ""
    if not (caller.is_admin or address in hub.settings.metrics_addresses):
        raise NotFound("Not Found")
    measured: Metrics = request.app.state.metrics
    return Response(measured.text(), media_type=CONTENT_TYPE)
