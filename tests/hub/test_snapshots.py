import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from pytupli_registry.errors import (
    FileNotInRepository,
    HubError,
    HubUnreachable,
    NotCached,
    RepositoryNotFound,
    RevisionNotFound,
)
from pytupli_registry.hub.remembered import git_blob_id
from pytupli_registry.hub.snapshots import Hub
from tests.server.support.live import LiveHub
from tests.support.faults import Answer, Flip, first
from tests.support.network import Network

LARGE = bytes(range(256)) * 8000
SMALL = b'{"name": "hvac"}'


@pytest.fixture(scope="module")
def network(hub: LiveHub) -> Iterator[Network]:
    api = hub.api("alice")
    api.create_repo("alice/hvac", repo_type="dataset", private=True)
    first_commit = api.upload_file(
        path_or_fileobj=b"old", path_in_repo="benchmark.json", repo_id="alice/hvac", repo_type="dataset"
    )
    api.create_tag("alice/hvac", tag="v1", revision=first_commit.oid, repo_type="dataset")
    for path, content in (("benchmark.json", SMALL), ("data/weather.bin", LARGE), ("data/a b#c.txt", b"odd")):
        api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id="alice/hvac", repo_type="dataset")
    with Network(hub.port) as found:
        yield found


@pytest.fixture
def client(hub: LiveHub, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for variable in ("CACHE", "CONFIG"):
        monkeypatch.setenv(f"PYTUPLI_{variable}_PATH", str(tmp_path / variable))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    network.rule = None
    network.forget()
    yield Hub(network.endpoint, hub.person("alice").token)
    network.rule = None


def test_a_revision_is_resolved_once(hub, client):
    info = hub.api("alice").dataset_info("alice/hvac")
    snapshot = client.snapshot("alice/hvac")
    assert snapshot.commit == info.sha
    assert client.snapshot("alice/hvac", info.sha[:12]).commit == info.sha
    assert client.snapshot("alice/hvac", "v1").read("benchmark.json") == b"old"
    assert snapshot.read("benchmark.json") == SMALL


def test_files_are_asked_for_by_path(client, network):
    snapshot = client.snapshot("alice/hvac")
    network.forget()
    found = snapshot.look(["benchmark.json", "data/weather.bin", "nothing", "data"])
    assert set(found) == {"benchmark.json", "data/weather.bin"}
    weather = found["data/weather.bin"]
    assert (weather.size, weather.sha256) == (len(LARGE), hashlib.sha256(LARGE).hexdigest())
    assert found["benchmark.json"].blob_id == git_blob_id(SMALL)
    assert len(network.log) == 2  # what is missing is asked for twice before that is believed
    assert "nothing" not in snapshot.files
    assert snapshot.files["benchmark.json"].size == len(SMALL)
    assert len(network.log) == 2
    with pytest.raises(KeyError):
        snapshot.files["nothing"]
    with pytest.raises(FileNotInRepository, match="nothing"):
        snapshot.file("nothing")


def test_a_listing_has_every_file_on_all_its_pages(hub, client):
    snapshot = client.snapshot("alice/hvac")
    expected = hub.api("alice").list_repo_files("alice/hvac", repo_type="dataset")
    assert sorted(snapshot.files) == sorted(expected)
    assert set(snapshot.below("data")) == {"data/weather.bin", "data/a b#c.txt"}
    assert snapshot.below("nowhere") == {}


def test_small_files_travel_once(client, network):
    assert client.snapshot("alice/hvac").read("data/a b#c.txt") == b"odd"
    place = client.snapshot("alice/hvac").local("data/a b#c.txt")
    assert place.read_bytes() == b"odd"
    network.forget()
    assert client.snapshot("alice/hvac").read("data/a b#c.txt") == b"odd"
    assert not [one for one in network.log if "resolve" in one.asked.target]
    place.write_bytes(b"ood")
    assert client.snapshot("alice/hvac").read("data/a b#c.txt") == b"odd"
    with pytest.raises(HubError, match="at most 2"):
        client.snapshot("alice/hvac").read("data/a b#c.txt", limit=2)


def test_downloads_lie_in_the_cache_of_the_stock_client(client):
    place = client.snapshot("alice/hvac").download("data/weather.bin")
    assert place.read_bytes() == LARGE
    assert place.is_relative_to(huggingface_hub.constants.HF_HUB_CACHE)
    assert not place.is_symlink()
    place.write_bytes(LARGE[:-1] + b"?")
    assert client.snapshot("alice/hvac").download("data/weather.bin").read_bytes() == LARGE


def test_two_names_of_a_commit_are_both_known_offline(hub, client, monkeypatch):
    hub.api("alice").create_branch("alice/hvac", branch="same/x", repo_type="dataset")
    for name in ("main", "same/x"):
        client.snapshot("alice/hvac", name).file("benchmark.json")
    monkeypatch.setenv("PYTUPLI_OFFLINE", "1")
    main, same = (client.snapshot("alice/hvac", name).commit for name in ("main", "same/x"))
    assert main == same


def test_offline_is_what_was_seen_before(client, network, monkeypatch):
    snapshot = client.snapshot("alice/hvac", "main")
    snapshot.read("benchmark.json")
    snapshot.download("data/weather.bin")
    network.forget()
    for variable in ("PYTUPLI_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(variable, "1")
        offline = client.snapshot("alice/hvac")
        assert offline.commit == snapshot.commit
        assert offline.read("benchmark.json") == SMALL
        assert offline.download("data/weather.bin").read_bytes() == LARGE
        with pytest.raises(NotCached, match=r"README\.md"):
            offline.read("README.md")
        with pytest.raises(NotCached, match="'v1'"):
            client.snapshot("alice/hvac", "v1")
        monkeypatch.delenv(variable)
    assert not network.log


def test_what_one_may_not_see_is_not_there(hub, client, network):
    with pytest.raises(RepositoryNotFound):
        client.snapshot("alice/nothing")
    with pytest.raises(RepositoryNotFound):
        Hub(network.endpoint, hub.person("bob").token).snapshot("alice/hvac")
    with pytest.raises(RepositoryNotFound):
        Hub(network.endpoint, False).snapshot("alice/hvac")
    with pytest.raises(RevisionNotFound, match="'v9'"):
        client.snapshot("alice/hvac", "v9")


def test_an_answer_that_was_damaged_is_not_remembered(client, network):
    snapshot = client.snapshot("alice/hvac")
    network.rule = first(1, Flip(40, bit=2), containing="paths-info")
    with contextlib.suppress(HubError):  # told, and not delivered
        snapshot.read("benchmark.json")
    network.rule = None
    assert client.snapshot("alice/hvac").read("benchmark.json") == SMALL


@pytest.mark.parametrize(
    "body", [b'[{"type": "file"}]', b'{"a": 1}', b'[{"type":"file","path":"x","size":-1,"oid":"zz"}]']
)
def test_nonsense_is_refused(client, network, body):
    snapshot = client.snapshot("alice/hvac")
    network.rule = lambda asked: Answer(200, body) if "paths-info" in asked.target else None
    with pytest.raises(HubError):
        snapshot.read("benchmark.json")
    network.rule = lambda _: Answer(200, b'{"sha": "../../etc"}')
    with pytest.raises(HubError, match="no commit"):
        client.snapshot("alice/hvac")
    network.rule = lambda _: Answer(200, b"<html>")
    with pytest.raises(HubUnreachable, match="no Hub"):
        client.snapshot("alice/hvac")


def test_nobody_there(client, tmp_path):
    with pytest.raises(HubUnreachable, match="does not answer"):
        Hub("http://127.0.0.1:9", False).snapshot("alice/hvac")
