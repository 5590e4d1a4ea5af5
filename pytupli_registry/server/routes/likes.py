"""Likes. The stock client can take likes back and list them; giving one is the web page's, or a plain POST."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import BaseUrl, CurrentCaller, CurrentHub, RepoOf, Segment
from pytupli_registry.server.errors import RepoNotFound
from pytupli_registry.server.routes.answers import date_text, page_of, page_response, read_row_cursor
from pytupli_registry.server.routes.identity import avatar
from pytupli_registry.server.services import likes
from pytupli_registry.server.services.accounts import find_user
from pytupli_registry.server.services.permissions import Action
from pytupli_registry.server.services.repositories import find

router = APIRouter(tags=["likes"])

Limit = Annotated[int | None, Query(ge=1)]


@router.post("/api/{family}/{namespace}/{name}/like")
def like(hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf) -> dict[str, Any]:
    """Like a repository."""
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.DISCUSS)
        return {"liked": True, "likes": likes.like(session, hub, repository, caller)}


@router.delete("/api/{family}/{namespace}/{name}/like")
def unlike(hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf) -> dict[str, Any]:
    """Take a like back."""
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.DISCUSS)
        return {"liked": False, "likes": likes.unlike(session, repository, caller)}


@router.post("/api/{family}/{name}/like", include_in_schema=False)
@router.delete("/api/{family}/{name}/like", include_in_schema=False)
def like_without_owner() -> None:
    """Refuse an id without an owner: some of the Hub's old repositories have one, none of ours has."""
    raise RepoNotFound("Repository not found")


@router.get("/api/{family}/{namespace}/{name}/likers")
def likers(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    repo_id: RepoOf,
    limit: Limit = None,
    cursor: str | None = None,
) -> Response:
    """List who likes a repository."""
    after, count = read_row_cursor(cursor), page_of(hub, limit)
    with hub.database.read() as session:
        repository = find(session, caller, repo_id, Action.SEE)
        found = likes.likers_of(session, repository.id, after=after, count=count + 1)
    shown = [
        {
            "user": one.name,
            "fullname": one.full_name,
            "type": "user",
            "avatarUrl": avatar(base, "user"),
        }
        for one in found[:count]
    ]
    return page_response(request, base, shown, str(found[count - 1].id) if len(found) > count else None)


@router.get("/api/users/{user}/likes")
def liked(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    user: Segment,
    limit: Limit = None,
    cursor: str | None = None,
) -> Response:
    """List what a user likes, as far as the caller may see it."""
    after, count = read_row_cursor(cursor), page_of(hub, limit)
    with hub.database.read() as session:
        user_id = find_user(session, user).id
        found = likes.liked_by(session, caller, user_id, after=after, count=count + 1)
    shown = [
        {"createdAt": date_text(time), "repo": {"name": one.full_name, "type": one.type}}
        for one, time in found[:count]
    ]
    return page_response(request, base, shown, str(found[count - 1][0].id) if len(found) > count else None)
