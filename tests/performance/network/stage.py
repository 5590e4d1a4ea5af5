"""The Hub under measurement, the ways to it, and clients in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servers import ADMIN, HubProcess
from sets import Shape, store, write_ours

from tests.support.network import SLOW, Network, Totals

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LONG", "SHORT", "WAYS", "Client", "Stage", "Way", "scaled"]

# 1,000-step episodes of 314 bytes a step: 2 GB.
LONG = Shape("long", 6_400, 1_000, (32,), 6, varied=False)
SHORT = Shape("short", 20_000, 50, (4,), 1)
REPO = f"{ADMIN}/bench"
WAYS: dict[str, dict[str, float]] = {"loopback": {}, "20 ms, 200 Mbit/s": SLOW}


@dataclass(frozen=True)
class Client:
    """Somebody whose caches are empty at first.

    Attributes:
        endpoint: the Hub, as this client reaches it.
        token: of the Hub.
        home: caches and configuration.
        datasets: the local store.
        cache: of verified files; one in ``home`` if None, where nothing was verified yet.
    """

    endpoint: str
    token: str
    home: Path
    datasets: Path
    cache: Path | None = None

    def do(self, work: str, **arguments: Any) -> dict[str, Any]:
        """Do a piece of work of ``client.py`` in a new process."""
        process = self.start(work, **arguments)
        told, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{work}: {told[-2000:]}{errors[-4000:]}")
        said: dict[str, Any] = json.loads(told.splitlines()[-1])
        return said

    def start(self, work: str, **arguments: Any) -> subprocess.Popen[str]:
        """Begin with a piece of work, and return its process."""
        command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("client.py")), work]
        return subprocess.Popen(
            [*command, json.dumps(arguments)],
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HF_ENDPOINT": self.endpoint,
            "HF_TOKEN": self.token,
            "HF_HOME": str(self.home / "hf"),
            "PYTUPLI_CACHE_PATH": str(self.cache or self.home / "cache"),
            "PYTUPLI_CONFIG_PATH": str(self.home / "config"),
            "PYTUPLI_DATASETS_PATH": str(self.datasets),
            "MINARI_DATASETS_PATH": str(self.datasets),
        }

    def forget(self) -> None:
        """Empty the caches."""
        shutil.rmtree(self.home, ignore_errors=True)


@dataclass(frozen=True)
class Way:
    """A way to the Hub.

    Attributes:
        name: for the table.
        client: whose time is taken. On loopback nothing stands between it and the Hub, for counting takes time.
        counted: whose bytes ``network`` counts.
        network: counts what travels, and is slow where it should be.
    """

    name: str
    client: Client
    counted: Client
    network: Network

    def repeats(self, wanted: int) -> int:
        """Return how often to measure: fewer times where the network takes minutes, and varies little."""
        return wanted if self.client is not self.counted else max(1, wanted // 2)

    def count(self, work: str, **arguments: Any) -> tuple[dict[str, Any], Totals]:
        """Do a piece of work with empty caches, and return what travelled meanwhile, too."""
        self.counted.forget()
        self.network.forget()
        said = self.counted.do(work, **arguments)
        return said, self.network.totals()


class Stage:
    """A Hub with data on it.

    Args:
        root: everything lies below.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hub = HubProcess(root / "hub")
        self.written: dict[str, Path] = {}

    @contextmanager
    def running(self) -> Iterator[Stage]:
        """Serve until the end of the context."""
        with self.hub.running():
            yield self

    def write(self, shape: Shape) -> Path:
        """Write a set by our own writer into the local store, and return its directory."""
        if shape.dataset_id not in self.written:
            write_ours(shape, self.root)
            self.written[shape.dataset_id] = self.root / "ours" / shape.dataset_id
        return self.written[shape.dataset_id]

    def put(self, shape: Shape) -> str:
        """Write a set, upload it by the stock client, and return the reference by which it is loaded."""
        folder = self.write(shape)
        with self.client(self.hub.endpoint) as client:
            client.do("upload", repo=REPO, folder=str(_alone(folder, self.root)))
        return f"hf://{REPO}/{folder.name}"

    def least_of_top(self, shape: Shape, share: float = 0.1) -> float:
        """Return the return that so large a share of the episodes has at least."""
        import numpy as np

        returns = store(self.root).open(shape.dataset_id).fields["total_return"].values
        return float(np.quantile(np.asarray(returns), 1 - share))

    @contextmanager
    def client(self, endpoint: str) -> Iterator[Client]:
        """Give a client whose caches are empty, and go at the end."""
        with tempfile.TemporaryDirectory(dir=self.root) as home:
            yield Client(endpoint, self.hub.token, Path(home) / "home", self.root / "ours")

    @contextmanager
    def way(self, name: str, **conditions: float) -> Iterator[Way]:
        """Open a way to the Hub under conditions of :class:`Network`; without any, as fast as it goes."""
        port = int(self.hub.endpoint.rpartition(":")[2])
        with (
            Network(port, **conditions) as network,
            self.client(network.endpoint) as counted,
            self.client(self.hub.endpoint) as direct,
        ):
            yield Way(name, counted if conditions else direct, counted, network)


def scaled(shape: Shape, scale: float) -> Shape:
    """Return the same set with fewer episodes."""
    from dataclasses import replace

    return replace(shape, episodes=max(40, int(shape.episodes * scale)))


def _alone(folder: Path, root: Path) -> Path:
    """Return a directory that holds only this dataset, under its name in the repository."""
    place = root / "upload" / folder.name
    shutil.rmtree(place.parent, ignore_errors=True)
    shutil.copytree(folder, place, copy_function=os.link)
    return place.parent
