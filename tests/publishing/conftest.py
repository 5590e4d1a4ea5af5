"""A live Hub, people who publish to it, and something to publish."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from huggingface_hub import HfApi, constants

from pytupli_registry import api
from pytupli_registry.dataset.dataset import Dataset
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.hub.snapshots import Hub, Snapshot
from tests.server.support.live import LiveHub

OBSERVATIONS = spaces.Box(-np.inf, np.inf, (3,), np.float32)
ACTIONS = spaces.Discrete(2)


def episodes(count: int, seed: int = 0) -> Iterator[Episode]:
    """Random episodes, the same for the same seed."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        steps = int(rng.integers(3, 9))
        ends = np.arange(steps) == steps - 1
        yield Episode(
            observations=rng.standard_normal((steps + 1, 3)).astype(np.float32),
            actions=rng.integers(0, 2, steps),
            rewards=rng.standard_normal(steps),
            terminations=ends,
            truncations=np.zeros(steps, bool),
            seed=1000 * seed + number,
            metadata={"month": "July" if number % 2 else "May"},
        )


def write(dataset_id: str, count: int = 4, seed: int = 0) -> Dataset:
    """Write a local dataset."""
    return api.write(
        dataset_id,
        episodes(count, seed),
        observation_space=OBSERVATIONS,
        action_space=ACTIONS,
        extra={"author": "alice", "description": "Made for a test."},
    )


@dataclass
class User:
    """Somebody at the Hub: as our client, and as the stock one, which is the oracle."""

    hub: Hub
    stock: HfApi

    def files(self, repo: str) -> set[str]:
        """Paths of all files of a repository."""
        return set(self.stock.list_repo_files(repo, repo_type="dataset"))

    def commits(self, repo: str) -> int:
        """How many commits the main branch has."""
        return len(self.stock.list_repo_commits(repo, repo_type="dataset"))

    def read(self, repo: str, path: str) -> bytes:
        """Content of a file at the head, by the stock client."""
        return Path(self.stock.hf_hub_download(repo, path, repo_type="dataset")).read_bytes()

    def snapshot(self, repo: str) -> Snapshot:
        """The repository at its head."""
        return self.hub.snapshot(repo)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """With the organization acme; alice may write there, rita may read, bob is a stranger."""
    hub = LiveHub(tmp_path_factory.mktemp("hub") / "hub").start()
    hub.organization("acme", alice="admin", rita="read")
    hub.person("bob")
    yield hub
    hub.stop()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of one's own."""
    for name in ("DATASETS", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"PYTUPLI_{name}_PATH", str(tmp_path / name.lower()))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    return tmp_path


@pytest.fixture
def user(live: LiveHub) -> Callable[[str], User]:
    """Returns a user by name."""

    def make(name: str) -> User:
        return User(Hub(live.endpoint, live.person(name).token), live.api(name))

    return make


@pytest.fixture
def alice(user: Callable[[str], User]) -> User:
    """An admin of acme."""
    return user("alice")


@pytest.fixture
def small_env() -> Iterator[gymnasium.Env]:
    """An environment that everybody has."""
    env = gymnasium.make("CartPole-v1")
    yield env
    env.close()
