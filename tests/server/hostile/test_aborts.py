"""Connections that end, or stand still, in the middle of a body: nothing is left, nothing is held, nobody waits."""

from __future__ import annotations

import json
import socket
import time
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx2
import pytest
from sqlalchemy import func, select

from pytupli_registry.server.database.schema import Blob, GitBlob, Ref, RepositoryBlob, Token, Xorb
from pytupli_registry.server.services.maintenance.state import connections_in_use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.hostile.conftest import HostileHub

REPO = "/api/datasets/acme/hvac"
BIG = bytes(range(256)) * 8192
OID = sha256(BIG).hexdigest()
SLOW_ONES = 12

Begun = tuple[bytes, bytes]
"""The head of a request, and its whole body."""


def ask(hub: HostileHub, method: str, path: str, **said: object) -> dict:
    headers = {"Authorization": f"Bearer {hub.person('alice').token}"}
    answer = hub.client.request(method, path, headers=headers, **said)
    assert answer.status_code < 300, answer.text
    return answer.json()


def head(hub: HostileHub, method: str, url: str, body: bytes, token: bytes | None) -> bytes:
    path = "/" + url.split("/", 3)[3] if url.startswith("http") else url
    headers = [b"Content-Length: %d" % len(body)]
    if token is not None:
        headers.append(b"Authorization: Bearer " + token)
    return hub.head(method, path, *headers, who=None) + b"\r\n"


def upload(hub: HostileHub) -> Begun:
    """A file in one piece."""
    wanted = {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": OID, "size": len(BIG)}]}
    said = ask(hub, "POST", "/datasets/acme/hvac.git/info/lfs/objects/batch", json=wanted)
    href = said["objects"][0]["actions"]["upload"]["href"]
    return head(hub, "PUT", href, BIG, None), BIG


def commit(hub: HostileHub) -> Begun:
    """A commit with a file in it."""
    lines = [
        {"key": "header", "value": {"summary": "never"}},
        {"key": "file", "value": {"path": "never.txt", "content": "x" * 1_000_000, "encoding": "utf-8"}},
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    token = hub.person("alice").token.encode()
    return head(hub, "POST", f"{REPO}/commit/main", body, token), body


def xorb(hub: HostileHub) -> Begun:
    """A xorb."""
    said = ask(hub, "GET", f"{REPO}/xet-write-token/main")
    chunk = b"\0" + (1000).to_bytes(3, "little") + b"\0" + (1000).to_bytes(3, "little") + bytes(1000)
    body = chunk * 2000
    url = f"{said['casUrl']}/v1/xorbs/default/{'0' * 64}"
    return head(hub, "POST", url, body, said["accessToken"].encode()), body


def shard(hub: HostileHub) -> Begun:
    """A shard."""
    said = ask(hub, "GET", f"{REPO}/xet-write-token/main")
    return head(hub, "POST", f"{said['casUrl']}/v1/shards", BIG, said["accessToken"].encode()), BIG


def settings(hub: HostileHub) -> Begun:
    """A body that is read as a whole."""
    body = b'{"visibility": "public"' + b" " * 100_000 + b"}"
    token = hub.person("alice").token.encode()
    return head(hub, "PUT", f"{REPO}/settings", body, token), body


BEGINNINGS = [upload, commit, xorb, shard, settings]


def state(hub: HostileHub) -> tuple[object, ...]:
    """Return what an upload that came to nothing may not have changed."""
    with hub.hub.database.read() as session:
        rows = [
            session.scalar(select(func.count()).select_from(table))
            for table in (Blob, GitBlob, RepositoryBlob, Xorb)
        ]
        refs = sorted(session.scalars(select(Ref.commit_oid)))
    directory = hub.settings.directory
    files = [path for path in directory.rglob("*") if path.is_file() and "sqlite" not in path.name]
    return (*rows, refs, sorted(map(str, files)))


def eventually(holds: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_a_connection_that_breaks(hostile: HostileHub, begin: Callable[[HostileHub], Begun]) -> None:
    first, body = begin(hostile)
    before = state(hostile)
    for share in (0.0, 0.3, 0.99):
        for reset in (False, True):
            line = socket.create_connection(("127.0.0.1", hostile.port), timeout=10)
            line.sendall(first + body[: int(len(body) * share)])
            time.sleep(0.05)
            if reset:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            line.close()
    assert eventually(lambda: state(hostile) == before), (before, state(hostile))
    assert eventually(lambda: connections_in_use(hostile.hub.database) == 0)
    assert hostile.is_alive()


@pytest.fixture(params=BEGINNINGS)
def standing_still(hostile: HostileHub, request: pytest.FixtureRequest) -> Iterator[None]:
    """Requests whose bodies have stopped half-way."""
    first, body = request.param(hostile)
    lines = []
    for _ in range(SLOW_ONES):
        line = socket.create_connection(("127.0.0.1", hostile.port), timeout=10)
        line.sendall(first + body[: len(body) // 2])
        lines.append(line)
    yield
    for line in lines:
        line.close()


@pytest.mark.usefixtures("standing_still")
def test_a_body_that_stands_still(hostile: HostileHub) -> None:
    """It holds no connection to the database, no lock and no thread."""
    assert eventually(lambda: connections_in_use(hostile.hub.database) == 0)
    started = time.monotonic()
    hostile.api("alice").create_tag("acme/hvac", tag=f"t{time.time_ns()}", repo_type="dataset")
    for _ in range(10):
        ask(hostile, "GET", REPO)
    assert time.monotonic() - started < 10


def test_a_reader_that_stands_still(hostile: HostileHub) -> None:
    first, body = upload(hostile)
    hostile.say(first + body)
    line = {"key": "lfsFile", "value": {"path": "big.bin", "algo": "sha256", "oid": OID, "size": len(BIG)}}
    lines = [{"key": "header", "value": {"summary": "big"}}, line]
    ask(hostile, "POST", f"{REPO}/commit/main", content="\n".join(map(json.dumps, lines)).encode())
    readers = []
    for _ in range(SLOW_ONES):
        line = socket.create_connection(("127.0.0.1", hostile.port), timeout=10)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(hostile.head("GET", "/datasets/acme/hvac/resolve/main/big.bin") + b"\r\n")
        readers.append(line)
    assert eventually(lambda: connections_in_use(hostile.hub.database) == 0)
    ask(hostile, "GET", REPO)
    for reader in readers:
        reader.close()
    assert hostile.is_alive()


def test_links_end_with_the_token(hostile: HostileHub) -> None:
    """Signed URLs are worth nothing once the token that they were given for is revoked."""
    api, name = hostile.api("alice"), "acme/links"
    api.create_repo(name, repo_type="dataset", private=True)
    api.upload_file(path_or_fileobj=BIG, path_in_repo="big.bin", repo_id=name, repo_type="dataset")
    token = hostile.token("alice", label="lent")
    links = {}
    for operation, oid, size in (("download", OID, len(BIG)), ("upload", sha256(b"new").hexdigest(), 3)):
        wanted = {"operation": operation, "objects": [{"oid": oid, "size": size}]}
        answer = httpx2.post(
            f"{hostile.endpoint}/datasets/{name}.git/info/lfs/objects/batch",
            headers={"Authorization": f"Bearer {token}"},
            json=wanted,
        ).json()
        links[operation] = answer["objects"][0]["actions"][operation]["href"]
    assert httpx2.get(links["download"]).content == BIG
    with hostile.hub.database.write() as session:
        session.delete(session.scalar(select(Token).where(Token.name == "lent")))
    assert httpx2.get(links["download"]).status_code == 401
    assert httpx2.put(links["upload"], content=b"new").status_code == 401
