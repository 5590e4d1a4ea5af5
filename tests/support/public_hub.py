"""A Hub that behaves as huggingface.co does towards its clients, as far as ours differs from it.

Behind it is a Hub of ours. What stands in front of it: contents come from another host, by signed URLs that accept no
token; requests and commits are limited; and nothing answers but the public protocol.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import socket
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from pytupli_registry.server.app import create_app
from tests.server.support.live import LiveHub
from tests.support.public_limits import Limits, Quota, Refusal, problem_of_commit

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["PublicHub"]

_NAME = r"[^/]+"
_REPO = rf"{_NAME}/{_NAME}"
_RESOLVE = re.compile(rf"(?:/(?:datasets|spaces))?/{_REPO}/resolve/{_NAME}/.+")
_CACHED = re.compile(rf"/api/resolve-cache/(models|datasets|spaces)/({_REPO})/({_NAME})/(.+)")
_COMMIT = re.compile(rf"/api/(?:datasets|models|spaces)/{_REPO}/commit/{_NAME}")
_PATHS = re.compile(rf"/api/(?:datasets|models|spaces)/{_REPO}/paths-info/{_NAME}")
_WRITE_TOKEN = re.compile(rf"/api/(?:datasets|models|spaces)/{_REPO}/xet-write-token/{_NAME}")
_BATCH = re.compile(rf"(?:/(?:datasets|spaces))?/{_REPO}\.git/info/lfs/objects/batch")
_LISTING = re.compile(r"/api/(?:datasets|models|spaces)")
# What the public client asks for: https://github.com/huggingface/huggingface_hub, hf_api.py.
_PUBLIC = [
    (methods, re.compile(path))
    for methods, path in [
        ("GET", r"/api/whoami-v2"),
        ("GET", r"/api/agent-harnesses"),
        ("HEAD", r"/api/telemetry/.*"),
        ("POST", r"/oauth/(device|token)"),
        ("POST DELETE", r"/api/repos/(create|delete|move)"),
        ("POST", r"/api/validate-yaml"),
        ("GET", rf"/api/users/{_NAME}/(overview|followers|following|likes)"),
        ("GET", rf"/api/organizations/{_NAME}/(overview|followers|members)"),
        ("GET", r"/api/(datasets|models)-tags-by-type"),
        ("GET", r"/api/(datasets|models|spaces)"),
        ("GET POST PUT DELETE", rf"/api/(datasets|models|spaces)/{_REPO}(/(?!ask-access|duplicate).*)?"),
        ("POST", rf"(/(datasets|spaces))?/{_REPO}\.git/info/lfs/objects/(batch|verify)"),
        ("GET POST", rf"(/(datasets|spaces))?/{_REPO}(\.git)?/(info/refs|git-upload-pack)"),
    ]
]
_LISTING_KNOWS = {
    "author", "search", "filter", "gated", "sort", "direction", "limit", "full", "expand", "cursor", "p", "skip",
}  # fmt: skip
_ONLY_ONE = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"


@dataclass(frozen=True)
class _Grant:
    """What a signed URL is good for."""

    path: str
    authorization: bytes | None
    ends: float


class PublicHub(LiveHub):
    """A Hub like huggingface.co, on a real socket; accounts are made as with :class:`LiveHub`.

    Args:
        directory: where it keeps everything.
        limits: what it allows.
        settings: of the Hub behind it.

    Attributes:
        leaks: requests for signed URLs that carried a token.
        quotas: what was asked for and refused, by kind: ``api`` and ``resolvers``.
        asked: method and path of every request to the API.
    """

    def __init__(self, directory: Path, limits: Limits | None = None, **settings: Any) -> None:
        super().__init__(directory, **settings)
        self.limits = limits or Limits()
        self.leaks: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.quotas = {name: Quota(name, self.limits) for name in ("api", "resolvers")}

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def contents(self) -> str:
        """Where contents come from: another host, as far as clients can see."""
        return f"http://127.0.0.1:{self.contents_port}"

    def listeners(self) -> list[socket.socket]:
        contents = socket.create_server(("127.0.0.1", 0))
        self.contents_port = contents.getsockname()[1]
        return [*super().listeners(), contents]

    def application(self) -> ASGIApp:
        return _Front(create_app(self.hub), self)


class _Front:
    """Answers as the public Hub and its store of contents, each on its own port."""

    def __init__(self, app: ASGIApp, hub: PublicHub) -> None:
        self._app = app
        self._hub = hub
        self._grants: dict[str, _Grant] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["server"][1] == self._hub.contents_port:
            await self._contents(scope, receive, _as_others_do(send))
        else:
            await self._api(scope, receive, _as_others_do(send))

    # The store of contents

    async def _contents(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _path(scope)
        if path.startswith(("/xet/", "/v1/telemetry")):
            await self._app(scope, receive, send)  # authenticates by tokens of its own
        elif _header(scope, b"authorization") is not None:
            self._hub.leaks.append(path)
            await _refuse_as_store(send, 400, "InvalidArgument", _ONLY_ONE)
        elif path.startswith("/lfs/"):
            await self._app(scope, receive, send)
        else:
            await self._signed(scope, receive, send, self._grants.get(path.rpartition("/")[2]))

    async def _signed(self, scope: Scope, receive: Receive, send: Send, grant: _Grant | None) -> None:
        if grant is None or scope["method"] != "GET":  # what is signed is the method, too
            await _refuse_as_store(send, 403, "SignatureDoesNotMatch", "The signature does not match.")
        elif time.monotonic() > grant.ends:
            await _refuse_as_store(send, 403, "AccessDenied", "Request has expired")
        else:
            wanted = _header(scope, b"range")
            several = wanted is not None and b"," in wanted  # stores send the whole object then
            kept = [] if several or wanted is None else [(b"range", wanted)]
            await self._app(self._inside(scope, grant.path, grant.authorization, kept), receive, send)

    def _inside(
        self, scope: Scope, path: str, authorization: bytes | None, fields: list[tuple[bytes, bytes]]
    ) -> Scope:
        host = [(b"host", f"localhost:{self._hub.port}".encode())]
        token = [] if authorization is None else [(b"authorization", authorization)]
        raw = path.encode()
        return {
            **scope, "path": path, "raw_path": raw, "query_string": b"", "headers": [*host, *token, *fields],
        }  # fmt: skip

    # The Hub

    async def _api(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _path(scope)
        self._hub.asked.append((scope["method"], path))
        is_file = _RESOLVE.fullmatch(path) is not None
        fields, refusal = self._hub.quotas["resolvers" if is_file else "api"].take()
        send = _with_fields(send, fields)
        if refusal is None and not is_file and not _is_public(scope["method"], path):
            refusal = Refusal(404, "Sorry, we can't find the page you are looking for.")
        if refusal is not None:
            await _refuse(send, refusal)
        elif is_file:
            await self._resolve(scope, send)
        elif found := _CACHED.fullmatch(path):
            await self._app(self._uncached(scope, found), receive, send)
        else:
            await self._protocol(scope, receive, send, path)

    async def _protocol(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        if path == "/api/repos/create":
            await self._create(scope, receive, send)
        elif _COMMIT.fullmatch(path):
            await self._commit(scope, receive, send)
        elif _PATHS.fullmatch(path):
            await self._paths(scope, receive, send)
        elif _BATCH.fullmatch(path) or _WRITE_TOKEN.fullmatch(path):
            await self._elsewhere(scope, receive, send)
        elif _LISTING.fullmatch(path):
            pairs = parse_qsl(scope["query_string"].decode())
            known = urlencode([(name, value) for name, value in pairs if name in _LISTING_KNOWS])
            await self._app({**scope, "query_string": known.encode()}, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _resolve(self, scope: Scope, send: Send) -> None:
        """Large files lie elsewhere, small ones at a path that may be cached; HEAD and GET tell so alike."""
        path, authorization = _path(scope), _header(scope, b"authorization")
        asked = {**self._inside(scope, path, authorization, []), "method": "HEAD"}
        answer = await _collected(self._app, asked)
        if answer.status != HTTPStatus.OK:
            await answer.send_to(send, without_body=scope["method"] == "HEAD")
            return
        told = {
            name: answer.fields[name] for name in ("x-repo-commit", "accept-ranges") if name in answer.fields
        }
        if "x-linked-size" in answer.fields:
            told |= {name: answer.fields[name] for name in ("x-linked-size", "x-linked-etag")}
            location = self._sign(path, authorization, answer.fields["x-linked-etag"].strip('"'))
            await _redirect(send, scope["method"], 302, location, told)
        else:
            told |= {"etag": answer.fields["etag"], "x-linked-size": answer.fields["content-length"]}
            location = _cached_path(path, answer.fields["x-repo-commit"])
            await _redirect(send, scope["method"], 307, location, told)

    def _sign(self, path: str, authorization: bytes | None, name: str) -> str:
        key = secrets.token_urlsafe(16)
        self._grants[key] = _Grant(path, authorization, time.monotonic() + self._hub.limits.signed_s)
        return f"{self._hub.contents}/{name[:8]}/{key}?X-Amz-Expires={self._hub.limits.signed_s:.0f}"

    def _uncached(self, scope: Scope, found: re.Match[str]) -> Scope:
        family, repo, revision, path = found.groups()
        prefix = "" if family == "models" else f"/{family}"
        inner = f"{prefix}/{repo}/resolve/{revision}/{path}"
        return {**scope, "path": inner, "raw_path": inner.encode(), "query_string": b""}

    async def _create(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whether a namespace exists, is nobody's business who may not write to it."""
        content = await _body(receive)
        answer = await _collected(self._app, scope, _given(content))
        if answer.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            asked = json.loads(content)
            what, where = asked.get("type", "model"), asked.get("organization")
            message = f'You don\'t have the rights to create a {what} under the namespace "{where}"'
            await _refuse(send, Refusal(403, message))
        else:
            await answer.send_to(send)

    async def _commit(self, scope: Scope, receive: Receive, send: Send) -> None:
        content = await _body(receive)
        refusal = problem_of_commit(content, self._hub.limits)
        if refusal is not None:
            await _refuse(send, refusal)
        else:
            await self._app(scope, _given(content), send)

    async def _paths(self, scope: Scope, receive: Receive, send: Send) -> None:
        content = await _body(receive)
        count = sum(name == "paths" for name, _ in parse_qsl(content.decode()))
        if count > self._hub.limits.paths:
            await _refuse(send, Refusal(413, "request entity too large"))
        else:
            await self._app(scope, _given(content), send)

    async def _elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bytes are uploaded to the other host; ``verify`` stays here."""
        answer = await _collected(self._app, scope, receive)
        here, there = self._hub.endpoint, self._hub.contents
        answer.fields = {name: value.replace(here, there) for name, value in answer.fields.items()}
        if answer.status == HTTPStatus.OK:
            answer.content = json.dumps(_moved(json.loads(answer.content), here, there)).encode()
        await answer.send_to(send)


class _Collected:
    """An answer as a whole."""

    def __init__(self) -> None:
        self.status = 0
        self.fields: dict[str, str] = {}
        self.content = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.fields = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]
            }
        elif message["type"] == "http.response.body":
            self.content += message.get("body", b"")

    async def send_to(self, send: Send, *, without_body: bool = False) -> None:
        length = {} if without_body else {"content-length": str(len(self.content))}
        await _answer(send, self.status, b"" if without_body else self.content, {**self.fields, **length})


async def _collected(app: ASGIApp, scope: Scope, receive: Receive | None = None) -> _Collected:
    answer = _Collected()
    plain = {**scope, "extensions": {}}
    await app(plain, receive or _given(b""), answer.take)
    return answer


def _moved(said: Any, here: str, there: str) -> Any:
    """Return an answer in which addresses for uploads are of the other host."""
    if isinstance(said, dict):
        return {key: value if key == "verify" else _moved(value, here, there) for key, value in said.items()}
    if isinstance(said, list):
        return [_moved(value, here, there) for value in said]
    return said.replace(here, there) if isinstance(said, str) else said


def _as_others_do(send: Send) -> Send:
    """Leave out what only our own Hub offers."""

    async def send_less(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0].lower() != b"x-max-ranges"]
            message = {**message, "headers": kept}
        await send(message)

    return send_less


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


def _cached_path(path: str, commit: str) -> str:
    before, _, after = path.partition("/resolve/")
    file = after.partition("/")[2]
    family, repo = "models", before.strip("/")
    for prefix in ("datasets", "spaces"):
        if before.startswith(f"/{prefix}/"):
            family, repo = prefix, before.removeprefix(f"/{prefix}/")
    return f"/api/resolve-cache/{family}/{repo}/{commit}/{file}"


def _is_public(method: str, path: str) -> bool:
    if _CACHED.fullmatch(path):
        return method in ("GET", "HEAD")
    return any(method in methods.split() and pattern.fullmatch(path) for methods, pattern in _PUBLIC)


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key.lower() == name), None)


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _given(content: bytes) -> Receive:
    left = [content]

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()  # until whoever waits for a disconnection gives up
        return {"type": "http.request", "body": left.pop(), "more_body": False}

    return receive


def _with_fields(send: Send, fields: dict[str, str]) -> Send:
    more = [(name.lower().encode(), value.encode()) for name, value in fields.items()]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sending


async def _answer(send: Send, status: int, content: bytes, fields: dict[str, str]) -> None:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})


async def _redirect(send: Send, method: str, status: int, location: str, fields: dict[str, str]) -> None:
    text = f"{HTTPStatus(status).phrase}. Redirecting to {location}".encode()
    about = {
        "location": location,
        "content-type": "text/plain; charset=utf-8",
        "content-length": str(len(text)),
    }
    await _answer(send, status, b"" if method == "HEAD" else text, {**fields, **about})


async def _refuse(send: Send, refusal: Refusal) -> None:
    content = json.dumps({"error": refusal.message}).encode()
    fields = {"content-type": "application/json; charset=utf-8", "content-length": str(len(content))}
    await _answer(send, refusal.status, content, {**fields, "x-error-message": refusal.message})


async def _refuse_as_store(send: Send, status: int, code: str, message: str) -> None:
    content = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    await _answer(
        send, status, content, {"content-type": "application/xml", "content-length": str(len(content))}
    )
