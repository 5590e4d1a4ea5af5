"""Git-LFS, asked by hand."""

import hashlib
import http.client
import json
import os
import threading
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from pytupli_registry.server.database.schema import Membership, RepositoryBlob, Token, Upload
from tests.server.support.live import LiveHub

REPO = "acme/hvac"
PART = 1 << 16
BATCH = f"/datasets/{REPO}.git/info/lfs/objects/batch"
JSON = {"Content-Type": "application/vnd.git-lfs+json"}


class Person:
    """A user who speaks HTTP by hand."""

    def __init__(self, hub: LiveHub, name: str | None, role: str = "write") -> None:
        self.hub = hub
        self.headers = {}
        if name:
            token = (
                hub.person(name).token
                if role == "write"
                else hub.token(name, role=role, label=os.urandom(4).hex())
            )
            self.headers = {"Authorization": f"Bearer {token}"}

    def send(self, method, url, body=b"", **headers):
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc or f"127.0.0.1:{self.hub.port}", timeout=30)
        try:
            connection.request(method, f"{parts.path}?{parts.query}", body, headers)
            answer = connection.getresponse()
            status, answered, content = answer.status, answer.headers, answer.read()
        finally:
            connection.close()
        if status == 302:
            return self.send(method, answered["Location"], body, **headers)
        return status, answered, content

    def ask(self, url, body, **headers):
        status, _, content = self.send("POST", url, json.dumps(body), **JSON, **self.headers, **headers)
        return status, json.loads(content)

    def batch(self, *contents, operation="upload", transfers=("basic", "multipart"), url=BATCH):
        objects = [{"oid": sha(content), "size": len(content)} for content in contents]
        return self.ask(url, {"operation": operation, "transfers": transfers, "objects": objects})

    def href(self, content, **arguments):
        status, answer = self.batch(content, **arguments)
        assert status == 200, answer
        return answer["objects"][0]["actions"]["upload"]["href"]


def sha(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def module_hub(tmp_path_factory, backends):
    hub = LiveHub(
        tmp_path_factory.mktemp("lfs") / "hub", lfs_part_size=PART, max_file_size=1 << 22, **backends
    ).start()
    hub.organization("acme", alice="admin", carol="read")
    hub.person("bob")
    hub.api("alice").create_repo(REPO, repo_type="dataset", private=True)
    hub.api("bob").create_repo("bob/own", repo_type="dataset", private=True)
    yield hub
    hub.stop()


@pytest.fixture
def alice(module_hub):
    return Person(module_hub, "alice")


def repositories_of(hub, content):
    with hub.hub.database.read() as session:
        return len(session.scalars(select(RepositoryBlob).where(RepositoryBlob.sha256 == sha(content))).all())


def content_of(seed, size=1000):
    return hashlib.shake_256(repr(seed).encode()).digest(size)


def test_a_file_in_one_piece(module_hub, alice):
    content = content_of("one piece")
    status, answer = alice.batch(content)
    assert answer["transfer"] == "basic"
    actions = answer["objects"][0]["actions"]
    assert alice.ask(actions["verify"]["href"], {"oid": sha(content), "size": 1000})[0] == 404
    assert alice.send("PUT", actions["upload"]["href"], content)[0] == 200
    assert alice.ask(actions["verify"]["href"], {"oid": sha(content), "size": 1000})[0] == 200
    assert alice.ask(actions["verify"]["href"], {"oid": sha(content), "size": 999})[0] == 404
    # Retried, it is taken again without a word; asked again, there is nothing to do.
    assert alice.send("PUT", actions["upload"]["href"], content)[0] == 200
    status, answer = alice.batch(content)
    assert (status, answer["objects"]) == (200, [{"oid": sha(content), "size": 1000}])
    assert b"".join(module_hub.hub.objects.read(f"blobs/{sha(content)}")) == content


def send_parts(alice, content, order=None):
    status, answer = alice.batch(content)
    assert (status, answer["transfer"]) == (200, "multipart")
    action = answer["objects"][0]["actions"]["upload"]
    size = int(action["header"]["chunk_size"])
    numbers = sorted(int(key) for key in action["header"] if key.isdigit())
    assert numbers == list(range(1, -(-len(content) // size) + 1))
    parts = {}
    for number in order or numbers:
        part = content[(number - 1) * size : number * size]
        status, headers, _ = alice.send("PUT", action["header"][str(number)], part)
        assert status == 200
        parts[number] = headers["ETag"]
    return action, [{"partNumber": number, "etag": parts[number]} for number in sorted(parts)]


def test_a_file_in_parts_sent_in_any_order_and_twice(module_hub, alice):
    content = content_of("parts", 5 * PART + 7)
    action, parts = send_parts(alice, content, order=[6, 2, 2, 1, 5, 4, 3, 6])
    done = {"oid": sha(content), "parts": parts}
    assert alice.ask(action["href"], done)[0] == 200
    assert b"".join(module_hub.hub.objects.read(f"blobs/{sha(content)}")) == content
    upload_id = urlsplit(action["href"]).path.rpartition("/")[2]
    assert list(module_hub.hub.objects.list(f"parts/{upload_id}")) == []
    assert alice.ask(action["href"], done)[0] == 200


def test_a_batch_that_is_asked_again_continues_the_upload(module_hub, alice):
    content = content_of("continued", 3 * PART)
    first, _ = send_parts(alice, content, order=[1])
    action, parts = send_parts(alice, content, order=[2, 3])
    assert urlsplit(first["href"]).path == urlsplit(action["href"]).path
    _, headers, _ = alice.send("PUT", first["header"]["1"], content[:PART])
    parts = [{"partNumber": 1, "etag": headers["ETag"]}, *parts]
    assert alice.ask(action["href"], {"oid": sha(content), "parts": parts})[0] == 200


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda parts: parts[:1], "not what has arrived"),
        (lambda parts: [{**parts[0], "etag": '"x"'}, parts[1]], "not what has arrived"),
        (lambda parts: [{**parts[0], "partNumber": 3}, parts[1]], "not what has arrived"),
        (lambda parts: [], "not what has arrived"),
    ],
)
def test_a_wrong_list_of_parts_is_refused_and_can_be_put_right(alice, change, why):
    content = content_of(("list", os.urandom(4)), 2 * PART)
    action, parts = send_parts(alice, content)
    status, answer = alice.ask(action["href"], {"oid": sha(content), "parts": change(parts)})
    assert status == 422
    assert why in answer["error"]
    assert alice.ask(action["href"], {"oid": sha(content), "parts": parts})[0] == 200


def test_missing_parts_are_named(alice):
    content = content_of("missing", 4 * PART)
    action, parts = send_parts(alice, content, order=[1, 3])
    status, answer = alice.ask(action["href"], {"oid": sha(content), "parts": parts})
    assert status == 422
    assert "[2, 4]" in answer["error"]


def test_parts_that_make_another_file_are_dropped(module_hub, alice):
    content = content_of("announced", 2 * PART)
    status, answer = alice.batch(content)
    action = answer["objects"][0]["actions"]["upload"]
    parts = []
    for number in (1, 2):
        _, headers, _ = alice.send("PUT", action["header"][str(number)], bytes(PART))
        parts.append({"partNumber": number, "etag": headers["ETag"]})
    status, answer = alice.ask(action["href"], {"oid": sha(content), "parts": parts})
    assert status == 422
    assert sha(content) in answer["error"]
    upload_id = urlsplit(action["href"]).path.rpartition("/")[2]
    assert list(module_hub.hub.objects.list(f"parts/{upload_id}")) == []
    assert repositories_of(module_hub, content) == repositories_of(module_hub, bytes(2 * PART)) == 0
    assert alice.ask(action["href"], {"oid": sha(content), "parts": parts})[0] == 404
    assert alice.send("PUT", action["header"]["1"], content[:PART])[0] == 404
    again, parts = send_parts(alice, content)
    assert alice.ask(again["href"], {"oid": sha(content), "parts": parts})[0] == 200


def test_the_end_of_an_upload_asked_for_twice_at_once(module_hub, alice):
    content = content_of("twice", 20 * PART)
    action, parts = send_parts(alice, content)
    statuses = []
    done = {"oid": sha(content), "parts": parts}
    threads = [
        threading.Thread(target=lambda: statuses.append(alice.ask(action["href"], done)[0])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [200] * 4
    assert b"".join(module_hub.hub.objects.read(f"blobs/{sha(content)}")) == content


def test_other_content_than_announced_is_refused(module_hub, alice):
    content = content_of("wrong")
    href = alice.href(content)
    for wrong in (bytes(1000), content_of("also wrong")):
        status, _, answer = alice.send("PUT", href, wrong)
        assert status == 422
        assert sha(content).encode() in answer
        assert repositories_of(module_hub, wrong) == 0
    assert module_hub.hub.objects.size(f"blobs/{sha(content)}") is None


@pytest.mark.parametrize(("size", "status"), [(999, 422), (1001, 422), (0, 422), (5_000_000, 413)])
def test_another_length_than_announced_is_refused_before_the_body(alice, size, status):
    assert alice.send("PUT", alice.href(content_of("length")), bytes(size))[0] == status


def test_a_length_is_needed(alice):
    content = content_of("chunked")
    assert alice.send("PUT", alice.href(content), iter([content]))[0] == 400


def test_links_are_for_one_thing_only(module_hub, alice):
    content, other = content_of("mine"), content_of("other")
    href = alice.href(content)
    path, signature = href.split("?signature=")
    assert alice.send("PUT", href.replace(sha(content), sha(other)), other)[0] == 403
    for wrong in ("", "x", signature[:-1], ("a" if signature[0] != "a" else "b") + signature[1:], "%00"):
        assert alice.send("PUT", f"{path}?signature={wrong}", content)[0] == 403
    assert alice.send("PUT", path, content)[0] == 400
    assert alice.send("GET", href)[0] == 403
    large = content_of("parts of mine", 2 * PART)
    action, _ = send_parts(alice, large, order=[1])
    upload_signature = action["href"].split("?signature=")[1]
    assert alice.send("PUT", f"{path}?signature={upload_signature}", content)[0] == 403
    assert alice.send("PUT", action["header"]["1"].replace("/1?", "/2?"), large[PART:])[0] == 403


def test_links_expire(module_hub, alice, monkeypatch):
    content = content_of("late")
    href = alice.href(content)
    real = module_hub.hub.signer.read.__globals__["time"].time
    monkeypatch.setattr(module_hub.hub.signer.read.__globals__["time"], "time", lambda: real() + 7 * 3600)
    status, _, answer = alice.send("PUT", href, content)
    monkeypatch.undo()
    assert status == 403
    assert b"expired" in answer


def test_a_hash_gives_neither_access_nor_knowledge(module_hub, alice):
    content = content_of("secret")
    alice.send("PUT", alice.href(content), content)
    bob = Person(module_hub, "bob")
    own = BATCH.replace(REPO, "bob/own")
    _, known = bob.batch(content, url=own)
    _, unknown = bob.batch(content_of("unknown"), url=own)
    assert known["objects"][0].keys() == unknown["objects"][0].keys()
    assert known["objects"][0]["actions"].keys() == {"upload", "verify"}
    assert bob.batch(content, url=own, operation="download")[1]["objects"][0]["error"]["code"] == 404
    assert bob.batch(content)[0] == bob.batch(content, url=BATCH.replace("hvac", "nothing"))[0] == 404
    # To have it, bob has to send it.
    assert bob.send("PUT", bob.href(content, url=own), bytes(1000))[0] == 422
    assert bob.send("PUT", bob.href(content, url=own), content)[0] == 200
    assert repositories_of(module_hub, content) == 2


@pytest.mark.parametrize(
    ("name", "role", "upload", "download"),
    [
        ("alice", "write", 200, 200),
        ("alice", "read", 403, 200),
        ("carol", "write", 200, 200),
        ("carol", "read", 403, 200),
        ("bob", "write", 404, 404),
        (None, "write", 401, 401),
    ],
)
def test_who_may_send_and_fetch(module_hub, name, role, upload, download):
    person = Person(module_hub, name, role)
    content = content_of("roles")
    assert person.batch(content)[0] == upload
    assert person.batch(content, operation="download")[0] == download


@pytest.mark.parametrize(("end", "status"), [(Token, 401), (Membership, 404)])
def test_a_link_ends_with_the_right_that_it_stands_for(hub, end, status):
    hub.organization("other", carol="write")
    hub.api("carol").create_repo("other/data", repo_type="dataset", private=True)
    carol = Person(hub, "carol")
    content = content_of("ends")
    href = carol.href(content, url=BATCH.replace(REPO, "other/data"))
    with hub.hub.database.write() as session:
        session.execute(delete(end).where(end.user_id == hub.person("carol").user_id))
    assert carol.send("PUT", href, content)[0] == status


def test_nobody_is_asked_who_it_is_whether_there_is_something_or_not(module_hub):
    nobody = Person(module_hub, None)
    body = json.dumps({"operation": "download", "objects": []})
    hidden = nobody.send("POST", BATCH, body, **JSON)
    missing = nobody.send("POST", BATCH.replace("hvac", "nothing"), body, **JSON)
    assert hidden[0] == missing[0] == 401
    assert hidden[1]["LFS-Authenticate"] == missing[1]["LFS-Authenticate"]
    assert hidden[2] == missing[2]


def test_too_large_files_are_named(alice):
    status, answer = alice.ask(
        BATCH,
        {
            "operation": "upload",
            "objects": [{"oid": "a" * 64, "size": 1 << 40}, {"oid": "b" * 64, "size": 5}],
        },
    )
    assert status == 200
    large, small = answer["objects"]
    assert large["error"]["code"] == 413
    assert "actions" in small


def test_a_size_that_is_a_lie_is_an_error_of_that_object(alice):
    content = content_of("lie")
    alice.send("PUT", alice.href(content), content)
    body = {"operation": "upload", "objects": [{"oid": sha(content), "size": 1}]}
    assert alice.ask(BATCH, body)[1]["objects"][0]["error"]["code"] == 422


def test_huge_batches_get_larger_parts_instead_of_endless_answers(module_hub, alice):
    objects = [{"oid": f"{n:064x}", "size": 1 << 22} for n in range(1000)]
    body = {"operation": "upload", "transfers": ["multipart"], "objects": objects}
    status, answer = alice.ask(BATCH, body)
    assert status == 200
    urls = sum(len(found["actions"]["upload"]["header"]) - 1 for found in answer["objects"])
    assert urls <= 11_000
    with module_hub.hub.database.write() as session:
        session.execute(delete(Upload))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"operation":"upload"}',
        b'{"operation":"upload","objects":[{"oid":"x","size":1}]}',
        b'{"operation":"steal","objects":[]}',
        b'{"operation":"upload","objects":[{"oid":"' + b"a" * 64 + b'","size":1e400}]}',
        b'{"operation":"upload","objects":[{"oid":"' + b"a" * 64 + b'","size":99999999999999999999}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_bodies_that_are_no_batch_are_refused(alice, body):
    assert alice.send("POST", BATCH, body, **JSON, **alice.headers)[0] == 400


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["oid", "size", "x"]), inner)
        ),
        max_leaves=5,
    ),
    st.sampled_from(["operation", "objects", "transfers", "ref", "hash_algo"]),
)
def test_no_json_is_an_error_of_the_server(alice, value, key):
    body = {"operation": "download", "objects": [], key: value}
    status, _, _ = alice.send("POST", BATCH, json.dumps(body), **JSON, **alice.headers)
    assert status in (200, 400)


def test_models_and_spaces_have_their_own_addresses(module_hub):
    bob = Person(module_hub, "bob")
    for kind, prefix in (("model", ""), ("space", "spaces/")):
        settings = {"space_sdk": "static"} if kind == "space" else {}
        module_hub.api("bob").create_repo("bob/policy", repo_type=kind, **settings)
        content = content_of(kind)
        url = f"/{prefix}bob/policy.git/info/lfs/objects/batch"
        _, answer = bob.batch(content, url=url)
        actions = answer["objects"][0]["actions"]
        assert bob.send("PUT", actions["upload"]["href"], content)[0] == 200
        assert bob.ask(actions["verify"]["href"], {"oid": sha(content), "size": 1000})[0] == 200
        assert bob.batch(content, url=url)[1]["objects"] == [{"oid": sha(content), "size": 1000}]


def test_ranges_of_a_download(module_hub, alice):
    content = content_of("download", 5000)
    alice.send("PUT", alice.href(content), content)
    status, answer = alice.batch(content, operation="download")
    href = answer["objects"][0]["actions"]["download"]["href"]
    assert alice.send("GET", href)[2] == content
    status, headers, body = alice.send("GET", href, Range="bytes=100-199")
    assert (status, headers["Content-Range"], body) == (206, "bytes 100-199/5000", content[100:200])
    assert alice.send("GET", href, Range="bytes=5000-")[0] == 416
    status, headers, body = alice.send("HEAD", href)
    assert (status, headers["Content-Length"], body) == (200, "5000", b"")
