"""What tells two datasets apart: every episode is accounted for, and no data travels."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pytupli_registry
from pytupli_registry.dataset.dataset import Dataset
from pytupli_registry.dataset.episode import Episode
from pytupli_registry.remote.diff import diff_datasets
from pytupli_registry.storage.local import LocalStore
from tests.server.support.live import LiveHub
from tests.support.network import Network
from tests.support.walks import at_home, commit_files, walk, write_walks

EPISODES = [walk(at, 3 + at % 2) for at in range(5)]


def stored(root: Path, episodes: list[Episode], **extra: object) -> Dataset:
    folder = write_walks(root, "hvac/summer-v0", episodes, **extra)
    return LocalStore(folder.parent.parent, root / "cache").open("hvac/summer-v0")


@pytest.fixture
def before(tmp_path: Path) -> Dataset:
    return stored(tmp_path / "before", EPISODES, author="Ada")


def test_nothing_differs(before: Dataset, tmp_path: Path) -> None:
    found = diff_datasets(before, stored(tmp_path / "after", EPISODES, author="Ada"))
    assert found.is_same
    assert (found.unchanged, found.before, found.after.episodes) == (5, before.describe(), 5)


def test_episodes_that_come_go_move_and_change(before: Dataset, tmp_path: Path) -> None:
    rewards = replace(EPISODES[2], rewards=EPISODES[2].rewards + 1)
    facts = replace(EPISODES[3], seed=7, metadata={"month": "June", "site": "north"})
    after = stored(tmp_path / "after", [EPISODES[1], rewards, facts, EPISODES[4], walk(9)], author="Ada")
    found = diff_datasets(before, after)
    assert (found.added, found.removed, found.moved) == ((4,), (0,), ((1, 0), (4, 3)))
    assert [(one.before, one.after, one.leaves, one.facts) for one in found.changed] == [
        (2, 1, ("rewards",), ()),
        (3, 2, (), ("metadata.month", "metadata.site", "seed")),
    ]
    assert (found.unchanged, found.is_same, found.metadata) == (2, False, {})


def test_what_has_its_place_only(before: Dataset, tmp_path: Path) -> None:
    other = replace(walk(8, 6), seed=EPISODES[2].seed)
    after = stored(tmp_path / "after", [*EPISODES[:2], other, *EPISODES[3:]], author="Ada")
    (changed,) = diff_datasets(before, after).changed
    assert (changed.before, changed.after, changed.facts) == (2, 2, ())
    assert set(changed.leaves) >= {"observations", "actions", "rewards"}


def test_equal_episodes_are_counted_each(tmp_path: Path) -> None:
    one = walk(1)
    found = diff_datasets(stored(tmp_path / "a", [one, one, walk(2)]), stored(tmp_path / "b", [one, walk(2)]))
    assert (found.unchanged, len(found.removed), len(found.added)) == (2, 1, 0)


def test_metadata_and_leaves(before: Dataset, tmp_path: Path) -> None:
    energy = [replace(one, infos={"energy": one.rewards[[*range(len(one)), -1]]}) for one in EPISODES]
    after = stored(tmp_path / "after", energy, author="Bob", description="New.", environment="Walk-v1")
    found = diff_datasets(before, after)
    assert found.leaves == {"infos/energy": (None, "float64 scalar")}
    assert set(found.metadata) == {"author", "description", "env_spec"}
    assert found.metadata["author"] == ("Ada", "Bob")
    assert (found.unchanged, found.added, found.removed) == (5, (), ())


def test_only_what_filters_keep(before: Dataset, tmp_path: Path) -> None:
    after = stored(tmp_path / "after", [*EPISODES, walk(9, 7)], author="Ada")
    assert not diff_datasets(before, after).is_same
    assert diff_datasets(before.where("length < 5"), after.where("length < 5")).is_same


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=8), st.lists(st.integers(0, 9), min_size=1, max_size=8)
)
def test_every_episode_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, first: list[int], second: list[int]
) -> None:
    root = tmp_path_factory.mktemp("diff")
    found = diff_datasets(
        stored(root / "a", [walk(at) for at in first]), stored(root / "b", [walk(at) for at in second])
    )
    common = sum(min(first.count(one), second.count(one)) for one in range(10))
    assert found.unchanged == common
    assert found.unchanged + len(found.changed) + len(found.removed) == len(first)
    assert found.unchanged + len(found.changed) + len(found.added) == len(second)
    assert {pair.after for pair in found.changed}.isdisjoint(found.added)
    assert found.is_same == (first == second)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """With acme/hvac, whose tag v1 has the first three of its five episodes."""
    root = tmp_path_factory.mktemp("hub")
    live = LiveHub(root / "hub").start()
    live.organization("acme", alice="admin")
    long = [walk(at, 4000) for at in range(5)]
    commit_files(live.api("alice"), "acme/hvac", write_walks(root / "v1", "hvac/summer-v0", long[:3]).parent)
    live.api("alice").create_tag("acme/hvac", tag="v1", repo_type="dataset")
    commit_files(live.api("alice"), "acme/hvac", write_walks(root / "v2", "hvac/summer-v0", long).parent)
    yield live
    live.stop()


def test_two_revisions_without_their_data(
    hub: LiveHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Network(hub.port) as network:
        at_home(monkeypatch, tmp_path, hub, "alice")
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{network.port}")
        found = pytupli_registry.diff("acme/hvac@v1/summer-v0", "acme/hvac@main/summer-v0")
        travelled = network.totals().down
    assert (found.unchanged, found.added, found.removed, found.changed) == (3, (3, 4), (), ())
    size = 5 * 4000 * (8 + 8 + 8 + 2)  # observations, actions, rewards, flags
    assert travelled < size / 5
    # Local against remote.
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    write_walks(tmp_path, "hvac/summer-v0", [walk(at, 4000) for at in range(4)])
    mine = pytupli_registry.diff("hvac/summer-v0", "acme/hvac/summer-v0")
    assert (mine.unchanged, mine.added) == (4, (4,))
