"""Clients that upload and commit without a pause, and remember what they were told."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import random
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from huggingface_hub import HfApi

from pytupli_registry.server.wire.xet.hashes import parse_hash
from tests.server.support.xet_formats import file_records, shard, xorb

__all__ = ["Acknowledged", "Workload"]

TIMEOUT_S = 20
XET_CHUNK = 65_536


@dataclass(frozen=True)
class Acknowledged:
    """A commit that the server said it had made: a large and a small file, of the same number."""

    repository: str
    commit: str
    number: str
    large: str
    small: bytes


@dataclass
class Workload:
    """Threads that write to some repositories of one server, which may go and come back.

    Args:
        port: where the server listens whenever it does.
        token: a write token.
        repositories: their names; several threads share one.
        seed: of sizes and contents.
    """

    port: int
    token: str
    repositories: list[str]
    seed: int
    done: list[Acknowledged] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    answers: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def create(self) -> None:
        """Create the repositories."""
        api = HfApi(endpoint=f"http://127.0.0.1:{self.port}", token=self.token)
        for name in self.repositories:
            api.create_repo(name, repo_type="dataset", exist_ok=True)

    def start(self, threads: int) -> None:
        for index in range(threads):
            repository = self.repositories[index % len(self.repositories)]
            thread = threading.Thread(target=self._work, args=(repository, index), daemon=True)
            thread.start()
            self._threads.append(thread)

    def wait_for_answers(self, count: int) -> None:
        """Wait until the server has answered so many more requests: that is how long it has lived."""
        target, deadline = self.answers + count, time.monotonic() + TIMEOUT_S
        while self.answers < target:
            assert time.monotonic() < deadline, (
                f"only {self.answers} of {target} answers; refused: {self.refused}"
            )
            time.sleep(0.001)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S * 2)

    def _work(self, repository: str, index: int) -> None:
        random_ = random.Random(f"{self.seed}-{index}")
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                made = self._commit(repository, f"{self.seed}-{index}-{number}", random_)
            except (OSError, http.client.HTTPException):
                with self._lock:
                    self.broken += 1
                self._stop.wait(0.01)
            else:
                with self._lock:
                    if made is not None:
                        self.done.append(made)

    def _commit(self, repository: str, number: str, random_: random.Random) -> Acknowledged | None:
        large = random_.randbytes(random_.choice([10, 5_000, 200_000]))
        small = f"small {number} ".encode() * random_.choice([1, 100, 8000])
        sha256 = hashlib.sha256(large).hexdigest()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            way = random_.choice([self._upload_xet, self._upload_whole, self._upload_parts])
            if not way(connection, repository, sha256, large):
                return None
            oid = self._write(connection, repository, number, sha256, len(large), small)
        finally:
            connection.close()
        return oid and Acknowledged(repository, oid, number, sha256, small)

    def _upload_xet(
        self, connection: http.client.HTTPConnection, repository: str, sha256: str, content: bytes
    ) -> bool:
        """As hf_xet does, but for its chunks, which it finds in other places."""
        path = f"/api/datasets/{repository}/xet-write-token/main"
        token = self._json(connection, "GET", path, b"")
        if token is None:
            return False
        base = urlsplit(token["casUrl"]).path
        headers = {
            "Authorization": f"Bearer {token['accessToken']}",
            "Content-Type": "application/octet-stream",
        }
        chunks = [content[first : first + XET_CHUNK] for first in range(0, len(content), XET_CHUNK)]
        name, packed = xorb(*chunks)
        connection.request("POST", f"{base}/v1/xorbs/default/{name}", packed, headers)
        if self._read(connection) is None:
            return False
        described = shard(file_records([(parse_hash(name), len(content), 0, len(chunks))], sha256))
        connection.request("POST", f"{base}/v1/shards", described, headers)
        return self._read(connection) is not None

    def _upload_whole(
        self, connection: http.client.HTTPConnection, repository: str, sha256: str, content: bytes
    ) -> bool:
        return self._upload_lfs(connection, repository, sha256, content, ["basic"])

    def _upload_parts(
        self, connection: http.client.HTTPConnection, repository: str, sha256: str, content: bytes
    ) -> bool:
        return self._upload_lfs(connection, repository, sha256, content, ["multipart", "basic"])

    def _upload_lfs(
        self,
        connection: http.client.HTTPConnection,
        repository: str,
        sha256: str,
        content: bytes,
        transfers: list[str],
    ) -> bool:
        objects = [{"oid": sha256, "size": len(content)}]
        body = {"operation": "upload", "transfers": transfers, "objects": objects, "hash_algo": "sha256"}
        path = f"/datasets/{repository}.git/info/lfs/objects/batch"
        answer = self._json(connection, "POST", path, json.dumps(body).encode())
        if answer is None:
            return False
        actions = answer["objects"][0].get("actions")
        if actions is None:
            return "error" not in answer["objects"][0]
        upload = actions["upload"]
        if "chunk_size" not in upload.get("header", {}):
            return self._send(connection, "PUT", upload["href"], content) is not None
        return self._send_parts(connection, upload, sha256, content)

    def _send_parts(
        self, connection: http.client.HTTPConnection, upload: dict, sha256: str, content: bytes
    ) -> bool:
        size = int(upload["header"]["chunk_size"])
        parts = []
        for number, first in enumerate(range(0, len(content), size), 1):
            href = next(
                value for key, value in upload["header"].items() if key.isdecimal() and int(key) == number
            )
            answer = self._send(connection, "PUT", href, content[first : first + size])
            if answer is None:
                return False
            parts.append({"partNumber": number, "etag": answer.headers["ETag"]})
        body = json.dumps({"oid": sha256, "parts": parts}).encode()
        return self._send(connection, "POST", upload["href"], body) is not None

    def _write(
        self,
        connection: http.client.HTTPConnection,
        repository: str,
        number: str,
        sha256: str,
        size: int,
        small: bytes,
    ) -> str | None:
        encoded = base64.b64encode(small).decode()
        lines = [
            {"key": "header", "value": {"summary": number, "description": ""}},
            {"key": "file", "value": {"path": f"{number}/small", "content": encoded, "encoding": "base64"}},
            {
                "key": "lfsFile",
                "value": {"path": f"{number}/large", "algo": "sha256", "oid": sha256, "size": size},
            },
        ]
        body = "\n".join(map(json.dumps, lines)).encode()
        path = f"/api/datasets/{repository}/commit/main"
        answer = self._json(connection, "POST", path, body, "application/x-ndjson")
        return answer and answer["commitOid"]

    def _json(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes,
        kind: str = "application/json",
    ) -> dict | None:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        connection.request(method, path, body, headers)
        return self._read(connection, keep=True)

    def _send(self, connection: http.client.HTTPConnection, method: str, url: str, body: bytes):
        parts = urlsplit(url)
        headers = {"Content-Type": "application/vnd.git-lfs+json"} if method == "POST" else {}
        connection.request(method, f"{parts.path}?{parts.query}", body, headers)
        return self._read(connection)

    def _read(self, connection: http.client.HTTPConnection, *, keep: bool = False):
        response = connection.getresponse()
        content = response.read()
        with self._lock:
            self.answers += 1
        if response.status >= 300:
            with self._lock:
                self.refused[response.status] = self.refused.get(response.status, 0) + 1
            return None
        return json.loads(content) if keep else response
