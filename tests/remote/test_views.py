"""Views: saved under a name beside the data, loaded and checked by everyone, local and on a Hub."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pytupli_registry
from pytupli_registry import api
from pytupli_registry.errors import (
    CommitConflict,
    FilterSyntaxError,
    FormatError,
    HubError,
    InvalidReference,
    PytupliError,
    SelectionChanged,
    ViewExists,
    ViewNotFound,
)
from pytupli_registry.remote.view_files import views_of
from pytupli_registry.remote.views import make_view, read_view
from pytupli_registry.storage.local import LocalStore
from tests.server.support.live import LiveHub
from tests.support.walks import at_home, commit_files, walk, write_walks

JULY = "metadata.month == 'July'"
EPISODES = [walk(at, 3 + at, month=["June", "July"][at % 2]) for at in range(4)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """With acme/hvac, which alice may write and bob may read."""
    root = tmp_path_factory.mktemp("hub")
    live = LiveHub(root / "hub").start()
    live.organization("acme", alice="admin", bob="read")
    live.person("mallory")
    folder = write_walks(root, "hvac/summer-v0", EPISODES)
    commit_files(live.api("alice"), "acme/hvac", folder.parent)
    yield live
    live.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: LiveHub) -> Path:
    """Alice's machine, with a dataset of her own."""
    at_home(monkeypatch, tmp_path, hub, "alice")
    write_walks(tmp_path, "hvac/summer-v0", EPISODES)
    return tmp_path


def test_a_local_view_from_beginning_to_end(home: Path) -> None:
    view = pytupli_registry.save_view(
        "hvac/summer-v0", "july", episodes=JULY, steps="reward > 10.2", description="Hot."
    )
    assert (view.selection.episodes, view.selection.transitions) == (2, 7)
    loaded = api.load("hvac/summer-v0#july")
    assert np.array_equal(loaded.transitions().rewards, [10.3, 30.0, 30.1, 30.2, 30.3, 30.4, 30.5])
    assert pytupli_registry.list_views("hvac/summer-v0") == [view]
    assert pytupli_registry.find_view("local://hvac/summer-v0#july") == view
    assert api.load(f"hvac/summer-v0#{view.sha256}").transition_count == 7  # cited by its hash
    assert api.load(f"hvac/summer-v0#{view.sha256[:12]}", episodes="length > 4").transition_count == 6
    # A view of a view is one of the dataset.
    narrow = pytupli_registry.save_view("hvac/summer-v0#july", "long-july", episodes="length > 4")
    assert narrow.selection.episodes == 1
    assert api.load("hvac/summer-v0#long-july").transition_count == 6
    pytupli_registry.delete_view("hvac/summer-v0#july")
    with pytest.raises(ViewNotFound, match=r"no view 'july'.*long-july"):
        api.load("hvac/summer-v0#july")
    api.delete("hvac/summer-v0")  # what is left of a dataset is nothing
    assert not (home / "datasets" / "hvac").exists()


def test_the_same_view_is_saved_once_and_another_one_not_at_all(home: Path) -> None:
    first = pytupli_registry.save_view("hvac/summer-v0", "july", episodes=JULY)
    path = home / "datasets/hvac/summer-v0/views/july.json"
    before = path.read_bytes()
    pytupli_registry.save_view("hvac/summer-v0", "july", episodes="not metadata.month == 'June'")
    assert path.read_bytes() == before
    with pytest.raises(ViewExists, match=first.sha256[:12]):
        pytupli_registry.save_view("hvac/summer-v0", "july", episodes="length == 3")
    assert pytupli_registry.save_view("hvac/summer-v0", "july", episodes="length == 3", replace=True) != first
    with pytest.raises(InvalidReference):
        pytupli_registry.save_view("hvac/summer-v0", "../july")
    with pytest.raises(InvalidReference, match="names no view"):
        pytupli_registry.find_view("hvac/summer-v0")


def test_appended_episodes_matter_where_they_are_kept(home: Path) -> None:
    pytupli_registry.save_view("hvac/summer-v0", "july", episodes=JULY)
    api.append("hvac/summer-v0", [walk(9, month="June")])
    assert api.load("hvac/summer-v0#july").episode_count == 2
    api.append("hvac/summer-v0", [walk(10, month="July")])
    with pytest.raises(SelectionChanged, match="episodes: 2 became 3") as caught:
        api.load("hvac/summer-v0#july")
    assert "transitions: 10 became 14" in caught.value.differences


def test_other_values_are_told(home: Path) -> None:
    pytupli_registry.save_view("hvac/summer-v0", "july", episodes=JULY)
    view = (home / "datasets/hvac/summer-v0/views/july.json").read_bytes()
    api.delete("hvac/summer-v0")
    other = replace(EPISODES[3], rewards=EPISODES[3].rewards + 1)
    folder = write_walks(home, "hvac/summer-v0", [*EPISODES[:3], other])
    (folder / "views").mkdir()
    (folder / "views/july.json").write_bytes(view)
    with pytest.raises(SelectionChanged, match="rewards has other values"):
        api.load("hvac/summer-v0#july")
    assert (
        pytupli_registry.find_view("hvac/summer-v0#july").selection.episodes == 2
    )  # it can be looked at all the same


def test_a_published_view_is_the_same_for_others(
    home: Path, hub: LiveHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = "acme/hvac/summer-v0"
    before = hub.api("alice").list_repo_commits("acme/hvac", repo_type="dataset")
    view = pytupli_registry.save_view(name, "july", episodes=JULY, steps="reward > 10.2")
    after = hub.api("alice").list_repo_commits("acme/hvac", repo_type="dataset")
    assert len(after) == len(before) + 1
    assert view.source == f"hf://acme/hvac@{before[0].commit_id}/summer-v0"
    assert (
        view.sha256
        == pytupli_registry.save_view("hvac/summer-v0", "other", episodes=JULY, steps="reward > 10.2").sha256
    )
    pytupli_registry.save_view(
        name, "july", episodes="metadata.month in ['July']", steps="not reward <= 10.2"
    )
    assert len(hub.api("alice").list_repo_commits("acme/hvac", repo_type="dataset")) == len(after)

    at_home(monkeypatch, tmp_path / "bob", hub, "bob")
    assert np.array_equal(
        api.load(f"{name}#july").transitions().rewards, [10.3, 30.0, 30.1, 30.2, 30.3, 30.4, 30.5]
    )
    assert api.load(f"{name}#{view.sha256[:16]}").transition_count == 7
    assert [one.name for one in pytupli_registry.list_views(name)] == ["july"]
    with pytest.raises(HubError):
        pytupli_registry.save_view(name, "bobs", episodes=JULY)
    with pytest.raises(HubError):
        pytupli_registry.delete_view(f"{name}#july")
    with pytest.raises(ViewNotFound, match="Did you mean 'july'"):
        api.load(f"{name}#jully")

    at_home(monkeypatch, tmp_path / "mallory", hub, "mallory")
    with pytest.raises(PytupliError, match="There is no"):
        api.load(f"{name}#july")

    at_home(monkeypatch, tmp_path / "bob", hub, "bob")
    monkeypatch.setenv("PYTUPLI_OFFLINE", "1")  # what was loaded once is there without a network
    assert api.load(f"{name}#july").transition_count == 7
    monkeypatch.delenv("PYTUPLI_OFFLINE")

    at_home(monkeypatch, tmp_path, hub, "alice")
    pytupli_registry.delete_view(f"{name}#july")
    assert pytupli_registry.list_views(name) == []


def test_a_view_needs_no_data_to_be_checked(home: Path, hub: LiveHub, tmp_path: Path) -> None:
    pytupli_registry.save_view("acme/hvac/summer-v0", "by-index", episodes=JULY)
    loaded = api.load("acme/hvac/summer-v0#by-index")
    assert loaded.episode_count == 2
    mirrored = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    data = (tmp_path / "datasets/hvac/summer-v0/data/main_data.hdf5").stat().st_size
    assert sum(path.stat().st_blocks * 512 for path in mirrored if path.stat().st_size == data) < data


def test_a_view_is_not_saved_beside_other_data(home: Path, hub: LiveHub, tmp_path: Path) -> None:
    folder = write_walks(tmp_path / "first", "moving/walk-v0", EPISODES)
    commit_files(hub.api("alice"), "acme/moving", folder.parent)
    old = api.load("acme/moving/walk-v0", JULY)
    later = write_walks(tmp_path / "later", "moving/walk-v0", EPISODES[:3])
    commit_files(hub.api("alice"), "acme/moving", later.parent)
    with pytest.raises(CommitConflict, match="was changed while the view was made"):
        views_of(old).write(make_view("july", old))
    assert pytupli_registry.list_views("acme/moving/walk-v0") == []


def a_view(tmp_path: Path) -> dict[str, Any]:
    folder = write_walks(tmp_path, "hvac/summer-v0", EPISODES)
    dataset = LocalStore(folder.parent.parent, tmp_path / "cache").open("hvac/summer-v0").where(JULY)
    loaded: dict[str, Any] = json.loads(make_view("july", dataset).to_json())
    return loaded


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"format": "other"}, "it is no view"),
        ({"version": 2}, "upgrade"),
        ({"name": "june"}, "calls itself 'june'"),
        ({"sha256": "0" * 64}, "not the hash"),
        ({"episodes": 5}, "a filter is a text"),
        ({"episodes": "'" + "x" * 5000}, r"(?i)quot|string|text"),
        ({"steps": "__import__('os')"}, "__import__"),
        ({"selection": []}, "no selection"),
        ({"selection": {"episodes": 1}}, "no selection"),
        ({"description": ["x"]}, "no text"),
        ({"description": "x" * 5000}, "no text"),
        ({"source": {}}, "no text"),
        ({"dataset_id": None}, "no text"),
    ],
)
def test_a_hostile_file_is_refused(saved: dict[str, Any], change: dict[str, Any], problem: str) -> None:
    assert read_view(json.dumps(saved).encode(), "july").name == "july"
    with pytest.raises((FormatError, FilterSyntaxError), match=problem):
        read_view(json.dumps({**saved, **change}).encode(), "july")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 100_000, b" " * (1 << 21)])
def test_what_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        read_view(content, "july")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return a_view(tmp_path_factory.mktemp("view"))


@settings(max_examples=40)
@given(
    changes=st.dictionaries(
        st.sampled_from(["episodes", "steps", "transitions", "spaces", "lengths", "leaves", "mask"]),
        st.none() | st.integers() | st.text(max_size=70) | st.dictionaries(st.text(max_size=9), st.text()),
        min_size=1,
    )
)
def test_no_other_selection_is_believed(saved: dict[str, Any], changes: dict[str, Any]) -> None:
    other = {**saved, "selection": {**saved["selection"], **changes}}
    assume(other != saved)
    with pytest.raises(FormatError):
        read_view(json.dumps(other).encode(), "july")


def test_links_and_pipes_are_not_followed(home: Path) -> None:
    import os

    folder = home / "datasets/hvac/summer-v0/views"
    folder.mkdir()
    (folder / "link.json").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe.json")
    (folder / "not a name.json").write_text("{}")
    for name in ("link", "pipe"):
        with pytest.raises(FormatError):
            api.load(f"hvac/summer-v0#{name}")
    with pytest.raises(ViewNotFound):
        api.load("hvac/summer-v0#missing")
