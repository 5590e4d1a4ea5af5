"""Whatever breaks, nothing wrong is delivered, and the next try finishes.

``PYTUPLI_NETWORK_FAULTS`` tells how often each kind happens; ``make test-faults`` sets hundreds.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest

from pytupli_registry import Episode
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.storage.local import LocalStore
from tests.server.faults.conftest import Zygote, free_port
from tests.server.support.live import LiveHub
from tests.server.support.process import init
from tests.support.client_zygote import digest
from tests.support.clients import Clients, Home
from tests.support.faults import Answer, Cut, Drip, Flip, Sometimes, Stall, rate_limit
from tests.support.network import Network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub import HfApi

    from tests.support.faults import Fault

ROUNDS = int(os.environ.get("PYTUPLI_NETWORK_FAULTS", "5"))
EPISODES, STEPS = 60, 150
FILTER = "total_return >= 4"
SPACE = gymnasium.spaces.Box(-np.inf, np.inf, (9,), np.float64)
ACTIONS = gymnasium.spaces.Box(-1, 1, (2,), np.float64)
NARROW = {"round_trip_s": 0.004, "bits_per_s": 40e6}  # so that a load takes half a second

KINDS = [
    lambda _: Cut(0),
    lambda r: Cut(r.randrange(200_000)),
    lambda r: Flip(r.randrange(100), bit=r.randrange(8)),
    lambda r: Flip(r.randrange(50_000), bit=r.randrange(8)),
    lambda _: Answer(500),
    lambda _: Answer(502, b"<html>Bad Gateway</html>"),
    lambda _: Answer(503, fields=(("Retry-After", "0"),)),
    lambda _: rate_limit(0),
    lambda _: Drip(200_000),
]


def episodes(seed: int) -> Iterator[Episode]:
    numbers = np.random.default_rng(seed)
    for position in range(EPISODES):
        steps = STEPS + int(numbers.integers(-20, 21))
        ends = np.arange(steps) == steps - 1
        yield Episode(
            observations=numbers.standard_normal((steps + 1, 9)),
            actions=np.tanh(numbers.standard_normal((steps, 2))),
            rewards=numbers.standard_normal(steps) + 0.02,
            terminations=ends & bool(position % 2),
            truncations=ends & (not position % 2),
            seed=position,
        )


def write(store: LocalStore, name: str, seed: int) -> None:
    with store.writer(name, observation_space=SPACE, action_space=ACTIONS) as writer:
        for episode in episodes(seed):
            writer.add(episode)


@dataclass(frozen=True)
class World:
    """A Hub with a dataset, what it should deliver, and clients.

    Attributes:
        home: a client that asks the Hub itself; ``datasets`` has what can be published.
        right: the hash of what a load with a filter (None: all) has to deliver.
    """

    hub: LiveHub
    store: LocalStore
    clients: Clients
    home: Home
    right: dict[str | None, str]

    def new_home(self, root: Path, network: Network | None = None) -> Home:
        endpoint = self.home.endpoint if network is None else network.endpoint
        return replace(self.home, root=root, endpoint=endpoint)

    def check(self, said: dict[str, Any] | None, what: str | None) -> bool:
        """Return whether a client got its data; what it got is right, or an error of ours told that it got none."""
        if said is None or "error" in said:
            return False
        assert said["digest"] == self.right[what]
        return True


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("world")
    store = LocalStore(root / "datasets", root / "cache")
    write(store, "grid/data-v0", 0)
    local = store.open("grid/data-v0")
    right = {
        what: digest((local.where(episodes=what) if what else local).columns()) for what in (None, FILTER)
    }
    assert 3 < len(local.where(episodes=FILTER)) < EPISODES / 2
    hub = LiveHub(root / "hub")
    token = hub.person("ada").token
    hub.organization("acme", ada="write")
    hub.start()
    home = Home(root / "home", hub.endpoint, token, root / "datasets")
    with Clients(root) as clients:
        published = clients.do("publish", home, what="grid", to="acme")
        assert "commit" in published, published
        yield World(hub, store, clients, home, right)
    hub.stop()


REFERENCE = "hf://acme/grid/data-v0"


def load(world: World, home: Home, what: str | None) -> dict[str, Any]:
    return world.clients.do("load", home, reference=REFERENCE, episodes=what)


@pytest.mark.slow
def test_a_network_that_fails_at_random(world: World, tmp_path: Path):
    given: list[Fault] = []
    with Network(world.hub.port) as network:
        for round_ in range(ROUNDS):
            home = world.new_home(tmp_path / str(round_), network)
            what = (FILTER, None)[round_ % 2]
            network.rule = chance = Sometimes(round_, 0.4, KINDS, most=6)
            world.check(load(world, home, what), what)
            network.rule = None
            assert world.check(load(world, home, what), what), "the next try does not finish"
            given += chance.done
            shutil.rmtree(home.root)
    assert len(given) >= ROUNDS
    assert len({type(fault) for fault in given}) > 1


@pytest.mark.slow
def test_a_server_that_says_nothing_any_more(world: World, tmp_path: Path):
    with Network(world.hub.port) as network:
        home = world.new_home(tmp_path / "home", network)
        network.rule = Sometimes(1, 0.5, [lambda r: Stall(r.randrange(1000))], containing="main_data", most=2)
        assert world.check(load(world, home, FILTER), FILTER)
        assert network.rule.done


@pytest.mark.slow
def test_pullers_that_are_killed(world: World, tmp_path: Path):
    random_ = random.Random(1)
    killed = 0
    with Network(world.hub.port, **NARROW) as network:
        for round_ in range(ROUNDS):
            home = world.new_home(
                tmp_path / str(round_ // 4), network
            )  # each goes on where another was killed
            what = (FILTER, None)[round_ // 2 % 2]
            two = [world.clients.start("load", home, reference=REFERENCE, episodes=what) for _ in range(2)]
            time.sleep(random_.uniform(0, 0.5))
            two[0].kill()
            killed += two[0].said() is None
            assert world.check(two[1].said(), what), "the other one of the same cache does not finish"
            assert world.check(load(world, home, what), what)
    assert killed >= ROUNDS / 2


@pytest.mark.slow
def test_publishers_that_are_killed(world: World, tmp_path: Path):
    random_ = random.Random(2)
    killed = 0
    hub = Hub(world.hub.endpoint, world.home.token)
    with Network(world.hub.port, **NARROW) as network:
        for round_ in range(max(3, ROUNDS // 2)):
            store = LocalStore(tmp_path / f"store{round_}", tmp_path / "cache")
            write(store, "work/data-v0", 100 + round_)
            home = replace(world.new_home(tmp_path / f"home{round_}", network), datasets=store.root)
            repo = f"acme/work{round_}"
            publisher = world.clients.start("publish", home, what="work/data-v0", to=repo)
            time.sleep(random_.uniform(0.05, 1.2))
            publisher.kill()
            killed += publisher.said() is None
            assert_all_or_nothing(world, hub, repo)
            made = world.clients.do("publish", home, what="work/data-v0", to=repo)
            assert "commit" in made, made
            fresh = world.new_home(tmp_path / f"fresh{round_}")
            said = world.clients.do("load", fresh, reference=f"hf://{repo}/data-v0")
            assert said["digest"] == digest(store.open("work/data-v0").columns())
    assert killed


def assert_all_or_nothing(world: World, hub: Hub, repo: str) -> None:
    api = world.hub.api("ada")
    if api.repo_exists(repo, repo_type="dataset"):
        files = set(hub.snapshot(repo).below())
        data = {f"data-v0/data/{name}" for name in ("main_data.hdf5", "metadata.json", "episodes.parquet")}
        assert files == {".gitattributes"} or files > data | {"README.md"}, files


@pytest.mark.extended
def test_a_server_that_is_killed(world: World, tmp_path: Path):
    directory, port, random_ = tmp_path / "hub", free_port(), random.Random(3)
    token = init(directory)
    server = Zygote(tmp_path / "zygote.log")
    home = replace(world.new_home(tmp_path / "home"), endpoint=f"http://127.0.0.1:{port}", token=token)
    try:
        with server.warm(directory, port):
            assert "commit" in world.clients.do("publish", home, what="grid", to="root")
        for round_ in range(max(3, ROUNDS // 2)):
            cold = replace(home, root=tmp_path / f"cold{round_}")
            repo, what = f"root/again{round_}", (FILTER, None)[round_ % 2]
            with server.server(port):
                publisher = world.clients.start("publish", home, what="grid/data-v0", to=repo)
                puller = world.clients.start("load", cold, reference="hf://root/grid/data-v0", episodes=what)
                time.sleep(random_.uniform(0, 0.6))
            with server.server(port):
                world.check(puller.said(), what)
                publisher.said()
                assert world.check(
                    world.clients.do("load", cold, reference="hf://root/grid/data-v0", episodes=what), what
                )
                assert "commit" in world.clients.do("publish", home, what="grid/data-v0", to=repo)
                assert world.check(
                    world.clients.do("load", cold, reference=f"hf://{repo}/data-v0", episodes=what), what
                )
    finally:
        server.close()


@pytest.mark.slow
def test_bytes_that_change_in_the_cache(world: World, tmp_path: Path):
    random_ = random.Random(4)
    for round_ in range(ROUNDS):
        home = world.new_home(tmp_path / str(round_))
        what = (FILTER, None)[round_ % 2]
        assert world.check(load(world, home, what), what)
        for folder in ("cache", "huggingface"):
            if files := in_cache(home, folder):
                flip(random_.choice(files), random_)
        if not world.check(load(world, home, what), what):
            assert world.check(load(world, home, what), what), "the next try does not finish"
        shutil.rmtree(home.root)


@pytest.mark.slow
def test_bytes_that_change_in_an_earlier_version(world: World, tmp_path: Path):
    """What a longer version takes from a shorter one that is here is right, or comes over the network."""
    store, api, random_ = (
        LocalStore(tmp_path / "store", tmp_path / "cache"),
        world.hub.api("ada"),
        random.Random(5),
    )
    api.create_repo("acme/grown", repo_type="dataset")
    write(store, "grown/data-v0", 7)
    shorter = put(api, store)
    with store.append("grown/data-v0") as writer:
        for episode in islice(episodes(8), 5):
            writer.add(episode)
    longer, right = put(api, store), digest(store.open("grown/data-v0").columns())
    for round_ in range(ROUNDS):
        home = world.new_home(tmp_path / str(round_))
        said = world.clients.do(
            "load", home, reference=f"hf://acme/grown@{shorter}/data-v0", episodes=(None, FILTER)[round_ % 2]
        )
        assert "digest" in said, said
        for folder in ("cache", "huggingface"):
            files = in_cache(home, folder)
            for _ in range(random_.randrange(4) if files else 0):
                flip(random_.choice(files), random_)
        for _ in range(2):
            said = world.clients.do("load", home, reference=f"hf://acme/grown@{longer}/data-v0")
            if "error" not in said:
                break
        assert said["digest"] == right
        shutil.rmtree(home.root)


def put(api: HfApi, store: LocalStore) -> str:
    """Upload a dataset by the stock client, and return the commit."""
    folder = Path(store.open("grown/data-v0").source).parent
    return api.upload_folder(
        repo_id="acme/grown", folder_path=folder, path_in_repo="data-v0", repo_type="dataset"
    ).oid


def in_cache(home: Home, folder: str) -> list[Path]:
    return [path for path in (home.root / folder).rglob("*") if path.is_file() and path.stat().st_size]


def flip(path: Path, random_: random.Random) -> None:
    """Change one bit of a file, where it holds something."""
    path.chmod(0o600)
    with path.open("r+b") as file:
        content = file.read()
        places = np.flatnonzero(np.frombuffer(content, np.uint8))
        place = int(random_.choice(places)) if len(places) else 0
        file.seek(place)
        file.write(bytes([content[place] ^ (1 << random_.randrange(8))]))


@pytest.mark.slow
@pytest.mark.parametrize(("what", "room"), [(FILTER, 0), (FILTER, 3_000), (None, 60_000), (None, 900_000)])
def test_a_disk_without_space(world: World, tmp_path: Path, what: str | None, room: int):
    home = world.new_home(tmp_path / "home")
    said = world.clients.do("load", home, largest_file=room, reference=REFERENCE, episodes=what)
    world.check(said, what)
    assert world.check(load(world, home, what), what)
