"""Files over the wire: ranges and conditions against RFC 9110, and every way to name a file."""

from __future__ import annotations

import json
import random
import re
import socket
from dataclasses import dataclass
from hashlib import sha1, sha256
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.support.served import Answer, Line, ServedHub

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = b"reward,done\n" * 100  # in the database
STORED = random.Random(1).randbytes(50_000).hex().encode()  # a regular file, but too large for the database
BIG = random.Random(2).randbytes(300_001)  # a large file
REPO = "/datasets/acme/files/resolve/main/"
KINDS = {"small.csv": SMALL, "stored.txt": STORED, "d/big.bin": BIG, "empty.txt": b""}
NAMES = {
    "with space/and more.txt": "with%20space/and%20more.txt",
    "ünïcode/日本.txt": "%C3%BCn%C3%AFcode/%E6%97%A5%E6%9C%AC.txt",
    "100%/a%2Fb.txt": "100%25/a%252Fb.txt",
    "query?#+&=.txt": "query%3F%23+&=.txt",
    "...dots..txt": "...dots..txt",
    "back\\slash.txt": "back%5Cslash.txt",
    "resolve/main/datasets.txt": "resolve/main/datasets.txt",
    "quo\"te's;.txt": "quo%22te's;.txt",
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    hub = ServedHub(tmp_path_factory.mktemp("resolve") / "hub").start()
    api = hub.api("alice")
    for family in ("dataset", "model", "space"):
        extra = {"space_sdk": "static"} if family == "space" else {}
        api.create_repo("acme/files", repo_type=family, private=False, **extra)
        add(hub, {"who.txt": family.encode()}, repo_type=family)
    add(hub, KINDS)
    add(hub, {name: name.encode() for name in NAMES})
    yield hub
    hub.stop()


def add(hub: ServedHub, files: dict[str, bytes], repo_type: str = "dataset", **how: object) -> str:
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    made = hub.api("alice").create_commit(
        "acme/files", operations, commit_message="files", repo_type=repo_type, **how
    )
    return str(made.oid)


@pytest.fixture
def line(hub: ServedHub) -> Iterator[Line]:
    with Line(hub) as line:
        yield line


@pytest.fixture(scope="module")
def kept_line(hub: ServedHub) -> Iterator[Line]:
    """One connection for all examples of a property: each answer must leave it ready for the next."""
    with Line(hub) as line:
        yield line


@dataclass(frozen=True)
class Whole:
    """All of the file."""


@dataclass(frozen=True)
class Nothing:
    """None of the ranges has a byte of the file."""


def expected(text: str, size: int) -> Whole | Nothing | list[range]:
    """Return what a Range header asks for, as sections 14.1 and 14.2 of RFC 9110 say; several ranges in their order."""
    unit, equals, listed = text.partition("=")
    members = [member for part in listed.split(",") if (member := part.strip(" \t"))]
    asked = [re.fullmatch(r"([0-9]*)-([0-9]*)", member) for member in members]
    if unit.lower() != "bytes" or not equals or not asked:
        return Whole()
    if any(one is None or one.groups() == ("", "") for one in asked):
        return Whole()
    found = []
    for first, last in ((one[1], one[2]) for one in asked if one):
        if first and last and int(last) < int(first):
            return Whole()
        if not first:
            if size == 0 and int(last):
                return Whole()  # satisfiable, but no Content-Range could say so
            found.append(range(size)[size - min(int(last), size) :])
        else:
            found.append(range(size)[min(int(first), size) : int(last) + 1 if last else None])
    found = [places for places in found if places]
    if any(one[-1] >= after[0] for one, after in pairwise(found)):
        return Whole()  # they overlap, or go back: it is the server's choice
    return found or Nothing()


def parts_of(answer: Answer) -> list[tuple[str, bytes]]:
    """Return Content-Range and bytes of each part (section 14.6, and 5.1.1 of RFC 2046)."""
    found = re.fullmatch(r"multipart/byteranges; boundary=([0-9a-f]{32})", answer.headers["content-type"])
    assert found is not None
    separator = b"\r\n--" + found[1].encode()
    before, *parts, after = answer.body.split(separator)
    assert (before, after) == (b"", b"--\r\n")
    split = [part.split(b"\r\n\r\n", 1) for part in parts]
    heads = [dict(line.split(": ") for line in head.decode().strip().split("\r\n")) for head, _ in split]
    return [(head["Content-Range"], content) for head, (_, content) in zip(heads, split, strict=True)]


NUMBERS = st.one_of(
    st.integers(0, 20), st.sampled_from([1199, 1200, 1201, 99_999, 100_000, 300_000, 300_001, 300_002])
) | st.integers(0, 10**30)
DIGITS = NUMBERS.map(str) | NUMBERS.map("{:040d}".format) | st.just("")
SPECS = st.builds("{}-{}".format, DIGITS, DIGITS)
SPACE = st.sampled_from(["", "", "", " ", "\t "])
LISTS = st.lists(st.builds("{}{}{}".format, SPACE, SPECS | st.just(""), SPACE), min_size=1, max_size=3)
HEADERS = st.one_of(
    SPECS.map("bytes={}".format),
    st.builds("{}={}".format, st.sampled_from(["bytes", "Bytes", "bits", "", " bytes"]), LISTS.map(",".join)),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20).map("bytes={}".format),
    st.text(st.characters(min_codepoint=0xA0, max_codepoint=0xFF), max_size=9).map("bytes=1{}-2".format),
)


@pytest.mark.parametrize("path", KINDS)
@settings(max_examples=150, deadline=None)
@given(text=HEADERS)
def test_any_range_header(kept_line: Line, path: str, text: str) -> None:
    content = KINDS[path]
    answer = kept_line.get(REPO + path, Range=text)
    assert int(answer.headers["content-length"]) == len(answer.body)
    said = answer.headers.get("content-range")
    match expected(text.strip(" \t"), len(content)):
        case Whole():
            assert (answer.status, said, answer.body) == (200, None, content)
        case Nothing():
            assert (answer.status, said) == (416, f"bytes */{len(content)}")
        case [one]:
            assert (answer.status, said) == (206, told(one, content))
            assert answer.body == content[one[0] : one[-1] + 1]
        case several:
            assert (answer.status, said) == (206, None)
            assert parts_of(answer) == [
                (told(one, content), content[one[0] : one[-1] + 1]) for one in several
            ]


def told(places: range, content: bytes) -> str:
    return f"bytes {places[0]}-{places[-1]}/{len(content)}"


@pytest.mark.parametrize("path", ["small.csv", "stored.txt", "d/big.bin"])
def test_as_many_ranges_as_are_announced(line: Line, path: str) -> None:
    content = KINDS[path]
    most = int(line.head(REPO + path).headers["x-max-ranges"])
    places = [range(4 * number, 4 * number + 3) for number in range(most + 1)]
    header = "bytes=" + ",".join(f"{one[0]}-{one[-1]}" for one in places[:most])
    assert len(header) < 7000  # proxies take heads of 8 KiB
    parts = parts_of(line.get(REPO + path, Range=header))
    assert parts == [(told(one, content), content[one[0] : one[-1] + 1]) for one in places[:most]]
    more = line.get(REPO + path, Range=f"{header},{places[-1][0]}-{places[-1][-1]}")
    assert (more.status, more.body) == (200, content)


def test_a_range_with_more_digits_than_numbers_have(line: Line) -> None:
    answer = line.get(REPO + "small.csv", Range=f"bytes=0-{'9' * 30_000}")
    assert answer.status in (200, 206)
    assert answer.body == SMALL


def tag_of(path: str) -> str:
    content = KINDS[path]
    plain = sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return f'"{sha256(content).hexdigest() if path.endswith(".bin") else plain}"'


@pytest.mark.parametrize("path", KINDS)
def test_what_is_known_already_is_not_sent(line: Line, path: str) -> None:
    tag = tag_of(path)
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*", f' {tag} , W/"x"'):
        for method in ("GET", "HEAD"):
            answer = line.ask(method, REPO + path, If_None_Match=known, Range="bytes=0-1")
            assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag), known
    for other in ('"other"', tag.strip('"'), tag.upper(), '"*"', f'"{tag}"'):
        assert line.get(REPO + path, If_None_Match=other).body == KINDS[path], other


@pytest.mark.parametrize("path", ["small.csv", "stored.txt", "d/big.bin"])
def test_a_range_of_what_was_changed_is_the_whole(line: Line, path: str) -> None:
    tag = tag_of(path)
    assert line.get(REPO + path, Range="bytes=2-5", If_Range=tag).body == KINDS[path][2:6]
    date = "Sun, 06 Nov 1994 08:49:37 GMT"  # there is no date that it could be compared with
    for other in (f"W/{tag}", '"other"', f"{tag}, {tag}", "*", date):
        answer = line.get(REPO + path, Range="bytes=2-5", If_Range=other)
        assert (answer.status, answer.body) == (200, KINDS[path]), other
    # Without If-Range to the contrary, what lies outside stays outside.
    assert line.get(REPO + path, Range="bytes=999999-", If_Range=tag).status == 416
    assert line.get(REPO + path, Range="bytes=999999-", If_Range='"other"').status == 200


@pytest.mark.parametrize("path", KINDS)
def test_head_says_what_get_sends(hub: ServedHub, line: Line, path: str) -> None:
    sent, told = line.get(REPO + path), line.head(REPO + path, Range="bytes=0-1")
    assert (told.status, told.body, sent.body) == (200, b"", KINDS[path])
    commit = told.headers["x-repo-commit"]
    assert told.headers.pop("location") == f"{hub.endpoint}{REPO.replace('main', commit)}{path}"
    assert told.headers == sent.headers
    assert told.headers["content-length"] == str(len(KINDS[path]))
    assert told.headers["etag"] == tag_of(path)
    is_large = path.endswith(".bin")
    assert told.headers.get("x-linked-etag") == (tag_of(path) if is_large else None)
    assert told.headers.get("x-linked-size") == (str(len(BIG)) if is_large else None)
    assert line.head(f"{REPO}{path}?download=true").headers["location"].endswith(path)


def test_families_are_not_mixed_up(line: Line) -> None:
    for prefix, family in (("/datasets", "dataset"), ("/spaces", "space"), ("", "model")):
        for written in ("acme/files", "ACME/Files", "%61cme/%66iles"):
            answer = line.get(f"{prefix}/{written}/resolve/main/who.txt")
            assert (answer.status, answer.body) == (200, family.encode())
    for prefix in ("/models", "/dataset", "/Datasets", "/datasets/datasets"):
        assert line.get(f"{prefix}/acme/files/resolve/main/who.txt").status in (401, 404), prefix


def test_all_names_of_a_revision(hub: ServedHub, line: Line) -> None:
    api = hub.api("alice")
    api.create_branch("acme/files", branch="feature/x", repo_type="dataset")
    versions = {"main": add(hub, {"v.txt": b"main"})}
    versions["feature/x"] = add(hub, {"v.txt": b"feature/x"}, revision="feature/x")
    api.create_tag("acme/files", tag="v1", repo_type="dataset", revision="feature/x")
    versions["refs/pr/1"] = add(hub, {"v.txt": b"refs/pr/1"}, create_pr=True)
    ways = {
        "main": ("main", "refs%2Fheads%2Fmain", "refs/heads/main"),
        "feature/x": ("feature%2Fx", "feature%2fx", "v1", "refs%2Ftags%2Fv1", "refs%2Fheads%2Ffeature%2Fx"),
        "refs/pr/1": ("refs/pr/1", "refs%2Fpr%2F1", "refs%2fpr%2f1"),
    }
    for name, commit in versions.items():
        for revision in (*ways[name], commit, commit[:12], commit.upper()):
            address = f"/datasets/acme/files/resolve/{revision}/v.txt"
            answer, told = line.get(address), line.head(address)
            assert (answer.status, answer.body) == (200, name.encode()), revision
            assert answer.headers["x-repo-commit"] == commit
            assert told.headers["location"] == f"{hub.endpoint}/datasets/acme/files/resolve/{commit}/v.txt"
            assert line.get(told.headers["location"].removeprefix(hub.endpoint)).body == name.encode()


@pytest.mark.parametrize(
    "revision",
    ["nonesuch", "refs%2Fpr%2F99", "0" * 40, "%00", "%FF", "a%0Ab", "..", "main%2F", "@", "%20main"],
)
def test_no_such_revision(line: Line, revision: str) -> None:
    answer = line.get(f"/datasets/acme/files/resolve/{revision}/small.csv")
    assert answer.status in (400, 404)
    if answer.status == 404:
        assert answer.headers["x-error-code"] == "RevisionNotFound"


@pytest.mark.parametrize(("name", "written"), NAMES.items())
def test_paths_with_odd_letters(line: Line, name: str, written: str) -> None:
    every_letter = "".join(f"%{byte:02x}" for byte in name.encode())
    for way in (written, written.replace("/", "%2F"), every_letter):
        answer = line.get(REPO + way)
        assert (answer.status, answer.body) == (200, name.encode()), way
    disposition = answer.headers["content-disposition"]
    assert re.fullmatch(r"inline; filename\*=UTF-8''[A-Za-z0-9._~%-]+", disposition)


@pytest.mark.parametrize(
    "path",
    [
        "../main/small.csv",
        "d/../small.csv",
        "./small.csv",
        "%2e%2e/small.csv",
        "..%2fsmall.csv",
        "d/..%5c..%5cbig.bin",
        "small.csv/",
        "small.csv/x",
        "/small.csv",
        "d//big.bin",
        "d/",
        "d",
        "",
        "%2Fetc%2Fpasswd",
        "small.csv%00",
        "small.csv%0d%0aX-Evil:%201",
        "a" * 2000,
        "/".join("d" * 400),
    ],
)
def test_paths_that_are_none(line: Line, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = line.ask(method, REPO + path)
        assert (answer.status, answer.headers["x-error-code"]) == (404, "EntryNotFound")
        assert "x-evil" not in answer.headers
        assert answer.headers["x-repo-commit"]


@pytest.mark.parametrize("path", ["%FF", "%C3", "small.csv%ff", "a" * 3000, "a" * 60_000])
def test_what_no_path_can_be(line: Line, path: str) -> None:
    for method in ("GET", "HEAD"):
        assert 400 <= line.ask(method, REPO + path).status < 500


def test_a_path_of_raw_bytes(hub: ServedHub) -> None:
    for method in (b"GET", b"HEAD"):
        with socket.create_connection(("127.0.0.1", hub.port), timeout=10) as raw:
            raw.sendall(method + b" " + REPO.encode() + b"\xff\xc3\xbc HTTP/1.1\r\nHost: hub.example\r\n\r\n")
            assert raw.recv(1000).startswith(b"HTTP/1.1 4")


def test_other_methods_send_nothing(line: Line) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = line.ask(method, REPO + "small.csv")
        assert 400 <= answer.status < 500
        assert SMALL not in answer.body


@pytest.mark.parametrize(
    "public", ["https://hub.example", "https://hub.example/deep", "https://Hub.example:8443/a/b"]
)
def test_the_pinned_address_lies_behind_the_public_one(
    tmp_path_factory: pytest.TempPathFactory, public: str
) -> None:
    """Who calls us by our public name is sent there; who does not would not send its token there, and stays."""
    hub = ServedHub(tmp_path_factory.mktemp("public") / "hub", public_url=public).start()
    try:
        commit = _made_without_client(hub)
        with Line(hub) as line:
            for prefix in {"", "/" + "/".join(public.split("/")[3:])} - {"/"}:
                _check_pinned(line, public, prefix, commit)
    finally:
        hub.stop()


def _made_without_client(hub: ServedHub) -> str:
    """Make a repository with a file; the stock client stumbles over addresses of another host than it asked."""
    headers = {"Authorization": f"Bearer {hub.person('alice').token}"}
    with httpx2.Client(base_url=hub.endpoint, headers=headers) as client:
        wanted = {"type": "dataset", "name": "files", "organization": "acme", "private": False}
        assert client.post("/api/repos/create", json=wanted).status_code == 200
        lines = [
            {"key": "header", "value": {"summary": "files"}},
            {"key": "file", "value": {"path": "a b.txt", "content": "1", "encoding": "utf-8"}},
        ]
        body = "\n".join(map(json.dumps, lines))
        made = client.post("/api/datasets/acme/files/commit/main", content=body)
        return str(made.json()["commitOid"])


def _check_pinned(line: Line, public: str, prefix: str, commit: str) -> None:
    address = f"{prefix}{REPO}a%20b.txt"
    host = public.split("/")[2].lower()
    told = line.head(address, Host=host)
    assert told.headers.pop("location") == f"{public}{REPO.replace('main', commit)}a%20b.txt"
    plain = line.head(address)
    assert "location" not in plain.headers
    assert plain == Answer(200, told.headers, b"") == Answer(200, line.get(address).headers, b"")
