"""Starts servers in no time: everything is imported once, each server is a fork of this process.

Reads commands from standard input, one a line: ``start DIR PORT`` answers with the server's process id once it
listens; ``kill PID`` ends one with SIGKILL and answers when it is gone. Ends with its input.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from pytupli_registry.server.observability.logs import configure_logs
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.locks import running
from pytupli_registry.server.serving import HubServer, listen, run
from pytupli_registry.server.settings import Settings


def prepared(directory: str) -> tuple[HubServer, Settings]:
    """Build the application and answer one request, which builds the rest of it; nothing is opened yet."""
    settings = Settings.load(Path(directory))
    configure_logs(settings)
    server = HubServer(Hub.open(settings), lambda: os.close(server.tell))
    asyncio.run(ask(server.config.app))
    return server, settings


async def ask(app) -> None:
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message) -> None:
        assert message.get("status", 200) == 200

    path = {"path": "/health", "raw_path": b"/health", "query_string": b"", "root_path": "", "headers": []}
    await app(
        {"type": "http", "method": "GET", "http_version": "1.1", "scheme": "http", **path}, receive, send
    )


def start(directory: str, port: int) -> int:
    if directory not in servers:
        servers[directory] = prepared(directory)
    server, settings = servers[directory]
    ready, server.tell = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(ready)
        listener = listen("127.0.0.1", port)
        with running(settings.directory):
            run(server, listener)
        os._exit(0)
    os.close(server.tell)
    os.read(ready, 1)  # ends when the other end is closed: by a server that listens, or that has died
    os.close(ready)
    return process


def kill(process: int) -> int:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return process


servers: dict[str, tuple[HubServer, Settings]] = {}
for line in sys.stdin:
    match line.split():
        case ["start", directory, port]:
            print(start(directory, int(port)), flush=True)
        case ["kill", process]:
            print(kill(int(process)), flush=True)
