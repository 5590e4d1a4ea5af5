"""Starts servers in no time: everything is imported and has run once, each server is a fork of this process.

Reads commands from standard input, one a line, and answers with a number:

* ``warm DIR PORT`` serves a Hub in this process until ``cool``;
* ``start PORT`` serves it in a new process and answers with the process id once it listens;
* ``kill PID`` ends a server with SIGKILL and answers when it is gone.

Ends with its input.
"""

import asyncio
import os
import signal
import sys
import threading
import traceback
from dataclasses import replace
from pathlib import Path

from pytupli_registry.server.observability.logs import configure_logs
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.locks import running
from pytupli_registry.server.serving import HubServer, listen, serve
from pytupli_registry.server.settings import Settings


class Warm:
    """A Hub that was served in this process for a while, so that its SQL is compiled."""

    def __init__(self, directory: str) -> None:
        self.settings = Settings.load(Path(directory))
        configure_logs(self.settings)
        self.hub = Hub.open(self.settings)

    def serve(self, port: int) -> int:
        ready = threading.Event()
        self.server = HubServer(self.hub, ready.set)
        listener = listen("127.0.0.1", port)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([listener])))
        self.thread.start()
        ready.wait(60)
        return port

    def cool(self) -> int:
        self.server.should_exit = True
        self.thread.join()
        self.hub.close()
        return 0

    def fork(self, port: int) -> int:
        ready, tell = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(ready)
            try:
                self._serve_until_killed(port, tell)
            except BaseException:  # noqa: BLE001 - whatever it is, it must not go on in the parent's code
                traceback.print_exc()
            finally:
                os._exit(1)  # never back into the loop: commands are for the parent
        os.close(tell)
        os.read(ready, 1)  # ends when the other end is closed: by a server that listens, or that has died
        os.close(ready)
        return process

    def _serve_until_killed(self, port: int, tell: int) -> None:
        hub = replace(Hub.open(self.settings), database=self.hub.database)
        with running(self.settings.directory):
            serve(hub, listen("127.0.0.1", port), lambda: os.close(tell))


def kill(process: int) -> int:
    assert process > 1, "it would be a whole group of processes"
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return process


warm: Warm
for line in sys.stdin:
    match line.split():
        case ["warm", directory, port]:
            warm = Warm(directory)
            print(warm.serve(int(port)), flush=True)
        case ["cool"]:
            print(warm.cool(), flush=True)
        case ["start", port]:
            print(warm.fork(int(port)), flush=True)
        case ["kill", process]:
            print(kill(int(process)), flush=True)
