"""What the Hub has and this server leaves out: every such request is answered with 501 and a clear word.

501 is what clients neither retry nor take for a missing repository.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from pytupli_registry.server.errors import NotImplementedHere

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
SPACE = "/api/spaces/{namespace}/{name}"
LEFT_OUT = {
    "Collections are": ("/api/collections",),
    "Buckets are": ("/api/buckets", "/buckets"),
    "Jobs are": ("/api/jobs", "/api/scheduled-jobs"),
    "Kernels are": ("/api/kernels",),
    "Papers are": ("/api/papers", "/api/daily_papers", "/papers"),
    "Inference is": ("/api/tasks", "/api/inference-proxy", "/api/endpoints", "/api/partners"),
    "Semantic search is": ("/api/spaces/semantic-search", "/api/models/semantic-search"),
    "Attachments are": ("/uploads",),
    "Running Spaces is": (
        "/api/spaces/hardware",
        "/api/spaces/zero-gpu",
        *(
            f"{SPACE}/{thing}"
            for thing in (
                "dev-mode",
                "domains",
                "events",
                "hardware",
                "logs",
                "pause",
                "restart",
                "runtime",
                "secrets",
                "sleeptime",
                "storage",
                "variables",
                "volumes",
            )
        ),
    ),
    "Reading safetensors is": ("/api/models/{namespace}/{name}/safetensors-metadata",),
    "Leaderboards are": ("/api/datasets/{namespace}/{name}/leaderboard",),
    "SQL and the conversion to Parquet are": (
        "/api/datasets/{namespace}/{name}/parquet",
        "/api/datasets/{namespace}/{name}/sql-console",
    ),
    "Resource groups are": ("/api/{family}/{namespace}/{name}/resource-group",),
}


def _leave_out(what: str, path: str) -> None:
    def refuse() -> Response:
        raise NotImplementedHere(
            f"{what} not part of this Hub. Use huggingface.co for it: unset HF_ENDPOINT for that one call."
        )

    for place in (path, f"{path}/{{rest:path}}"):
        router.add_api_route(place, refuse, methods=METHODS)


for _what, _paths in LEFT_OUT.items():
    for _path in _paths:
        _leave_out(_what, _path)


@router.get("/api/spaces/templates")
def space_templates() -> dict[str, Any]:
    """List the templates of Spaces: there are none."""
    return {"templates": []}
