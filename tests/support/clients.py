"""Clients that can be killed: each a process with a home of its own, started within milliseconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

__all__ = ["ClientProcess", "Clients", "Home"]

_ZYGOTE = Path(__file__).with_name("client_zygote.py")
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Home:
    """Where a client keeps what it has, and as whom it asks.

    Attributes:
        root: caches and settings lie below; removing it makes the client forget everything.
        endpoint: the Hub, as this client reaches it.
        token: None asks as nobody.
        datasets: the local store; below ``root`` unless given.
    """

    root: Path
    endpoint: str
    token: str | None
    datasets: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make it so."""
        datasets = str(self.datasets or self.root / "datasets")
        return {
            "HOME": str(self.root),
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(self.root / "huggingface"),
            "HF_TOKEN": self.token or "",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PYTUPLI_CACHE_PATH": str(self.root / "cache"),
            "PYTUPLI_CONFIG_PATH": str(self.root / "config"),
            "PYTUPLI_DATASETS_PATH": datasets,
            "MINARI_DATASETS_PATH": datasets,
        }


class ClientProcess:
    """A client at work."""

    def __init__(self, clients: Clients, number: int, answer: Path) -> None:
        self.number = number
        self._clients = clients
        self._answer = answer

    def kill(self) -> None:
        """End it at once; nothing happens if it has ended."""
        os.kill(self.number, signal.SIGKILL)

    def said(self) -> dict[str, Any] | None:
        """Wait for its end and return what it has to say; None if it was killed."""
        status = self._clients.wait(self.number)
        if status < 0:
            return None
        assert status == 0, status
        said: dict[str, Any] = json.loads(self._answer.read_text())
        assert "crash" not in said, said["crash"]
        return said


class Clients:
    """The process whose forks are clients.

    Args:
        folder: for answers and the log.
        modules: what clients will need, to be imported once for all of them.
    """

    def __init__(self, folder: Path, *modules: str) -> None:
        self._folder = folder
        self._modules = modules
        self._log = folder / "clients.log"
        self._count = 0

    def __enter__(self) -> Self:
        path = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", str(_ZYGOTE), *self._modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": path, "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def start(
        self, work: str, home: Home, *, largest_file: int | None = None, **arguments: Any
    ) -> ClientProcess:
        """Start a client that does a piece of work of ``client_zygote.py``."""
        self._count += 1
        answer = self._folder / f"answer-{self._count}.json"
        asked = {
            "work": work,
            "environment": home.environment,
            "arguments": arguments,
            "answer": str(answer),
            "largest_file": largest_file,
        }
        return ClientProcess(self, int(self._ask(asked)), answer)

    def do(self, work: str, home: Home, **arguments: Any) -> dict[str, Any]:
        """Let a client do a piece of work, and return what it says."""
        said = self.start(work, home, **arguments).said()
        assert said is not None, "it was killed"
        return said

    def wait(self, number: int) -> int:
        """Wait for the end of a client, and return its exit status."""
        return int(self._ask({"wait": number}))

    def _ask(self, asked: dict[str, Any]) -> str:
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self._log.read_text()
        return answer
