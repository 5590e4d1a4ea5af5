"""Bytes that no client sends, over plain sockets: never a failure of the server's, which lives on in bounded memory."""

from __future__ import annotations

import json
import resource
import struct
import zlib
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.server.hostile.conftest import HostileHub

FEW = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
REPO = "/api/datasets/acme/hvac"
COMMIT = f"{REPO}/commit/main?create_pr=1"
BATCH = "/datasets/acme/hvac.git/info/lfs/objects/batch"
PACK = "/datasets/acme/hvac/git-upload-pack"
NUL, EURO, HALF = "\0", "€", "\ud800"


def check(hub: HostileHub, answer: bytes, *, may_be_silent: bool = False) -> None:
    """Fail if the server has failed."""
    status = int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0
    assert status < 500 or status in (501, 507), answer[:600]
    assert status or may_be_silent, "no answer"
    assert b"Traceback" not in answer
    assert hub.is_alive()


def post(hub: HostileHub, path: str, body: bytes, *headers: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return hub.say(hub.head("POST", path, length, *headers) + b"\r\n" + body)


def memory_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


@FEW
@given(st.binary(max_size=300))
@example(b"\r\n" * 100)
@example(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n")
@example(b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 200_000)
@example(
    b"POST /api/repos/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"
)
@example(b"POST /api/repos/create HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n")
@example(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
@example(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
@example(b"CONNECT evil:443 HTTP/1.1\r\nHost: evil\r\n\r\n")
@example(b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
def test_bytes_that_are_no_request(hostile: HostileHub, sent: bytes) -> None:
    check(hostile, hostile.say(sent, hangs_up=True), may_be_silent=True)


@pytest.mark.parametrize(
    "header",
    [
        b"Authorization: Basic \xff\xfe",
        b"Authorization: Basic " + b"A" * 5000,
        b"Authorization: Bearer \xff",
        b"Authorization: Bearer",
        b"Authorization: Digest x",
        b"Cookie: pytupli_session=\xff\xfe; pytupli_form=" + b"x" * 9000,
        b"Range: bytes=99999999999999999999999-",
        b"Range: bytes=-0",
        b"Range: bytes=\xb2-\xb3",
        b"If-None-Match: \xff\xff",
        b"If-Range: \x80",
        b"Git-Protocol: version=2:version=\xff",
        b"Accept: \xff",
        b"X-Request-Id: \xff\x1b[31m",
        b"X-Forwarded-For: not an address, \xff",
        b"X-Forwarded-Proto: javascript",
        b"Accept-Encoding: " + b"gzip," * 5000,
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/api/whoami-v2",
        "/datasets/acme/hvac/resolve/main/a.txt",
        "/datasets/acme/hvac/info/refs?service=git-upload-pack",
        "/settings/tokens",
        "/metrics",
    ],
)
def test_headers(hostile: HostileHub, path: str, header: bytes) -> None:
    who = None if header.startswith(b"Authorization") else "mallory"
    check(hostile, hostile.say(hostile.head("GET", path, header, who=who) + b"\r\n"))


@pytest.mark.parametrize("host", [b"[", b"a b", b'x"><script>', b"x/../y", b"x:y", b"\xff", b"[::1", b"a@b"])
@pytest.mark.parametrize(
    "path", ["/login", "/api/datasets?limit=1", "/datasets/acme/hvac/resolve/main/a.txt"]
)
def test_hosts_that_are_none(hostile: HostileHub, path: str, host: bytes) -> None:
    """Absolute URLs begin with it."""
    answer = hostile.say(f"GET {path} HTTP/1.1\r\nHost: ".encode() + host + b"\r\nConnection: close\r\n\r\n")
    check(hostile, answer)
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "segment",
    [
        "%00",
        "%ff",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%F0%9F",
        "%ed%a0%80",
        "%5c..%5c",
        "%0d%0aX:y",
        "a%20b",
    ],
)
def test_segments(hostile: HostileHub, segment: str) -> None:
    for path in (
        f"/api/datasets/{segment}/hvac",
        f"/api/datasets/acme/{segment}/tree/main",
        f"{REPO}/tree/{segment}/{segment}",
        f"{REPO}/revision/{segment}",
        f"{REPO}/user-access-request/{segment}?cursor=AAAA",
        f"{REPO}/commits/main?cursor={segment}",
        f"{REPO}/tree/main?cursor={segment}",
        f"/api/datasets?author={segment}&search={segment}&filter={segment}&cursor={segment}",
        f"/api/registry/datasets?environment={segment}",
        f"/datasets/acme/hvac/resolve/{segment}/{segment}",
        f"/api/users/{segment}/overview",
        f"/api/organizations/{segment}/members?cursor={segment}",
        f"/api/settings/webhooks/{segment}",
        f"/static/{segment}",
        f"/login?next={segment}",
        f"/oauth/consent?user_code={segment}",
    ):
        answer = hostile.say(hostile.head("GET", path) + b"\r\n")
        check(hostile, answer)
        assert b"\nX:y" not in answer
        assert b"root:" not in answer


def a_value() -> st.SearchStrategy[Any]:
    leaf = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(
            [NUL, EURO, HALF, 1 << 64, -(1 << 70), "x" * 300, "../../x", ".git/config", "a\\..\\b"]
        ),
    )
    return st.recursive(leaf, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


NAMES = ("path", "content", "encoding", "oid", "size", "algo", "summary", "description", "parentCommit")


@FEW
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["header", "file", "lfsFile", "deletedFile", "deletedFolder", "x"]),
            st.dictionaries(st.sampled_from(NAMES), a_value(), max_size=5),
        ),
        max_size=4,
    ),
    st.booleans(),
)
@example([("file", {"path": "a", "content": EURO, "encoding": "base64"})], True)
@example([("file", {"path": HALF, "content": "", "encoding": "utf-8"})], True)
@example([("file", {"path": "a/b", "content": ""}), ("file", {"path": "a", "content": ""})], True)
@example([("lfsFile", {"path": "a", "oid": "0" * 64, "size": 1 << 80})], True)
@example([("file", {"path": "README.md", "content": "---\n" + "[" * 9000 + "\n---\n"})], True)
def test_lines_of_commits(
    hostile: HostileHub, lines: list[tuple[str, dict[str, Any]]], begins_well: bool
) -> None:
    first = [{"key": "header", "value": {"summary": "x"}}] if begins_well else []
    body = [json.dumps(line) for line in (*first, *({"key": k, "value": v} for k, v in lines))]
    check(hostile, post(hostile, COMMIT, "\n".join(body).encode()))


@pytest.mark.parametrize(
    "body",
    [
        b'{"key":"header","value":{"summary":"x"}}\n{"key":"file","value":{"path":"a","x":['
        + b"[]," * 600_000,
        b'{"key":"header","value":{"summary":"x"}}\n{"key":"file","value":' + b'{"a":' * 300_000,
        b'{"key":"header","value":{"summary":"x"}}' + b"\n" * 1_900_000,
        b"[" * 1_900_000,
        b"\xff\xfe" * 100,
        b'{"key":"header","value":{"summary":' + b"9" * 100_000 + b"}}",
    ],
)
def test_bombs_in_commits(hostile: HostileHub, body: bytes) -> None:
    before = memory_mib()
    answer = post(hostile, COMMIT, body)
    check(hostile, answer)
    assert answer.startswith(b"HTTP/1.1 4")
    assert memory_mib() - before < 200


@pytest.mark.parametrize("path", [f"{REPO}/preupload/main", f"{REPO}/ask-access", BATCH, "/api/repos/create"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"files":[' + b"1," * 4_000_000 + b"1]}",
        b'{"objects":[' + b"[]," * 4_000_000 + b"1]}",
        b'{"fields":{' + b",".join(b'"%d":[]' % number for number in range(900_000)) + b"}}",
        b'{"fields":{' + b",".join(b'"%d":[]' % number for number in range(100_000)) + b"}}",
        b"[" * 8_000_000,
        b'{"name":' + b"9" * 8_000_000 + b"}",
    ],
    ids=["numbers", "lists", "names", "fewer names", "depth", "digits"],
)
def test_bombs_of_json(hostile: HostileHub, path: str, body: bytes) -> None:
    """Bodies are read before anybody is asked who they are."""
    before = memory_mib()
    answer = hostile.say(
        hostile.head(
            "POST", path, b"Content-Type: application/json", b"Content-Length: %d" % len(body), who=None
        )
        + b"\r\n",
        body,
    )
    check(hostile, answer)
    assert memory_mib() - before < 300


@pytest.mark.slow
def test_patterns_that_never_end(hostile: HostileHub) -> None:
    many = "\n".join(f"a*{number}" for number in range(900))
    for ignore in ("*a" * 4000 + "b", "x\n" * 400_000, many):
        deep = "/".join(f"f{number}" for number in range(60))
        files = [{"path": f"{deep}/{number}/x{number}", "size": 1} for number in range(900)]
        body = json.dumps({"files": files, "gitIgnore": ignore}).encode()
        answer = post(hostile, f"{REPO}/preupload/main?create_pr=1", body, b"Content-Type: application/json")
        check(hostile, answer)


@FEW
@given(st.binary(max_size=200), st.sampled_from([b"0", b"1", b"2"]))
@example(b"0000" * 50_000, b"2")
@example(b"0005a" * 20_000, b"2")
@example(b"fff0", b"2")
@example(b"0032want " + b"0" * 40 + b"\n00000009done\n", b"0")
@example(b"0011command=fetch0001" + b"0032want " + b"f" * 40 + b"\n0009done\n0000", b"2")
@example(b"0011command=fetch0001000cdeepen 00000", b"2")
def test_what_git_says(hostile: HostileHub, body: bytes, version: bytes) -> None:
    check(hostile, post(hostile, PACK, body, b"Git-Protocol: version=" + version))


def test_a_bomb_of_gzip(hostile: HostileHub) -> None:
    packing = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packing.compress(bytes(1 << 20)) for _ in range(40)) + packing.flush()
    before = memory_mib()
    answer = post(hostile, PACK, bomb, b"Content-Encoding: gzip")
    check(hostile, answer)
    assert answer.startswith(b"HTTP/1.1 413")
    assert memory_mib() - before < 100


def xet_address(hub: HostileHub) -> tuple[str, bytes]:
    headers = {"Authorization": f"Bearer {hub.person('alice').token}"}
    said = httpx2.get(f"{hub.endpoint}{REPO}/xet-write-token/main", headers=headers).json()
    return said["casUrl"].removeprefix(hub.endpoint), said["accessToken"].encode()


def chunk(version: int, packed: int, scheme: int, length: int, content: bytes) -> bytes:
    return (
        struct.pack("<B3sB3s", version, packed.to_bytes(3, "little"), scheme, length.to_bytes(3, "little"))
        + content
    )


@FEW
@given(st.binary(max_size=400))
@example(b"")
@example(chunk(0, 0xFFFFFF, 1, 0xFFFFFF, b""))
@example(chunk(0, 8, 1, 1 << 17, b"\x04\x22\x4d\x18\x64\x40\xa7\x00"))
@example(chunk(0, 3, 0, 3, b"abc"))
@example(chunk(0, 3, 9, 3, b"abc"))
@example(b"XETBLOB" + bytes(100))
@example(b"HFRepoMetaData\x00Ui\x67Ej{\x81W\x83\xa5\xbd\xd9\\\xcd\xd1J\xa9" + struct.pack("<QQ", 2, 0))
@example(
    b"HFRepoMetaData\x00Ui\x67Ej{\x81W\x83\xa5\xbd\xd9\\\xcd\xd1J\xa9"
    + struct.pack("<QQ", 2, 0)
    + bytes(32)
    + struct.pack("<IIQ", 0xC0000000, 0xFFFFFFFF, 0)
)
def test_xorbs_and_shards(hostile: HostileHub, body: bytes) -> None:
    base, token = xet_address(hostile)
    for path in (f"{base}/v1/xorbs/default/{'0' * 64}", f"{base}/v1/xorbs/default/x", f"{base}/v1/shards"):
        head = hostile.head(
            "POST", path, b"Authorization: Bearer " + token, b"Content-Length: %d" % len(body), who=None
        )
        answer = hostile.say(head + b"\r\n" + body)
        check(hostile, answer)
        assert not answer.startswith(b"HTTP/1.1 200") or b"shards" in path.encode()


@pytest.mark.parametrize("length", [b"5", b"0", b"99999999999999999999", b"+3", b"0x3", b""])
def test_lengths_of_uploads(hostile: HostileHub, length: bytes) -> None:
    oid = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    wanted = {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": oid, "size": 3}]}
    said = post(hostile, BATCH, json.dumps(wanted).encode(), b"Content-Type: application/json")
    href = json.loads(said.partition(b"\r\n\r\n")[2])["objects"][0]["actions"]["upload"]["href"]
    path = "/" + href.split("/", 3)[3]
    for body in (b"abc", b"abd", b"ab", b"abcd"):
        head = hostile.head("PUT", path, b"Content-Length: " + length, who=None)
        answer = hostile.say(head + b"\r\n" + body)
        check(hostile, answer)
        assert not answer.startswith(b"HTTP/1.1 200")
