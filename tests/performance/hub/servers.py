"""The servers under measurement, each in a process of its own."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

NGINX = """
daemon off; user {user}; worker_processes 1; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; default_type application/octet-stream;
  client_body_temp_path {root}/t; proxy_temp_path {root}/t; fastcgi_temp_path {root}/t;
  uwsgi_temp_path {root}/t; scgi_temp_path {root}/t;
  server {{ listen 127.0.0.1:{port}; root {files}; add_header X-Repo-Commit {commit}; }}
}}
"""
COMMIT = "0123456789" * 4  # clients want to be told one
ADMIN = "root"


class HubProcess:
    """A Hub as its users run it: SQLite, a folder, and every write on the disk before it is acknowledged."""

    def __init__(self, directory: Path, database_url: str | None = None) -> None:
        self.directory = directory
        command = [*self._command("init"), "--admin", ADMIN, "--password-stdin", "--token", "--json"]
        command += ["--database-url", database_url] if database_url else []
        made = subprocess.run(command, input="a long password", capture_output=True, text=True, check=True)
        self.token: str = json.loads(made.stdout)["token"]

    def _command(self, name: str) -> list[str]:
        return [sys.executable, "-m", "pytupli_registry.cli.server", name, str(self.directory)]

    @contextmanager
    def running(self, core: int | None = None) -> Iterator[HubProcess]:
        """Serve until the end of the context, on one core of the machine if one is given."""
        with (self.directory.parent / "hub.log").open("ab") as log:
            command = [*on_core(core), *self._command("start"), "--port", "0", "--json"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            said = ""
            while "}" not in said:
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError((self.directory.parent / "hub.log").read_text())
                said += line
            self.endpoint: str = json.loads(said)["url"]
            self.process = psutil.Process(process.pid)
            yield self
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()

    def cpu_seconds(self) -> float:
        """Return how long the server has computed."""
        times = self.process.cpu_times()
        return times.user + times.system

    def forget_peak(self) -> None:
        """Begin to watch the memory anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        """Return the most memory that was resident since then."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10

    def received(self, part: str) -> int:
        """Return the bytes of bodies received on routes that contain ``part``."""
        with urlopen(f"{self.endpoint}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        counted = [line for line in lines if line.startswith("pytupli_received_bytes_total") and part in line]
        return int(sum(float(line.rpartition(" ")[2]) for line in counted))


class FileServer:
    """nginx, or what Python has, with the headers that the client wants.

    Attributes:
        name: which of the two it is.
        endpoint: its URL.
    """

    def __init__(self, root: Path, files: Path) -> None:
        self.root = root
        self.files = files
        self.name = "nginx" if shutil.which("nginx") else "python -m http.server (with ranges)"
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[FileServer]:
        """Serve until the end of the context."""
        process = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(self.port)
            yield self
        finally:
            process.terminate()
            process.wait(20)

    def _command(self) -> list[str]:
        if self.name != "nginx":
            script = Path(__file__).with_name("plain_server.py")
            return [sys.executable, str(script), str(self.port), str(self.files), COMMIT]
        configuration = self.root / "nginx.conf"
        facts = {"root": self.root, "port": self.port, "files": self.files, "commit": COMMIT}
        configuration.write_text(NGINX.format(user=getpass.getuser(), **facts))
        return [shutil.which("nginx"), "-p", str(self.root), "-c", str(configuration)]


def on_core(core: int | None) -> list[str]:
    """Return the beginning of a command that runs on this core only, where the system can do that."""
    return ["taskset", "-c", str(core)] if core is not None and shutil.which("taskset") else []


@contextmanager
def working_on(core: int | None) -> Iterator[None]:
    """Let this process run on one core, for as long as another has the other ones."""
    if core is None or not on_core(core):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def two_cores() -> tuple[int | None, int | None]:
    """Return a core for the server and another one for its clients; None where the machine has only one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server does not listen")
