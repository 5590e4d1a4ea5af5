"""``pytupli publish``, ``append``, ``merge`` and ``index`` against a live Hub."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from gymnasium import spaces
from huggingface_hub import constants

from pytupli_registry import api
from pytupli_registry.cli import main
from pytupli_registry.dataset.episode import Episode
from tests.server.support.live import LiveHub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path_factory.mktemp("hub") / "hub").start()
    live.organization("acme", alice="admin")
    yield live
    live.stop()


@pytest.fixture(autouse=True)
def alice(hub: LiveHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alice is logged in, on a machine of her own."""
    for name in ("DATASETS", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"PYTUPLI_{name}_PATH", str(tmp_path / name.lower()))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("HF_TOKEN", hub.person("alice").token)


def write(dataset_id: str, count: int, first: int = 0) -> None:
    def episodes() -> Iterator[Episode]:
        for number in range(first, first + count):
            yield Episode(
                observations=np.full(4, number),
                actions=np.zeros(3, np.int64),
                rewards=np.full(3, float(number)),
                terminations=np.array([False, False, True]),
                truncations=np.zeros(3, bool),
                seed=number,
            )

    api.write(dataset_id, episodes(), observation_space=spaces.Discrete(99), action_space=spaces.Discrete(2))


def pytupli(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="pytupli")


def told(*arguments: str) -> str:
    result = pytupli(*arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def as_json(*arguments: str) -> Any:
    return json.loads(told(*arguments, "--json"))


def failed(*arguments: str) -> str:
    result = pytupli(*arguments)
    assert result.exit_code == 1, result.stdout
    assert result.stdout == ""
    return result.stderr


def test_from_publishing_to_a_longer_dataset(hub: LiveHub) -> None:
    write("hvac/summer-v0", 3)
    assert "nothing was sent" in told("publish", "hvac/summer-v0", "--to", "acme", "--dry-run")
    made = as_json("publish", "hvac/summer-v0", "--to", "acme", "--private", "--message", "Hello")
    assert made["files"].keys() >= {"README.md", "summer-v0/data/main_data.hdf5"}
    assert made["size"] == sum(made["files"].values())
    stock = hub.api("alice")
    assert stock.list_repo_commits("acme/hvac", repo_type="dataset")[0].title == "Hello"
    assert "has all of it already" in told("publish", "hvac/summer-v0", "--to", "acme")

    write("hvac/more-v0", 2, first=3)
    assert "to acme/hvac at " in told(
        "append", "acme/hvac/summer-v0", "hvac/more-v0", "--episodes", "seed == 4"
    )
    assert as_json("append", "acme/hvac/summer-v0", "hvac/more-v0", "--dry-run")["dry_run"]
    metadata = stock.hf_hub_download("acme/hvac", "summer-v0/data/metadata.json", repo_type="dataset")
    assert json.loads(Path(metadata).read_text())["total_episodes"] == 4

    said = as_json("merge", "hf://acme/hvac/summer-v0", "hvac/more-v0", "--into", "hvac/all-v0")
    assert said == {"dataset_id": "hvac/all-v0", "episodes": 6, "steps": 18}
    assert "has all of it already" in told("index", "acme/hvac", "--remote")
    assert "6 episodes" in told("index", "hvac/all-v0")


def test_errors_are_sentences(hub: LiveHub) -> None:
    write("heat/summer-v0", 1)
    assert "There is no" in failed("publish", "nothing", "--to", "acme")
    problems = failed("publish", "heat/summer-v0", "--to", "acme/a--b")
    assert problems.startswith("Error: heat/summer-v0 is not published: 'a--b' cannot be a repository's name")
    error = json.loads(failed("append", "acme/heat/summer-v0", "heat/summer-v0", "--json"))["error"]
    assert error["type"] == "DatasetNotFound"
    assert "none for you" in failed("publish", "heat/summer-v0", "--to", "nobody")
    assert "names no repository" in failed("index", "heat", "--remote")
    assert pytupli("index", "heat/summer-v0", "--dry-run").exit_code == 2
