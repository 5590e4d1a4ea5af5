"""Creating, finding, changing and deleting repositories."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from pytupli_registry.server.dependencies import (
    BaseUrl,
    CurrentCaller,
    CurrentHub,
    Family,
    RepoOf,
    Revision,
)
from pytupli_registry.server.errors import Conflict
from pytupli_registry.server.routes.answers import address_of_repo, page_of, page_response, read_cursor, truth
from pytupli_registry.server.routes.repository_json import checked_expand, list_json, repository_json
from pytupli_registry.server.routes.straight import Plain, straight
from pytupli_registry.server.services import repositories
from pytupli_registry.server.services.listing import Search, list_repositories
from pytupli_registry.server.services.permissions import Action
from pytupli_registry.server.services.sight import look
from pytupli_registry.server.wire.names import RepoId, RepoType, check_repo_name

router = APIRouter(tags=["repositories"])

Name = Annotated[str, Field(min_length=1, max_length=96)]
Expand = Annotated[list[str], Query(max_length=60)]
MANY_WORDS = 20


class RepoName(BaseModel):
    """Which repository is meant; without ``organization`` it is one of the caller's own."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    organization: str | None = Field(default=None, max_length=96)
    type: RepoType | None = None

    def repo_id(self, own_name: str) -> RepoId:
        """Return the id; old clients send ``namespace/name`` as the name."""
        namespace, slash, name = self.name.partition("/")
        if slash:
            return RepoId(self.type or RepoType.MODEL, namespace, name)
        return RepoId(self.type or RepoType.MODEL, self.organization or own_name, self.name)


class NewRepo(RepoName):
    """A repository that is to be created."""

    visibility: Literal["public", "private"] | None = None
    private: bool | None = None
    sdk: str | None = Field(default=None, max_length=32)

    def wanted_visibility(self) -> str | None:
        """Return the visibility in the words of today; None leaves it to the owner's default."""
        if self.visibility is not None or self.private is None:
            return self.visibility
        return "private" if self.private else "public"


class Move(BaseModel):
    """Old and new id, ``namespace/name`` each."""

    from_repo: str = Field(alias="fromRepo", max_length=200)
    to_repo: str = Field(alias="toRepo", max_length=200)
    type: RepoType = RepoType.MODEL


class RepoSettings(BaseModel):
    """Settings that shall change."""

    visibility: Literal["public", "private"] | None = None
    private: bool | None = None
    gated: Literal["auto", "manual", False] | None = None


@router.post("/api/repos/create")
def create_repository(hub: CurrentHub, caller: CurrentCaller, base: BaseUrl, body: NewRepo) -> dict[str, Any]:
    """Create a repository with its first commit."""
    caller.writer()
    repo_id = body.repo_id(caller.name)
    check_repo_name(repo_id.name)
    try:
        with hub.database.write() as session:
            repository = repositories.create(
                session, hub, caller, repo_id, visibility=body.wanted_visibility(), sdk=body.sdk
            )
            name = repository.full_name
    except Conflict as error:
        error.fields["url"] = address_of_repo(
            base, repo_id.type, str(repo_id)
        )  # read by clients with exist_ok
        raise
    url = address_of_repo(base, repo_id.type, name)
    return {"url": url, "name": name, "id": f"{repository.id:024x}"}


@router.delete("/api/repos/delete")
def delete_repository(hub: CurrentHub, caller: CurrentCaller, body: RepoName) -> dict[str, Any]:
    """Delete a repository with its history."""
    caller.writer()
    with hub.database.write() as session:
        repositories.delete_repository(session, caller, body.repo_id(caller.name))
    return {"success": True}


@router.post("/api/repos/move")
def move_repository(hub: CurrentHub, caller: CurrentCaller, base: BaseUrl, body: Move) -> dict[str, Any]:
    """Rename a repository or hand it over; the old name leads to the new one."""
    caller.writer()
    source = RepoId.parse(body.type, body.from_repo)
    namespace, _, name = body.to_repo.partition("/")
    target = RepoId(body.type, namespace, check_repo_name(name))
    with hub.database.write() as session:
        moved = repositories.move(session, hub, caller, source, target).full_name
    return {"success": True, "url": address_of_repo(base, body.type, moved)}


@router.put("/api/{family}/{namespace}/{name}/settings")
def change_settings(
    hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, body: RepoSettings
) -> dict[str, Any]:
    """Change visibility or gate."""
    visibility = body.visibility
    if visibility is None and body.private is not None:
        visibility = "private" if body.private else "public"
    gated = (
        repositories.GATES[body.gated]
        if "gated" in body.model_fields_set and body.gated is not None
        else None
    )
    with hub.database.write() as session:
        changed = repositories.change_settings(
            session, caller, repo_id, repositories.Changes(visibility=visibility, gated=gated)
        )
        return {
            "private": changed.visibility == "private",
            "visibility": changed.visibility,
            "gated": False if changed.gated == "no" else changed.gated,
        }


@router.get("/api/{family}")
def list_all(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    family: Family,
    base: BaseUrl,
    author: str | None = None,
    search: Annotated[list[str], Query(max_length=MANY_WORDS)] = [],  # noqa: B006 - FastAPI copies it
    filter_: Annotated[list[str], Query(alias="filter", max_length=100)] = [],  # noqa: B006
    gated: str | None = None,
    sort: str | None = None,
    direction: str | None = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
    full: str | None = None,
    expand: Expand = [],  # noqa: B006
    cursor: str | None = None,
) -> Response:
    """List the repositories that the caller may see."""
    checked_expand(family.type, expand)
    looked_for = Search(
        family.type,
        author,
        search,
        [tag for tags in filter_ for tag in tags.split(",") if tag],
        None if gated is None else truth(gated),
        sort,
        direction == "1",
    )
    with hub.database.read() as session:
        found, after = list_repositories(
            session, caller, looked_for, count=page_of(hub, limit), cursor=read_cursor(cursor)
        )
        entries = list_json(session, hub, found, full=truth(full), expand=expand)
    return page_response(request, base, entries, after)


async def _plain_info(asked: Plain) -> Response:
    revision = asked.path.get("revision")
    return await to_thread.run_sync(_info, asked.hub, asked.caller, asked.repo_id, revision, None, [])


often_asked = APIRouter(route_class=straight(_plain_info))


@often_asked.get("/api/{family}/{namespace}/{name}")
def repository_info(
    hub: CurrentHub,
    caller: CurrentCaller,
    repo_id: RepoOf,
    blobs: str | None = None,
    expand: Expand = [],  # noqa: B006
) -> Response:
    """Tell about a repository at the head of ``main``."""
    return _info(hub, caller, repo_id, None, blobs, expand)


@often_asked.get("/api/{family}/{namespace}/{name}/revision/{revision}")
def revision_info(
    hub: CurrentHub,
    caller: CurrentCaller,
    repo_id: RepoOf,
    revision: Revision,
    blobs: str | None = None,
    expand: Expand = [],  # noqa: B006
) -> Response:
    """Tell about a repository at a revision."""
    return _info(hub, caller, repo_id, revision, blobs, expand)


def _info(
    hub: CurrentHub,
    caller: CurrentCaller,
    repo_id: RepoId,
    revision: str | None,
    blobs: str | None,
    expand: list[str],
) -> Response:
    checked_expand(repo_id.type, expand)
    with hub.database.read() as session:
        repository, seen = look(session, caller, repo_id, revision)
        shown = repository_json(session, hub, repository, seen, blobs=truth(blobs), expand=expand)
    return JSONResponse(shown)


@router.get("/api/{family}/{namespace}/{name}/auth-check")
def check_read(hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf) -> dict[str, Any]:
    """Tell whether the caller may read the files."""
    with hub.database.read() as session:
        repositories.find(session, caller, repo_id, Action.READ)
    return {}


@router.get("/api/{family}/{namespace}/{name}/auth-check/write")
def check_write(hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf) -> dict[str, Any]:
    """Tell whether the caller may commit."""
    with hub.database.read() as session:
        repositories.find(session, caller, repo_id, Action.WRITE)
    return {}
