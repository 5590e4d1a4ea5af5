"""What the real ``hf_xet`` sends, recorded once a test run by a server on the loopback that says yes to all."""

import hashlib
import json
import os
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest

CLIENT = """
import sys
from hf_xet import COMPUTE_SHA256, XetSession
with XetSession().new_upload_commit(token_refresh_url=sys.argv[1], token_refresh_headers={}) as commit:
    for path in sys.argv[2:]:
        commit.start_upload_file(path, sha256=COMPUTE_SHA256)
"""


@dataclass
class Recording:
    """One upload: the files as they lie on the disk, and what came over the wire."""

    files: dict[str, bytes] = field(default_factory=dict)
    xorbs: dict[str, bytes] = field(default_factory=dict)
    shards: list[bytes] = field(default_factory=list)

    def sha256_of_files(self) -> set[str]:
        return {hashlib.sha256(content).hexdigest() for content in self.files.values()}


class Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        base = f"http://127.0.0.1:{self.server.server_port}"
        if "token" in self.path:
            self._answer(200, {"casUrl": f"{base}/cas", "exp": 1 << 40, "accessToken": "any"})
        else:
            self._answer(404, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "/v1/xorbs/" in self.path:
            self.server.recording.xorbs[self.path.rpartition("/")[2]] = body
            self._answer(200, {"was_inserted": True})
        elif self.path.endswith("/v1/shards"):
            self.server.recording.shards.append(body)
            self._answer(200, {"result": 1})
        else:
            self._answer(404, {})

    def _answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def sample_files() -> dict[str, bytes]:
    random = Random(7)
    floats = [1.0 + index / 1000 + random.random() / 1e6 for index in range(120_000)]
    return {
        "one-byte": b"x",
        "random": random.randbytes(700_001),
        "text": b"".join(b"%d,%d,reward\n" % (n, n * n) for n in range(60_000)),
        "floats": struct.pack(f"<{len(floats)}f", *floats) + b"abc",  # byte planes with a remainder
        "same-block-again": bytes(range(256)) * 3000,
    }


@pytest.fixture(scope="session")
def recording(tmp_path_factory) -> Recording:
    directory = tmp_path_factory.mktemp("hf-xet")
    recorded = Recording(files=sample_files())
    for name, content in recorded.files.items():
        (directory / name).write_bytes(content)
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        server.recording = recorded
        threading.Thread(target=server.serve_forever, daemon=True).start()
        subprocess.run(
            [sys.executable, "-c", CLIENT, f"http://127.0.0.1:{server.server_port}/token"]
            + [str(directory / name) for name in recorded.files],
            env={**os.environ, "HF_HOME": str(directory / "home")},
            check=True,
            timeout=60,
        )
        server.shutdown()
    assert recorded.xorbs
    assert recorded.shards
    return recorded
