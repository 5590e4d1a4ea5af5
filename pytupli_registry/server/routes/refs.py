"""Branches and tags."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pytupli_registry.server.dependencies import CurrentCaller, CurrentHub, RepoOf, Revision, Segment
from pytupli_registry.server.routes.answers import truth
from pytupli_registry.server.services import refs
from pytupli_registry.server.services.permissions import Action
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.services.webhooks import announce_lost_ref, announce_new_ref

router = APIRouter(tags=["refs"])


class NewBranch(BaseModel):
    """Where a branch begins; without it, at the head of ``main``."""

    starting_point: str | None = Field(default=None, alias="startingPoint", max_length=255)


class NewTag(BaseModel):
    """A tag's name and what is said about it."""

    tag: str = Field(max_length=255)
    message: str | None = Field(default=None, max_length=65_536)


@router.get("/api/{family}/{namespace}/{name}/refs")
def list_refs(
    hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, include_prs: str | None = None
) -> dict[str, Any]:
    """List branches and tags, and pull requests if asked for."""
    shown: dict[str, Any] = {"branches": [], "converts": [], "tags": []}
    kinds = {"refs/heads/": "branches", "refs/tags/": "tags", "refs/convert/": "converts"}
    if truth(include_prs):
        shown["pullRequests"] = []
        kinds["refs/pr/"] = "pullRequests"
    with hub.database.read() as session:
        repository = find(session, caller, repo_id, Action.SEE)
        for ref in refs.list_refs(session, repository.id):
            for prefix, kind in kinds.items():
                if ref.name.startswith(prefix):
                    name = ref.name.removeprefix(prefix)
                    shown[kind].append({"name": name, "ref": ref.name, "targetCommit": ref.commit_oid})
    return shown


@router.post("/api/{family}/{namespace}/{name}/branch/{branch}")
def create_branch(
    hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, branch: Segment, body: NewBranch | None = None
) -> dict[str, Any]:
    """Create a branch."""
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.WRITE)
        refs.create_branch(session, repository.id, branch, body.starting_point if body else None)
        announce_new_ref(session, repository, f"refs/heads/{branch}")
    return {"success": True}


@router.delete("/api/{family}/{namespace}/{name}/branch/{branch}")
def delete_branch(hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, branch: Segment) -> dict[str, Any]:
    """Delete a branch."""
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.WRITE)
        announce_lost_ref(session, repository, f"refs/heads/{branch}")
        refs.delete_branch(session, repository.id, branch)
    return {"success": True}


@router.post("/api/{family}/{namespace}/{name}/tag/{revision}")
def create_tag(
    hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, revision: Revision, body: NewTag
) -> dict[str, Any]:
    """Create a tag."""
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.WRITE)
        refs.create_tag(session, repository.id, body.tag, revision, body.message or "")
        announce_new_ref(session, repository, f"refs/tags/{body.tag}")
    return {"success": True}


@router.delete("/api/{family}/{namespace}/{name}/tag/{tag}")
def delete_tag(hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, tag: Segment) -> dict[str, Any]:
    """Delete a tag."""
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.WRITE)
        announce_lost_ref(session, repository, f"refs/tags/{tag}")
        refs.delete_tag(session, repository.id, tag)
    return {"success": True}
