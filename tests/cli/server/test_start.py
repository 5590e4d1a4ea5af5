"""``pytupli-server start``: one process that begins and ends in order."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import httpx2 as httpx
import pytest
from huggingface_hub import HfApi

from tests.server.support.process import ServerProcess, init, pytupli_server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    directory = tmp_path_factory.mktemp("start") / "hub"
    return directory, init(directory)


def test_the_stock_client_works(hub):
    directory, token = hub
    with ServerProcess(directory) as server:
        api = HfApi(endpoint=server.url, token=token)
        assert api.whoami()["name"] == "root"
        api.create_repo("root/started", repo_type="dataset")
        api.upload_file(
            path_or_fileobj=b"text", path_in_repo="a.txt", repo_id="root/started", repo_type="dataset"
        )
        assert server.terminate() == 0
    (line,) = [line for line in server.lines() if line.get("route", "").endswith("/commit/{revision}")]
    assert (line["status"], line["user"], line["repo"]) == (200, "root", "datasets/root/started")
    assert token not in server.log.read_text()


def test_a_port_in_use_is_told(hub):
    directory, _ = hub
    with ServerProcess(directory) as server:
        taken = pytupli_server("start", directory, "--port", server.port)
    assert taken.returncode == 1
    assert f"127.0.0.1:{server.port}" in taken.stderr
    assert "Traceback" not in taken.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_requests_may_finish(hub, number: int):
    directory, _ = hub
    with ServerProcess(directory) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            body = json.dumps({"text": "x" * 100, "repoType": "dataset"}).encode()
            head = f"POST /api/validate-yaml HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
            client.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body[:10])
            time.sleep(0.3)
            ended: list[int] = []
            ending = threading.Thread(target=lambda: ended.append(server.terminate(number)))
            ending.start()
            time.sleep(0.5)
            assert ended == []
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{server.url}/health")
            client.sendall(body[10:])
            answer = client.makefile("rb").readline()
        ending.join()
    assert answer.split()[1] in (b"200", b"400")
    assert ended == [0]


def test_a_request_that_never_ends_is_cut_off(hub):
    directory, _ = hub
    with (
        ServerProcess(directory, PYTUPLI_SERVER_SHUTDOWN_S="1") as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(b"POST /api/validate-yaml HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        time.sleep(0.3)
        began = time.monotonic()
        assert server.terminate() == 0
        assert 0.9 < time.monotonic() - began < 10


def test_variables_come_before_the_file(hub):
    directory, _ = hub
    with ServerProcess(directory, PYTUPLI_SERVER_PUBLIC_URL="https://hub.example") as server:
        answer = httpx.get(f"{server.url}/ready").json()
        server.terminate()
    assert answer == {"status": "ok", "problems": []}
    wrong = pytupli_server("start", directory, PYTUPLI_SERVER_PAGE_SIZE="none")
    assert wrong.returncode == 1
    assert "page_size" in wrong.stderr


def test_a_lost_database_is_told(hub, tmp_path: Path):
    directory = tmp_path / "hub"
    init(directory)
    with ServerProcess(directory, PYTUPLI_SERVER_LOG_LEVEL="error") as server:
        (directory / "objects").rename(tmp_path / "away")
        (directory / "objects").write_text("in its place")
        answer = httpx.get(f"{server.url}/ready")
        assert answer.status_code == 503
        assert answer.json()["problems"]
        assert httpx.get(f"{server.url}/health").status_code == 200


def test_one_line_of_help_a_command():
    shown = pytupli_server("--help")
    for command in ("init", "start", "migrate", "fsck", "gc", "backup", "restore", "stats"):
        assert f"  {command} " in shown.stdout
