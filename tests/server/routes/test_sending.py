"""Files by zero copy, as `pytupli-server start` sends them: a process of its own, and clients of every manner."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from pytupli_registry.server.protocol import HubProtocol
from tests.server.support.process import ServerProcess, init
from tests.server.support.served import ServedHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = (24 << 20) + 17  # more than sockets hold
BIG = random.Random(4).randbytes(SIZE)
FILES = {"big.bin": BIG, "large.bin": BIG[:300_003], "small.txt": b"small\n" * 50}
PATH = "/datasets/acme/files/resolve/main/"
READERS = 64


def fill(api: HfApi) -> None:
    """Make a public repository with the files."""
    api.create_repo("acme/files", repo_type="dataset", private=False)
    operations = [CommitOperationAdd(path, content) for path, content in FILES.items()]
    api.create_commit("acme/files", operations, commit_message="files", repo_type="dataset")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("sending") / "hub"
    token = init(directory, admin="acme")
    with ServerProcess(directory) as server:
        fill(HfApi(endpoint=server.url, token=token))
        yield server


def request(name: str, *headers: str, method: str = "GET") -> bytes:
    lines = (f"{method} {PATH}{name} HTTP/1.1", "Host: hub.example", *headers)
    return "\r\n".join((*lines, "", "")).encode()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def answer(client: socket.socket, method: str = "GET") -> tuple[int, bytes]:
    """Read one answer, and not a byte of what follows it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, head
        head += byte
    status, *lines = head.decode().split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = int(fields.get("content-length", 0))
    body = exactly(client, 0 if method == "HEAD" or " 304 " in status else length)
    return int(status[9:12]), body


def exactly(client: socket.socket, size: int) -> bytes:
    body = bytearray()
    while len(body) < size:
        block = client.recv(min(size - len(body), 1 << 20))
        assert block, f"the connection ended after {len(body)} of {size} bytes"
        body += block
    return bytes(body)


def open_files(server: ServerProcess) -> list[str]:
    """Return what the server holds open, but for what comes and goes with the database and threads."""
    found = []
    for entry in Path(f"/proc/{server.process.pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:") or "/objects/" in target:
            found.append(target)
    return found


def eventually(holds: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_file_that_no_buffer_holds(server: ServerProcess) -> None:
    with connected(server.port) as client:
        for _ in range(2):
            client.sendall(request("big.bin"))
            time.sleep(0.05)
            assert answer(client) == (200, BIG)


def test_bytes_that_are_not_in_memory(server: ServerProcess) -> None:
    """They are read in a thread, so that nobody else waits for the disk."""
    for path in server.log.with_name("hub").joinpath("objects").rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with connected(server.port) as client:
        client.sendall(request("big.bin", "Range: bytes=1000-"))
        assert answer(client) == (206, BIG[1000:])


def test_requests_follow_each_other_on_one_connection(server: ServerProcess) -> None:
    dice = random.Random(5)
    with connected(server.port) as client:
        for _ in range(60):
            asked, method, wanted = drawn(dice)
            client.sendall(asked)
            assert answer(client, method) == wanted, asked


def test_requests_that_do_not_wait_for_answers(server: ServerProcess) -> None:
    dice = random.Random(6)
    for _ in range(8):
        asked = [drawn(dice) for _ in range(12)]
        with connected(server.port) as client:
            client.sendall(b"".join(one for one, _, _ in asked))
            for one, method, wanted in asked:
                assert answer(client, method) == wanted, one


def drawn(dice: random.Random) -> tuple[bytes, str, tuple[int, bytes]]:
    """Return some request, its method, and the status and bytes of its answer."""
    name = dice.choice(list(FILES))
    content = FILES[name]
    start = dice.randrange(len(content))
    end = min(start + dice.choice([0, 1, 100, 70_000, 1_100_000]), len(content) - 1)
    return dice.choice(
        [
            (request(name, f"Range: bytes={start}-{end}"), "GET", (206, content[start : end + 1])),
            (request(name, f"Range: bytes=-{end - start + 1}"), "GET", (206, content[start - end - 1 :])),
            (request(name, method="HEAD"), "HEAD", (200, b"")),
            (request(name, "If-None-Match: *"), "GET", (304, b"")),
            (request("large.bin"), "GET", (200, FILES["large.bin"])),
            (request(name, f"Range: bytes=x{start}-"), "GET", (200, content)),
        ]
    )


@pytest.mark.parametrize("resets", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("more", [0, 3], ids=["alone", "with others behind"])
def test_who_leaves_leaves_nothing(server: ServerProcess, more: int, resets: bool) -> None:
    before, lines = len(open_files(server)), len(server.lines())
    for wait in (0.0, 0.01, 0.05):
        for _ in range(5):
            client = connected(server.port)
            client.sendall(request("big.bin") * (1 + more))
            time.sleep(wait)
            if wait:
                client.recv(1 << 16)
            if resets:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
    assert eventually(lambda: len(open_files(server)) <= before), open_files(server)
    with connected(server.port) as client:
        client.sendall(request("large.bin"))
        assert answer(client) == (200, FILES["large.bin"])
    assert [line for line in server.lines()[lines:] if line["level"] not in ("info", "debug")] == []


async def read_ranges(port: int, seed: int) -> None:
    dice = random.Random(seed)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(8):
        start = dice.randrange(SIZE)
        end = min(start + dice.choice([1, 131_072, 131_072, 1_500_000]), SIZE) - 1
        writer.write(request("big.bin", f"Range: bytes={start}-{end}"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 206 ")
        assert f"bytes {start}-{end}/{SIZE}".encode() in head
        assert await reader.readexactly(end + 1 - start) == BIG[start : end + 1]
    writer.close()
    await writer.wait_closed()


def test_many_readers_at_once(server: ServerProcess) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(read_ranges(server.port, seed) for seed in range(READERS)))

    before = len(open_files(server))
    asyncio.run(all_of_them())
    assert eventually(lambda: len(open_files(server)) <= before), open_files(server)


class Impatient(HubProtocol):
    progress_s: ClassVar[float] = 0.4


class ImpatientHub(ServedHub):
    protocol = Impatient


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImpatientHub]:
    hub = ImpatientHub(tmp_path_factory.mktemp("impatient") / "hub").start()
    fill(hub.api("alice"))
    yield hub
    hub.stop()


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What uvicorn complains of."""
    said: list[str] = []
    listener = logging.Handler(logging.WARNING)
    listener.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("uvicorn.error").addHandler(listener)
    yield said
    logging.getLogger("uvicorn.error").removeHandler(listener)


def test_the_system_moves_the_bytes(impatient: ImpatientHub, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = []
    sendfile = os.sendfile

    def counting(out: int, source: int, offset: int, count: int) -> int:
        moved.append(sendfile(out, source, offset, count))
        return moved[-1]

    monkeypatch.setattr(os, "sendfile", counting)
    with connected(impatient.port) as client:
        client.sendall(request("big.bin", "Range: bytes=5-20000000"))
        assert answer(client) == (206, BIG[5:20_000_001])
    assert sum(moved) == 20_000_001 - 5


def test_a_reader_that_stands_still_is_dropped(impatient: ImpatientHub, complaints: list[str]) -> None:
    with connected(impatient.port) as alone, connected(impatient.port) as piling:
        alone.sendall(request("big.bin"))
        piling.sendall(request("big.bin") * 3)
        time.sleep(2)
        for client in (alone, piling):
            with pytest.raises((AssertionError, ConnectionResetError)):
                answer(client)
    with connected(impatient.port) as client:
        client.sendall(request("small.txt"))
        assert answer(client) == (200, FILES["small.txt"])
    assert complaints == []


def test_a_slow_reader_is_not(impatient: ImpatientHub, complaints: list[str]) -> None:
    """Even if it takes less in that time than makes the system ask for more."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 << 10)
        client.settimeout(30)
        client.connect(("127.0.0.1", impatient.port))
        client.sendall(request("big.bin", "Connection: close"))
        received = bytearray()
        for _ in range(30):
            received += client.recv(40_000)
            time.sleep(0.1)
        while block := client.recv(1 << 20):
            received += block
    assert received.endswith(BIG)
    assert complaints == []


def test_a_file_that_becomes_shorter(impatient: ImpatientHub) -> None:
    """The client learns that it is not whole, and the server goes on."""
    api = impatient.api("alice")
    content = random.Random(7).randbytes(12 << 20)
    api.upload_file(
        path_or_fileobj=content, path_in_repo="cut.bin", repo_id="acme/files", repo_type="dataset"
    )
    objects = (impatient.settings.directory / "objects").rglob("*")
    (path,) = [one for one in objects if one.is_file() and one.stat().st_size == len(content)]
    path.chmod(0o600)
    with connected(impatient.port) as client:
        client.sendall(request("cut.bin"))
        begun = exactly(client, 1 << 20)
        os.truncate(path, 11 << 20)
        with pytest.raises((AssertionError, ConnectionResetError)):
            exactly(client, len(content))
    assert content[: 1 << 19] in begun
    for name in ("cut.bin", "large.bin"):
        with connected(impatient.port) as client:
            client.sendall(request(name))
            if name == "large.bin":
                assert answer(client) == (200, FILES[name])
            else:
                with pytest.raises((AssertionError, ConnectionResetError)):
                    exactly(client, 12 << 20)
