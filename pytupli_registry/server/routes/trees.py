"""What is in a revision: trees and single paths."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from pytupli_registry.server.dependencies import (
    CurrentCaller,
    CurrentHub,
    EntryPath,
    RepoOf,
    Revision,
    base_url,
)
from pytupli_registry.server.errors import BadRequest, EntryNotFound
from pytupli_registry.server.routes.answers import date_text, page_of, page_response, read_cursor, truth
from pytupli_registry.server.routes.straight import Plain, straight
from pytupli_registry.server.services.files import files_of
from pytupli_registry.server.services.history import last_commits
from pytupli_registry.server.services.permissions import Action
from pytupli_registry.server.services.sight import look_at
from pytupli_registry.server.services.trees import PathEntry, entry_at, walk
from pytupli_registry.server.wire.git import TreeEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytupli_registry.server.database.engine import Session
    from pytupli_registry.server.services.hub import Hub

router = APIRouter(tags=["trees"])

MOST_PATHS = 1000
MOST_EXPANDED = 100  # each costs a walk through history


async def _plain_tree(asked: Plain) -> Response:
    return await to_thread.run_sync(
        _listing,
        asked.request,
        asked.hub,
        asked.caller,
        asked.repo_id,
        asked.path["revision"],
        asked.path.get("path", "").strip("/"),
        asked.query.get("recursive"),
        asked.query.get("expand"),
        None,
        asked.query.get("cursor"),
    )


often_asked = APIRouter(route_class=straight(_plain_tree, frozenset({"recursive", "expand", "cursor"})))


@often_asked.get("/api/{family}/{namespace}/{name}/tree/{revision}")
def root_tree(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    repo_id: RepoOf,
    revision: Revision,
    recursive: str | None = None,
    expand: str | None = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Response:
    """List the files and folders of a revision."""
    return _listing(request, hub, caller, repo_id, revision, "", recursive, expand, limit, cursor)


@often_asked.get("/api/{family}/{namespace}/{name}/tree/{revision}/{path:path}")
def folder_tree(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    repo_id: RepoOf,
    revision: Revision,
    path: EntryPath,
    recursive: str | None = None,
    expand: str | None = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
    cursor: str | None = None,
) -> Response:
    """List the files and folders in a folder of a revision; of a file, itself."""
    return _listing(
        request, hub, caller, repo_id, revision, path.strip("/"), recursive, expand, limit, cursor
    )


def _listing(
    request: Request,
    hub: Hub,
    caller: CurrentCaller,
    repo_id: RepoOf,
    revision: str,
    path: str,
    recursive: str | None,
    expand: str | None,
    limit: int | None,
    cursor: str | None,
) -> Response:
    expanded = truth(expand)
    count = min(page_of(hub, limit), MOST_EXPANDED) if expanded else page_of(hub, limit)
    with hub.database.read() as session:
        seen = look_at(session, caller, repo_id, revision, Action.SEE)
        head = seen.commit
        entry = entry_at(session, hub, seen.tree, path)
        if entry is None:
            raise missing_entry(path, revision, head)
        found = _below(session, hub, entry, path, truth(recursive), read_cursor(cursor), count)
        shown = entries_json(session, hub, seen.repository_id, head, found[:count], expanded=expanded)
    after = found[count - 1].path if len(found) > count else None
    base = "" if after is None else base_url(request, hub)  # takes as long as a question to the database
    return page_response(request, base, shown, after, {"X-Repo-Commit": head})


def _below(
    session: Session, hub: Hub, entry: TreeEntry, path: str, recursive: bool, after: str, count: int
) -> list[PathEntry]:
    if not entry.is_directory:
        return [PathEntry(path, entry)]
    prefix = f"{path}/" if path else ""
    if after and not after.startswith(prefix):
        raise BadRequest("The cursor is not one of this Hub. Begin the listing again.")
    return list(
        islice(walk(session, hub, entry.oid, prefix=prefix, recursive=recursive, after=after), count + 1)
    )


def missing_entry(path: str, revision: str, head: str) -> EntryNotFound:
    """Return the error for a path that does not exist; the commit lets clients remember that."""
    return EntryNotFound(
        f"{path[:300]!r} does not exist on {revision[:100]!r}.", headers={"X-Repo-Commit": head}
    )


@router.post("/api/{family}/{namespace}/{name}/paths-info/{revision}")
def paths_info(
    hub: CurrentHub,
    caller: CurrentCaller,
    repo_id: RepoOf,
    revision: Revision,
    paths: Annotated[list[str], Form(max_length=MOST_PATHS)] = [],  # noqa: B006 - FastAPI copies it
    expand: Annotated[str | None, Form()] = None,
) -> list[dict[str, Any]]:
    """Tell about files and folders by path; those that do not exist are left out."""
    expanded = truth(expand)
    with hub.database.read() as session:
        seen = look_at(session, caller, repo_id, revision, Action.SEE)
        entries = ((path.strip("/"), entry_at(session, hub, seen.tree, path.strip("/"))) for path in paths)
        found = [PathEntry(path, entry) for path, entry in entries if path and entry is not None]
        return entries_json(session, hub, seen.repository_id, seen.commit, found, expanded=expanded)


def entries_json(
    session: Session, hub: Hub, repository_id: int, head: str, entries: Sequence[PathEntry], *, expanded: bool
) -> list[dict[str, Any]]:
    """Return files and folders as clients read them."""
    files = files_of(session, hub, (one.entry.oid for one in entries if not one.entry.is_directory))
    shown = []
    for one in entries:
        if one.entry.is_directory:
            shown.append({"type": "directory", "oid": one.entry.oid, "size": 0, "path": one.path})
            continue
        file = files[one.entry.oid]
        entry: dict[str, Any] = {"type": "file", "oid": file.oid, "size": file.size, "path": one.path}
        if file.lfs:
            entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
        shown.append(entry)
    if expanded:
        _add_last_commits(session, hub, repository_id, head, shown)
    return shown


def _add_last_commits(
    session: Session, hub: Hub, repository_id: int, head: str, shown: list[dict[str, Any]]
) -> None:
    commits = last_commits(session, hub, repository_id, head, [entry["path"] for entry in shown])
    for entry in shown:
        commit = commits[entry["path"]]
        entry["lastCommit"] = {"id": commit.oid, "title": commit.title, "date": date_text(commit.created_at)}
        if entry["type"] == "file":
            entry["securityFileStatus"] = None
