"""What all pages share: templates, headers, and errors as pages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, select_autoescape

from pytupli_registry.server.dependencies import base_url, current_hub
from pytupli_registry.server.errors import BadRequest, HubError, NotAuthenticated
from pytupli_registry.server.services.permissions import Caller

__all__ = ["SECURITY", "page", "page_router", "redirect", "root_of"]

SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def page_router() -> APIRouter:
    """Return a router whose routes answer with pages, errors included."""
    return APIRouter(route_class=_Page, include_in_schema=False)


def root_of(request: Request) -> str:
    """Return the path below which this Hub lives, without a slash at its end; mostly nothing."""
    return urlsplit(base_url(request, current_hub(request))).path


def page(request: Request, template: str, shown: Mapping[str, object], *, status: int = 200) -> HTMLResponse:
    """Return a page made from a template; what is shown is escaped."""
    caller: Caller | None = getattr(request.state, "visitor", None)
    text = _templates().get_template(template).render(root=root_of(request), caller=caller, **shown)
    return HTMLResponse(text, status_code=status)


def redirect(request: Request, path: str) -> RedirectResponse:
    """Send a browser to another page of ours, to be read with GET."""
    return RedirectResponse(root_of(request) + path, status_code=303)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("pytupli_registry.server.web"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )


class _Page(APIRoute):
    """A route for people: nobody is shown JSON, and every answer tells the browser to be careful."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def careful(request: Request) -> Response:
            try:
                response = await answer(request)
            except HubError as error:
                response = _error_page(request, error)
            except RequestValidationError:
                response = _error_page(request, BadRequest("The form was not filled in as expected."))
            for name, value in {"Cache-Control": "no-store", **SECURITY}.items():
                response.headers.setdefault(name, value)
            return response

        return careful


def _error_page(request: Request, error: HubError) -> Response:
    if isinstance(error, NotAuthenticated) and request.method == "GET":
        return redirect(request, f"/login?next={quote(_local(request), safe='')}")
    shown = {"status_code": error.status, "message": error.message}
    answer = page(request, "error.html", shown, status=error.status)
    answer.headers.update(error.headers)
    return answer


def _local(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.scope['path']}{query}"
