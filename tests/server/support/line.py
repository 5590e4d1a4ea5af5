"""A TCP connection that a test can cut: it stands between a client and a real server."""

import socket
import threading
from contextlib import suppress
from typing import Self


class Line:
    """Passes bytes between clients and the server at ``port``, until it is cut.

    Attributes:
        port: where clients connect to.
        limit: bytes in either direction after which it cuts itself; None for never.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self.limit: int | None = None
        self._passed = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._whole = True
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_) -> None:
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()

    def cut(self) -> None:
        """Reset every connection, and those that come."""
        with self._lock:
            self._whole = False
            ends, self._open = self._open, set()
        for end in ends:
            _close(end)

    def mend(self) -> None:
        """Let connections through again, without a limit."""
        with self._lock:
            self.limit, self._passed, self._whole = None, 0, True

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        if not self._whole:
            return _close(client)
        server = socket.create_connection(("127.0.0.1", self._server_port))
        with self._lock:
            self._open |= {client, server}
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()
        return None

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while block := source.recv(1 << 16):
                if self._is_too_much(len(block)):
                    return self.cut()
                target.sendall(block)
        except OSError:
            pass
        self._forget(source, target)
        return None

    def _is_too_much(self, size: int) -> bool:
        with self._lock:
            self._passed += size
            return self.limit is not None and self._passed > self.limit

    def _forget(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open -= set(ends)
        for end in ends:
            _close(end)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
