"""Pages with a form, and the proof that a form was filled in on one of them."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse

from pytupli_registry.server.dependencies import CurrentHub, current_hub
from pytupli_registry.server.errors import Forbidden, HubError
from pytupli_registry.server.web.pages import page
from pytupli_registry.server.web.visitors import session_cookie, set_cookie

__all__ = ["OURS", "form_page"]

FORM_COOKIE = "pytupli_form"
FORM_S = 12 * 3600
PURPOSE = "form"
LONGEST_COOKIE = 100


def form_page(
    request: Request,
    template: str,
    shown: Mapping[str, object] | None = None,
    *,
    status: int = 200,
    problem: HubError | None = None,
) -> HTMLResponse:
    """Return a page whose forms carry a proof, bound to this browser and, once logged in, to its session.

    Args:
        request: what is answered.
        template: its file.
        shown: what it shows.
        status: of the answer.
        problem: why the form could not be accepted; decides about status and headers.
    """
    cookie = _form_cookie(request) or secrets.token_urlsafe(24)
    said = {"b": _binding(request, cookie)}
    key = current_hub(request).signer.sign(PURPOSE, said, expires_s=FORM_S)
    fields = {**(shown or {}), "form": key, "problem": problem and problem.message}
    answer = page(request, template, fields, status=problem.status if problem else status)
    answer.headers.update(problem.headers if problem else {})
    set_cookie(request, answer, FORM_COOKIE, cookie, seconds=FORM_S)
    return answer


def check_form(request: Request, hub: CurrentHub, form: Annotated[str, Form(max_length=1000)] = "") -> None:
    """Refuse what another site has made a browser send.

    Raises:
        Forbidden: the form was not ours, not this browser's, or is too old.
    """
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise Forbidden("This form was sent from another site.")
    said = hub.signer.read(PURPOSE, form)
    cookie = _form_cookie(request)
    if not cookie or not hmac.compare_digest(str(said["b"]), _binding(request, cookie)):
        raise Forbidden("This form is not of this session any more. Go back, load the page again and retry.")


OURS = Depends(check_form)


def _form_cookie(request: Request) -> str:
    return request.cookies.get(FORM_COOKIE, "")[:LONGEST_COOKIE]


def _binding(request: Request, cookie: str) -> str:
    return sha256(f"{cookie}|{session_cookie(request)}".encode()).hexdigest()
