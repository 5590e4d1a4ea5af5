"""Git-LFS: batch, upload in one piece or in parts, verify, download."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import contextmanager_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse, Response

from pytupli_registry.server.dependencies import (
    BaseUrl,
    CurrentCaller,
    CurrentHub,
    Family,
    Segment,
    long_work,
)
from pytupli_registry.server.errors import GatedRepo, NotAuthenticated, NotFound, RepoNotFound
from pytupli_registry.server.routes.sending import BlocksResponse
from pytupli_registry.server.routes.uploads import forget_body, take_body
from pytupli_registry.server.services.blobs import belonging, blob_key
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.batch import answer_batch
from pytupli_registry.server.services.lfs.downloads import ObjectDownload
from pytupli_registry.server.services.lfs.multipart import MultipartUpload
from pytupli_registry.server.services.lfs.parts import PartUpload, part_etag
from pytupli_registry.server.services.lfs.uploads import ObjectUpload
from pytupli_registry.server.services.permissions import Action, Caller
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.wire.lfs import LFS_JSON, Batch, Completion, LfsObject
from pytupli_registry.server.wire.names import RepoId
from pytupli_registry.server.wire.ranges import ByteRange, parse_ranges

__all__ = ["router"]

router = APIRouter(tags=["lfs"])

BINARY = "application/octet-stream"
ASKS_WHO = dict.fromkeys(
    ("WWW-Authenticate", "LFS-Authenticate"), 'Basic realm="Your user name, and an access token as password"'
)
Oid = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
UploadId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
Number = Annotated[int, Path(ge=1, le=10_000_000)]
Signature = Annotated[str, Query(max_length=2000)]


class LfsResponse(JSONResponse):
    """JSON as Git-LFS names it."""

    media_type = LFS_JSON


@router.post("/{family}/{namespace}/{name}.git/info/lfs/objects/batch", response_class=LfsResponse)
def batch_in_family(
    hub: CurrentHub,
    caller: CurrentCaller,
    base: BaseUrl,
    family: Family,
    namespace: Segment,
    name: Segment,
    batch: Batch,
) -> Response:
    """Say where to send or fetch files of a dataset or a space."""
    return _answer_batch(hub, caller, _repo_id(family, namespace, name), batch, base)


@router.post("/{namespace}/{name}.git/info/lfs/objects/batch", response_class=LfsResponse)
def batch_of_model(
    hub: CurrentHub, caller: CurrentCaller, base: BaseUrl, namespace: Segment, name: Segment, batch: Batch
) -> Response:
    """Say where to send or fetch files of a model."""
    return _answer_batch(hub, caller, _repo_id(Family.MODELS, namespace, name), batch, base)


@contextmanager
def _asks_who(caller: Caller) -> Iterator[None]:
    # git-lfs sends no credentials before it was asked for them; asked is everybody, whether there is something or not.
    try:
        yield
    except (RepoNotFound, GatedRepo, NotAuthenticated) as error:
        if caller.is_known:
            raise
        raise NotAuthenticated("Log in: use an access token as password.", headers=ASKS_WHO) from error


def _repo_id(family: Family, namespace: str, name: str) -> RepoId:
    return RepoId.parse(family.type, f"{namespace}/{name}")


def _answer_batch(hub: Hub, caller: Caller, repo_id: RepoId, batch: Batch, base: str) -> Response:
    with _asks_who(caller):
        answer = answer_batch(hub, caller, repo_id, batch, base)
    return LfsResponse(answer.model_dump(exclude_none=True))


@router.post("/{family}/{namespace}/{name}.git/info/lfs/objects/verify", response_class=LfsResponse)
def verify_in_family(
    hub: CurrentHub,
    caller: CurrentCaller,
    family: Family,
    namespace: Segment,
    name: Segment,
    wanted: LfsObject,
) -> Response:
    """Say whether a file has arrived in a dataset or a space."""
    return _verify(hub, caller, _repo_id(family, namespace, name), wanted)


@router.post("/{namespace}/{name}.git/info/lfs/objects/verify", response_class=LfsResponse)
def verify_of_model(
    hub: CurrentHub, caller: CurrentCaller, namespace: Segment, name: Segment, wanted: LfsObject
) -> Response:
    """Say whether a file has arrived in a model."""
    return _verify(hub, caller, _repo_id(Family.MODELS, namespace, name), wanted)


def _verify(hub: Hub, caller: Caller, repo_id: RepoId, wanted: LfsObject) -> Response:
    with _asks_who(caller), hub.database.read() as session:
        repository = find(session, caller, repo_id, Action.PROPOSE)
        known = belonging(session, repository.id, [wanted.oid])
    if known.get(wanted.oid) != wanted.size:
        raise NotFound(f"{wanted.oid} ({wanted.size} bytes) has not arrived in {repo_id}. Send it again.")
    return LfsResponse({})


@router.put("/lfs/objects/{oid}")
async def put_object(request: Request, hub: CurrentHub, oid: Oid, signature: Signature) -> Response:
    """Take in a file, as the signed URL allows."""
    upload = await to_thread.run_sync(ObjectUpload.read, hub, oid, signature)
    limit = hub.settings.max_file_size
    if await to_thread.run_sync(upload.is_done, hub):
        await forget_body(request, limit=limit)
        return Response()
    async with contextmanager_in_threadpool(upload.staged(hub)) as staged:
        await take_body(request, staged.write, limit=limit, expected=upload.size)
    return Response()


@router.put("/lfs/uploads/{upload_id}/{number}")
async def put_part(
    request: Request, hub: CurrentHub, upload_id: UploadId, number: Number, signature: Signature
) -> Response:
    """Take in a part of a file, as the signed URL allows."""
    part = await to_thread.run_sync(PartUpload.read, hub, upload_id, number, signature)
    async with contextmanager_in_threadpool(part.staged(hub)) as staged:
        await take_body(request, staged.write, limit=part.size, expected=part.size)
    return Response(headers={"ETag": part_etag(staged.sha256)})


@router.post("/lfs/uploads/{upload_id}")
async def complete_upload(
    request: Request, hub: CurrentHub, upload_id: UploadId, signature: Signature, completion: Completion
) -> dict[str, Any]:
    """Put the parts of a file together, as the signed URL allows."""
    upload = await to_thread.run_sync(MultipartUpload.read, hub, upload_id, signature)
    parts = completion.parts
    await to_thread.run_sync(upload.complete, hub, completion.oid, parts, limiter=long_work(request))
    return {}


@router.get("/lfs/objects/{oid}")
@router.head("/lfs/objects/{oid}", include_in_schema=False)
def get_object(request: Request, hub: CurrentHub, oid: Oid, signature: Signature) -> Response:
    """Send a file, whole or in part, as the signed URL allows."""
    download = ObjectDownload.read(hub, oid, signature)
    size = download.size(hub)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Type": BINARY,
        "Content-Disposition": "attachment",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "ETag": f'"{oid}"',
    }
    if request.method == "HEAD":
        return Response(headers=headers | {"Content-Length": str(size)})
    if hub.settings.redirect_downloads:
        expires_s = hub.settings.upload_expires_s
        url = hub.objects.url(blob_key(oid), expires_s=expires_s, filename=oid, content_type=BINARY)
        if url is not None:
            return RedirectResponse(url, status_code=302)
    asked = parse_ranges(request.headers.get("range"), size) or []
    is_part = len(asked) == 1  # of several, the whole: those who ask for such know the files by their names
    part = asked[0] if is_part else ByteRange(0, size, size)
    headers["Content-Length"] = str(part.length)
    if is_part:
        headers["Content-Range"] = part.content_range
    blocks = hub.objects.read(blob_key(oid), part.start, part.length)
    return BlocksResponse(blocks, 206 if is_part else 200, headers)
