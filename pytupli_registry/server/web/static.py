"""Style sheet and pictures: a fixed list, read from the package."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response

from pytupli_registry.server.dependencies import Segment
from pytupli_registry.server.errors import NotFound
from pytupli_registry.server.web.pages import SECURITY

router = APIRouter(include_in_schema=False)

SERVED = {
    "style.css": "text/css; charset=utf-8",
    "user.svg": "image/svg+xml",
    "organization.svg": "image/svg+xml",
}


@router.get("/static/{name}")
def static(name: Segment) -> Response:
    """Return one of our few files."""
    if name not in SERVED:
        raise NotFound(f"There is no file {name[:100]!r}.")
    content = files("pytupli_registry.server.web").joinpath("static", name).read_bytes()
    headers = {
        **SECURITY,
        "Cache-Control": "public, max-age=3600",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return Response(content, media_type=SERVED[name], headers=headers)
