"""The first page: what this is, and how programs reach it."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import HTMLResponse

from pytupli_registry.server.dependencies import BaseUrl
from pytupli_registry.server.web.pages import page, page_router
from pytupli_registry.server.web.visitors import Visitor

router = page_router()


@router.get("/")
def home(request: Request, visitor: Visitor, base: BaseUrl) -> HTMLResponse:
    """Say how programs reach this Hub."""
    del visitor
    return page(request, "home.html", {"base": base})
