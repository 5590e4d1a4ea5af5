"""Views saved beside a local dataset go with it when it is published, checked by their hash."""

import dataclasses
import json
import shlex
from pathlib import Path

import pytest

from pytupli_registry import api, append_remote, delete_view, find_view, save_view
from pytupli_registry.errors import PublicationRefused
from pytupli_registry.publishing.publish import publish
from pytupli_registry.references import Reference
from pytupli_registry.remote.opening import open_dataset
from pytupli_registry.remote.view_files import load_view, views_of
from tests.publishing.conftest import User, episodes, write

JULY = "metadata.month == 'July'"


@pytest.fixture(autouse=True)
def logged_in(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", alice.hub.endpoint)
    monkeypatch.setenv("HF_TOKEN", alice.stock.token)


def refusal(what: str, to: str = "acme") -> str:
    with pytest.raises(PublicationRefused) as refused:
        publish(what, to)
    (problem,) = refused.value.problems
    return problem


def test_views_are_published_with_their_dataset_by_one_commit(alice: User, home: Path) -> None:
    write("seen/summer-v0")
    write("seen/winter-v0", seed=1)
    july = save_view("seen/summer-v0", "july", episodes=JULY, steps="reward > 0", description="Hot.")
    first = save_view("seen/summer-v0", "first", episodes="episode_id < 2")
    paths = {"summer-v0/views/july.json", "summer-v0/views/first.json"}
    planned = publish("seen", "acme", dry_run=True)
    assert paths <= planned.files.keys()
    made = publish("seen", "acme")
    assert made.files == planned.files
    assert paths <= alice.files("acme/seen")
    assert alice.commits("acme/seen") == 2  # the Hub's own, and ours
    for view in (july, first):
        there = find_view(f"hf://acme/seen/summer-v0#{view.name}")
        assert there == dataclasses.replace(view, dataset_id="seen/summer-v0")
        mine = api.load(f"local://seen/summer-v0#{view.name}").transitions().rewards
        assert (
            api.load(f"hf://acme/seen@{made.commit}/summer-v0#{view.sha256}").transitions().rewards == mine
        ).all()
    again = publish("seen", "acme")
    assert again.files == {}
    assert paths <= set(again.unchanged)


def test_a_view_that_was_made_later_comes_alone(alice: User) -> None:
    write("late/summer-v0")
    publish("late/summer-v0", "acme/later")
    view = save_view("late/summer-v0", "july", episodes=JULY)
    made = publish("late/summer-v0", "acme/later")
    assert made.files.keys() == {"summer-v0/views/july.json"}
    there = json.loads(alice.read("acme/later", "summer-v0/views/july.json"))
    assert (there["dataset_id"], there["sha256"]) == ("later/summer-v0", view.sha256)


def test_a_view_of_other_data_under_the_same_name_is_refused(alice: User) -> None:
    write("clash/summer-v0")
    publish("clash/summer-v0", "acme")
    published = save_view("hf://acme/clash/summer-v0", "july", episodes=JULY)
    mine = save_view("clash/summer-v0", "july", episodes="metadata.month == 'May'")
    before = alice.commits("acme/clash")
    problem = refusal("clash/summer-v0")
    assert published.sha256[:12] in problem
    assert mine.sha256[:12] in problem
    assert "`pytupli view delete acme/clash/summer-v0#july`" in problem
    assert alice.commits("acme/clash") == before
    # The same data in other words is the same view.
    save_view("clash/summer-v0", "july", episodes="not metadata.month == 'May'", replace=True)
    assert publish("clash/summer-v0", "acme").files == {}
    assert alice.commits("acme/clash") == before


def test_a_view_that_keeps_something_else_by_now_is_not_published(alice: User, home: Path) -> None:
    write("stale/summer-v0")
    save_view("stale/summer-v0", "july", episodes=JULY)
    api.append("stale/summer-v0", episodes(2, seed=7))
    problem = refusal("stale/summer-v0")
    assert problem.startswith("summer-v0, view july: ")
    assert "episodes: 2 became 3" in problem
    assert "`pytupli view delete`" in problem
    path = home / "datasets/stale/summer-v0/views/july.json"
    path.write_text(path.read_text().replace("July", "June"))
    assert "view july" in refusal("stale/summer-v0")
    path.write_text("{")
    assert "not JSON" in refusal("stale/summer-v0")
    assert not alice.stock.repo_exists("acme/stale", repo_type="dataset")
    delete_view("stale/summer-v0#july")
    assert publish("stale/summer-v0", "acme").files


def test_beside_a_longer_dataset_a_view_is_checked_against_that(alice: User) -> None:
    write("grown/summer-v0")
    publish("grown/summer-v0", "acme")
    append_remote("acme/grown/summer-v0", episodes(2, seed=9))
    save_view("grown/summer-v0", "july", episodes=JULY)
    first = save_view("grown/summer-v0", "first", episodes="episode_id < 3")
    made = publish("grown/summer-v0", "acme")
    assert made.files.keys() == {"summer-v0/views/first.json"}
    told = next(one for one in made.warnings if "view july" in one)
    assert "episodes: 2 became 3" in told
    command = shlex.split(told.split("`")[1])
    assert command == ["pytupli", "view", "save", "acme/grown/summer-v0", "july", "--episodes", JULY]
    dataset = open_dataset(Reference.parse("acme/grown/summer-v0"), alice.hub)
    assert len(dataset) == 6
    assert load_view(dataset, first.name, alice.hub).episode_count == 3
    assert views_of(dataset, alice.hub).names() == ["first"]


def test_links_that_lead_away_are_not_published(home: Path, tmp_path: Path) -> None:
    write("linked/summer-v0")
    save_view("linked/summer-v0", "july", episodes=JULY)
    views = home / "datasets/linked/summer-v0/views"
    away = tmp_path / "away"
    views.rename(away)
    views.symlink_to(away)
    assert "lies outside" in refusal("linked/summer-v0")
    views.unlink()
    away.rename(views)
    inside = home / "datasets/linked/elsewhere.json"
    (views / "july.json").rename(inside)
    (views / "july.json").symlink_to(inside)
    assert "summer-v0/views/july.json" in publish("linked/summer-v0", "acme", dry_run=True).files
