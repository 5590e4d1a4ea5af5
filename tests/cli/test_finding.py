"""``pytupli search``, ``show``, ``list``, ``diff``, ``view``, ``revisions``, ``tag`` against a live Hub."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pytupli_registry.cli import main
from tests.server.support.live import LiveHub
from tests.support.walks import at_home, commit_files, walk, write_walks

JULY = "metadata.month == 'July'"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """With acme/hvac, whose tag v1 lacks an episode that main has, and a benchmark without datasets."""
    root = tmp_path_factory.mktemp("hub")
    live = LiveHub(root / "hub").start()
    live.organization("acme", alice="admin", bob="read")
    api, benchmark = live.api("alice"), {"format": "pytupli-benchmark", "description": "Heats offices."}
    episodes = [walk(1), walk(2, month="June"), walk(3)]
    first = write_walks(root / "v1", "hvac/summer-v0", episodes[:2])
    commit_files(api, "acme/hvac", first.parent, **{"benchmark.json": json.dumps(benchmark).encode()})
    api.create_tag("acme/hvac", tag="v1", repo_type="dataset")
    commit_files(api, "acme/hvac", write_walks(root / "v2", "hvac/summer-v0", episodes).parent)
    api.create_repo("acme/empty", repo_type="dataset")
    yield live
    live.stop()


@pytest.fixture(autouse=True)
def home(hub: LiveHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home(monkeypatch, tmp_path, hub, "alice")


def pytupli(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments), prog_name="pytupli")
    assert result.exit_code == code, (result.output, result.exception)
    return result


def as_json(*arguments: str, code: int = 0) -> Any:
    return json.loads(pytupli(*arguments, "--json", code=code).stdout)


def test_search() -> None:
    found = as_json("search", "hvac", "summer", "--org", "acme", "--space-kind", "box", "--min-size", "1KB")
    assert [one["reference"] for one in found["datasets"]] == ["acme/hvac/summer-v0"]
    assert (found["page"], found["more"], found["notes"]) == (1, False, [])
    shown = pytupli("search", "--quality", "terminated>=0.9", "--quality", "terminated<=1").stdout
    assert "acme/hvac/summer-v0 (private)" in shown
    assert "no such dataset" in pytupli("search", "--quality", "terminated<=0.5").stdout
    assert "no bound" in pytupli("search", "--quality", "terminated", code=2).stderr
    assert "no size" in pytupli("search", "--min-size", "large", code=2).stderr


def test_list_and_show_what_is_on_the_hub() -> None:
    listed = pytupli("list", "--remote", "acme").stdout
    assert "acme/hvac/summer-v0" in listed
    assert "Without a dataset that you may read: acme/empty" in listed
    assert {one["name"] for one in as_json("list", "--remote", "acme")["repositories"]} == {
        "acme/hvac",
        "acme/empty",
    }
    shown = pytupli("show", "acme/hvac@v1")
    assert "Heats offices." in shown.stdout
    assert "acme/hvac/summer-v0" in shown.stdout
    assert as_json("show", "acme/hvac@v1")["datasets"][0]["episodes"] == 2
    assert as_json("show", "acme/hvac@v1/summer-v0")["episodes"] == 2
    assert as_json("show", "acme/hvac/summer-v0", "--episodes", JULY)["episodes"] == 2
    pytupli("show", "acme/hvac", "--episodes", JULY, code=2)


def test_diff() -> None:
    asked = ("diff", "acme/hvac@v1/summer-v0", "acme/hvac@main/summer-v0")
    found = as_json(*asked, code=1)
    assert (found["same"], found["added"], found["unchanged"]) == (False, [2], 2)
    shown = pytupli(*asked, code=1).stdout
    assert "1 (2)" in shown
    assert "minimum return" in shown
    same = pytupli(*asked, "--episodes", "metadata.month == 'June'").stdout
    assert "There is no difference: 1 episodes." in same


def test_views() -> None:
    said = pytupli(
        "view", "save", "acme/hvac/summer-v0", "july", "--episodes", JULY, "--description", "Hot."
    ).stdout
    assert "july keeps 8 transitions of 2 episodes" in said
    assert "july" in pytupli("view", "list", "acme/hvac/summer-v0").stdout
    view = as_json("view", "show", "acme/hvac/summer-v0#july")
    assert view["sha256"] in said
    assert "Hot." in pytupli("view", "show", f"acme/hvac/summer-v0#{view['sha256'][:12]}").stdout
    assert as_json("show", "acme/hvac/summer-v0#july")["episodes"] == 2
    assert as_json("view", "delete", "acme/hvac/summer-v0#july", "--yes") == {
        "deleted": "acme/hvac/summer-v0#july"
    }
    assert "There are no views." in pytupli("view", "list", "acme/hvac/summer-v0").stdout
    assert "no view 'july'" in pytupli("view", "show", "acme/hvac/summer-v0#july", code=1).stderr


def test_revisions() -> None:
    made = as_json("tag", "acme/hvac", "v2")
    found = as_json("revisions", "acme/hvac", "--limit", "1")
    assert found["tags"]["v2"] == found["branches"]["main"] == made["commit"]
    assert len(found["commits"]) == 1
    shown = pytupli("revisions", "acme/hvac@v1").stdout
    assert "v2" in shown
    assert "data" in shown
    assert "is at" in pytupli("branch", "acme/hvac@v1", "fixes").stdout
    assert "Deleted the branch fixes" in pytupli("branch", "acme/hvac", "fixes", "--delete").stdout
    assert "Deleted the tag v2" in pytupli("tag", "acme/hvac", "v2", "--delete").stdout
