"""Running the Hub: one process, one event loop, threads for what blocks, and an orderly end."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType

import anyio.to_thread
import uvicorn

from pytupli_registry.server.app import create_app
from pytupli_registry.server.protocol import HubProtocol
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.maintenance.errors import MaintenanceError

__all__ = ["HubServer", "listen", "run", "serve", "url_of"]

BACKLOG = 2048
MOST_FILES = 16_384
# uvloop accepts one connection a socket and turn of its loop: with many requests in a turn, newcomers waited seconds.
ACCEPTED_TOGETHER = 8
KEEP_ALIVE_S = 75  # longer than proxies keep idle connections, so that they never write into a closing one
ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; port 0 takes a free one.

    Raises:
        MaintenanceError: the address is in use or is not ours.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with closing(socket.socket(family, kind, protocol)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            return listener.dup()
    except OSError as error:
        raise MaintenanceError(f"The server cannot listen on {host}:{port}: {error.strerror}.") from error


def url_of(listener: socket.socket) -> str:
    """Return the URL under which this machine reaches ``listener``."""
    host, port = listener.getsockname()[:2]
    if host in ANY_ADDRESS:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class HubServer(uvicorn.Server):
    """uvicorn, told what the Hub's settings say.

    Args:
        hub: what is served.
        on_ready: called when connections are taken.
    """

    def __init__(self, hub: Hub, on_ready: Callable[[], None] = lambda: None) -> None:
        settings = hub.settings
        super().__init__(
            uvicorn.Config(
                create_app(hub),
                http=HubProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                forwarded_allow_ips=list(settings.trusted_proxies),
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=settings.shutdown_s,
            )
        )
        self._threads = settings.threads
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        anyio.to_thread.current_default_thread_limiter().total_tokens = self._threads
        await super().startup(sockets)
        self._on_ready()


def serve(hub: Hub, listener: socket.socket, on_ready: Callable[[], None] = lambda: None) -> None:
    """Serve ``hub`` until SIGINT or SIGTERM; running requests may finish, new connections are refused.

    A second SIGINT ends it at once.
    """
    server = HubServer(hub, on_ready)
    gc.collect()
    gc.freeze()  # what is there now stays: looking through it again would stop all requests for a tenth of a second
    run(server, listener)


def run(server: HubServer, listener: socket.socket) -> None:
    """Run a server that was made before, as :func:`serve` does."""
    _allow_many_files()
    with _signals_that_only_stop(), asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.serve([listener, *(listener.dup() for _ in range(ACCEPTED_TOGETHER - 1))]))


def _allow_many_files() -> None:
    """Take what the system allows: the usual 1024 are fewer than connections and open blobs may need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _signals_that_only_stop() -> Iterator[None]:
    """After an orderly end uvicorn raises the signal again; the process has done what it asked for already."""

    def ignore(number: int, frame: FrameType | None) -> None:
        del number, frame

    before = {number: signal.signal(number, ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
