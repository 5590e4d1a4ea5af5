"""Starts servers in no time: everything is imported once, each server is a fork of this process.

Reads commands from standard input, one a line: ``start DIR PORT`` answers with the server's process id once it
listens; ``kill PID`` ends one with SIGKILL and answers when it is gone. Ends with its input.
"""

import os
import signal
import sys
from pathlib import Path

from pytupli_registry.server.observability.logs import configure_logs
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.locks import running
from pytupli_registry.server.serving import listen, serve
from pytupli_registry.server.settings import Settings


def start(directory: str, port: int) -> int:
    ready, tell = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(ready)
        settings = Settings.load(Path(directory))
        configure_logs(settings)
        hub = Hub.open(settings)
        listener = listen("127.0.0.1", port)
        with running(settings.directory):
            serve(hub, listener, lambda: os.close(tell))
        os._exit(0)
    os.close(tell)
    os.read(ready, 1)  # ends when the other end is closed: by a server that listens, or that has died
    os.close(ready)
    return process


def kill(process: int) -> int:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return process


for line in sys.stdin:
    match line.split():
        case ["start", directory, port]:
            print(start(directory, int(port)), flush=True)
        case ["kill", process]:
            print(kill(int(process)), flush=True)
