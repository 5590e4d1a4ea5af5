"""Squashing history, taking large files out of it, and copying whole repositories."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from pytupli_registry.server.dependencies import BaseUrl, CurrentCaller, CurrentHub, RepoOf, Revision
from pytupli_registry.server.errors import BadRequest, Conflict, NotImplementedHere
from pytupli_registry.server.routes.answers import (
    address_of_repo,
    date_text,
    page_of,
    page_response,
    read_cursor,
)
from pytupli_registry.server.services.duplicating import duplicate
from pytupli_registry.server.services.permissions import Action
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.services.storage_history.large_files import (
    LargeFile,
    delete_large_files,
    list_large_files,
)
from pytupli_registry.server.services.storage_history.squashing import super_squash
from pytupli_registry.server.wire.names import RepoId, RepoType, check_repo_name
from pytupli_registry.server.wire.texts import Prose

router = APIRouter(tags=["history"])

MOST_DELETIONS = 1000
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Squash(BaseModel):
    """The message of the one commit that is left."""

    message: Annotated[Prose, Field(min_length=1)] = "Super-squash"


class Deletions(BaseModel):
    """Which large files go, by SHA-256, and whether commits may change for it."""

    sha: Annotated[list[Sha256], Field(max_length=MOST_DELETIONS)]
    rewrite_history: bool = Field(default=True, alias="rewriteHistory")


class DeletionBatch(BaseModel):
    """The body around :class:`Deletions`."""

    deletions: Deletions


class Duplicate(BaseModel):
    """Where a copy goes: ``namespace/name``."""

    repository: Annotated[str, Field(max_length=200)]
    visibility: Literal["public", "private"] | None = None
    private: bool | None = None

    def wanted_visibility(self) -> str | None:
        """Return the visibility in the words of today; None keeps the original's."""
        if self.visibility is not None or self.private is None:
            return self.visibility
        return "private" if self.private else "public"


@router.post("/api/{family}/{namespace}/{name}/super-squash/{revision}")
def squash(
    hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, revision: Revision, body: Squash
) -> dict[str, Any]:
    """Replace the history of a branch by one commit."""
    if not body.message.strip():
        raise BadRequest("A commit needs a title.")
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.ADMINISTER)
        return {"commitOid": super_squash(session, repository, caller, revision, body.message)}


@router.get("/api/{family}/{namespace}/{name}/lfs-files")
def large_files(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    repo_id: RepoOf,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Response:
    """List the large files of all history."""
    after, count = read_cursor(cursor), page_of(hub, limit)
    with hub.database.read() as session:
        repository = find(session, caller, repo_id, Action.WRITE)
        found = list_large_files(session, hub, repository.id, after=after, count=count + 1)
    shown = [_shown(file) for file in found[:count]]
    return page_response(request, base, shown, found[count - 1].sha256 if len(found) > count else None)


@router.post("/api/{family}/{namespace}/{name}/lfs-files/batch")
def delete_files(
    hub: CurrentHub, caller: CurrentCaller, repo_id: RepoOf, body: DeletionBatch
) -> dict[str, Any]:
    """Delete large files for good."""
    said = body.deletions
    with hub.database.write() as session:
        repository = find(session, caller, repo_id, Action.ADMINISTER)
        deleted = delete_large_files(session, hub, repository, said.sha, rewrite=said.rewrite_history)
    return {"success": True, "deleted": deleted}


@router.post("/api/{family}/{namespace}/{name}/lfs-files/duplicate")
def share_files() -> None:
    """Refuse what clients only ask of Hubs that hand out Xet hashes."""
    raise NotImplementedHere("This Hub copies no files between repositories. Download and upload them.")


@router.post("/api/{family}/{namespace}/{name}/duplicate")
def duplicate_repository(
    hub: CurrentHub, caller: CurrentCaller, base: BaseUrl, repo_id: RepoOf, body: Duplicate
) -> dict[str, Any]:
    """Copy a repository with its history."""
    caller.writer()
    namespace, _, name = body.repository.partition("/")
    target = RepoId(RepoType(repo_id.type), namespace, check_repo_name(name))
    url = address_of_repo(base, target.type, str(target))
    try:
        with hub.database.write() as session:
            copy = duplicate(session, hub, caller, repo_id, target, visibility=body.wanted_visibility())
            copied = address_of_repo(base, target.type, copy.full_name)
            return {"url": copied, "filesCopyPending": False}
    except Conflict as error:
        error.fields["url"] = url  # read by clients with exist_ok
        raise


def _shown(file: LargeFile) -> dict[str, Any]:
    return {
        "fileOid": file.sha256,
        "oid": file.sha256,
        "filename": file.path,
        "size": file.size,
        "ref": file.ref,
        "pushedAt": date_text(file.pushed_at),
    }
