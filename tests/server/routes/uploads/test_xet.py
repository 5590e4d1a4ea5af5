"""Xet's routes, asked by hand: what the stock client would never send."""

import hashlib
import http.client
import json
import threading
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update

from pytupli_registry.server.database.schema import (
    HubState,
    Membership,
    Repository,
    RepositoryBlob,
    Token,
    User,
    Xorb,
    now,
)
from pytupli_registry.server.services.xet.epochs import renew_epoch
from pytupli_registry.server.wire.xet.hashes import parse_hash
from tests.server.support.live import LiveHub
from tests.server.support.xet_formats import LIST_END, SHARD_HEADER, chunk, file_records, packed, shard, xorb

REPO = "acme/hvac"


class Uploader:
    """Somebody with a Xet token for acme/hvac."""

    def __init__(self, hub: LiveHub, name: str, repo: str = REPO, query: str = "") -> None:
        self.hub = hub
        self.headers = {"Authorization": f"Bearer {hub.person(name).token}"}
        route = f"/api/datasets/{repo}/xet-write-token/main{query}"
        status, answer = self.send("GET", route)
        assert status == 200, answer
        self.base = answer["casUrl"].removeprefix(hub.endpoint)
        self.headers = {"Authorization": f"Bearer {answer['accessToken']}"}

    def send(self, method, path, body=b"", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.headers["Content-Type"].startswith("application/x-ndjson"):
            return answer.status, [json.loads(line) for line in content.splitlines()]
        return answer.status, json.loads(content)

    def xorb(self, name, body):
        return self.send("POST", f"{self.base}/v1/xorbs/default/{name}", body)

    def shard(self, body, version=1):
        return self.send("POST", f"{self.base}/v{version}/shards", body)


@pytest.fixture(scope="module")
def module_hub(tmp_path_factory, backends):
    hub = LiveHub(tmp_path_factory.mktemp("xet") / "hub", **backends).start()
    hub.organization("acme", alice="admin", carol="read")
    hub.person("bob")
    hub.api("alice").create_repo(REPO, repo_type="dataset", private=True)
    yield hub
    hub.stop()


@pytest.fixture
def alice(module_hub):
    return Uploader(module_hub, "alice")


def blobs_of_repository(hub):
    with hub.hub.database.read() as session:
        return set(session.scalars(select(RepositoryBlob.sha256)))


def row_of(hub, name, user="alice"):
    with hub.hub.database.read() as session:
        return session.get(Xorb, (hub.person(user).user_id, name))


def file_of(content, *parts):
    """Records of a file that is made of whole xorbs: (hash, length, chunks)."""
    ranges = [(parse_hash(name), length, 0, count) for name, length, count in parts]
    return file_records(ranges, hashlib.sha256(content).hexdigest())


def make(seed, *lengths, scheme=0):
    random = Random(repr(seed))
    chunks = [random.randbytes(length) for length in lengths]
    return (*xorb(*chunks, scheme=scheme), b"".join(chunks), len(chunks))


def test_the_token_is_told_in_body_and_headers(module_hub):
    connection = http.client.HTTPConnection("127.0.0.1", module_hub.port, timeout=30)
    token = module_hub.person("alice").token
    route = f"/api/datasets/{REPO}/xet-write-token/refs%2Fpr%2F7"
    connection.request("GET", route, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    assert body["casUrl"].startswith(f"{module_hub.endpoint}/xet/")
    assert answer.headers["X-Xet-Cas-Url"] == body["casUrl"]
    assert answer.headers["X-Xet-Access-Token"] == body["accessToken"]
    assert answer.headers["X-Xet-Token-Expiration"] == str(body["exp"])


@pytest.mark.parametrize(
    ("name", "query", "status"),
    [
        ("alice", "", 200),
        ("carol", "", 403),
        ("carol", "?create_pr=1", 200),
        ("bob", "", 404),
        ("bob", "?create_pr=1", 404),
    ],
)
def test_who_gets_a_token(module_hub, name, query, status):
    connection = http.client.HTTPConnection("127.0.0.1", module_hub.port, timeout=30)
    route = f"/api/datasets/{REPO}/xet-write-token/main{query}"
    token = module_hub.person(name).token
    connection.request("GET", route, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == status


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_two_xorbs_becomes_a_blob_and_the_xorbs_become_maps(module_hub, alice, version):
    first, body, content, count = make(("two", version), 1000, 2000, 3)
    second, other_body, other, other_count = make(("two more", version), 70_000, scheme=1)
    assert alice.xorb(first, body) == (200, {"was_inserted": True})
    assert alice.xorb(second, other_body) == (200, {"was_inserted": True})
    assert row_of(module_hub, first).stored
    whole = content + other + content
    parts = ((first, len(content), count), (second, len(other), other_count), (first, len(content), count))
    status, answer = alice.shard(shard(file_of(whole, *parts)), version)
    assert status == 200
    assert answer == {"result": 1} if version == 1 else answer[-1] == {"type": "result"}
    sha256 = hashlib.sha256(whole).hexdigest()
    assert b"".join(module_hub.hub.objects.read(f"blobs/{sha256}")) == whole
    assert sha256 in blobs_of_repository(module_hub)
    for name in (first, second):
        assert not row_of(module_hub, name).stored
        assert module_hub.hub.objects.size(f"xorbs/{module_hub.person('alice').user_id}/{name}") is None
    # Sent again, shard and xorb change nothing.
    assert alice.shard(shard(file_of(whole, *parts)), version)[0] == 200
    assert alice.xorb(first, body) == (200, {"was_inserted": False})
    # A later file finds the chunks in the blob: here in another order, and only some.
    ranges = [(parse_hash(second), 70_000, 0, 1), (parse_hash(first), 2003, 1, 3)]
    later = other + content[1000:]
    assert alice.shard(shard(file_records(ranges, hashlib.sha256(later).hexdigest())))[0] == 200
    assert hashlib.sha256(later).hexdigest() in blobs_of_repository(module_hub)


def test_a_xorb_keeps_its_bytes_until_all_chunks_have_a_place(module_hub, alice):
    name, body, content, _ = make("half", 500, 600, 700)
    alice.xorb(name, body)
    one = content[500:1100]
    alice.shard(shard(file_records([(parse_hash(name), 600, 1, 2)], hashlib.sha256(one).hexdigest())))
    row = row_of(module_hub, name)
    assert row.stored
    assert row.segments == [[1, 2, hashlib.sha256(one).hexdigest(), 0]]
    alice.shard(shard(file_of(content, (name, len(content), 3))))
    assert not row_of(module_hub, name).stored


def test_a_file_without_a_hash_is_taken_under_the_one_it_has(module_hub, alice):
    name, body, content, count = make("no hash", 100)
    alice.xorb(name, body)
    assert alice.shard(shard(file_records([(parse_hash(name), 100, 0, count)])))[0] == 200
    assert hashlib.sha256(content).hexdigest() in blobs_of_repository(module_hub)


def test_an_empty_file_is_a_file(module_hub, alice):
    assert alice.shard(shard(file_of(b"")))[0] == 200
    assert hashlib.sha256(b"").hexdigest() in blobs_of_repository(module_hub)


def test_other_content_under_a_xorbs_hash_is_refused(module_hub, alice):
    name, _, _, _ = make("honest", 100)
    _, poison, _, _ = make("poison", 100)
    status, answer = alice.xorb(name, poison)
    assert status == 422
    assert "not kept" in answer["error"]
    assert row_of(module_hub, name) is None


def test_a_file_with_another_hash_than_announced_is_refused(module_hub, alice):
    name, body, content, count = make("claimed", 100)
    alice.xorb(name, body)
    status, answer = alice.shard(shard(file_of(content + b"!", (name, len(content), count))))
    assert status == 422
    assert hashlib.sha256(content).hexdigest() in answer["error"]
    assert hashlib.sha256(content).hexdigest() not in blobs_of_repository(module_hub)
    assert row_of(module_hub, name).stored


@pytest.mark.parametrize(
    ("length", "first", "end"),
    [(99, 0, 1), (101, 0, 1), (100, 0, 2), (100, 1, 2), (1, 8191, 8192)],
)
def test_ranges_that_the_xorb_does_not_have_are_refused(alice, length, first, end):
    name, body, content, _ = make("ranges", 100)
    alice.xorb(name, body)
    sha256 = hashlib.sha256(content).hexdigest()
    status, answer = alice.shard(shard(file_records([(parse_hash(name), length, first, end)], sha256)))
    assert status == 400
    assert "chunks of other lengths" in answer["error"]


def test_a_shard_of_another_users_xorb_finds_nothing(module_hub, alice):
    name, body, content, count = make("of alice", 100)
    alice.xorb(name, body)
    module_hub.api("bob").create_repo("bob/own", repo_type="dataset", exist_ok=True)
    bob = Uploader(module_hub, "bob", "bob/own")
    status, answer = bob.shard(shard(file_of(content, (name, len(content), count))))
    assert status == 409
    unknown, unknown_answer = bob.shard(shard(file_of(content, ("ab" * 32, len(content), count))))
    assert unknown == status
    assert unknown_answer["error"] == answer["error"].replace(name, "ab" * 32)


def test_missing_chunks_give_the_next_upload_another_address(module_hub, alice):
    missing = shard(file_of(b"x", ("cd" * 32, 1, 1)))
    assert alice.shard(missing)[0] == 409
    again = Uploader(module_hub, "alice")
    assert again.base != alice.base
    status, events = again.shard(missing, version=2)
    assert status == 200
    assert events[-1]["type"] == "error"
    assert not events[-1]["retryable"]
    # The old address still works for what is under way.
    name, body, _, _ = make("under way", 10)
    assert alice.xorb(name, body)[0] == 200


def test_an_object_that_is_lost_is_asked_for_again(module_hub, alice):
    name, body, content, count = make("lost", 100)
    alice.xorb(name, body)
    module_hub.hub.objects.delete(f"xorbs/{module_hub.person('alice').user_id}/{name}")
    whole = shard(file_of(content, (name, len(content), count)))
    assert alice.shard(whole)[0] == 409
    assert alice.xorb(name, body) == (200, {"was_inserted": True})
    assert alice.shard(whole)[0] == 200


def test_a_new_epoch_is_a_new_address(module_hub, alice):
    with module_hub.hub.database.write() as session:
        renew_epoch(module_hub.hub, session)
    assert Uploader(module_hub, "alice").base.split("/")[2] != alice.base.split("/")[2]
    with module_hub.hub.database.read() as session:
        assert session.get(HubState, "xet_epoch") is not None


def test_a_token_is_good_at_its_own_address_only(module_hub, alice):
    alice.base = alice.base.replace("-", "9-")
    name, body, _, _ = make("address", 10)
    assert alice.xorb(name, body)[0] == 403


@pytest.mark.parametrize("header", [None, "Bearer x", "Bearer", "Basic !", "Bearer " + "a" * 5000])
def test_without_a_token_nothing_is_taken(module_hub, alice, header):
    name, body, _, _ = make("anonymous", 10)
    alice.headers = {"Authorization": header} if header else {}
    assert alice.xorb(name, body)[0] == 401
    assert alice.shard(shard())[0] == 401
    assert alice.send("GET", f"{alice.base}/v1/chunks/default/{name}")[0] == 401


def test_the_hubs_own_tokens_are_no_xet_tokens(module_hub, alice):
    alice.headers = {"Authorization": f"Bearer {module_hub.person('alice').token}"}
    assert alice.shard(shard())[0] == 401


def end_by_revoking(session, user_id):
    session.execute(delete(Token).where(Token.user_id == user_id))


def end_by_expiry(session, user_id):
    session.execute(update(Token).where(Token.user_id == user_id).values(expires_at=now()))


def end_by_disabling(session, user_id):
    session.execute(update(User).where(User.account_id == user_id).values(disabled_at=now()))


def end_by_expelling(session, user_id):
    session.execute(delete(Membership).where(Membership.user_id == user_id))


def end_by_deleting(session, user_id):
    session.execute(delete(Repository))


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (end_by_revoking, 401),
        (end_by_expiry, 401),
        (end_by_disabling, 401),
        (end_by_expelling, 404),
        (end_by_deleting, 404),
    ],
)
def test_a_grant_ends_at_once(hub, end, status):
    hub.organization("other", carol="write")
    hub.api("carol").create_repo("other/data", repo_type="dataset", private=True)
    carol = Uploader(hub, "carol", "other/data")
    name, body, content, count = make("grant", 10)
    assert carol.xorb(name, body)[0] == 200
    with hub.hub.database.write() as session:
        end(session, hub.person("carol").user_id)
    more, more_body, _, _ = make("more", 10)
    assert carol.xorb(more, more_body)[0] == status
    assert carol.shard(shard(file_of(content, (name, len(content), count))))[0] == status


def test_questions_for_known_chunks_are_never_answered(alice):
    name, body, _, _ = make("known", 10)
    alice.xorb(name, body)
    assert alice.send("GET", f"{alice.base}/v1/chunks/default/{name}")[0] == 404
    assert alice.send("POST", f"{alice.base}/v1/xorb-grants/default/{name}")[0] == 404


def test_the_same_uploads_at_the_same_time_agree(module_hub, alice):
    name, body, content, count = make("together", *[50_000] * 20)
    whole = shard(*(file_of(content * n, *[(name, len(content), count)] * n) for n in (1, 2, 3)))
    answers = []

    def upload():
        answers.append(alice.xorb(name, body)[0])
        answers.append(alice.shard(whole)[0])

    threads = [threading.Thread(target=upload) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [200] * 12
    assert not row_of(module_hub, name).stored
    assert module_hub.hub.objects.size(f"xorbs/{module_hub.person('alice').user_id}/{name}") is None
    for n in (1, 2, 3):
        assert hashlib.sha256(content * n).hexdigest() in blobs_of_repository(module_hub)


@pytest.mark.parametrize("name", ["", "a" * 63, "A" * 64, "..%2F" + "a" * 59, "a" * 64 + "%00", "%ff" * 64])
def test_odd_names_of_xorbs_are_refused(alice, name):
    assert alice.xorb(name, chunk(b"x"))[0] in (400, 404)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Length": "5"}, b"abcdefgh", 400),
        ({"Content-Length": str(1 << 40)}, b"", 413),
        ({"Content-Length": "9" * 19}, b"", 413),
    ],
)
def test_lengths_that_are_not_true_are_refused(module_hub, alice, headers, body, status):
    name, _, _, _ = make("length", 10)
    connection = http.client.HTTPConnection("127.0.0.1", module_hub.port, timeout=30)
    connection.putrequest("POST", f"{alice.base}/v1/xorbs/default/{name}")
    for key, value in {**alice.headers, **headers}.items():
        connection.putheader(key, value)
    connection.endheaders(body)
    assert connection.getresponse().status == status
    connection.close()


def test_chunked_bodies_are_refused(alice):
    name, body, _, _ = make("chunked", 10)
    status, answer = alice.send("POST", f"{alice.base}/v1/xorbs/default/{name}", iter([body]))
    assert status == 400
    assert "Content-Length" in answer["error"]


def test_a_connection_that_breaks_leaves_nothing(module_hub, alice):
    name, body, _, _ = make("broken", 100_000)
    connection = http.client.HTTPConnection("127.0.0.1", module_hub.port, timeout=30)
    connection.putrequest("POST", f"{alice.base}/v1/xorbs/default/{name}")
    connection.putheader("Authorization", alice.headers["Authorization"])
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:50_000])
    connection.close()
    assert alice.xorb(name, body) == (200, {"was_inserted": True})


FUZZ = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@FUZZ
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_are_an_error_of_the_server(alice, body, as_xorb):
    if as_xorb:
        status, _ = alice.xorb("ab" * 32, body)
    else:
        status, _ = alice.shard(SHARD_HEADER + body)
    assert status in (200, 400, 409, 422)


@FUZZ
@given(
    st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=4
    ),
    st.integers(0, 2**32 - 1) | st.none(),
    st.sampled_from([1, 2]),
)
def test_no_numbers_in_a_shard_are_an_error_of_the_server(alice, numbers, count, version):
    name, body, content, _ = make("numbers", 100)
    alice.xorb(name, body)
    records = file_records(
        [(parse_hash(name), *three) for three in numbers], hashlib.sha256(content).hexdigest(), count=count
    )
    status, _ = alice.shard(SHARD_HEADER + records + LIST_END, version)
    assert status in (200, 400, 409, 422)


@FUZZ
@given(st.integers(0, 255), st.binary(max_size=100), st.integers(0, (1 << 24) - 1), st.integers(0, 255))
def test_no_chunk_is_an_error_of_the_server(alice, scheme, body, length, version):
    status, _ = alice.xorb("ab" * 32, packed(scheme, body, length, version))
    assert status in (400, 422)


def test_nothing_is_left_of_what_was_refused(module_hub):
    with module_hub.hub.database.read() as session:
        stored = session.scalar(select(func.count()).select_from(Xorb).where(Xorb.stored))
    assert len(list(module_hub.hub.objects.list("xorbs"))) == stored
    left = [path for path in module_hub.settings.directory.glob("objects/staging/*") if path.is_file()]
    assert left == []
