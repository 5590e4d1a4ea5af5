"""The same client code as with our server works with a Hub that behaves as huggingface.co does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
import pytest
from huggingface_hub import constants

import pytupli_registry
from pytupli_registry import Benchmark, Episode
from pytupli_registry.errors import DatasetNotFound, HubError, RepositoryNotFound
from pytupli_registry.hub.snapshots import Hub
from pytupli_registry.remote.pulling import plan_pull
from tests.support.client_zygote import digest
from tests.support.public_hub import PublicHub
from tests.support.public_limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILTER = "total_return >= 6"
SPACE = gymnasium.spaces.Box(-np.inf, np.inf, (16,), np.float64)


def episodes(seed: int, count: int = 120, steps: int = 50) -> Iterator[Episode]:
    numbers = np.random.default_rng(seed)
    for _ in range(count):
        yield Episode(
            observations=numbers.standard_normal((steps + 1, 16)),
            actions=numbers.integers(0, 3, steps),
            rewards=numbers.standard_normal(steps),
            terminations=np.arange(steps) == steps - 1,
            truncations=np.zeros(steps, bool),
        )


def write(name: str, seed: int, **size: int) -> None:
    pytupli_registry.write(
        name,
        episodes(seed, **size),
        observation_space=SPACE,
        action_space=gymnasium.spaces.Discrete(3),
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's home: nothing is known there yet."""
    for name, folder in (("DATASETS", "datasets"), ("CACHE", "cache"), ("CONFIG", "config")):
        monkeypatch.setenv(f"PYTUPLI_{name}_PATH", str(tmp_path / folder))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
    monkeypatch.setattr(constants, "HF_XET_CACHE", str(tmp_path / "xet"))
    return tmp_path


def log_in(hub: PublicHub, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("HF_TOKEN", hub.person(name).token)


@pytest.fixture
def ada(public_hub: PublicHub, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublicHub]:
    """Ada is logged in; no token of hers ever reaches the host of the contents."""
    log_in(public_hub, "ada", monkeypatch)
    yield public_hub
    assert not public_hub.leaks


def forget(home: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Go on with empty caches."""
    monkeypatch.setenv("PYTUPLI_CACHE_PATH", str(home / name))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / name / "huggingface"))


def oracle(name: str, what: str | None = None) -> str:
    return digest(pytupli_registry.load(f"local://{name}", episodes=what).columns())


def test_publish_load_append_and_views(ada: PublicHub, home: Path, monkeypatch: pytest.MonkeyPatch):
    write("hvac/summer-v0", 1)
    made = pytupli_registry.publish("hvac/summer-v0", "acme", private=True)
    assert pytupli_registry.publish("hvac/summer-v0", "acme", private=True).commit == made.commit

    dataset = pytupli_registry.load("hf://acme/hvac/summer-v0", episodes=FILTER)
    assert 0 < len(dataset) < 60
    assert dataset.origin.commit == made.commit
    assert digest(dataset.columns()) == oracle("hvac/summer-v0", FILTER)

    view = pytupli_registry.save_view("hf://acme/hvac/summer-v0", "best", episodes=FILTER)
    assert len(pytupli_registry.load("hf://acme/hvac/summer-v0#best")) == len(dataset)
    assert view.selection.episodes == len(dataset)

    write("hvac/more-v0", 2, count=20)
    pytupli_registry.append_remote("acme/hvac/summer-v0", "hvac/more-v0")
    forget(home, monkeypatch, "elsewhere")
    longer = pytupli_registry.load("hf://acme/hvac/summer-v0")
    assert len(longer) == 140
    both = [
        episode.rewards for name in ("summer", "more") for episode in pytupli_registry.load(f"hvac/{name}-v0")
    ]
    np.testing.assert_array_equal(longer.column("rewards"), np.concatenate(both))
    before = pytupli_registry.load(f"hf://acme/hvac@{made.commit}/summer-v0", episodes=FILTER)
    assert digest(before.columns()) == oracle("hvac/summer-v0", FILTER)


def test_only_what_is_needed_travels(ada: PublicHub, home: Path, monkeypatch: pytest.MonkeyPatch):
    write("large/data-v0", 3, count=400, steps=200)
    pytupli_registry.publish("large/data-v0", "ada")
    plan = plan_pull(pytupli_registry.load("hf://ada/large/data-v0", episodes="total_return >= 30"))
    assert not plan.is_whole
    assert plan.travelling_bytes < plan.total_bytes / 5
    got = pytupli_registry.load("hf://ada/large/data-v0", episodes="total_return >= 30")
    assert digest(got.columns()) == oracle("large/data-v0", "total_return >= 30")


def test_benchmarks(ada: PublicHub, home: Path, monkeypatch: pytest.MonkeyPatch):
    env = gymnasium.make("CartPole-v1", max_episode_steps=50)
    made = Benchmark.from_env(env, name="pole", description="Balance.", licence="mit")
    made.save()
    pytupli_registry.publish("pole", "acme", private=True)
    found = Benchmark.load("acme/pole")
    assert found.identity == made.identity
    assert found.verify().outcome == "identical"


def test_search_goes_by_what_the_public_hub_knows(ada: PublicHub, home: Path):
    write("findable/data-v0", 4, count=3)
    pytupli_registry.publish("findable/data-v0", "acme", private=True)
    found = pytupli_registry.search("findable", organization="acme")
    assert "acme/findable" in repr(found)


def test_what_is_refused_is_said(ada: PublicHub, home: Path, monkeypatch: pytest.MonkeyPatch):
    write("mine/data-v0", 5, count=3)
    with pytest.raises(HubError, match=r"initech|right"):
        pytupli_registry.publish("mine/data-v0", "initech")
    pytupli_registry.publish("mine/data-v0", "acme", private=True)
    ada.person("mallory")
    log_in(ada, "mallory", monkeypatch)
    forget(home, monkeypatch, "mallorys")
    with pytest.raises(RepositoryNotFound):
        pytupli_registry.load("hf://acme/mine/data-v0")
    with pytest.raises(DatasetNotFound):
        pytupli_registry.append_remote("acme/mine/data-v0", "mine/data-v0")


def test_rate_limits_are_obeyed(home: Path, monkeypatch: pytest.MonkeyPatch):
    hub = PublicHub(home / "hub", Limits(requests=8, window_s=1.0))
    hub.person("ada")
    hub.start()
    try:
        log_in(hub, "ada", monkeypatch)
        write("busy/data-v0", 6, count=5)
        snapshot_of_a_new_repository(hub)
        start = time.monotonic()
        for _ in range(20):
            Hub().snapshot("ada/busy")
        assert sum(quota.refused for quota in hub.quotas.values()) <= 4
        assert time.monotonic() - start >= 1
    finally:
        hub.stop()


def snapshot_of_a_new_repository(hub: PublicHub) -> None:
    hub.api("ada").create_repo("ada/busy", repo_type="dataset")


def test_signed_urls_that_expire_are_asked_for_again(home: Path, monkeypatch: pytest.MonkeyPatch):
    hub = PublicHub(home / "hub", Limits(signed_s=0.3))
    hub.person("ada")
    hub.start()
    try:
        log_in(hub, "ada", monkeypatch)
        write("late/data-v0", 7)
        pytupli_registry.publish("late/data-v0", "ada")
        dataset = pytupli_registry.load("hf://ada/late/data-v0")
        first = dataset.where("episode_id < 10").column("rewards")
        time.sleep(0.5)
        rest = dataset.column("rewards")
        np.testing.assert_array_equal(rest[: len(first)], first)
        np.testing.assert_array_equal(rest, pytupli_registry.load("local://late/data-v0").column("rewards"))
    finally:
        hub.stop()
