"""``git clone`` and ``git fetch``, read-only."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from pytupli_registry.server.dependencies import CurrentCaller, CurrentHub, Family, Segment, long_work
from pytupli_registry.server.errors import BadRequest, HubError, Moved, TooLarge
from pytupli_registry.server.services.git_protocol.fetching import LARGEST_BODY, answer
from pytupli_registry.server.services.git_protocol.refs import advertisement, shown_refs
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import Action, Caller
from pytupli_registry.server.services.repositories import find
from pytupli_registry.server.wire.names import RepoId, RepoType

router = APIRouter(tags=["git"])

UPLOAD_PACK, RECEIVE_PACK = "git-upload-pack", "git-receive-pack"
READ_ONLY = "This Hub takes no pushes: commit with huggingface_hub or `hf upload`, then `git pull`."
DUMB = "This Hub speaks git's smart HTTP only. Use a newer git."
NEVER_KEPT = {"Cache-Control": "no-cache, max-age=0, must-revalidate"}
ASKS_WHO = {"WWW-Authenticate": 'Basic realm="Your user name, and an access token as password"'}
VERSION = re.compile("(?:^|:)version=([012])(?:$|:)")
GZIP = 31  # zlib's wbits for gzip


@router.get("/{family}/{namespace}/{name}/info/refs")
def refs_in_family(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    family: Family,
    namespace: Segment,
    name: Segment,
    service: str = "",
) -> Response:
    """Tell git about the refs of a dataset or a space."""
    return _refs(request, hub, caller, family.type, f"{namespace}/{name}", service)


@router.get("/{namespace}/{name}/info/refs")
def refs_of_model(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    namespace: Segment,
    name: Segment,
    service: str = "",
) -> Response:
    """Tell git about the refs of a model."""
    return _refs(request, hub, caller, RepoType.MODEL, f"{namespace}/{name}", service)


@router.post("/{family}/{namespace}/{name}/git-upload-pack")
async def upload_pack_in_family(
    request: Request,
    hub: CurrentHub,
    caller: CurrentCaller,
    family: Family,
    namespace: Segment,
    name: Segment,
) -> Response:
    """Send git the objects of a dataset or a space."""
    return await _upload_pack(request, hub, caller, family.type, f"{namespace}/{name}")


@router.post("/{namespace}/{name}/git-upload-pack")
async def upload_pack_of_model(
    request: Request, hub: CurrentHub, caller: CurrentCaller, namespace: Segment, name: Segment
) -> Response:
    """Send git the objects of a model."""
    return await _upload_pack(request, hub, caller, RepoType.MODEL, f"{namespace}/{name}")


@router.post("/{family}/{namespace}/{name}/git-receive-pack")
@router.post("/{namespace}/{name}/git-receive-pack")
def refuse_push() -> Response:
    """Refuse what git pushes."""
    return PlainTextResponse(READ_ONLY, status_code=403)


def _refs(
    request: Request, hub: Hub, caller: Caller, type_: RepoType, repo_id: str, service: str
) -> Response:
    if service != UPLOAD_PACK:
        return PlainTextResponse(READ_ONLY if service == RECEIVE_PACK else DUMB, status_code=403)
    try:
        with hub.database.read() as session:
            repository = find(session, caller, _repo_id(type_, repo_id), Action.READ)
            refs = shown_refs(session, repository.id)
    except HubError as error:
        return _refusal(caller, error)
    body = b"".join(advertisement(refs, _version(request)))
    return Response(body, media_type=f"application/x-{UPLOAD_PACK}-advertisement", headers=NEVER_KEPT)


async def _upload_pack(request: Request, hub: Hub, caller: Caller, type_: RepoType, repo_id: str) -> Response:
    try:
        asked = await _body(request)
        pieces = await to_thread.run_sync(
            _answer, hub, caller, type_, repo_id, asked, _version(request), limiter=long_work(request)
        )
    except HubError as error:
        return _refusal(caller, error)
    return StreamingResponse(pieces, media_type=f"application/x-{UPLOAD_PACK}-result", headers=NEVER_KEPT)


def _answer(
    hub: Hub, caller: Caller, type_: RepoType, repo_id: str, asked: bytes, version: int
) -> Iterator[bytes]:
    with hub.database.read() as session:
        repository = find(session, caller, _repo_id(type_, repo_id), Action.READ)
        return answer(session, hub, repository.id, asked, version)


def _repo_id(type_: RepoType, text: str) -> RepoId:
    return RepoId.parse(type_, text.removesuffix(".git"))


def _version(request: Request) -> int:
    found = VERSION.search(request.headers.get("git-protocol", ""))
    return int(found[1]) if found else 0


def _refusal(caller: Caller, error: HubError) -> Response:
    """Return an error as git shows it; who has not logged in is asked to, whether or not there is a repository."""
    if isinstance(error, Moved):
        raise error
    if not caller.is_known and error.status in (401, 403, 404):
        return PlainTextResponse("Log in: use an access token as password.", 401, ASKS_WHO)
    return PlainTextResponse(error.message, error.status)


async def _body(request: Request) -> bytes:
    """Return the body, unpacked.

    Raises:
        TooLarge: it is longer than any fetch needs.
        BadRequest: it is not what its header says.
    """
    packed = request.headers.get("content-encoding", "").lower() in ("gzip", "x-gzip")
    unpacking = zlib.decompressobj(GZIP) if packed else None
    body = bytearray()
    try:
        async for block in request.stream():
            left = LARGEST_BODY - len(body)
            body += unpacking.decompress(block, left + 1) if unpacking else block
            if len(body) > LARGEST_BODY:
                raise TooLarge(f"A request of git has at most {LARGEST_BODY} bytes.")
    except zlib.error as error:
        raise BadRequest("The body is not gzip, though its header says so.") from error
    return bytes(body)
