"""Little that orders much: work that a few bytes ask for has limits, and places of its own."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from random import Random
from typing import TYPE_CHECKING

import httpx2
import pytest
from sqlalchemy import func, select, text

from pytupli_registry.server.database.schema import Blob
from pytupli_registry.server.errors import Unprocessable
from pytupli_registry.server.services import trees
from pytupli_registry.server.services.git_objects import keep_trees
from pytupli_registry.server.services.trees import change_tree, read_tree
from pytupli_registry.server.wire.git import FILE, TreeEntry, object_id, serialize_tree
from pytupli_registry.server.wire.xet.hashes import parse_hash
from tests.server.support.live import LiveHub
from tests.server.support.xet_formats import file_records, shard, xorb

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1 << 20
LENGTH = 100_000
MOST = 50  # entries of a folder
COMMITS = 45  # more than there are threads
REPO = "/api/datasets/acme/hvac"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    hub = LiveHub(tmp_path_factory.mktemp("little") / "hub", max_file_size=LARGEST).start()
    hub.organization("acme", alice="admin")
    hub.api("alice").create_repo("acme/hvac", repo_type="dataset", private=False)
    yield hub
    hub.stop()


@pytest.fixture
def alice(hub: LiveHub) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {hub.person('alice').token}"}
    with httpx2.Client(base_url=hub.endpoint, headers=headers, timeout=30) as client:
        yield client


def blobs(hub: LiveHub) -> int:
    with hub.hub.database.read() as session:
        return session.scalar(select(func.count()).select_from(Blob)) or 0


@pytest.mark.parametrize(
    ("repeats", "status"),
    [((10,), 200), ((5, 5), 200), ((11,), 413), ((6, 5), 413), ((1,) * 11, 413)],
)
def test_a_shard_orders_no_more_than_a_file_may_have(
    hub: LiveHub, alice: httpx2.Client, repeats: tuple[int, ...], status: int
) -> None:
    """A range of 48 bytes names up to 64 MiB of a xorb, any number of times, in any number of files."""
    content = Random(repr(repeats)).randbytes(LENGTH)
    name, body = xorb(content)
    token = alice.get(f"{REPO}/xet-write-token/main").json()
    headers = {"Authorization": f"Bearer {token['accessToken']}"}
    sent = alice.post(f"{token['casUrl']}/v1/xorbs/default/{name}", content=body, headers=headers)
    assert sent.status_code == 200
    before = blobs(hub)
    part = (parse_hash(name), LENGTH, 0, 1)
    files = [file_records([part] * count, hashlib.sha256(content * count).hexdigest()) for count in repeats]
    told = alice.post(f"{token['casUrl']}/v1/shards", content=shard(*files), headers=headers)
    assert told.status_code == status, told.text
    assert blobs(hub) - before == (len(set(repeats)) if status == 200 else 0)


def test_a_folder_has_an_end(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every commit writes the list of the whole folder again."""
    assert trees.MOST_IN_A_FOLDER == 100_000
    monkeypatch.setattr(trees, "MOST_IN_A_FOLDER", MOST)  # as many would take seconds
    file = TreeEntry(FILE, object_id("blob", b""))
    full = serialize_tree({f"f{number:06}": file for number in range(MOST)})
    oid = object_id("tree", full)
    with hub.hub.database.write() as session:
        keep_trees(session, hub.hub, {oid: full})
        with pytest.raises(Unprocessable, match="subfolders"):
            change_tree(session, hub.hub, oid, {"one more": file})
        replaced = change_tree(session, hub.hub, oid, {"one more": file, "f000000": None})
        assert len(read_tree(session, hub.hub, replaced)) == MOST
        deeper = change_tree(session, hub.hub, oid, {"f000000": None, "f/one": file})
        with pytest.raises(Unprocessable, match="subfolders"):
            change_tree(session, hub.hub, deeper, {"g/one": file})


def test_commits_in_line_leave_threads_for_readers(hub: LiveHub, alice: httpx2.Client) -> None:
    """They wait for the database one after the other; somebody holds it here."""
    statuses: list[int] = []

    def commit(number: int) -> None:
        lines = [
            {"key": "header", "value": {"summary": "one of many"}},
            {"key": "file", "value": {"path": f"{number}.txt", "content": "1", "encoding": "utf-8"}},
        ]
        headers = {"Authorization": f"Bearer {hub.person('alice').token}"}
        connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=60)
        connection.request("POST", f"{REPO}/commit/main", "\n".join(map(json.dumps, lines)), headers)
        statuses.append(connection.getresponse().status)
        connection.close()

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(COMMITS)]
    with hub.hub.database.write() as session:
        session.execute(text("SELECT 1"))  # from now on
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        began = time.monotonic()
        for _ in range(5):
            assert alice.get(f"{REPO}/tree/main").status_code == 200
        assert time.monotonic() - began < 10
        assert statuses == []
    for thread in threads:
        thread.join()
    assert statuses == [200] * COMMITS
    assert len(alice.get(f"{REPO}/tree/main?limit=1000").json()) == COMMITS + 1
