"""Files: HEAD tells about them, GET sends them, whole or in ranges."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from pytupli_registry.server.dependencies import (
    LONGEST_SEGMENT,
    CurrentHub,
    EntryPath,
    Family,
    Revision,
    Segment,
    bearer_token,
    note_use,
    unquoted,
)
from pytupli_registry.server.errors import HubError, Moved, NotFound
from pytupli_registry.server.objects.blocks import FileBlocks
from pytupli_registry.server.routes.sending import BlocksResponse
from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.services.callers import authenticate
from pytupli_registry.server.services.downloads import Download, Wanted, find_download, recall, remember
from pytupli_registry.server.services.files import File, keep_content
from pytupli_registry.server.services.permissions import ANONYMOUS
from pytupli_registry.server.wire.names import RESERVED, RepoId, RepoType, key_of
from pytupli_registry.server.wire.ranges import ByteRange, parse_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytupli_registry.server.services.hub import Hub

__all__ = ["FilesFirst", "router"]

router = APIRouter(tags=["files"])

EXPIRES_S = 3600
TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
TEXT_SUFFIXES = (
    ".md",
    ".txt",
    ".json",
    ".jsonl",
    ".csv",
    ".toml",
    ".yaml",
    ".yml",
    ".py",
    ".gitattributes",
    ".gitignore",
)
AT_ONCE = 256 << 10  # bytes that are read and sent in one piece, if no disk has to be waited for
_PATH = re.compile(r"/(?:(datasets|spaces)/)?([^/]+)/([^/]+)/resolve/([^/]+)/(.*)")


@router.api_route("/{family}/{namespace}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
async def resolve_file(
    request: Request,
    hub: CurrentHub,
    family: Family,
    namespace: Segment,
    name: Segment,
    revision: Revision,
    path: EntryPath,
) -> Response:
    """Send a file of a dataset or a space."""
    if family is Family.MODELS:
        raise NotFound("Models are resolved without a prefix.")
    return await _answer(request, hub, RepoId.parse(family.type, f"{namespace}/{name}"), revision, path)


@router.api_route("/{namespace}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
async def resolve_model_file(
    request: Request,
    hub: CurrentHub,
    namespace: Segment,
    name: Segment,
    revision: Revision,
    path: EntryPath,
) -> Response:
    """Send a file of a model."""
    return await _answer(request, hub, RepoId.parse(RepoType.MODEL, f"{namespace}/{name}"), revision, path)


class FilesFirst:
    """Leads requests for files to what the two routes above do, past the search among all others.

    It takes the framework longer to find and call a route than it takes us to answer, and these are called the most.

    Args:
        app: answers everything else; its answers to errors are ours, too.
        hub: has the files.
    """

    def __init__(self, app: FastAPI, hub: Hub) -> None:
        self._app = app
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        asked = _asked(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        family, namespace, name, revision, path = asked
        type_ = RepoType(family.removesuffix("s")) if family else RepoType.MODEL
        scope["route"] = _ROUTES[bool(family)]
        scope["path_params"] = {
            "namespace": namespace,
            "name": name,
            **({"family": family} if family else {}),
        }
        request = Request(scope, receive)
        try:
            repo_id = RepoId.parse(type_, f"{namespace}/{name}")
            response = await _answer(request, self._hub, repo_id, revision, path)
        except HubError as error:
            kind = Moved if isinstance(error, Moved) else HubError
            response = await self._app.exception_handlers[kind](request, error)
        await response(scope, receive, send)


_ROUTES = {"{family}" in route.path: route for route in router.routes if isinstance(route, APIRoute)}


def _asked(scope: Scope) -> tuple[str, ...] | None:
    """Return family ("" for models), namespace, name, revision and path, or None for what is no plain request."""
    found = _PATH.fullmatch(scope["path"]) if scope.get("method") in ("GET", "HEAD") else None
    if found is None or (found[1] is None and key_of(found[2]) in RESERVED):
        return None
    segments = found.groups(default="")
    if max(map(len, segments)) > LONGEST_SEGMENT:
        return None
    try:
        return tuple(unquoted(segment) for segment in segments)
    except ValueError:
        return None


async def _answer(request: Request, hub: Hub, repo_id: RepoId, revision: str, path: str) -> Response:
    token = bearer_token(request.headers.get("authorization"))
    wanted = Wanted(repo_id, revision, path)
    found = recall(hub, token, wanted)
    if found is None:
        found = await to_thread.run_sync(_look_up, request, hub, token, wanted)
    else:
        note_use(request.scope, hub, found.caller)
    headers = _headers(found, path)
    if request.method == "HEAD":
        return Response(headers=headers | {"Content-Length": str(found.file.size)})
    if _known(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    url = _signed_url(hub, found, path)
    if url is not None:
        return Response(
            status_code=302, headers=headers | {"Location": url, "X-Linked-Size": str(found.file.size)}
        )
    part = _wanted(request.headers, headers["ETag"], found.file.size)
    return await _content(hub, found.file, part, headers)


def _look_up(request: Request, hub: Hub, token: str | None, wanted: Wanted) -> Download:
    version = hub.database.version()
    with hub.database.read() as session:
        caller = ANONYMOUS if token is None else authenticate(session, token)
        note_use(request.scope, hub, caller)
        found = find_download(session, hub, caller, wanted)
        if found.file.sha256 is None and request.method == "GET":
            keep_content(session, hub, found.file.oid)
    remember(hub, token, wanted, found, version)
    return found


def _headers(found: Download, path: str) -> dict[str, str]:
    name = path.rpartition("/")[2]
    headers = {
        "ETag": f'"{found.file.etag}"',
        "X-Repo-Commit": found.commit,
        "Accept-Ranges": "bytes",
        "Content-Type": TEXT if name.endswith(TEXT_SUFFIXES) and not found.file.lfs else BINARY,
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
        # Files are other people's: a browser must not run them in this Hub's name.
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
    }
    if found.file.lfs:
        headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(found.file.size)}
    return headers


def _known(header: str | None, etag: str) -> bool:
    return header is not None and etag in [tag.strip().removeprefix("W/") for tag in header.split(",")]


def _wanted(headers: Mapping[str, str], etag: str, size: int) -> ByteRange | None:
    if headers.get("if-range", etag) != etag:
        return None
    return parse_range(headers.get("range"), size)


def _signed_url(hub: Hub, found: Download, path: str) -> str | None:
    if found.file.sha256 is None or not hub.settings.redirect_downloads:
        return None
    name = path.rpartition("/")[2]
    return hub.objects.url(
        blob_key(found.file.sha256), expires_s=EXPIRES_S, filename=name, content_type=BINARY
    )


async def _content(hub: Hub, file: File, part: ByteRange | None, headers: dict[str, str]) -> Response:
    status = 200
    start, length = 0, file.size
    if part is not None:
        status, start, length = 206, part.start, part.length
        headers["Content-Range"] = part.content_range
    if file.sha256 is None:
        content = await _small_content(hub, file)
        return Response(content[start : start + length], status, headers)
    blocks = await _blocks(hub, file.sha256, start, length)
    if length <= AT_ONCE and isinstance(blocks, FileBlocks) and (block := blocks.at_once()) is not None:
        return Response(memoryview(block), status, headers)
    return BlocksResponse(blocks, status, headers | {"Content-Length": str(length)})


async def _small_content(hub: Hub, file: File) -> bytes:
    content = hub.caches.contents.get(file.oid)
    return await to_thread.run_sync(_read_small, hub, file) if content is None else content


def _read_small(hub: Hub, file: File) -> bytes:
    with hub.database.read() as session:
        return keep_content(session, hub, file.oid)


async def _blocks(hub: Hub, sha256: str, start: int, length: int) -> Iterator[bytes]:
    if hub.objects.is_local:
        return hub.objects.read(blob_key(sha256), start, length)
    return await to_thread.run_sync(hub.objects.read, blob_key(sha256), start, length)
