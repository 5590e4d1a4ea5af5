"""A Hub in a process of its own, started by the command that people use, so that it can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PASSWORD", "ServerProcess", "init", "pytupli_server"]

PASSWORD = "correct horse battery"
STARTS_WITHIN_S = 120


def pytupli_server(
    *arguments: object, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        _command(*arguments),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=STARTS_WITHIN_S,
        env={**os.environ, **environment},
    )


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "pytupli_registry.cli.server", *map(str, arguments)]


def init(directory: Path, *arguments: object, admin: str = "root") -> str:
    """Make a Hub, and return its first token."""
    options = ("--admin", admin, "--password-stdin", "--token", "--json")
    done = pytupli_server("init", directory, *options, *arguments, stdin=PASSWORD)
    assert done.returncode == 0, done.stderr
    token: str = json.loads(done.stdout)["token"]
    return token


class ServerProcess:
    """``pytupli-server start``: started on entering the context, killed on leaving it, if it still runs.

    Args:
        directory: the Hub.
        arguments: further ones of the command.
        environment: variables that it sees.
        port: where it listens; 0 takes a free one.
    """

    def __init__(self, directory: Path, *arguments: object, port: int = 0, **environment: str) -> None:
        self._command = _command("start", directory, "--port", port, "--json", *arguments)
        self._environment = {**os.environ, "PYTUPLI_SERVER_FSYNC": "false", **environment}
        self.log = directory.with_name(f"{directory.name}.log")

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment
            )
        self.url: str = json.loads(self._announcement())["url"]
        self.port = int(self.url.rpartition(":")[2])
        return self

    def _announcement(self) -> str:
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("}"):
                return "".join(lines)
        self.process.wait()
        raise RuntimeError(f"the server did not start: {self.log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.process.stdout.close()

    def kill(self) -> None:
        """End it at once, without a chance to do anything."""
        self.process.kill()
        self.process.wait()

    def terminate(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def lines(self) -> list[dict]:
        """Return what it has logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]
