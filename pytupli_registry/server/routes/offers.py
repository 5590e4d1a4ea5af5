"""What is answered about a file that may be read: whole, in part, or only that it is known already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import quote

from anyio import to_thread
from fastapi.responses import Response

from pytupli_registry.server.objects.blocks import FileBlocks
from pytupli_registry.server.routes.sending import BlocksResponse, PartsResponse
from pytupli_registry.server.services.blobs import blob_key
from pytupli_registry.server.services.downloads import Download
from pytupli_registry.server.services.files import File, keep_content
from pytupli_registry.server.wire.ranges import MOST_RANGES, ByteRange, parse_ranges

if TYPE_CHECKING:
    from pytupli_registry.server.services.hub import Hub

__all__ = ["Offer", "answer", "offer"]

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

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that may be sent, and what all answers about it have in common.

    Attributes:
        download: the file, and to whom.
        name: under which it is saved.
        headers: of every answer, encoded.
    """

    download: Download
    name: str
    headers: RawHeaders

    @property
    def file(self) -> File:
        """The file."""
        return self.download.file


def offer(hub: Hub, download: Download, path: str) -> Offer:
    """Return what there is to say about the file at ``path``."""
    name = path.rpartition("/")[2]
    file = download.file
    headers = {
        "etag": f'"{file.etag}"',
        "x-repo-commit": download.commit,
        "accept-ranges": "bytes",
        "content-type": TEXT if name.endswith(TEXT_SUFFIXES) and not file.lfs else BINARY,
        "content-disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
        # Files are other people's: a browser must not run them in this Hub's name.
        "content-security-policy": "default-src 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-cache",
    }
    if hub.objects.is_local:  # an object store is asked for each part by itself, or sends all of the file
        headers["x-max-ranges"] = str(MOST_RANGES)
    if file.lfs:
        headers |= {"x-linked-etag": headers["etag"], "x-linked-size": str(file.size)}
    return Offer(download, name, [_header(*pair) for pair in headers.items()])


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    return name.encode("ascii"), value.encode("ascii")


def _length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % size


async def answer(
    hub: Hub, method: str, asked: Mapping[bytes, bytes], offered: Offer, pinned: str
) -> Response:
    """Return the answer to a request whose headers are ``asked``; ``pinned`` is where HEAD says the bytes are.

    Raises:
        RangeNotSatisfiable: a range outside of the file.
        ObjectNotFound, StoreUnavailable: the bytes cannot be had.
    """
    headers, file = offered.headers, offered.file
    if _is_known(asked.get(b"if-none-match"), file.etag):
        return _Ready(304, headers)
    if method == "HEAD":
        location = [_header("location", pinned)] if pinned else []
        return _Ready(200, [*headers, _length(file.size), *location])
    url = _signed_url(hub, offered)
    if url is not None:
        elsewhere = [_header("location", url), _header("x-linked-size", str(file.size)), _length(0)]
        return _Ready(302, headers + elsewhere)
    parts = _wanted(asked, file)
    if parts is None:
        return await _bytes(hub, file, ByteRange(0, file.size, file.size), 200, headers)
    if len(parts) > 1:
        return await _parts(hub, file, parts, headers)
    told = [*headers, _header("content-range", parts[0].content_range)]
    return await _bytes(hub, file, parts[0], 206, told)


def _is_known(header: bytes | None, etag: str) -> bool:
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.decode("latin-1").split(",")]
    return tags == ["*"] or f'"{etag}"' in tags


def _wanted(asked: Mapping[bytes, bytes], file: File) -> list[ByteRange] | None:
    header, unchanged = asked.get(b"range"), b'"%s"' % file.etag.encode("ascii")
    if header is None or asked.get(b"if-range", unchanged) != unchanged:
        return None
    return parse_ranges(header.decode("latin-1"), file.size)


def _signed_url(hub: Hub, offered: Offer) -> str | None:
    sha256 = offered.file.sha256
    if sha256 is None or not hub.settings.redirect_downloads:
        return None
    return hub.objects.url(blob_key(sha256), expires_s=EXPIRES_S, filename=offered.name, content_type=BINARY)


async def _bytes(hub: Hub, file: File, part: ByteRange, status: int, headers: RawHeaders) -> Response:
    headers = [*headers, _length(part.length)]
    if file.sha256 is None:
        content = await _small_content(hub, file)
        return _Ready(status, headers, content[part.start : part.end])
    blocks = await _blocks(hub, file.sha256, part)
    response = BlocksResponse(blocks, status, {})
    response.raw_headers = headers
    return response


async def _parts(hub: Hub, file: File, parts: list[ByteRange], headers: RawHeaders) -> Response:
    if file.sha256 is None:
        content = await _small_content(hub, file)
        return PartsResponse(parts, [iter([content[part.start : part.end]]) for part in parts], headers)
    key = blob_key(file.sha256)
    blocks = await _blocks(hub, file.sha256, parts[0])
    if isinstance(blocks, FileBlocks):
        return PartsResponse(parts, (blocks.between(part.start, part.end) for part in parts), headers)
    others = (hub.objects.read(key, part.start, part.length) for part in parts[1:])
    return PartsResponse(parts, chain([blocks], others), headers)


async def _small_content(hub: Hub, file: File) -> bytes:
    content = hub.caches.contents.get(file.oid)
    return await to_thread.run_sync(_read_small, hub, file) if content is None else content


def _read_small(hub: Hub, file: File) -> bytes:
    with hub.database.read() as session:
        return keep_content(session, hub, file.oid)


async def _blocks(hub: Hub, sha256: str, part: ByteRange) -> Iterator[bytes]:
    if hub.objects.is_local:
        return hub.objects.read(blob_key(sha256), part.start, part.length)
    return await to_thread.run_sync(hub.objects.read, blob_key(sha256), part.start, part.length)


class _Ready(Response):
    """An answer of which everything is encoded already."""

    def __init__(self, status: int, headers: RawHeaders, body: bytes = b"") -> None:
        self.status_code = status
        self.raw_headers = headers
        self.body = body
        self.background = None
