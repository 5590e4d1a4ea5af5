"""The stock client's uploads, by each way, end as the same blobs."""

import hashlib
from random import Random
from urllib.request import urlopen

import pytest
from sqlalchemy import delete, func, select

from pytupli_registry.server.database.schema import Membership, RepositoryBlob, Upload, Xorb
from tests.server.support.live import LiveHub
from tests.server.support.stock_client import ClientError, StockClient

REPO = "acme/hvac"


def stored(hub, kind):
    """Bytes in the object store."""
    return sum(found.size for found in hub.hub.objects.list(kind))


def received(hub):
    """Bytes of requests' bodies that the Hub has read so far."""
    with urlopen(f"{hub.endpoint}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(
        float(line.rpartition(" ")[2]) for line in lines if line.startswith("pytupli_received_bytes_total")
    )


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_files_come_back_as_they_were_sent(hub, new_client, files, xet):
    client = new_client(xet=xet)
    client.call("upload_folder", folder_path=str(files["one.bin"].parent), repo_id=REPO, repo_type="dataset")
    for name, path in files.items():
        assert client.download(REPO, name) == path.read_bytes()
    large = {path.read_bytes() for name, path in files.items() if name not in ("empty.bin", "text.csv")}
    with hub.hub.database.read() as session:
        hashes = set(session.scalars(select(RepositoryBlob.sha256)))
    assert {hashlib.sha256(content).hexdigest() for content in large} <= hashes
    assert stored(hub, "xorbs") == 0
    assert stored(hub, "parts") == 0
    assert stored(hub, "blobs") <= sum(path.stat().st_size for path in files.values())


@pytest.mark.slow
def test_both_ways_make_the_same_blob(hub, new_client, files):
    new_client(xet=True).upload(REPO, files["random.bin"], "by-xet.bin")
    new_client(xet=False).upload(REPO, files["random.bin"], "by-lfs.bin")
    assert stored(hub, "blobs") == 5_000_000


def test_parts_make_a_file(tmp_path, files):
    hub = LiveHub(tmp_path / "hub", lfs_part_size=1 << 20).start()
    token = hub.person("alice").token
    with StockClient(hub.endpoint, tmp_path / "home", token, xet=False) as client:
        client.call("create_repo", repo_id="alice/parts", repo_type="dataset")
        client.upload("alice/parts", files["random.bin"])
        assert client.download("alice/parts", "random.bin") == files["random.bin"].read_bytes()
    assert stored(hub, "parts") == 0
    with hub.hub.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Upload)) == 0
    hub.stop()


def test_an_append_sends_what_is_new(hub, new_client, tmp_path):
    random = Random(5)
    client = new_client()
    path = tmp_path / "episodes.hdf5"
    path.write_bytes(random.randbytes(20_000_000))
    client.upload(REPO, path)
    before = received(hub)
    with path.open("ab") as file:
        file.write(random.randbytes(200_000))
    client.upload(REPO, path)
    assert client.download(REPO, path.name) == path.read_bytes()
    assert received(hub) - before <= 0.05 * 20_000_000
    assert stored(hub, "xorbs") == 0


def test_chunks_sent_to_one_repository_serve_another(hub, new_client, files):
    client = new_client()
    client.upload(REPO, files["random.bin"])
    client.call("create_repo", repo_id="alice/other", repo_type="dataset")
    client.upload("alice/other", files["random.bin"])
    assert client.download("alice/other", "random.bin") == files["random.bin"].read_bytes()
    assert stored(hub, "blobs") == 5_000_000
    with hub.hub.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Xorb)) == 1


def forget_xorbs(hub):
    """What gc does: chunks are gone that the client believes to be there."""
    with hub.hub.database.write() as session:
        session.execute(delete(Xorb))


def leave_organization(hub):
    """Alice may no longer read the repository that her chunks lie in."""
    with hub.hub.database.write() as session:
        session.execute(delete(Membership))


@pytest.mark.parametrize("loss", [forget_xorbs, pytest.param(leave_organization, marks=pytest.mark.slow)])
def test_lost_chunks_are_said_to_be_lost_and_sent_again(hub, new_client, files, loss):
    client = new_client()
    client.upload(REPO, files["random.bin"])
    client.call("create_repo", repo_id="alice/other", repo_type="dataset")
    loss(hub)
    with pytest.raises(ClientError, match="Start the upload again: all of it will be sent"):
        client.upload("alice/other", files["random.bin"])
    client.upload("alice/other", files["random.bin"])
    assert client.download("alice/other", "random.bin") == files["random.bin"].read_bytes()


@pytest.mark.slow
def test_users_do_not_share_chunks(hub, new_client, files):
    new_client("alice").upload(REPO, files["random.bin"])
    bob = new_client("bob", home="bob")
    bob.call("create_repo", repo_id="bob/own", repo_type="dataset")
    before = received(hub)
    bob.upload("bob/own", files["random.bin"])
    assert received(hub) - before > 5_000_000
    with pytest.raises(ClientError, match="RepositoryNotFoundError"):
        bob.call("repo_info", repo_id=REPO, repo_type="dataset")


def test_a_reader_uploads_for_a_pull_request_only(hub, new_client, files):
    hub.person("bob").api(hub.endpoint)
    hub.api("alice").update_repo_settings(REPO, repo_type="dataset", private=False)
    bob = new_client("bob", home="bob")
    with pytest.raises(ClientError, match="may not write"):
        bob.upload(REPO, files["random.bin"])
    bob.upload(REPO, files["random.bin"], create_pr=True)
    assert bob.download(REPO, "random.bin", revision="refs/pr/1") == files["random.bin"].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_read_tokens_upload_nothing(hub, new_client, files, xet):
    client = new_client(xet=xet)
    client.token = hub.token("alice", role="read")
    with pytest.raises(ClientError, match="may only read"):
        client.upload(REPO, files["random.bin"])


@pytest.mark.slow
@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_a_renamed_repository_takes_uploads_under_its_old_name(hub, new_client, files, xet):
    hub.api("alice").move_repo(REPO, "acme/renamed", repo_type="dataset")
    client = new_client(xet=xet)
    client.upload(REPO, files["random.bin"])
    assert client.download("acme/renamed", "random.bin") == files["random.bin"].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_too_large_a_file_is_refused_with_the_limit(tmp_path, files, xet):
    hub = LiveHub(tmp_path / "hub", max_file_size=1_000_000).start()
    with StockClient(hub.endpoint, tmp_path / "home", hub.person("alice").token, xet=xet) as client:
        client.call("create_repo", repo_id="alice/small", repo_type="dataset")
        with pytest.raises(ClientError, match="at most 1000000"):
            client.upload("alice/small", files["random.bin"])
    assert stored(hub, "blobs") == 0
    hub.stop()


@pytest.mark.slow
def test_clients_without_the_second_shard_route_are_served_too(hub, new_client, files):
    client = new_client(HF_XET_CLIENT_SHARD_API_VERSION="1")
    client.upload(REPO, files["random.bin"])
    assert client.download(REPO, "random.bin") == files["random.bin"].read_bytes()
