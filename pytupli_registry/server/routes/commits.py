"""Preupload, commit and history."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from pytupli_registry.server.dependencies import (
    BaseUrl,
    CurrentCaller,
    CurrentHub,
    RepoOf,
    Revision,
    commit_places,
)
from pytupli_registry.server.errors import BadRequest, TooLarge
from pytupli_registry.server.routes.answers import (
    address_of_repo,
    date_text,
    page_of,
    page_response,
    read_cursor,
    truth,
)
from pytupli_registry.server.services.committing import Committing
from pytupli_registry.server.services.history import ancestors
from pytupli_registry.server.services.permissions import Action
from pytupli_registry.server.services.preupload import Candidate, advise
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.services.revisions import resolve, tree_of
from pytupli_registry.server.wire.names import check_path

router = APIRouter(tags=["commits"])

MOST_FILES = 1000
LONGEST_SAMPLE = 4096
BLOCK = 1 << 20


class PreuploadFile(BaseModel):
    """A file that is about to be uploaded; ``sample`` holds its first bytes in base64."""

    path: str
    size: int = Field(ge=0)
    sample: str = Field(default="", max_length=LONGEST_SAMPLE)


class PreuploadBody(BaseModel):
    """The files of one request, and the ``.gitignore`` that the upload brings."""

    files: list[PreuploadFile] = Field(max_length=MOST_FILES)
    git_ignore: str | None = Field(default=None, alias="gitIgnore", max_length=1 << 20)


@router.post("/api/{family}/{namespace}/{name}/preupload/{revision}")
def preupload(
    hub: CurrentHub,
    caller: CurrentCaller,
    repo_id: RepoOf,
    revision: Revision,
    body: PreuploadBody,
    create_pr: str | None = None,
) -> dict[str, Any]:
    """Say for each file whether it goes into the commit or is uploaded before it."""
    candidates = [Candidate(check_path(file.path), file.size, _sample(file.sample)) for file in body.files]
    with hub.database.read() as session:
        repository = find(session, caller, repo_id, _action(revision, create_pr))
        tree = tree_of(session, repository.id, resolve(session, repository.id, revision))
        advice = advise(session, hub, tree, candidates, body.git_ignore)
    return {
        "files": [
            {
                "path": one.path,
                "uploadMode": "lfs" if one.large else "regular",
                "shouldIgnore": one.ignored,
                **({"oid": one.oid} if one.oid else {}),
            }
            for one in advice
        ]
    }


def _action(revision: str, create_pr: str | None) -> Action:
    """Whoever may open pull requests may upload for them."""
    return Action.PROPOSE if truth(create_pr) or revision.startswith("refs/pr/") else Action.WRITE


def _sample(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadRequest("A sample must be base64.") from error


@router.post("/api/{family}/{namespace}/{name}/commit/{revision}")
async def commit(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    repo_id: RepoOf,
    revision: Revision,
    base: BaseUrl,
    create_pr: str | None = None,
) -> dict[str, Any]:
    """Commit what the body says (``application/x-ndjson``: a header, then one operation a line)."""
    as_pull_request = truth(create_pr)
    committing = await to_thread.run_sync(
        Committing.begin, hub, caller, repo_id, revision, as_pull_request, _action(revision, create_pr)
    )
    await _take_in(request, committing, hub.settings.max_commit_size)
    made = await to_thread.run_sync(committing.finish, limiter=commit_places(request))
    address = address_of_repo(base, repo_id.type, made.full_name)
    answer: dict[str, Any] = {
        "success": True,
        "commitUrl": f"{address}/commit/{made.oid}",
        "commitOid": made.oid,
        "hookOutput": "",
    }
    if as_pull_request:
        answer["pullRequestUrl"] = f"{address}/discussions/{made.pull_request}"
    return answer


async def _take_in(request: Request, committing: Committing, most: int) -> None:
    received = 0
    pending = bytearray()
    async for block in request.stream():
        received += len(block)
        if received > most:
            raise TooLarge(f"The body of a commit has at most {most} bytes. Split it, or use LFS or Xet.")
        pending += block
        if len(pending) >= BLOCK:
            taken, pending = bytes(pending), bytearray()
            await to_thread.run_sync(committing.feed, taken, limiter=commit_places(request))
    await to_thread.run_sync(committing.feed, bytes(pending), limiter=commit_places(request))


@router.get("/api/{family}/{namespace}/{name}/commits/{revision}")
def list_commits(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    repo_id: RepoOf,
    revision: Revision,
    base: BaseUrl,
    expand: Annotated[list[str], Query(alias="expand[]")] = [],  # noqa: B006 - FastAPI copies it
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Response:
    """List the commits of a revision, newest first."""
    count = min(page_of(hub, limit), 500)
    start = read_cursor(cursor)
    with hub.database.read() as session:
        repository = find(session, caller, repo_id, Action.SEE)
        head = start or resolve(session, repository.id, revision)
        commits = ancestors(session, repository.id, head, count=count)
        if not commits:
            raise BadRequest("The cursor is not one of this Hub. Begin the listing again.")
    entries = [_shown(one, formatted="formatted" in expand) for one in commits]
    return page_response(request, base, entries, commits[-1].parent_oid)


def _shown(commit: Any, *, formatted: bool) -> dict[str, Any]:  # noqa: ANN401 - a row of the database
    shown: dict[str, Any] = {
        "id": commit.oid,
        "title": commit.title,
        "message": commit.message,
        "authors": [{"user": commit.author_name}] if commit.author_name else [],
        "date": date_text(commit.created_at),
    }
    if formatted:
        shown["formatted"] = {"title": _escaped(commit.title), "message": _escaped(commit.message)}
    return shown


def _escaped(text: str) -> str:
    from html import escape  # noqa: PLC0415

    return escape(text)
