"""The stock client in a process of its own: its settings, caches and Xet session are read from the environment."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

WORKER = """
import json, sys
from huggingface_hub import HfApi
for line in sys.stdin:
    asked = json.loads(line)
    try:
        api = HfApi(token=asked["token"])
        done = getattr(api, asked["call"])(**asked["arguments"])
        answer = {"done": str(done)}
    except Exception as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(answer), flush=True)
"""


class ClientError(Exception):
    """What the stock client raised."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class StockClient:
    """``huggingface_hub`` against one endpoint, with an ``HF_HOME`` of its own.

    Args:
        endpoint: the Hub.
        home: its ``HF_HOME``; made if it is missing.
        token: what it is logged in with.
        xet: whether it may use Xet.
    """

    def __init__(
        self, endpoint: str, home: Path, token: str, *, xet: bool = True, **environment: str
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.token = token
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={
                **os.environ,
                "HF_ENDPOINT": endpoint,
                "HF_HOME": str(home),
                "HF_HUB_DISABLE_XET": "0" if xet else "1",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "HF_XET_CLIENT_RETRY_BASE_DELAY": "100ms",
                **environment,
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def call(self, name: str, **arguments: Any) -> str:
        """Call a method of ``HfApi``."""
        asked = {"token": self.token, "call": name, "arguments": arguments}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ClientError(answer["error"], answer["message"])
        return answer["done"]

    def upload(self, repo_id: str, path: Path, name: str | None = None, **arguments: Any) -> str:
        """Upload one file to a dataset."""
        arguments = {"repo_type": "dataset", **arguments}
        return self.call(
            "upload_file",
            path_or_fileobj=str(path),
            path_in_repo=name or path.name,
            repo_id=repo_id,
            **arguments,
        )

    def download(self, repo_id: str, name: str, **arguments: Any) -> bytes:
        """Return the bytes of a file of a dataset."""
        arguments = {"repo_type": "dataset", "force_download": True, **arguments}
        return Path(self.call("hf_hub_download", repo_id=repo_id, filename=name, **arguments)).read_bytes()
