"""What ``hf_xet`` needs to upload: tokens, xorbs, shards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import contextmanager_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse

from pytupli_registry.server.dependencies import (
    BaseUrl,
    CurrentCaller,
    CurrentHub,
    RepoOf,
    Revision,
    bearer_token,
    long_work,
)
from pytupli_registry.server.errors import Forbidden, HubError, NotFound
from pytupli_registry.server.routes.answers import truth
from pytupli_registry.server.routes.uploads import forget_body, take_body
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.permissions import Action
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.services.xet.spool import ShardSpool
from pytupli_registry.server.services.xet.tokens import issue_write_token, read_write_token
from pytupli_registry.server.services.xet.xorbs import is_known, xorb_intake
from pytupli_registry.server.wire.xet.hashes import parse_hash
from pytupli_registry.server.wire.xet.shard import MAX_SHARD_BYTES
from pytupli_registry.server.wire.xet.xorb import MAX_XORB_BODY

__all__ = ["router"]

router = APIRouter(tags=["xet"])

BASE = "/xet/{epoch}/{user_id}-{generation}"
HEARTBEAT_S = 10  # clients and proxies give up on silence
TRANSIENT = 500  # statuses from here on may go better the next time


def current_grant(
    request: Request,
    hub: CurrentHub,
    epoch: Annotated[str, Path(pattern="^[0-9a-f]{1,32}$")],
    user_id: Annotated[int, Path(ge=0, lt=1 << 63)],
    generation: Annotated[int, Path(ge=0, lt=1 << 63)],
) -> UploadGrant:
    """Return what the request's token stands for. Epoch and generation only tell clients' caches apart.

    Raises:
        NotAuthenticated: there is no token, or it is not valid any more.
        Forbidden: it is the token of somebody else than whose address this is.
    """
    del epoch, generation
    grant = read_write_token(hub, bearer_token(request.headers.get("authorization")))
    if grant.user_id != user_id:
        raise Forbidden("This address belongs to another user. Start the upload again.")
    return grant


CurrentGrant = Annotated[UploadGrant, Depends(current_grant)]


@router.get("/api/{family}/{namespace}/{name}/xet-write-token/{revision}")
def write_token(
    hub: CurrentHub,
    caller: CurrentCaller,
    repo_id: RepoOf,
    revision: Revision,
    base: BaseUrl,
    create_pr: str | None = None,
) -> Response:
    """Give a token to upload for a repository, and the address that it is good at."""
    proposes = truth(create_pr) or revision.startswith("refs/pr/")
    with hub.database.read() as session:
        repository = find(session, caller, repo_id, Action.PROPOSE if proposes else Action.WRITE)
        grant = UploadGrant.of(caller, repository)
    token = issue_write_token(hub, grant)
    url = f"{base}{token.path}"
    headers = {
        "X-Xet-Cas-Url": url,
        "X-Xet-Access-Token": token.text,
        "X-Xet-Token-Expiration": str(token.expires_at),
        "Cache-Control": "no-store",
    }
    return JSONResponse({"casUrl": url, "exp": token.expires_at, "accessToken": token.text}, headers=headers)


@router.get(BASE + "/v1/chunks/{prefix}/{chunk_hash}")
def find_chunk(prefix: str, chunk_hash: str, grant: CurrentGrant) -> None:
    """Say that the chunk is not known: whether others have it is nobody's business."""
    del prefix, grant
    raise NotFound(f"The chunk {chunk_hash:.64} is not known.")


@router.post(BASE + "/v1/xorb-grants/{prefix}/{xorb_hash}")
def grant_xorb(prefix: str, xorb_hash: str, grant: CurrentGrant) -> None:
    """Say that there is no other way for a xorb than through this server."""
    del prefix, grant
    raise NotFound(f"Send the xorb {xorb_hash:.64} to this server.")


@router.post(BASE + "/v1/xorbs/{prefix}/{xorb_hash}")
async def put_xorb(
    request: Request, hub: CurrentHub, prefix: str, xorb_hash: str, grant: CurrentGrant
) -> dict[str, bool]:
    """Take in a xorb."""
    del prefix
    parse_hash(xorb_hash)
    if await to_thread.run_sync(is_known, hub, grant, xorb_hash):
        await forget_body(request, limit=MAX_XORB_BODY)
        return {"was_inserted": False}
    async with contextmanager_in_threadpool(xorb_intake(hub, grant, xorb_hash)) as intake:
        await take_body(request, intake.take, limit=MAX_XORB_BODY)
        return {"was_inserted": await to_thread.run_sync(intake.finish)}


@router.post(BASE + "/v1/shards")
async def put_shard(request: Request, hub: CurrentHub, grant: CurrentGrant) -> dict[str, int]:
    """Take in a shard; the answer comes when its files are there."""
    spool = await _spooled(request, hub, grant)
    await to_thread.run_sync(spool.take_in, limiter=long_work(request))
    return {"result": 1}


@router.post(BASE + "/v2/shards")
async def put_shard_with_progress(request: Request, hub: CurrentHub, grant: CurrentGrant) -> Response:
    """Take in a shard; the answer (a line of JSON at a time) tells how far it is, and its last line how it ended."""
    spool = await _spooled(request, hub, grant)
    return StreamingResponse(_told(spool, long_work(request)), media_type="application/x-ndjson")


async def _spooled(request: Request, hub: Hub, grant: UploadGrant) -> ShardSpool:
    spool = await to_thread.run_sync(ShardSpool, hub, grant)
    try:
        await take_body(request, spool.write, limit=MAX_SHARD_BYTES)
    except BaseException:
        spool.close()
        raise
    return spool


async def _told(spool: ShardSpool, places: CapacityLimiter) -> AsyncIterator[bytes]:
    # Goes on when the client hangs up: it will ask again, and then most is done.
    work = asyncio.ensure_future(to_thread.run_sync(spool.take_in, limiter=places))
    work.add_done_callback(lambda done: done.cancelled() or done.exception())
    while not work.done():
        await asyncio.wait([work], timeout=HEARTBEAT_S)
        yield _line(type="validating", verified=spool.progress.done, total=spool.progress.total)
    yield _outcome(work)


def _outcome(work: asyncio.Future[None]) -> bytes:
    try:
        work.result()
    except HubError as error:
        return _line(type="error", message=error.message, retryable=error.status >= TRANSIENT)
    return _line(type="result")


def _line(**said: str | int | bool) -> bytes:
    return json.dumps(said).encode() + b"\n"
