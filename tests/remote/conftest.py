"""A published dataset, a Hub that counts what travels, and homes for clients."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import huggingface_hub.constants
import numpy as np
import pytest

from pytupli_registry import Dataset, Episode
from pytupli_registry.hub.pacing import Pace, Speed
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.references import Reference
from pytupli_registry.remote.opening import open_dataset
from pytupli_registry.storage.local import LocalStore
from tests.server.support.live import LiveHub
from tests.support.network import Network

EPISODES, STEPS = 60, 90
OBSERVATIONS = gymnasium.spaces.Box(-np.inf, np.inf, (7,), np.float64)
ACTIONS = gymnasium.spaces.Box(-1, 1, (2,), np.float32)


def make_episodes(count: int = EPISODES, seed: int = 0) -> Iterator[Episode]:
    """Give episodes whose returns grow, and whose lengths differ."""
    numbers = np.random.default_rng(seed)
    for position in range(count):
        steps = STEPS + int(numbers.integers(-20, 21))
        ends = np.arange(steps) == steps - 1
        yield Episode(
            observations=numbers.standard_normal((steps + 1, 7)),
            actions=np.tanh(numbers.standard_normal((steps, 2))).astype(np.float32),
            rewards=numbers.standard_normal(steps) + position / count,
            terminations=ends & bool(position % 2),
            truncations=ends & (not position % 2),
            infos={"energy": numbers.random(steps + 1)},
            seed=position,
            metadata={"month": "July" if position % 10 == 3 else "May"},
        )


class SteadyPace(Pace):
    """Believes that the network is narrow whatever it sees, so that what is planned does not depend on the machine."""

    def __init__(self) -> None:
        super().__init__(Speed(latency=0.001, bandwidth=1e6))

    def saw_latency(self, seconds: float) -> None:
        """Learn nothing."""

    def saw_transfer(self, size: int, seconds: float) -> None:
        """Learn nothing."""

    def saw_requests(self, count: int, size: int, seconds: float) -> None:
        """Learn nothing."""


@dataclass
class World:
    """A Hub with ``acme/hvac/summer-v0``, and the same dataset as it lies at its owner's.

    Attributes:
        hub: behind ``network``.
        network: counts and breaks what travels.
        local: what was published.
    """

    hub: LiveHub
    network: Network
    local: Dataset

    def client(self) -> Hub:
        """Return the Hub as the university sees it: by the network, with a token of its own."""
        hub = Hub(self.network.endpoint, self.hub.person("bob").token)
        hub.pace = SteadyPace()
        return hub

    def open(self, reference: str = "acme/hvac/summer-v0", **given: object) -> Dataset:
        """Open a dataset of the Hub."""
        return open_dataset(Reference.parse_dataset(reference), self.client(), **given)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world that all tests share; they only read it."""
    root = tmp_path_factory.mktemp("remote")
    store = LocalStore(root / "datasets", root / "cache")
    with store.writer("hvac/summer-v0", observation_space=OBSERVATIONS, action_space=ACTIONS) as writer:
        for episode in make_episodes():
            writer.add(episode)
    hub = LiveHub(root / "hub").start()
    hub.organization("acme", alice="admin", bob="read")
    alice = hub.api("alice")
    alice.create_repo("acme/hvac", repo_type="dataset", private=True)
    alice.upload_folder(
        folder_path=root / "datasets" / "hvac" / "summer-v0",
        path_in_repo="summer-v0",
        repo_id="acme/hvac",
        repo_type="dataset",
    )
    with Network(hub.port) as network:
        yield World(hub, network, store.open("hvac/summer-v0"))
    hub.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World) -> Iterator[Callable[[str], Path]]:
    """A fresh home for each test; call it to move to another one."""

    def move(name: str) -> Path:
        place = tmp_path / name
        for variable, folder in (("CACHE", "cache"), ("CONFIG", "config"), ("DATASETS", "datasets")):
            monkeypatch.setenv(f"PYTUPLI_{variable}_PATH", str(place / folder))
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(place / "hf"))
        return place

    move("home")
    world.network.rule = None
    world.network.forget()
    yield move
    world.network.rule = None
