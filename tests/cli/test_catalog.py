"""``pytupli catalog`` over a catalog of our own, and over the built-in one."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from pytupli_registry import api
from pytupli_registry.benchmarks.benchmark import Benchmark
from pytupli_registry.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECIPE = """
name = "{name}"
title = "A few steps of MountainCar"
description = "For tests."
difficulty = "easy"
requirements = ["{requirement}"]

[environment]
id = "MountainCar-v0"
max_episode_steps = 8

[evaluation]
episodes = 2
seed = 500

[references]
random = "random"

[datasets.random-v0]
description = "Random actions."
episodes = 3
policies = {{ random = 1.0 }}

[datasets.more-v0]
description = "More of them."
episodes = 2
seed = 10
policies = {{ random = 1.0 }}
"""


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("datasets", "cache", "config"):
        monkeypatch.setenv(f"PYTUPLI_{name.upper()}_PATH", str(tmp_path / name))
    site = tmp_path / "site"
    for name, requirement in (("hill", "gymnasium>=1.0.0"), ("far-hill", "no-such-simulator>=3")):
        (site / "hills_catalog" / name).mkdir(parents=True)
        text = RECIPE.format(name=name, requirement=requirement)
        (site / "hills_catalog" / name / "benchmark.toml").write_text(text)
    (site / "hills_catalog/__init__.py").touch()
    (site / "hills-1.0.dist-info").mkdir()
    (site / "hills-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: hills\nVersion: 1.0\n")
    points = "[pytupli_registry.catalogs]\nhills = hills_catalog\n"
    (site / "hills-1.0.dist-info/entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("hills_catalog", None)


def pytupli(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["catalog", *arguments], prog_name="pytupli")


def as_json(*arguments: str) -> Any:
    result = pytupli(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_every_command_has_help() -> None:
    listed = pytupli("--help")
    for name in ("list", "show", "build", "install", "baselines"):
        assert f"  {name} " in listed.stdout
        assert pytupli(name, "--help").stdout.startswith(f"Usage: pytupli catalog {name}")


def test_listing(site: Path) -> None:
    rows = {row["benchmark"]: row for row in as_json("list")}
    assert rows.keys() >= {"hill", "far-hill", "cartpole", "hvac"}
    assert rows["hill"] == {
        "benchmark": "hill",
        "catalog": "hills",
        "difficulty": "easy",
        "datasets": 2,
        "needs": "-",
        "installed": False,
        "title": "A few steps of MountainCar",
        "problem": None,
    }
    assert rows["cartpole"]["needs"] == "d3rlpy"
    assert rows["reacher"]["needs"] == "mujoco"
    printed = pytupli("list").stdout.splitlines()
    assert printed[0].split() == ["benchmark", "difficulty", "datasets", "needs", "installed", "title"]
    (line,) = [line for line in printed if line.startswith("hill ")]
    assert line.rstrip().split(maxsplit=5) == ["hill", "easy", "2", "-", "no", "A few steps of MountainCar"]
    (site / "hills_catalog/hill/benchmark.toml").write_text("name = 3")
    assert "hill cannot be read: " in pytupli("list").stdout


def test_showing() -> None:
    shown = as_json("show", "hvac")
    assert shown["environment"]["id"] == "pytupli/HVAC-v0"
    assert shown["datasets"]["operator-v0"]["policies"] == {"operator": 1.0}
    printed = pytupli("show", "hvac").stdout
    assert "benchmarks_catalog.policies.hvac:operator" in printed
    assert "pytupli catalog install hvac" in printed
    assert "SAC, trained online for" in pytupli("show", "pendulum").stdout


def test_a_name_that_is_not_there() -> None:
    for command in ("show", "install", "build", "baselines"):
        failed = pytupli(command, "cartpol")
        assert failed.exit_code == 1
        assert failed.stderr.startswith(
            "Error: There is no benchmark 'cartpol' in the catalog.\nHint: Did you mean"
        )


@pytest.mark.parametrize("command", ["install", "build", "baselines"])
def test_names_or_all(command: str) -> None:
    for arguments in ((), ("hill", "--all")):
        failed = pytupli(command, *arguments)
        assert failed.exit_code == 2
        assert "Give names, or --all." in failed.stderr


def test_installing_says_what_was_there_already(tmp_path: Path) -> None:
    first = pytupli("install", "hill", "--without-datasets")
    assert first.exit_code == 0, first.stderr
    assert first.stdout.startswith("hill: made without datasets (")
    second = pytupli("install", "hill")
    assert second.stdout.startswith("hill: recorded random-v0, more-v0 (")
    third = pytupli("install", "hill")
    assert third.stdout.startswith("hill: nothing to do; random-v0, more-v0 were there already (")
    (told,) = as_json("install", "hill")
    assert told["directory"] == str(tmp_path / "datasets/hill")
    assert (told["made"], told["recorded"], told["present"]) == (False, [], ["random-v0", "more-v0"])
    assert [len(episode) for episode in api.load("hill/random-v0").episodes()] == [8, 8, 8]
    assert Benchmark.load("hill").verify().outcome == "identical"
    assert {row["benchmark"] for row in as_json("list") if row["installed"]} == {"hill"}


def test_building_elsewhere(tmp_path: Path) -> None:
    (told,) = as_json("build", "hill", "--output", str(tmp_path / "out"))
    assert told["directory"] == str(tmp_path / "out/hill")
    assert told["recorded"] == ["random-v0", "more-v0"]
    assert not (tmp_path / "datasets").exists()
    assert Benchmark.load(tmp_path / "out/hill").dataset_names == ("more-v0", "random-v0")


def test_what_cannot_be_made_is_told_and_the_rest_is_made(tmp_path: Path) -> None:
    alone = pytupli("build", "far-hill", "--output", str(tmp_path / "out"))
    assert alone.exit_code == 1
    assert "no-such-simulator" in alone.stderr
    assert "Hint: pip install 'no-such-simulator>=3'" in alone.stderr
    both = pytupli("build", "far-hill", "hill", "--without-datasets", "--output", str(tmp_path / "out"))
    assert both.exit_code == 1
    assert both.stdout.splitlines()[0].startswith("far-hill: not made. ")
    assert both.stdout.splitlines()[1].startswith("hill: made without datasets")
    assert "1 of 2 benchmarks could not be made." in both.stderr
    assert (tmp_path / "out/hill/benchmark.json").is_file()


def test_the_card_alone(site: Path) -> None:
    done = pytupli("baselines", "hill", "--card-only")
    assert done.exit_code == 0, done.stderr
    card = (site / "hills_catalog/hill/README.md").read_text()
    assert "| `hill/more-v0` | 2 | 16 | -8.00 |" in card
    failed = pytupli("baselines", "hill")
    assert failed.exit_code == 1
    assert "Its recipe has no [baselines]." in failed.stderr
