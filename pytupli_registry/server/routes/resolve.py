"""Files: HEAD tells about them, GET sends them, whole or in ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from pytupli_registry.server.dependencies import (
    CurrentCaller,
    CurrentHub,
    EntryPath,
    Family,
    Revision,
    Segment,
)
from pytupli_registry.server.errors import NotFound
from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.services.downloads import Download, find_download
from pytupli_registry.server.services.files import content_of, read_file
from pytupli_registry.server.wire.names import RepoId, RepoType
from pytupli_registry.server.wire.ranges import ByteRange, parse_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytupli_registry.server.services.hub import Hub
    from pytupli_registry.server.services.permissions import Caller

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


@router.api_route("/{family}/{namespace}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
def resolve_file(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    family: Family,
    namespace: Segment,
    name: Segment,
    revision: Revision,
    path: EntryPath,
) -> Response:
    """Send a file of a dataset or a space."""
    if family is Family.MODELS:
        raise NotFound("Models are resolved without a prefix.")
    return _send(request, hub, caller, RepoId.parse(family.type, f"{namespace}/{name}"), revision, path)


@router.api_route("/{namespace}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
def resolve_model_file(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    namespace: Segment,
    name: Segment,
    revision: Revision,
    path: EntryPath,
) -> Response:
    """Send a file of a model."""
    return _send(request, hub, caller, RepoId.parse(RepoType.MODEL, f"{namespace}/{name}"), revision, path)


def _send(request: Request, hub: Hub, caller: Caller, repo_id: RepoId, revision: str, path: str) -> Response:
    with hub.database.read() as session:
        found = find_download(session, hub, caller, repo_id, revision, path)
        inline = content_of(session, found.file.oid) if found.file.sha256 is None else None
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
    wanted = _wanted(request.headers, headers["ETag"], found.file.size)
    if inline is not None:
        return _whole(inline, wanted, headers)
    return _streamed(hub, found, wanted, headers)


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


def _whole(content: bytes, wanted: ByteRange | None, headers: dict[str, str]) -> Response:
    if wanted is None:
        return Response(content, headers=headers)
    part = content[wanted.start : wanted.end]
    return Response(part, status_code=206, headers=headers | {"Content-Range": wanted.content_range})


def _streamed(hub: Hub, found: Download, wanted: ByteRange | None, headers: dict[str, str]) -> Response:
    file = found.file
    part = wanted or ByteRange(0, file.size, file.size)
    answer = headers | {"Content-Length": str(part.length)}
    if wanted is not None:
        answer["Content-Range"] = wanted.content_range
    with hub.database.read() as session:
        blocks = read_file(session, hub, file, part.start, part.length)
    return StreamingResponse(blocks, status_code=206 if wanted else 200, headers=answer)
