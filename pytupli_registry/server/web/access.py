"""Asking for access to a gated repository: the protocol has no call for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import CurrentHub, Segment
from pytupli_registry.server.services.access_requests import ask, status_of
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import PASSES_GATES, Action, Caller, standing_of
from pytupli_registry.server.services.repositories import find, ownership_of
from pytupli_registry.server.web.forms import OURS, form_page
from pytupli_registry.server.web.pages import page_router, redirect
from pytupli_registry.server.web.visitors import Visitor
from pytupli_registry.server.wire.names import RepoId, RepoType

router = page_router()

MODELS = "/{namespace}/{name}/ask-access"
DATASETS = f"/datasets{MODELS}"
SPACES = f"/spaces{MODELS}"
TYPES = {MODELS: RepoType.MODEL, DATASETS: RepoType.DATASET, SPACES: RepoType.SPACE}


def repo_of_page(request: Request, namespace: Segment, name: Segment) -> RepoId:
    """Return which repository a page's path names.

    Raises:
        RepoNotFound: it cannot be the name of one.
    """
    return RepoId.parse(TYPES[request.scope["route"].path], f"{namespace}/{name}")


RepoOfPage = Annotated[RepoId, Depends(repo_of_page)]


@router.get(DATASETS)
@router.get(SPACES)
@router.get(MODELS)
def show(request: Request, hub: CurrentHub, visitor: Visitor, repo_id: RepoOfPage) -> Response:
    """Show how one stands to a gated repository."""
    path = f"/{repo_id.type.prefix}{repo_id}"
    return form_page(request, "access.html", {**_found(hub, visitor, repo_id), "path": path})


def _found(hub: Hub, visitor: Caller, repo_id: RepoId) -> dict[str, object]:
    with hub.database.read() as session:
        repository = find(session, visitor, repo_id, Action.SEE)
        user_id = visitor.known()
        passes = standing_of(visitor, ownership_of(repository)) in PASSES_GATES
        answered = "accepted" if passes else status_of(session, repository.id, user_id)
        status = "open" if repository.gated == "no" else answered
        return {
            "type": repository.type,
            "repository": repository.full_name,
            "gate": repository.gated,
            "status_of_request": status,
        }


@router.post(DATASETS, dependencies=[OURS])
@router.post(SPACES, dependencies=[OURS])
@router.post(MODELS, dependencies=[OURS])
def request_access(request: Request, hub: CurrentHub, visitor: Visitor, repo_id: RepoOfPage) -> Response:
    """Ask for access."""
    with hub.database.write() as session:
        repository = find(session, visitor, repo_id, Action.SEE)
        ask(session, repository, visitor, {})
    return redirect(request, f"/{repo_id.type.prefix}{repo_id}/ask-access")
